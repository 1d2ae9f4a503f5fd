"""SUN3D: turned bits, the newest poses, depth that is nearest in time; and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loose_reading import found_in, read_one, refused
from loose_trees import colour, depth, encoded, metres, put, rows, shifted, sun3d, turned_left
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import UsageError
from l9.readers.sun3d import TURNED_MILLIMETRES

NAME = "hotel/scan1"


def test_frames_are_what_was_written(tmp_path):
    frames, notes = read_one("sun3d", sun3d(tmp_path), NAME)
    assert [one.number for one in frames] == [0, 1, 2] and notes == []
    for number, one in enumerate(frames):
        assert_allclose(one.colour, colour(number), atol=4)  # JPEG
        assert_array_equal(one.depth, metres(np.float32(1000 + number) / np.float32(1000)))
        assert_allclose(one.pose, shifted(0.1 * number), atol=1e-9)
        assert_array_equal(one.pose, one.colour_pose)
        assert one.seconds == pytest.approx(0.033 * number + 0.009)
        assert vars(one.depth_camera) == {"width": 16, "height": 12, "fx": 15, "fy": 16, "cx": 7.5, "cy": 5.5}


@given(millimetres=st.integers(0, 65535))
def test_turned_bits_are_turned_back(millimetres):
    stored = turned_left(np.full((1, 1), millimetres, np.uint16))
    assert_array_equal(TURNED_MILLIMETRES.metres(stored), np.full((1, 1), millimetres, np.float32) / np.float32(1000))


def test_bits_by_hand():
    stored = np.array([[8, 1, 0b1110_0000_0000_0000]], np.uint16)
    assert_array_equal(TURNED_MILLIMETRES.metres(stored), np.array([[1, 8192, 7168]], np.float32) / np.float32(1000))


def test_scans_of_one_place_stay_together(tmp_path):
    for place in range(30):
        for scan in range(2):
            sun3d(tmp_path, f"place{place}/scan{scan}", frames=1)
    splits = {}
    for name, found in found_in("sun3d", tmp_path).items():
        splits.setdefault(name.split("/")[0], set()).add(found.split)
    assert len(splits) == 30 and all(len(values) == 1 for values in splits.values())


def test_a_place_or_a_scan_may_be_the_root(tmp_path):
    sun3d(tmp_path)
    whole = {name: one.split for name, one in found_in("sun3d", tmp_path).items()}
    for root in (tmp_path / "hotel", tmp_path / "hotel" / "scan1"):
        assert {name: one.split for name, one in found_in("sun3d", root).items()} == whole == {"hotel/scan1": whole["hotel/scan1"]}
    assert len(read_one("sun3d", tmp_path / "hotel" / "scan1", "hotel/scan1")[0]) == 3
    with pytest.raises(UsageError, match="no folders such as"):
        found_in("sun3d", tmp_path / "hotel" / "scan1" / "image")


def test_two_frames_may_share_a_depth_and_none_takes_one_from_far(tmp_path):
    sun3d(tmp_path)
    (tmp_path / NAME / "depth/0000002-000000042000.png").unlink()
    put(tmp_path / NAME / "image/0000004-000000900000.jpg", encoded(colour(), "JPEG"))
    put(tmp_path / NAME / "extrinsics/20140817195227.txt", "".join(rows(shifted(number)[:3]) for number in range(4)))
    frames, notes = read_one("sun3d", tmp_path, NAME)
    assert [one.seconds for one in frames] == pytest.approx([0.009, 0.009, 0.075])
    assert notes == ["1 of 4 colour frames have no depth within 0.1 s: left out"]


def test_frames_without_a_pose_are_left_out_and_told(tmp_path):
    sun3d(tmp_path)
    lost = np.full((3, 4), np.nan)
    put(tmp_path / NAME / "extrinsics/20140817195227.txt", rows(shifted(0)[:3]) + rows(lost) + rows(shifted(2)[:3]))
    frames, notes = read_one("sun3d", tmp_path, NAME)
    assert [one.number for one in frames] == [0, 2]
    assert notes == ["1 of 3 frames have no pose: left out"]
    put(tmp_path / NAME / "extrinsics/20140817195227.txt", 3 * rows(lost))
    refused("no-poses", "none of 3 frames", "sun3d", tmp_path, NAME)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_poses_of_other_frames_are_refused(tmp_path, count):
    sun3d(tmp_path)
    put(tmp_path / NAME / "extrinsics/20140817195227.txt", count * rows(np.eye(4)[:3]))
    refused("poses-disagree", "each of 3 colour frames", "sun3d", tmp_path, NAME)


@pytest.mark.parametrize("matrix", [2 * np.eye(4), np.diag([1, 1, -1, 1.0]), np.zeros((4, 4))])
def test_a_pose_that_is_none_is_refused(tmp_path, matrix):
    sun3d(tmp_path)
    put(tmp_path / NAME / "extrinsics/20140817195227.txt", 2 * rows(np.eye(4)[:3]) + rows(matrix[:3]))
    refused("bad-pose", "frame 2", "sun3d", tmp_path, NAME)


@pytest.mark.parametrize("file", ["intrinsics.txt", "extrinsics/20140817195227.txt"])
def test_what_is_missing_is_said_of_its_scan(tmp_path, file):
    sun3d(tmp_path)
    (tmp_path / NAME / file).unlink()
    (tmp_path / NAME / "extrinsics/20130101000000.txt").unlink()
    refused("missing-file", "is not there", "sun3d", tmp_path, NAME)


@pytest.mark.parametrize(
    "text", ["", "1 2 3", "15 0 7 0 16 5 0 0 one", "-15 0 7 0 16 5 0 0 1", "nan 0 7 0 16 5 0 0 1", "15 9 7 0 16 5 0 0 1"]
)
def test_intrinsics_that_are_none_are_refused(tmp_path, text):
    sun3d(tmp_path)
    put(tmp_path / NAME / "intrinsics.txt", text)
    refused("bad-camera", "intrinsics", "sun3d", tmp_path, NAME)


def test_a_scan_without_frames_is_refused(tmp_path):
    sun3d(tmp_path, frames=0)
    for folder in ("image", "depth"):
        (tmp_path / NAME / folder).mkdir(parents=True)
    refused("no-frames", "no frame", "sun3d", tmp_path, NAME)


def test_other_files_are_left_alone_and_told(tmp_path):
    sun3d(tmp_path, frames=1)
    put(tmp_path / NAME / "image/Thumbs.db", b"x")
    put(tmp_path / NAME / "image/cover.jpg", b"x")
    frames, notes = read_one("sun3d", tmp_path, NAME)
    assert len(frames) == 1 and notes == ["1 files in image and depth are no frame's: left alone"]


def test_sizes_that_change_are_refused(tmp_path):
    sun3d(tmp_path)
    put(tmp_path / NAME / "depth/0000001-000000009000.png", encoded(turned_left(depth(width=20))))
    refused("wrong-size", "expected the same", "sun3d", tmp_path, NAME)
