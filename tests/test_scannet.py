"""ScanNet's tree: scans are found with their splits, meshes with their labels, and files that disagree are refused."""

import contextlib
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scannet_tree import COLOURS, CORNERS, GROUPS, INSTANCES, LABELS, OLD_TABLE, SEGMENTS, TABLE, ply, write_scene, write_tree

from l9.errors import RefusedObject, UsageError
from l9.readers.contract import REFUSE
from l9.readers.scannet import find, read
from l9.readers.scannet_labels import BENCHMARK, read_table, vertex_labels


def read_one(root, name, part="both"):
    """A scan, and the list of its frames, while its files are open."""
    (found,) = [one for one in find(root, part) if one.id == name]
    with contextlib.ExitStack() as stack:
        scan = read([stack.enter_context((root / file).open("rb")) for file in found.files], found, "+Z", part)
        return scan, list(scan.frames(True, True)) if scan.frames else []


def labels_of(segments=SEGMENTS, groups=GROUPS, table=TABLE, vertices=6):
    files = [io.BytesIO(json.dumps(value).encode()) for value in ({"segIndices": segments}, {"segGroups": groups})]
    return vertex_labels(*files, read_table(io.BytesIO(table.encode())), vertices)


def refused(reason, **given):
    with pytest.raises(RefusedObject) as caught:
        labels_of(**given)
    assert caught.value.reason == reason


def test_scans_are_found_with_the_official_splits(tmp_path):
    found = list(find(write_tree(tmp_path)))
    assert [(one.id, one.split) for one in found] == [
        ("scene0000_00", "train"),
        ("scene0000_01", "train"),
        ("scene0001_00", "validation"),
        ("scene0707_00", "test"),
    ]
    assert [len(one.files) for one in found] == [5, 5, 5, 2]
    assert found[0].files[0] == "scans/scene0000_00/scene0000_00.sens"


def test_only_what_is_read_is_part_of_a_scan(tmp_path):
    write_tree(tmp_path)
    assert next(one.files for one in find(tmp_path, "frames")) == ("scans/scene0000_00/scene0000_00.sens",)
    assert not any(file.endswith(".sens") for one in find(tmp_path, "surface") for file in one.files)
    scan, _ = read_one(tmp_path, "scene0000_00", "surface")
    assert scan.frames is None and scan.surface is not None


def test_a_scan_is_its_frames_and_its_labelled_surface(tmp_path):
    scan, frames = read_one(write_tree(tmp_path), "scene0000_01")
    assert [one.number for one in frames] == [0, 1, 2]
    assert_array_equal(scan.surface.vertices, CORNERS)
    assert_array_equal(scan.surface.faces, [[0, 1, 2], [3, 4, 5]])
    assert_array_equal(scan.surface.colours, COLOURS)
    assert_array_equal(scan.surface.labels, LABELS)
    assert_array_equal(scan.surface.instances, INSTANCES)
    assert (scan.up, scan.notes) == ("+Z", [])


def test_a_scan_without_labels_has_none(tmp_path):
    scan, frames = read_one(write_tree(tmp_path), "scene0707_00")
    assert len(frames) == 3
    assert scan.surface.labels is None and scan.surface.instances is None


def test_the_first_versions_table_and_lists(tmp_path):
    scan, _ = read_one(write_tree(tmp_path, table=OLD_TABLE, version="scannet"), "scene0000_00")
    assert_array_equal(scan.surface.labels, LABELS)
    assert scan.notes == ["1 labels that the table lacks: unlabelled ('ceiling')"]


def test_scans_of_one_space_stay_together_without_lists(tmp_path):
    for space in range(40):
        for number in range(2):
            (tmp_path / "scans" / f"scene{space:04d}_{number:02d}").mkdir(parents=True)
    splits = {}
    for one in find(tmp_path):
        splits.setdefault(one.id[:9], set()).add(one.split)
    assert all(len(values) == 1 for values in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}


def test_what_is_missing_is_said_of_its_scan(tmp_path):
    below = write_scene(tmp_path, "scene0000_00")
    (below / "scene0000_00.sens").unlink()
    (only,) = find(tmp_path)
    assert only.facts[REFUSE] == ["missing-file", "scans/scene0000_00/scene0000_00.sens is not there"]
    (only,) = find(tmp_path, "surface")
    assert REFUSE not in only.facts


def test_a_root_that_is_none_names_the_one_below(tmp_path):
    write_tree(tmp_path / "ScanNet")
    with pytest.raises(UsageError, match=r"give --root .*ScanNet"):
        list(find(tmp_path))


@pytest.mark.parametrize("line", ["../../etc/passwd", "scene0000"])
def test_lists_of_other_things_are_refused(tmp_path, line):
    write_tree(tmp_path)
    (tmp_path / "scannetv2_val.txt").write_text(line)
    with pytest.raises(RefusedObject, match=r"scannetv2_val\.txt"):
        list(find(tmp_path))


def test_a_scan_in_two_lists_is_refused(tmp_path):
    write_tree(tmp_path)
    (tmp_path / "scannetv2_val.txt").write_text("scene0000_01\n")
    with pytest.raises(RefusedObject, match="scene0000_01 is in two"):
        list(find(tmp_path))


def test_the_benchmarks_classes():
    assert list(BENCHMARK.values()) == [*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39]


def test_labels_follow_the_chain():
    found = labels_of()
    assert_array_equal(found.labels, LABELS)
    assert_array_equal(found.instances, INSTANCES)
    assert found.notes == []


def test_unknown_labels_are_noted_and_unlabelled():
    found = labels_of(groups=[{"id": 4, "objectId": 4, "label": "zeppelin", "segments": [7, 5]}])
    assert_array_equal(found.labels, np.zeros(6))
    assert_array_equal(found.instances, [5, 5, 0, 0, 0, 5])
    assert found.notes == ["1 labels that the table lacks: unlabelled ('zeppelin')"]


def test_a_label_without_a_class_is_no_unknown_one():
    assert labels_of(groups=[{"objectId": 0, "label": "object", "segments": [7]}]).notes == []


def test_a_segment_in_two_groups_is_of_the_later_one():
    found = labels_of(groups=[*GROUPS, {"objectId": 3, "label": "floor", "segments": [7]}])
    assert_array_equal(found.labels, [2, 2, 5, 5, 0, 0])
    assert found.notes == ["1 segments are in two groups: the later one counts"]


def test_files_of_other_meshes_are_refused():
    refused("labels-disagree", vertices=7)
    refused("labels-disagree", groups=[{"objectId": 0, "label": "wall", "segments": [8]}])
    refused("labels-disagree", groups=[{"objectId": 0, "label": "wall", "segments": [10**9]}])


@pytest.mark.parametrize(
    "given",
    [
        {"segments": {"a": 1}},
        {"segments": [0.5] * 6},
        {"segments": [True] * 6},
        {"segments": [2**70] * 6},
        {"groups": 5},
        {"groups": [[]]},
        {"groups": [{"label": 5, "objectId": 0, "segments": []}]},
        {"groups": [{"label": "wall", "objectId": -1, "segments": []}]},
        {"groups": [{"label": "wall", "objectId": 0, "segments": ["7"]}]},
        {"table": "a\tb\n1\t2\n"},
        {"table": ""},
        {"table": "raw_category\tnyu40id\nwall\t999\n"},
        {"table": "raw_category\tnyu40id\nwall\t-1\n"},
        {"table": "raw_category\tnyu40id\nwall\t\u0661\n"},
        {"table": "category\tnyu40id\nwall\n"},
    ],
)
def test_label_files_that_are_none_are_refused(given):
    refused("bad-labels", **given)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b'{"segIndices": ', b"[" * 100_000])
def test_json_that_is_none_is_refused(content):
    with pytest.raises(RefusedObject) as caught:
        vertex_labels(io.BytesIO(content), io.BytesIO(b"{}"), {}, 6)
    assert caught.value.reason == "bad-labels"


def test_a_mesh_without_colours_has_none(tmp_path):
    below = write_scene(tmp_path, "scene0000_00", labelled=False)
    path = below / "scene0000_00_vh_clean_2.ply"
    path.write_bytes(ply().replace(b"property uchar red", b"property uchar rad"))
    scan, _ = read_one(tmp_path, "scene0000_00")
    assert scan.surface.colours is None
