"""Which references in a file lead out of its folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9.readers.materials import leads_outside, outside_notes


@pytest.mark.parametrize(
    "name", ["a.png", "./a.png", "b/a.png", "b/../a.png", "b/./../c/a.png", "a..png", "...", "", "b//a.png", "ü ü.png"]
)
def test_names_within_the_folder(name):
    assert not leads_outside(name)


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "b/../../a.png",
        "/a.png",
        "\\a.png",
        "..\\a.png",
        "C:\\a.png",
        "c:/a",
        "file:a.png",
        "https://x/a.png",
        "~/a",
        '"../a b"',
        " ../a",
    ],
)
def test_names_that_lead_out(name):
    assert leads_outside(name)


@given(st.lists(st.sampled_from(["..", ".", "a", "b", ""]), max_size=8))
def test_a_path_leads_out_where_it_climbs_above_its_start(parts):
    depths = [parts[:end].count("a") + parts[:end].count("b") - parts[:end].count("..") for end in range(len(parts) + 1)]
    expected = min(depths) < 0 or (len(parts) > 1 and parts[0] == "")
    assert leads_outside("/".join(parts)) == expected


@given(st.lists(st.binary(max_size=200)))
def test_notes_are_few_short_and_printable(references):
    notes = outside_notes(references)
    assert len(notes) <= 4 and all(note.isprintable() for note in notes)
