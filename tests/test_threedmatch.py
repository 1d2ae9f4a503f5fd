"""3DMatch's RGB-D part: one camera of each scene for both pictures, and the scenes of its benchmark for testing."""

import numpy as np
import pytest
from loose_reading import found_in, read_one, refused
from loose_trees import colour, depth, encoded, metres, put, shifted, threedmatch
from numpy.testing import assert_allclose, assert_array_equal

from l9.readers.threedmatch import TEST_SCENES

NAME = "sun3d-brown_bm_1/seq-01"


def test_frames_are_what_was_written(tmp_path):
    frames, notes = read_one("threedmatch", threedmatch(tmp_path), NAME)
    assert [one.number for one in frames] == [0, 1, 2] and notes == []
    for number, one in enumerate(frames):
        expected = metres(np.float32(1000 + number) / np.float32(1000))
        expected[0, 1] = 0  # 65535
        assert_array_equal(one.colour, colour(number))
        assert_array_equal(one.depth, expected)
        assert_allclose(one.pose, shifted(0.1 * number), atol=1e-9)
        assert vars(one.colour_camera) == vars(one.depth_camera) == {"width": 16, "height": 12, "fx": 15, "fy": 16, "cx": 7.5, "cy": 5.5}


def test_the_benchmarks_scenes_are_for_testing(tmp_path):
    root = threedmatch(tmp_path, (*sorted(TEST_SCENES), *(f"scene{number}" for number in range(30))), frames=1)
    found = found_in("threedmatch", root)
    assert {name.split("/")[0] for name, one in found.items() if one.split == "test"} == TEST_SCENES and len(TEST_SCENES) == 8
    assert {one.split for one in found.values()} == {"train", "validation", "test"}


def test_one_scene_is_a_root_too(tmp_path):
    threedmatch(tmp_path)
    assert list(found_in("threedmatch", tmp_path / "7-scenes-redkitchen")) == ["7-scenes-redkitchen/seq-01"]
    assert len(read_one("threedmatch", tmp_path / "7-scenes-redkitchen", "7-scenes-redkitchen/seq-01")[0]) == 3


def test_absent_intrinsics_are_said_of_each_sequence(tmp_path):
    (threedmatch(tmp_path) / "sun3d-brown_bm_1/camera-intrinsics.txt").unlink()
    refused("missing-file", r"camera-intrinsics\.txt is not there", "threedmatch", tmp_path, NAME)
    assert len(read_one("threedmatch", tmp_path, "7-scenes-redkitchen/seq-01")[0]) == 3


@pytest.mark.parametrize("text", ["585 0 320", "0 0 0 0 0 0 0 0 0", "x" * 100, "1e400 0 1 0 1 1 0 0 1"])
def test_intrinsics_that_are_none_are_refused(tmp_path, text):
    put(threedmatch(tmp_path) / "sun3d-brown_bm_1/camera-intrinsics.txt", text)
    refused("bad-camera", "camera-intrinsics", "threedmatch", tmp_path, NAME)


def test_colour_and_depth_of_different_sizes_are_refused(tmp_path):
    put(threedmatch(tmp_path) / NAME / "frame-000000.depth.png", encoded(depth(width=20)))
    refused("wrong-size", "expected the same", "threedmatch", tmp_path, NAME)
