"""Text, bounded by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9.errors import RefusedObject
from l9.readers import lines
from l9.readers.lines import plain_text


@given(
    st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), min_size=1),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_line_ends_and_byte_order_marks_are_one(parts, end):
    if parts[0].startswith(b"\xef\xbb\xbf"):
        parts[0] = b""
    assert plain_text(b"\xef\xbb\xbf" + end.join(parts)) == b"\n".join(parts)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9))
def test_a_line_is_refused_exactly_where_it_is_too_long(lengths):
    text = b"\n".join(b"x" * length for length in lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "LINE_BYTES", 8)
        if max(lengths) > 8:
            with pytest.raises(RefusedObject, match="line-too-long"):
                plain_text(text)
        else:
            assert plain_text(text) == text
