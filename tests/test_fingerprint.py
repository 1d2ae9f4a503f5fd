"""Canonical JSON, digests of files, and their cache."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9.errors import UsageError
from l9.fingerprint import DigestCache, canonical, digest, file_digest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=6))
def test_order_of_keys_changes_nothing(value):
    assert digest(value) == digest(dict(reversed(list(value.items()))))


def test_tuples_and_lists_are_one():
    assert canonical({"b": (1, 2.5), "a": None}) == '{"a":null,"b":[1,2.5]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {"a": {1, 2}}, print, b"x"])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(UsageError):
        canonical(value)


def test_the_place_is_named():
    with pytest.raises(UsageError, match=r"value\.a\[1\]"):
        canonical({"a": [1, print]})


def test_cache_reads_a_changed_file_again(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    cache = DigestCache(tmp_path / "deep" / "digests.sqlite")
    first = cache.of(path)
    assert first == file_digest(path) == cache.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert cache.of(path) == file_digest(path) != first
    cache.close()


def test_rehash_distrusts_the_file_system(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    cache = DigestCache(tmp_path / "digests.sqlite")
    old = cache.of(path)
    with path.open("r+b") as stream:
        stream.write(b"two")
    os.utime(path, ns=(1, 1))
    assert cache.of(path) == old, "same size, time and inode: the cache cannot know"
    cache.close()
    rehashing = DigestCache(tmp_path / "digests.sqlite", rehash=True)
    assert rehashing.of(path) == file_digest(path) != old
    rehashing.close()
