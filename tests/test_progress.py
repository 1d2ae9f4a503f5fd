"""Progress lines: rate, time left, and the last line whatever happened."""

import pytest

from l9.progress import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (42.4, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (59.7, "1 min 00 s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_last_line_says_all():
    lines = []
    with Progress("prep toys", 3, "objects", to=lines.append) as progress:
        progress.advance(2)
        progress.advance(1, "1 quarantined")
    assert lines[-1].startswith("prep toys: 3 of 3 objects")
    assert lines[-1].endswith("1 quarantined")


def test_a_failure_still_shows_how_far_it_came():
    lines = []
    with pytest.raises(RuntimeError), Progress("prep toys", 3, "objects", to=lines.append) as progress:
        progress.advance(1)
        raise RuntimeError
    assert "1 of 3 objects" in lines[-1]
