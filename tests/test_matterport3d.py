"""Matterport3D: both kinds of pictures give the same points, by formulas of their own; splits, and files that say something else."""

import numpy as np
import pytest
from loose_reading import found_in, read_one, refused
from loose_trees import HEIGHT, colour, depth, encoded, matterport3d, metres, put, rows, shifted
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import back_project, moved

HOUSE = "17DRP5sb8fy"
PANO = "0" * 32
CONF = f"undistorted_camera_parameters/{HOUSE}.conf"
BENT = "the distortion of 1 of 1 cameras is left in the pictures"


def conf_with(root, old, new):
    path = root / HOUSE / CONF
    text = path.read_text()
    assert old in text
    put(path, text.replace(old, new))


@pytest.mark.parametrize("images", ["undistorted", "matterport"])
def test_frames_are_what_was_written(tmp_path, images):
    frames, notes = read_one("matterport3d", matterport3d(tmp_path), HOUSE, images=images)
    assert [one.number for one in frames] == [0, 1, 2]
    assert notes == ([] if images == "undistorted" else [BENT])
    for number, one in enumerate(frames):
        assert_allclose(one.colour, colour(number), atol=4)  # JPEG
        assert_array_equal(one.depth, metres(np.float32(1000 + number) / np.float32(1000)))
        assert_allclose(one.pose, shifted(0.1 * number), atol=1e-9)
        assert_array_equal(one.pose, one.colour_pose)


def test_points_are_where_the_conf_places_them(tmp_path):
    """A pixel of row r from above is row height - 1 - r from below, its centre half a pixel up; the camera looks along -z, y up."""
    frames, _ = read_one("matterport3d", matterport3d(tmp_path), HOUSE)
    values = (tmp_path / HOUSE / CONF).read_text().splitlines()[5].split()
    opened = np.array(values[3:], float).reshape(4, 4)
    points = moved(back_project(frames[0].depth, frames[0].depth_camera), frames[0].pose)
    expected = []
    for row, column in np.argwhere(frames[0].depth > 0):
        z = float(frames[0].depth[row, column])
        x, y = (column + 0.5 - 8) * z / 15, (HEIGHT - 1 - row + 0.5 - 4) * z / 16
        expected.append((opened @ [x, y, -z, 1])[:3])
    assert_allclose(points, expected, atol=1e-6)


def test_the_cameras_own_pictures_count_from_above(tmp_path):
    frames, _ = read_one("matterport3d", matterport3d(tmp_path), HOUSE, images="matterport")
    assert vars(frames[0].depth_camera) == {"width": 16, "height": 12, "fx": 15, "fy": 16, "cx": 7.5, "cy": 4}


def test_the_official_lists_decide(tmp_path):
    for house in ("a", "b", "c", "d"):
        matterport3d(tmp_path, house, frames=1)
    for name, house in (("train", "a"), ("val", "b"), ("test", "c")):
        put(tmp_path / f"scenes_{name}.txt", f"{house}\n")
    assert {name: one.split for name, one in found_in("matterport3d", tmp_path).items()} == {
        "a": "train",
        "b": "validation",
        "c": "test",
        "d": "train",
    }
    for line in ("a", "../a"):
        put(tmp_path / "scenes_test.txt", line)
        with pytest.raises(RefusedObject, match=r"scenes_test\.txt"):
            found_in("matterport3d", tmp_path)


def test_a_house_is_a_root_too(tmp_path):
    matterport3d(tmp_path)
    assert len(read_one("matterport3d", tmp_path / HOUSE, HOUSE)[0]) == 3
    with pytest.raises(UsageError, match="undistorted_camera_parameters there"):
        found_in("matterport3d", tmp_path / HOUSE / "matterport_camera_poses")


def test_pictures_that_are_not_there_are_left_out_and_told(tmp_path):
    (matterport3d(tmp_path) / HOUSE / f"undistorted_depth_images/{PANO}_d0_1.png").unlink()
    (tmp_path / HOUSE / f"matterport_camera_poses/{PANO}_pose_0_2.txt").unlink()
    frames, notes = read_one("matterport3d", tmp_path, HOUSE)
    assert [one.number for one in frames] == [0, 2]
    assert notes == ["1 of 3 pictures have no colour or no depth: left out"]
    frames, notes = read_one("matterport3d", tmp_path, HOUSE, images="matterport")
    assert len(frames) == 2
    assert notes == ["1 of 3 pictures have no depth, pose or intrinsics: left out", BENT]


def test_more_or_fewer_pictures_than_announced_are_told(tmp_path):
    conf_with(matterport3d(tmp_path), "n_images 3", "n_images 18")
    _, notes = read_one("matterport3d", tmp_path, HOUSE)
    assert notes == ["the .conf announces 18 pictures and lists 3"]


def test_a_count_behind_control_characters_is_read_or_none(tmp_path):
    """\x1e counts as space for str.strip and not for int."""
    conf_with(matterport3d(tmp_path), "n_images 3", "n_images \x1e\x1e3")
    _, notes = read_one("matterport3d", tmp_path, HOUSE)
    assert notes == []


def test_a_pose_that_is_not_finite_leaves_its_picture_out(tmp_path):
    conf_with(matterport3d(tmp_path), "1.000000000e-01", "nan")
    put(tmp_path / HOUSE / f"matterport_camera_poses/{PANO}_pose_0_1.txt", rows(np.full((4, 4), np.inf)))
    for images in ("undistorted", "matterport"):
        frames, notes = read_one("matterport3d", tmp_path, HOUSE, images=images)
        assert len(frames) == 2 and notes[-1] == "1 of 3 frames have no pose: left out"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (f"scan {PANO}_d0_0.png", "scan ../../x.png", "bad-catalog"),
        ("depth_directory undistorted_depth_images", "depth_directory ../other", "bad-catalog"),
        ("color_directory undistorted_color_images", "color_directory /etc", "bad-catalog"),
        ("intrinsics_matrix 15 0 8  0 16 4  0 0 1\n", "", "bad-catalog"),
        ("dataset matterport", "version 2", "bad-catalog"),
        ("intrinsics_matrix 15 0 8", "intrinsics_matrix 15 0", "bad-camera"),
        ("intrinsics_matrix 15 0 8", "intrinsics_matrix 0 0 8", "bad-camera"),
        (" 1.000000000e+00\n", "\n", "bad-pose"),
        (" 1.000000000e+00\n", " 1.0 1.0\n", "bad-pose"),
        (" 1.000000000e+00\n", " 7.0\n", "bad-pose"),
        ("matterport\n", "matterport\xff\n", "bad-catalog"),
    ],
)
def test_a_conf_that_says_something_else_is_refused(tmp_path, old, new, reason):
    conf_with(matterport3d(tmp_path), old, new)
    refused(reason, f"{HOUSE}.conf: ", "matterport3d", tmp_path, HOUSE)


@pytest.mark.parametrize(
    "text", ["", "16 12 15 16 7.5 4 0 0 0 0", "16 12 15 16 7.5 4 0 0 0 0 nan", "1e9 1e9 15 16 7.5 4 0 0 0 0 0", "16 12 0 16 7 4 0 0 0 0 0"]
)
def test_raw_intrinsics_that_are_none_are_refused(tmp_path, text):
    put(matterport3d(tmp_path) / HOUSE / f"matterport_camera_intrinsics/{PANO}_intrinsics_0.txt", text)
    refused("bad-camera", "intrinsics_0", "matterport3d", tmp_path, HOUSE, images="matterport")


def test_cameras_without_distortion_are_not_told_of(tmp_path):
    put(matterport3d(tmp_path) / HOUSE / f"matterport_camera_intrinsics/{PANO}_intrinsics_0.txt", "16 12 15 16 7.5 4 0 0 0 0 0\n")
    assert read_one("matterport3d", tmp_path, HOUSE, images="matterport")[1] == []


def test_absent_files_are_said_of_the_house(tmp_path):
    (matterport3d(tmp_path) / HOUSE / CONF).unlink()
    (tmp_path / HOUSE / f"matterport_camera_intrinsics/{PANO}_intrinsics_0.txt").unlink()
    refused("missing-file", f"{HOUSE}.conf is not there", "matterport3d", tmp_path, HOUSE)
    refused("missing-file", "intrinsics_0.txt is not there", "matterport3d", tmp_path, HOUSE, images="matterport")


@pytest.mark.parametrize("images", ["undistorted", "matterport"])
def test_sizes_that_change_are_refused(tmp_path, images):
    put(matterport3d(tmp_path) / HOUSE / f"{images}_depth_images/{PANO}_d0_1.png", encoded(depth(width=20)))
    refused("wrong-size", "d0_1.png", "matterport3d", tmp_path, HOUSE, images=images)


@pytest.mark.parametrize("images", ["undistorted", "matterport"])
def test_a_jpeg_that_is_cut_off_is_refused(tmp_path, images):
    path = matterport3d(tmp_path) / HOUSE / f"{images}_color_images/{PANO}_i0_1.jpg"
    put(path, path.read_bytes()[:-200])
    refused("broken-picture", "i0_1.jpg", "matterport3d", tmp_path, HOUSE, images=images)
