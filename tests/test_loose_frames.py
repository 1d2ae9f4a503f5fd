"""Frames in loose files go through the sandbox, however many files there are; memory does not grow with them, and readings do not meet."""

import tracemalloc
from pathlib import Path

import loose_trees
import numpy as np
import pytest
from loose_reading import found_in, read_one
from loose_trees import metres, numbered, put, seven_scenes, shifted

from l9.cards import load_card
from l9.config import Prep, Use
from l9.errors import RefusedObject
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.readers.loose_frames import borrowed, read_file
from l9.readers.poses import matrix_pose, quaternion_pose
from l9.readers.seven_scenes import read
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox
from l9.stages import fused_blocks

HERE = Path(__file__).parent
MANY = 40  # frames, each of two files or three: beyond 32 the sandbox opens files when they are asked for
TREES = {  # module: the name of an object of its tree
    "sun3d": "hotel/scan1",
    "threedmatch": "7-scenes-redkitchen/seq-01",
    "seven_scenes": "stairs/seq-01",
    "tum_rgbd": "rgbd_dataset_freiburg1_desk",
    "matterport3d": "17DRP5sb8fy",
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(descriptors=64), imports=("loose_targets",), path=(HERE,)) as child:
        yield child


@pytest.mark.parametrize("module, images", [*((module, None) for module in TREES), ("matterport3d", "matterport")])
def test_recordings_of_many_files_are_read_in_the_sandbox(tmp_path, sandbox, module, images):
    root = getattr(loose_trees, module)(tmp_path, frames=MANY)
    parameters = {} if images is None else {"images": images}
    found = found_in(module, root, **parameters)[TREES[module]]
    assert len(found.files) > 2 * MANY
    arguments = {"module": module, "found": found.describe(), "parameters": parameters}
    told = sandbox.call("loose_targets:read_twice", arguments, [root / file for file in found.files]).value
    assert told["frames"] == [MANY, MANY] and sandbox.deaths == 0
    assert told["x"] == pytest.approx([0.1 * number for number in range(MANY)], abs=1e-4)
    assert told["depth"] == pytest.approx([1 + number / 1000 for number in range(MANY)])
    assert told["open"] == told["open before"]


@pytest.mark.parametrize("module", TREES)
def test_a_card_makes_a_store_of_its_tree(tmp_path, module):
    root = getattr(loose_trees, module)(tmp_path / "root", frames=13)
    store = prepared(tmp_path, module, root)
    counts = store.manifest["counts"]
    assert (counts["planned"], counts["quarantined"]) == (len(found_in(module, root)), 0)
    assert store.up == ("+Z" if module in ("tum_rgbd", "matterport3d") else "-Y")


def test_recordings_that_cannot_be_used_are_in_quarantine_and_the_others_are_done(tmp_path):
    root = seven_scenes(tmp_path / "root", frames=13)
    for pose in (root / "chess/seq-01").glob("*.pose.txt"):
        pose.unlink()
    put(root / "chess/seq-02/frame-000007.depth.png", b"no picture")
    (root / "stairs/seq-01/frame-000003.pose.txt").unlink()
    store = prepared(tmp_path, "seven_scenes", root)
    assert {row["id"]: row["reason"] for row in store.quarantine()} == {"chess/seq-01": "no-poses", "chess/seq-02": "broken-picture"}
    notes = dict(zip(store.index["object"].to_pylist(), store.index["notes"].to_pylist(), strict=True))
    assert notes["stairs/seq-01"] == "1 of 13 frames have no file of a pose: left out" and not notes["stairs/seq-02"]


def prepared(home, module, root):
    """The store that a card's preparation makes of a tree."""
    card, digests = load_card(module), DigestCache(home / "digests.sqlite")
    try:
        with new_sandbox() as child:
            plan = make_plan(card, Prep(Use(fused_blocks, voxel=0.2, side=16)), root, find_objects(card, root, child), digests)
            return run_plan(plan, home, workers=0, address=None, sandbox=child, digests=digests, say=quiet)[0]
    finally:
        digests.close()


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    peaks = []
    for count in (5, 5, 200):  # the first time Pillow sets itself up
        root = tmp_path / str(len(peaks))
        numbered(root / "room/seq-01", count)
        found = found_in("seven_scenes", root)["room/seq-01"]
        scan = read(Opening(root, found.files), found, "-Y")
        tracemalloc.start()
        assert sum(1 for _ in scan.frames(True, True)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 100_000  # bytes; 195 frames hold 260,000


class Opening:
    """Files that are opened when they are asked for."""

    def __init__(self, root, names):
        self.root, self.names = root, names

    def __len__(self):
        return len(self.names)

    def __getitem__(self, number):
        self.last = (self.root / self.names[number]).open("rb")
        return self.last


def test_what_was_opened_is_closed_and_what_was_open_stays_so(tmp_path):
    put(tmp_path / "a", b"abc")
    asked = Opening(tmp_path, ["a"])
    with borrowed(asked, 0) as stream:
        assert stream.read() == b"abc"
    assert asked.last.closed
    with (tmp_path / "a").open("rb") as given:
        for _ in range(2):
            assert read_file([given], ["a"], 0, bytes) == b"abc"
        assert not given.closed


def test_two_readings_at_once_do_not_meet(tmp_path):
    seven_scenes(tmp_path)
    found = found_in("seven_scenes", tmp_path)["stairs/seq-01"]
    scan = read(Opening(tmp_path, found.files), found, "-Y")
    first, second = scan.frames(True, True), scan.frames(False, True)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.depth, other.depth)
        assert one.number == other.number


def test_poses_by_hand():
    np.testing.assert_array_equal(
        matrix_pose(b"1 0 0 4\r\n0 1 0 5\r\n0 0 1 6\r\n0 0 0 1\r\n"), [[1, 0, 0, 4], [0, 1, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]]
    )
    half = np.sqrt(0.5)
    quarter = quaternion_pose(np.array([1, 2, 3, 0, 0, half, half]))  # about z: x becomes y
    np.testing.assert_allclose(quarter @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    for length in (0.5, 2.0, 1e200):
        with pytest.raises(RefusedObject, match="bad-pose"):
            quaternion_pose(np.array([0, 0, 0, 0, 0, 0, length]))


def test_frames_of_one_tree_are_those_of_another(tmp_path):
    """The same scene in every layout: the same distances and places."""
    for module, name in TREES.items():
        frames, _ = read_one(module, getattr(loose_trees, module)(tmp_path / module), name)
        for number, one in enumerate(frames):
            expected = metres(np.float32(1 + number / 1000))
            seen = one.depth.copy()
            seen[0, 1] = expected[0, 1]
            np.testing.assert_allclose(seen, expected, atol=1e-6)
            np.testing.assert_allclose(one.pose[:3, :3], shifted(0)[:3, :3], atol=1e-5)
            assert one.pose[0, 3] == pytest.approx(0.1 * number, abs=1e-4)
