"""TUM RGB-D: lists by time, pairs as the benchmark's own tool makes them, poses nearest to colour; and lists that lead elsewhere."""

import numpy as np
import pytest
from loose_reading import found_in, read_one, refused
from loose_trees import colour, encoded, metres, put, shifted, tum_rgbd
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from l9.errors import UsageError
from l9.readers.tum_rgbd import camera_of

NAME = "rgbd_dataset_freiburg1_desk"
START = 1305031102.0
DISTORTED = "the distortion of its lens is left in the pictures"


def test_frames_are_what_was_written(tmp_path):
    frames, notes = read_one("tum_rgbd", tum_rgbd(tmp_path), NAME)
    assert [one.number for one in frames] == [0, 1, 2] and notes == [DISTORTED]
    for number, one in enumerate(frames):
        expected = shifted(0.1 * number)
        expected[1:3, 3] = 0.5, 0.25
        assert_array_equal(one.colour, colour(number))
        assert_array_equal(one.depth, metres(np.float32(5 * (1000 + number)) / np.float32(5000)))
        assert_allclose(one.pose, expected, atol=1e-5)
        assert_array_equal(one.pose, one.colour_pose)
        assert one.seconds == pytest.approx(START + 0.1 * number + 0.004, abs=1e-6)


def test_cameras_are_the_published_ones_by_laboratory():
    values = [
        (camera.fx, camera.fy, camera.cx, camera.cy) for camera in map(camera_of, ("freiburg1_a", "x_freiburg2_b", "freiburg3", "my"))
    ]
    assert values == [(517.3, 516.5, 318.6, 255.3), (520.9, 521.0, 325.1, 249.7), (535.4, 539.2, 320.1, 247.6), (525, 525, 319.5, 239.5)]


def test_quaternions_are_x_y_z_w(tmp_path):
    turns = Rotation.from_rotvec([[0.1, -0.7, 0.4], [2.0, 1.0, -1.5], [0, 0, 3.1]])
    lines = [f"{START + 0.1 * number} 1 2 3 " + " ".join(map(str, turn)) for number, turn in enumerate(turns.as_quat())]
    put(tum_rgbd(tmp_path) / NAME / "groundtruth.txt", "\n".join(lines))
    frames, _ = read_one("tum_rgbd", tmp_path, NAME)
    for one, turn in zip(frames, turns.as_matrix(), strict=True):
        assert_allclose(one.pose[:3, :3], turn, atol=1e-9)
        assert_array_equal(one.pose[:, 3], [1, 2, 3, 1])


def test_twins_for_validation_stay_with_their_sequence(tmp_path):
    for number in range(20):
        tum_rgbd(tmp_path, f"room{number}", frames=1)
        tum_rgbd(tmp_path, f"room{number}_validation", frames=1)
    found = found_in("tum_rgbd", tmp_path)
    assert len(found) == 40
    assert all(found[f"room{number}"].split == found[f"room{number}_validation"].split for number in range(20))


def test_a_sequence_is_a_root_too(tmp_path):
    tum_rgbd(tmp_path)
    frames, notes = read_one("tum_rgbd", tmp_path / NAME, NAME)
    assert len(frames) == 3 and notes == [DISTORTED]
    with pytest.raises(UsageError, match=r"rgb\.txt there"):
        found_in("tum_rgbd", tmp_path / NAME / "rgb")


def test_pictures_without_a_partner_are_left_out_and_told(tmp_path):
    below = tum_rgbd(tmp_path, frames=4) / NAME
    lines = (below / "depth.txt").read_text().splitlines()
    lines[4] = lines[4].replace(f"{START + 0.104:.6f} ", f"{START + 0.121:.6f} ")  # 21 ms after its colour
    put(below / "depth.txt", "\n".join(lines))
    (below / f"rgb/{START + 0.3:.6f}.png").unlink()
    frames, notes = read_one("tum_rgbd", tmp_path, NAME)
    assert [one.number for one in frames] == [0, 2]
    assert notes == [
        "1 of 4 colour pictures have no depth within 0.02 s: left out",
        "1 of 3 frames lack a picture that is listed: left out",
        DISTORTED,
    ]


def test_frames_far_from_the_path_are_left_out_and_told(tmp_path):
    below = tum_rgbd(tmp_path) / NAME
    path = (below / "groundtruth.txt").read_text().splitlines()
    put(below / "groundtruth.txt", "\n".join(path[:10] + path[15:]))  # a gap around 0.1 s
    frames, notes = read_one("tum_rgbd", tmp_path, NAME)
    assert [one.number for one in frames] == [0, 2] and notes[-1] == "1 of 3 frames have no pose: left out"
    for text in ("# nothing\n", f"{START} nan nan nan nan nan nan nan\n"):
        put(below / "groundtruth.txt", text)
        refused("no-poses", "none of 3 frames", "tum_rgbd", tmp_path, NAME)


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "rgb/../../x.png", "rgb//x.png", ".", "rgb/\x07.png"])
@pytest.mark.parametrize("name", ["rgb.txt", "depth.txt"])
def test_lists_that_lead_elsewhere_are_refused(tmp_path, name, path):
    put(tmp_path / "secret.png", encoded(colour()))
    below = tum_rgbd(tmp_path) / NAME
    with (below / name).open("a") as stream:
        stream.write(f"{START} {path}\n")
    refused("bad-catalog", f"{name}: line 7", "tum_rgbd", tmp_path, NAME)
    assert not any("secret" in file for found in found_in("tum_rgbd", tmp_path).values() for file in found.files)


@pytest.mark.parametrize(
    "line", ["1305031102.1", "nan rgb/x.png", "inf rgb/x.png", "-5 rgb/x.png", "1_0 rgb/x.png", "ten rgb/x.png", "1 a b"]
)
def test_lines_that_are_none_are_refused(tmp_path, line):
    put(tum_rgbd(tmp_path) / NAME / "rgb.txt", line)
    refused("bad-catalog", "rgb.txt: ", "tum_rgbd", tmp_path, NAME)


@pytest.mark.parametrize(
    "line", ["1 2 3", "1 0 0 0 0 0 0 1 1", "x 0 0 0 0 0 0 1", "nan 0 0 0 0 0 0 1", f"{START} 0 0 0 0 0 0 0", f"{START} 1e30 0 0 0 0 0 1"]
)
def test_a_path_that_is_none_is_refused(tmp_path, line):
    put(tum_rgbd(tmp_path) / NAME / "groundtruth.txt", line)
    refused("bad-pose", "groundtruth.txt: ", "tum_rgbd", tmp_path, NAME)


def test_too_many_lines_are_refused_in_no_time(tmp_path):
    put(tum_rgbd(tmp_path) / NAME / "rgb.txt", "1 rgb/a.png\n" * 70_000)
    refused("bad-catalog", "more than 60,000", "tum_rgbd", tmp_path, NAME)


@pytest.mark.parametrize("name", ["depth.txt", "groundtruth.txt"])
def test_what_is_missing_is_said_of_its_sequence(tmp_path, name):
    (tum_rgbd(tmp_path) / NAME / name).unlink()
    refused("missing-file", f"{name} is not there", "tum_rgbd", tmp_path, NAME)


def test_a_sequence_without_a_pair_is_refused(tmp_path):
    put(tum_rgbd(tmp_path) / NAME / "depth.txt", "# nothing\n")
    refused("no-frames", "no frame", "tum_rgbd", tmp_path, NAME)
