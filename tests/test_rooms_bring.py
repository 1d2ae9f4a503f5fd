"""`l9 fetch rooms`: whole rooms in ScanNet's layout, the same for the same seed, none lost, whose furniture it is told beside them."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from household import household_home

from l9.cards import load_card
from l9.errors import CardError, FetchError, UsageError
from l9.fingerprint import file_digest
from l9.prep.show_card import show_scan
from l9.progress import quiet
from l9.readers import scannet
from l9.sources.fetch import fetch, raw_name, with_rooms
from l9.sources.rooms import bring
from l9.sources.rooms.bring import RoomSet, bring_rooms, room_set
from l9.sources.rooms.one import room_labels

SETTINGS = {"scenes": 3, "seed": 5, "frames": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("household")


@pytest.fixture(scope="module")
def home(place):
    """A home in which the three rooms are composed, by the command line."""
    home = household_home(place, **SETTINGS)
    words = [sys.executable, "-m", "l9.cli", "fetch", "rooms", "--home", str(home), "--json"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["root"] == str(home / "raw" / "rooms" / told["root"].rpartition("/")[2])
    return home


@pytest.fixture
def root(home, place, monkeypatch):
    monkeypatch.chdir(place)
    return home / "raw" / raw_name(load_card("rooms"))


def sources_of(root, room):
    things = json.loads((root / "scans" / room / f"{room}.things.json").read_bytes())
    return {one["source"] for one in things if one["source"]}


def test_rooms_are_listed_by_the_scannet_reader_with_their_splits(root):
    found = {one.id: one for one in scannet.find(root)}
    assert {name: one.split for name, one in found.items()} == {
        "scene0000_00": "train", "scene0001_00": "train", "scene0002_00": "test",
    }  # fmt: skip
    (first, *_) = found.values()
    streams = [(root / name).open("rb") for name in first.files]
    scan = scannet.read(streams, first, "+Z")
    assert len(list(scan.frames(True, True))) == 2 and scan.surface.labels.max() > 0 and not scan.notes
    for stream in streams:
        stream.close()


def test_no_furniture_is_on_both_sides(root):
    folds = {split: {source[-1] for room in rooms for source in sources_of(root, room)} for split, rooms in (
        ("train", ["scene0000_00", "scene0001_00"]), ("test", ["scene0002_00"]),
    )}  # fmt: skip
    assert folds["test"] == {"0"} and folds["train"] <= {"2", "3", "4"} and folds["train"]


def test_every_model_that_stands_in_a_room_is_attributed(root):
    with (root / "attribution.csv").open(newline="") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    rooms = ["scene0000_00", "scene0001_00", "scene0002_00"]
    assert set(rows) == set.union(*(sources_of(root, room) for room in rooms))
    assert all(row["author"] == "nobody" for row in rows.values())
    assert all(set(row["rooms"].split()) == {room for room in rooms if name in sources_of(root, room)} for name, row in rows.items())


def test_what_was_composed_is_told_with_every_files_digest(root):
    told = json.loads((root / "source.json").read_bytes())
    assert told["rooms"] == {**SETTINGS, "noise": True} and told["packages"] == [{"package": "household"}]
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert set(told["files"]) == there - {"source.json"} and len(there) == 1 + 4 + 3 * 9
    assert all(file_digest(root / name) == sha256 for name, sha256 in told["files"].items())
    assert not list(root.parent.glob(".*.part"))


def test_a_second_fetch_composes_nothing(root, home, monkeypatch):
    monkeypatch.setattr(bring, "_compose", pytest.fail)
    assert fetch(load_card("rooms"), home, quiet) == root


def test_what_was_broken_off_goes_on_and_gives_the_same_bytes(root, home, tmp_path):
    """A room that is there whole is not made again; half a room is thrown away; one at a time or two makes no difference."""
    (tmp_path / "scans" / ".tmp-of-a-killed-one").mkdir(parents=True)
    kept = tmp_path / "scans" / "scene0001_00"
    kept.mkdir()
    for path in (root / "scans" / "scene0001_00").iterdir():
        (kept / path.name).hardlink_to(path)
    card = load_card("rooms")
    bring_rooms(tmp_path, room_set(card), load_card("furniture"), home / "raw" / "furniture", quiet, workers=1)
    assert (kept / "scene0001_00.sens").samefile(root / "scans" / "scene0001_00" / "scene0001_00.sens")
    told = json.loads((root / "source.json").read_bytes())["files"]
    assert {path.relative_to(tmp_path).as_posix(): file_digest(path) for path in tmp_path.rglob("*") if path.is_file()} == told


def test_one_scan_is_shown_on_a_page_of_its_own(root, home, place):
    found, facts, page = show_scan(load_card("rooms"), root, "scene0001")
    assert found == "scene0001_00" and facts["frames"] == facts["fused_frames"] == 2 and facts["things"] > 3 and facts["notes"] == []
    assert page.ndim == 3 and page.dtype == np.uint8 and (page < 255).any()
    with pytest.raises(UsageError, match=r"'scene000' may be scene0000_00"):
        show_scan(load_card("rooms"), root, "scene000")
    words = [sys.executable, "-m", "l9.cli", "data", "show", "rooms:scene0002_00", "--home", str(home), "--json"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=300, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["scan"] == "scene0002_00" and Path(told["picture"]).read_bytes().startswith(b"\x89PNG")
    assert told["picture"].endswith("pictures/rooms-scene0002_00.png")


def test_what_is_no_scan_has_no_page(tmp_path):
    with pytest.raises(UsageError, match=r"box/0000 is no scan .*; expected one.  l9 data show shapes box/0000"):
        show_scan(load_card("shapes"), tmp_path, "box/0000")


def test_a_break_before_the_end_leaves_nothing_of_itself(root, home, place, tmp_path, monkeypatch):
    """Broken off after the manifest was written, and with what killed writers left: the set is the same in the end."""
    from l9.sources import fetch as module

    other = tmp_path / "home"
    shutil.copytree(home / "raw" / "furniture", other / "raw" / "furniture")
    card = load_card("rooms")
    part = other / "raw" / "rooms" / f".{root.name}.part"
    with monkeypatch.context() as patch:
        patch.setattr(module, "_publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(card, other, quiet)
    assert (part / "source.json").is_file()
    number = (part / "scans" / "scene0000_00" / "scene0000_00.sens").stat().st_ino
    (part / ".tmp-of-a-killed-one").write_text("")
    (part / "scannetv2-labels.combined.tsv.part").write_text("")
    again = fetch(card, other, quiet)
    assert json.loads((again / "source.json").read_bytes()) == json.loads((root / "source.json").read_bytes())
    assert (again / "scans" / "scene0000_00" / "scene0000_00.sens").stat().st_ino == number, "no room was made again"
    assert sorted(one.name for one in again.parent.iterdir()) == [f".{root.name}.lock", root.name]


def interrupted(*_given):
    raise KeyboardInterrupt


def test_rooms_of_two_versions_of_the_furniture_do_not_mix(root, home, tmp_path, monkeypatch):
    from l9.sources import fetch as module

    found = []

    def begins(folder, *_given):
        found.append(sorted(one.name for one in folder.iterdir()))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "bring_rooms", begins)
    shutil.copytree(home / "raw" / "furniture", tmp_path / "raw" / "furniture")
    card, part = load_card("rooms"), tmp_path / "raw" / "rooms" / f".{root.name}.part"
    for package in ("household", "household", "a later household"):
        (tmp_path / "raw" / "furniture" / "source.json").write_text(json.dumps({"packages": [{"package": package}], "files": {}}))
        with pytest.raises(KeyboardInterrupt):
            fetch(card, tmp_path, quiet)
        (part / "scans").mkdir(exist_ok=True)
    assert found == [[], ["scans"], []]


def test_seed_and_size_are_in_the_key(root):
    card = load_card("rooms")
    names = {raw_name(with_rooms(card, scenes, seed)) for scenes, seed in ((None, None), (3, 5), (4, 5), (3, 6), (4, None))}
    assert raw_name(card) in names and len(names) == 3
    assert raw_name(load_card("furniture")) == "furniture"
    with pytest.raises(UsageError, match="furniture composes no rooms"):
        with_rooms(load_card("furniture"), 3, None)


def test_a_fetch_beside_another_says_so(root, home):
    card = with_rooms(load_card("rooms"), None, 77)
    lock = home / "raw" / f"{raw_name(card).replace('/', '/.')}.lock"
    with bring_locked(lock), pytest.raises(FetchError, match="another l9 fetch composes it"):
        fetch(card, home, quiet)


def bring_locked(path):
    from l9.store.lock import locked

    return locked(path)


def test_a_seed_without_a_room_is_one_line(place, home, tmp_path, monkeypatch):
    """No furniture of any fold: the sandbox says that there is no room, and the parent says of which."""
    monkeypatch.setattr(bring, "catalog_of", lambda models, split: tuple(models)[:1])
    monkeypatch.chdir(place)
    with pytest.raises(FetchError, match=r"room scene000\d_00 of seed 5: no-room: .*; l9 fetch rooms --seed with another number"):
        bring_rooms(tmp_path, RoomSet(2, 5, 1), load_card("furniture"), home / "raw" / "furniture", quiet, workers=1)
    assert not list((tmp_path).glob("scans/*"))


@pytest.mark.parametrize("settings", [(0, 0, 1), (10_001, 0, 1), (1, -1, 1), (1, 1 << 32, 1), (1, 0, 0), (1, 0, 121)])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(UsageError, match="expected 1 to 10,000 scenes"):
        RoomSet(*settings)


def test_a_card_with_other_words_is_refused(root, place):
    (place / "datasets" / "wrong.yaml").write_text((place / "datasets" / "rooms.yaml").read_text().replace("seed:", "seeds:"))
    with pytest.raises(CardError, match="seeds"):
        room_set(load_card(str(place / "datasets" / "wrong.yaml")))


def test_of_fifty_rooms_ten_are_kept_for_the_test():
    splits = RoomSet().splits()
    assert [list(splits.values()).count(split) for split in ("train", "validation", "test")] == [36, 4, 10]
    assert next(iter(splits)) == "scene0000_00" and list(splits)[-1] == "scene0049_00"


def test_every_class_of_furniture_has_its_label():
    labels = room_labels()
    assert labels["chair"][1] == labels["armchair"][1] == "chair" and labels["rug"][1] == "floor mat"
    assert [number for number, _ in labels.values()] == list(range(1, len(labels) + 1))
