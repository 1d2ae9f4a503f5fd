"""Stage scene_columns: rows of a room by hand, what frames saw, and scans that are not as they should be."""

import numpy as np
import pytest
from column_scenes import CHAIR, FLOOR, NONE, WALL, columns_store, joined, quad, room, row_of
from numpy.testing import assert_allclose, assert_array_equal
from scannet_tree import write_tree

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.scan import Frame, Surface
from l9.prep.sets import Options, prepare_sets
from l9.progress import quiet
from l9.recipe import load_recipe
from l9.stages.scene_columns import equal_shares

CAMERA = Pinhole.of_field(160, 120, 60.0)
VOXEL = 0.048


def grid(row, name="column_labels"):
    return row[name].reshape(*row["size"], 62)


def wall_ahead(distance=1.5, turn=None):
    """One frame from (1.2, 0.3, 1) along +y, to a wall square to it."""
    pose = looking_at(np.array([1.2, 0.3, 1.0]), np.array([1.2, 2.0, 1.0]), np.array([0.0, 0, 1]))
    pose = pose if turn is None else turn @ pose

    def frames(colour, depth):
        yield Frame(0, None, np.full((120, 160), distance, np.float32), CAMERA, CAMERA, pose, pose)

    return frames


def test_a_room_of_a_surface_alone():
    row, notes = row_of(room(), per_scan=7)
    labels = grid(row)
    assert set(np.unique(labels)) == {0, WALL, FLOOR, CHAIR} and notes == []
    assert_array_equal(row["column_known"], (row["column_labels"] > 0).astype(np.uint8))  # nothing else is known
    assert_array_equal(row["vertex_labels"], room().labels)
    assert_array_equal(labels.ravel()[row["vertex_voxels"][12:16]], CHAIR)
    assert_allclose(row["corner"], [0, 0, -2.5 * VOXEL], atol=1e-9)
    assert row["shares"].shape == (7, 2) and row["shares"][0, 0] == 0 and row["shares"][-1, 1] == len(row["centres"])
    assert_array_equal(row["shares"][1:, 0], row["shares"][:-1, 1])
    assert np.ptp(np.diff(row["shares"], axis=1)) <= 1
    assert all(labels[x, y].any() for x, y in row["centres"])


def test_shares_of_few_things_and_of_none():
    assert_array_equal(equal_shares(3, 200), [[0, 1], [1, 2], [2, 3]])
    assert equal_shares(0, 200).shape == (0, 2)


def test_frames_say_what_was_seen():
    """Free before the wall at y = 1.8, the wall itself and one voxel behind it; nothing farther, nothing beside the view."""
    row, notes = row_of(room(), wall_ahead())
    known, labels = grid(row, "column_known"), grid(row)
    along = known[25, :, int((1.0 + 2.5 * VOXEL) / VOXEL)]
    assert along[8:37].all() and not along[40:].any() and notes == []
    assert not known[2, 8, 40:].any()
    assert ((labels > 0) <= (known > 0)).all()


def test_frames_and_surface_stay_together_whichever_axis_is_up():
    turn = np.eye(4)
    turn[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # z to y
    plain = room()
    moved = Surface(plain.vertices + np.array([0.02, 0.02, 0]), plain.faces, None, plain.labels, None)  # from the edges of voxels
    turned = Surface(moved.vertices @ turn[:3, :3].T, plain.faces, None, plain.labels, None)
    expected, _ = row_of(moved, wall_ahead())
    found, _ = row_of(turned, wall_ahead(turn=turn), up="+Y")
    # what was x is y, what was y is minus x
    assert_array_equal(grid(found), np.rot90(grid(expected)))
    differ = grid(found, "column_known") != np.rot90(grid(expected, "column_known"))
    assert differ.mean() < 1e-3 and grid(found, "column_known").mean() > 0.1  # a sum rounds otherwise


def test_scans_without_labels_are_kept_but_teach_nothing():
    plain = room()
    row, notes = row_of(Surface(plain.vertices, plain.faces))
    assert set(np.unique(row["column_labels"])) == {0, 41} and len(row["centres"]) == len(row["shares"]) == 0
    assert not row["vertex_labels"].any() and (row["vertex_voxels"] >= 0).all()
    assert notes == ["no labels: nothing to learn from"]
    row, notes = row_of(room(labels=(NONE, NONE, CHAIR)))
    assert notes == ["no column with enough around it that is occupied and annotated: nothing to learn from"]


def test_points_outside_have_no_voxel_and_are_noted():
    plain, high = room(), joined(quad((1, 1, 40), (0.2, 0, 0), (0, 0.2, 0), WALL))
    both = Surface(
        np.concatenate([plain.vertices, high.vertices]),
        np.concatenate([plain.faces, high.faces + len(plain.vertices)]),
        None,
        np.concatenate([plain.labels, high.labels]),
        None,
    )
    row, notes = row_of(both)
    assert_array_equal(grid(row), grid(row_of(plain)[0]))
    assert (row["vertex_voxels"] < 0).sum() == 4
    assert notes == ["4 of 24 vertices lie below or above the columns' 62 voxels: without an answer"]


def test_frames_alone_dark_frames_and_large_scans():
    with pytest.raises(RefusedObject, match=r"no-surface.*frames alone; expected a mesh"):
        row_of(None, wall_ahead())
    row, notes = row_of(room(), wall_ahead(distance=0.0))
    assert notes == ["no frame measured a surface: what is known is the surface alone"]
    assert_array_equal(row["column_known"], (row["column_labels"] > 0).astype(np.uint8))
    with pytest.raises(RefusedObject, match=r"too-large.*45 x 45 m take a row of 1\d\d MiB; expected at most 64 MiB"):
        row_of(joined(quad((0, 0, 0), (1, 0, 0), (0, 1, 0), FLOOR), quad((44, 44, 0), (1, 0, 0), (0, 1, 0), FLOOR)))


@pytest.mark.parametrize("arguments", [{"voxel": 0.0}, {"voxel": 2}, {"every": 0}, {"per_scan": 0}])
def test_arguments_that_cannot_be_are_refused(arguments):
    with pytest.raises(UsageError, match="stage scene_columns"):
        row_of(room(), **arguments)


def test_a_store_has_samples_for_scans_that_teach(tmp_path):
    from l9.data.samples import Samples

    plain = room()
    store = columns_store(tmp_path, [plain, Surface(plain.vertices, plain.faces)], per_scan=5)
    assert Samples.of(store, part="all", item_column="shares").objects == ["scene0000_00"] * 5


def test_a_tree_in_scannets_layout(home, tmp_path):
    root = write_tree(tmp_path / "ScanNet")
    (prepared,) = prepare_sets(load_recipe("scannet_columns"), Options(home=home, root=root, workers=0), quiet)
    counts = prepared.store.manifest["counts"]
    assert (counts["planned"], counts["done"], counts["rows"]) == (4, 4, 4)
    index = prepared.store.index.to_pydict()
    assert all(count == 6 for count in index["vertex_voxels_items"])
    notes = dict(zip(index["object"], index["notes"], strict=True))
    assert "no labels: nothing to learn from" in notes["scene0707_00"]
