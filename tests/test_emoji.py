"""Emoji: skin tones, makers and twins stay in one part, and catalogs and pictures of another form are refused."""

import io
import json

import pytest
from numpy.testing import assert_array_equal
from picture_bytes import emoji, entry, pixels, png, refused

from l9.errors import UsageError
from l9.readers import emoji as reader
from l9.readers.contract import REFUSE, Found
from l9.readers.lists import hashed_split

TONES = ("1F3FB", "1F3FB-1F3FC")
ENTRIES = [entry(f"1F{number:03X}", "Objects", tones=TONES if number % 2 else ()) for number in range(60)]


def test_tones_and_makers_of_one_emoji_are_in_one_part(tmp_path):
    found = {one.id: one for one in reader.find(emoji(tmp_path, ENTRIES))}
    assert len(found) == 2 * (60 + 2 * 30) and {one.label for one in found.values()} == {"Objects"}
    assert {one.split for one in found.values()} == {"train", "validation", "test"}
    for one in ENTRIES:
        names = [one["image"], *(tone["image"] for tone in one.get("skin_variations", {}).values())]
        splits = {found[f"{vendor}/{name}"].split for vendor in reader.VENDORS for name in names}
        assert splits == {hashed_split(one["unified"])}
    assert found["google/1f001-1f3fb.png"].files == ("emoji-datasource-google/img/google/64/1f001-1f3fb.png",)


def test_twins_are_in_one_part():
    group = reader._group
    for same in reader.SAME:
        assert len({group(entry(name)) for name in same.split()}) == 1
    assert group(entry("1F46A", name="FAMILY", obsoleted_by="1F468")) == group(entry("1F9D1", name="FAMILY: ADULT, CHILD"))
    assert group(entry("1F3C3", obsoleted_by="1F3C3-200D")) == group(entry("1F3C3-200D", obsoletes="1F3C3"))
    assert group(entry("1F600")) != group(entry("1F601"))


def test_a_vendor_without_a_picture_has_no_object_and_a_lost_one_is_quarantined(tmp_path):
    some = [entry("1F600"), entry("1F601", has_img_google=False)]
    root = emoji(tmp_path, some)
    (root / "emoji-datasource-twitter/img/twitter/64/1f600.png").unlink()
    found = {one.id: one.facts.get(REFUSE, [""])[0] for one in reader.find(root)}
    assert found == {"google/1f600.png": "", "twitter/1f600.png": "missing-file", "twitter/1f601.png": ""}
    assert [one.id for one in reader.find(root, vendors=["google"])] == ["google/1f600.png"]


@pytest.mark.parametrize("vendors", [[], ["apple"], ["google", "google"]])
def test_vendors_are_those_there_are(tmp_path, vendors):
    with pytest.raises(UsageError, match=r"parameters\.vendors is .*; expected some of google twitter, each once"):
        list(reader.find(tmp_path, vendors=vendors))


def test_a_root_without_a_package_is_refused(tmp_path):
    root = emoji(tmp_path / "emoji", [entry("1F600")], vendors=["google"])
    assert len(list(reader.find(root, vendors=["google"]))) == 1
    with pytest.raises(UsageError, match=r"no emoji-datasource-twitter/emoji\.json there"):
        list(reader.find(root))


@pytest.mark.parametrize(
    "change",
    [
        {"image": "../x.png"},
        {"image": "x.gif"},
        {"image": None},
        {"unified": 3},
        {"name": None},
        {"category": "a\nb"},
        {"obsoleted_by": 3},
        {"skin_variations": []},
        {"skin_variations": {"1F3FB": "x"}},
        {"skin_variations": {"1F3FB": {"image": "/etc/x.png"}}},
    ],
)
def test_a_catalog_of_another_form_is_refused(tmp_path, change):
    root = emoji(tmp_path, [entry("1F600")], vendors=["google"])
    catalog = root / "emoji-datasource-google" / "emoji.json"
    catalog.write_text(json.dumps([entry("1F600"), {**entry("1F601"), **change}]))
    refused(lambda: list(reader.find(root, vendors=["google"])), "bad-catalog", "entry 2")


def test_pictures_keep_their_alpha_and_others_are_refused():
    found = Found("google/1f600.png", ("emoji-datasource-google/img/google/64/1f600.png",))
    image = reader.read([io.BytesIO(png(64, 64, 4))], found, "+Y")
    assert_array_equal(image.pixels, pixels(64, 64, 4)[..., :3])
    assert_array_equal(image.alpha, pixels(64, 64, 4)[..., 3])
    for data, reason in ((png(64, 64, 3), "no-alpha"), (png(32, 64, 4), "wrong-size"), (png(64, 64, 4)[:500], "broken-picture")):
        refused(lambda: reader.read([io.BytesIO(data)], found, "+Y"), reason)  # noqa: B023
