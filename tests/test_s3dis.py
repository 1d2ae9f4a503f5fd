"""S3DIS: rooms of labelled points out of a file for each thing, area by area; broken lines, and files that are none."""

import io

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from l9.cards import card_from_plain, load_card
from l9.config import Prep, Use
from l9.draw.scan_sheet import scan_sheet, scan_tile
from l9.errors import RefusedObject, UsageError
from l9.fingerprint import DigestCache
from l9.prep.check import check_card
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.readers import s3dis as reader
from l9.readers.contract import REFUSE, Found
from l9.stages import scene_points

THINGS = {"ceiling_1": 1, "chair_1": 9, "chair_12": 9, "clutter_1": 13, "stairs_1": 13, "wall_2": 3}


def points(count=40, seed=0):
    draw = np.random.default_rng(seed)
    return np.concatenate([draw.random((count, 3)).round(3) * 2, draw.integers(0, 256, (count, 3))], axis=1)


def text(table):
    return "".join(f"{x:.3f} {y:.3f} {z:.3f} {r:.0f} {g:.0f} {b:.0f}\n" for x, y, z, r, g, b in table).encode()


def write_area(root, area, rooms=("office_1",), things=tuple(THINGS)):
    for room in rooms:
        folder = root / f"Area_{area}" / room / "Annotations"
        folder.mkdir(parents=True)
        for number, thing in enumerate(things):
            (folder / f"{thing}.txt").write_bytes(text(points(seed=number)))
        (folder.parent / f"{room}.txt").write_bytes(text(points()))
    (root / f"Area_{area}" / f"Area_{area}_alignmentAngle.txt").write_text("## alignment\n")
    return root


def read(root, found):
    files = [(root / name).open("rb") for name in found.files]
    try:
        return reader.read(files, found, "+Z")
    finally:
        for file in files:
            file.close()


def test_areas_are_the_folds(tmp_path):
    for area in (1, 5, 6):
        write_area(tmp_path, area, ("office_1", "hallway_6"))
    (tmp_path / "Area_7").mkdir()
    found = {one.id: one for one in reader.find(tmp_path)}
    assert sorted(found) == sorted(f"Area_{area}/{room}" for area in (1, 5, 6) for room in ("office_1", "hallway_6"))
    assert {one.id for one in found.values() if one.split == "test"} == {"Area_5/office_1", "Area_5/hallway_6"}
    assert {one.split for one in reader.find(tmp_path, test_area=1) if one.id.startswith("Area_1/")} == {"test"}
    assert {one.split for one in reader.find(tmp_path, test_area=1) if one.id.startswith("Area_5/")} == {"train"}
    with pytest.raises(UsageError, match="test_area is 7; expected 1 to 6"):
        list(reader.find(tmp_path, test_area=7))
    with pytest.raises(UsageError, match=r"no folder Area_1 to Area_6 there; give --root .*/v1"):
        write_area(tmp_path / "above" / "v1", 1)
        list(reader.find(tmp_path / "above"))


def test_a_room_is_points_with_colours_classes_and_things(tmp_path):
    (found,) = reader.find(write_area(tmp_path, 2))
    assert [name.rpartition("/")[2] for name in found.files] == [f"{thing}.txt" for thing in THINGS]
    scan = read(tmp_path, found)
    surface = scan.surface
    assert scan.up == "+Z" and scan.frames is None and surface.faces.shape == (0, 3)
    for number, label in enumerate(THINGS.values()):
        mine, expected = surface.instances == number + 1, points(seed=number)
        assert set(surface.labels[mine].tolist()) == {label}
        assert_allclose(surface.vertices[mine], expected[:, :3], atol=1e-12)
        assert_array_equal(surface.colours[mine], expected[:, 3:])
    assert scan.notes == ["stairs: no class, taken as clutter"]


def test_thirteen_classes_in_the_authors_order():
    assert list(reader.CLASSES.values()) == list(range(1, 14)) and list(reader.CLASSES)[:3] == ["ceiling", "floor", "wall"]


def test_other_files_are_noted(tmp_path):
    root = write_area(tmp_path, 2)
    (root / "Area_2/office_1/Annotations/Icon").write_bytes(b"")
    (found,) = reader.find(root)
    assert read(root, found).notes[0] == "1 other files in Annotations: not read"


def test_a_room_without_annotations_is_refused_by_name(tmp_path):
    root = write_area(tmp_path, 2)
    (root / "Area_2" / "lobby_1").mkdir()
    found = {one.id: one for one in reader.find(root)}
    assert found["Area_2/lobby_1"].facts[REFUSE] == ["missing-file", "Area_2/lobby_1/Annotations holds no file such as wall_1.txt"]


def test_the_line_that_the_release_breaks_is_left_out_and_noted(tmp_path):
    """Area_5/hallway_6: a control character within a number; whichever digit it was, the point is one of 180,000 of that ceiling."""
    root = write_area(tmp_path, 5, ("hallway_6",))
    path = root / "Area_5/hallway_6/Annotations/ceiling_1.txt"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[6] = b"22.3\x108 6.858 3.050 185 187 182\n"
    path.write_bytes(b"".join(lines))
    (found,) = reader.find(root)
    scan = read(root, found)
    assert scan.notes[0] == "ceiling_1.txt line 7 holds a control character: left out"
    mine = scan.surface.vertices[scan.surface.instances == 1]
    assert_allclose(mine, np.delete(points()[:, :3], 6, axis=0), atol=1e-12)
    path.write_bytes(b"".join([b"\x01" + line for line in lines[:4]]))
    with pytest.raises(RefusedObject, match=r"unreadable: ceiling_1.txt: line 4: a control character, as in 3 lines before"):
        read(root, found)


def room(*data):
    files = tuple(f"Area_1/office_1/Annotations/wall_{number}.txt" for number in range(len(data)))
    return reader.read([io.BytesIO(one) for one in data], Found("Area_1/office_1", files), "+Z")


GOOD = b"0 0 0 1 2 3\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"0 0 0 1 2\n", "wrong-shape: wall_1.txt: 5 numbers a line; expected x y z r g b"),
        (b"0 0 0 1 2 3\n0 0 0 1 2\n", "unreadable: wall_1.txt"),
        (b"0 0 zero 1 2 3\n", "unreadable: wall_1.txt"),
        (b"0 0 \xff 1 2 3\n", "unreadable: wall_1.txt"),
        (b"0 0 nan 1 2 3\n", "not-finite: wall_1.txt: 1 points"),
        (b"0 0 1e999 1 2 3\n", "not-finite"),
        (b"0 0 0 1 2 256\n", "bad-colours: wall_1.txt: colours from 1 to 256"),
        (b"0 0 0 1 2 -1\n", "bad-colours"),
        (b"0 0 0 1 2 0.5\n", "bad-colours"),
        (b"0 0 0 1 2 3 " + b" " * (1 << 20) + b"\n", "line-too-long: wall_1.txt: line 1"),
        (b"1" * ((1 << 20) + 7), "line-too-long"),
    ],
)
def test_a_file_that_is_no_thing_is_one_line(data, words):
    with pytest.raises(RefusedObject, match=words) as caught:
        room(GOOD, data)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_empty_thing_is_none_and_a_room_of_them_is_refused():
    assert len(room(GOOD, b"\n  \n").surface.vertices) == 1
    with pytest.raises(RefusedObject, match="no-points: 2 files without a point"):
        room(b"", b"\n")


def test_more_points_than_a_room_may_have_are_refused(monkeypatch):
    monkeypatch.setattr(reader, "MOST_POINTS", 2)
    assert len(room(GOOD, GOOD).surface.vertices) == 2
    with pytest.raises(RefusedObject, match=r"too-large: wall_1\.txt: more than 0 points"):
        room(GOOD * 2, GOOD)


def test_chunks_join(monkeypatch):
    whole = room(text(points()))
    monkeypatch.setattr(reader, "CHUNK", 7)
    assert_array_equal(room(text(points())).surface.vertices, whole.surface.vertices)


def test_from_a_tree_to_a_store(home, tmp_path):
    root = write_area(write_area(tmp_path / "root", 1, ("office_1", "office_2")), 5, things=tuple(f"chair_{n}" for n in range(1, 40)))
    (root / "Area_1/office_2/Annotations/wall_2.txt").write_bytes(b"0 0 0 0 0\n")
    card = load_card("s3dis")
    digests = DigestCache(tmp_path / "digests.sqlite")
    with new_sandbox() as sandbox:
        plan = make_plan(card, Prep(Use(scene_points, count=64)), root, find_objects(card, root, sandbox), digests)
        store, _ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)
        check = check_card(card_from_plain({**card.describe(), "counts": {"objects": 3}}, "s3dis.yaml"), root, sandbox)
    digests.close()
    assert check.objects == 3 and check.problems == []
    assert [(one["id"], one["reason"]) for one in store.quarantine()] == [("Area_1/office_2", "wrong-shape")]
    index = store.index.to_pydict()
    assert set(zip(index["object"], index["split"], strict=True)) == {("Area_1/office_1", "train"), ("Area_5/office_1", "test")}
    assert "stairs: no class, taken as clutter" in index["notes"][index["object"].index("Area_1/office_1")]
    seen = [
        shard.cell("vertices", row) for shard in store.shards for row in range(len(shard)) if shard.identity(row)[0] == "Area_5/office_1"
    ]
    assert len(set(np.concatenate(seen).tolist())) == 39 * 40  # more files than are opened beforehand


def test_a_room_can_be_drawn(tmp_path):
    (found,) = reader.find(write_area(tmp_path, 2))
    scan = read(tmp_path, found)
    facts, tile = scan_tile(scan, 64)
    assert tile.shape == (64, 64, 3) and (tile < 255).any() and facts["faces"] == 0 and len(facts["size"]) == 3
    facts, page = scan_sheet(scan, "room")
    assert facts.things == 6 and (page < 255).any()
