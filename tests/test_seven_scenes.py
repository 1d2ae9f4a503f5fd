"""7-Scenes and what it shares with 3DMatch: numbered frames, splits, cameras of their own for colour and depth; and every broken file."""

import zlib

import numpy as np
import pytest
from loose_reading import found_in, read_one, refused
from loose_trees import colour, depth, encoded, metres, numbered, put, rows, seven_scenes, shifted
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, UsageError

NAME = "stairs/seq-01"


def frame_file(root, number=1, role="pose.txt"):
    return root / NAME / f"frame-{number:06d}.{role}"


def test_frames_are_what_was_written(tmp_path):
    frames, notes = read_one("seven_scenes", seven_scenes(tmp_path), NAME)
    assert [one.number for one in frames] == [0, 1, 2] and notes == []
    for number, one in enumerate(frames):
        expected = metres(np.float32(1000 + number) / np.float32(1000))
        expected[0, 1] = 0  # 65535
        assert_array_equal(one.colour, colour(number))
        assert_array_equal(one.depth, expected)
        assert_allclose(one.pose, shifted(0.1 * number), atol=1e-9)
        assert_array_equal(one.pose, one.colour_pose)
        assert one.seconds == 0


def test_colour_may_be_jpeg_and_png_goes_before_it(tmp_path):
    root = seven_scenes(tmp_path)
    picture = np.full_like(colour(), 90)
    put(frame_file(root, 1, "color.jpg"), encoded(picture, "JPEG"))
    frame_file(root, 2, "color.png").unlink()
    put(frame_file(root, 2, "color.jpg"), encoded(picture, "JPEG"))
    put(frame_file(root, 2, "depth.jpg"), b"no frame's")
    frames, notes = read_one("seven_scenes", root, NAME)
    assert [one.number for one in frames] == [0, 1, 2] and notes == ["1 files are no frame's: left alone"]
    assert_array_equal(frames[1].colour, colour(1))
    assert np.abs(frames[2].colour.astype(int) - 90).max() < 3


def test_colour_and_depth_have_their_published_cameras(tmp_path):
    wide = {"width": 640, "height": 480}
    put(tmp_path / NAME / "frame-000007.color.png", encoded(colour(**wide)))
    put(tmp_path / NAME / "frame-000007.depth.png", encoded(depth(**wide)))
    put(tmp_path / NAME / "frame-000007.pose.txt", rows(np.eye(4)))
    ((only,), _) = read_one("seven_scenes", tmp_path, NAME)
    assert only.number == 7
    assert vars(only.colour_camera) == {**wide, "fx": 525, "fy": 525, "cx": 320, "cy": 240}
    assert vars(only.depth_camera) == {**wide, "fx": 585, "fy": 585, "cx": 320, "cy": 240}


def test_smaller_pictures_have_a_smaller_camera(tmp_path):
    frames, _ = read_one("seven_scenes", seven_scenes(tmp_path), NAME)
    assert frames[0].depth_camera.fx == 585 / 40 and frames[0].colour_camera.fy == 525 / 40


def test_the_lists_decide_and_one_scene_is_a_root_too(tmp_path):
    splits = {name: found.split for name, found in found_in("seven_scenes", seven_scenes(tmp_path)).items()}
    expected = {"stairs/seq-01": "train", "stairs/seq-02": "train", "stairs/seq-03": "test"}
    assert splits == {"chess/seq-01": "test", "chess/seq-02": "train", **expected}
    alone = found_in("seven_scenes", tmp_path / "stairs")
    assert {name: found.split for name, found in alone.items()} == expected
    assert len(read_one("seven_scenes", tmp_path / "stairs", NAME)[0]) == 3
    with pytest.raises(UsageError, match="seq-01 there"):
        found_in("seven_scenes", tmp_path / "stairs" / "seq-01")


def test_without_lists_a_scene_stays_together(tmp_path):
    for scene in range(20):
        for sequence in (1, 2):
            numbered(tmp_path / f"room{scene}" / f"seq-{sequence:02d}", frames=1)
    splits = {}
    for name, found in found_in("seven_scenes", tmp_path).items():
        splits.setdefault(name.split("/")[0], set()).add(found.split)
    assert all(len(values) == 1 for values in splits.values()) and len(set.union(*splits.values())) > 1


@pytest.mark.parametrize("line", ["../seq-01", "sequence", "sequence99999999999"])
def test_lists_of_other_things_are_refused(tmp_path, line):
    put(seven_scenes(tmp_path) / "stairs/TestSplit.txt", line)
    with pytest.raises(RefusedObject, match=r"bad-catalog.*TestSplit\.txt"):
        found_in("seven_scenes", tmp_path)


def test_a_sequence_in_both_lists_is_refused(tmp_path):
    put(seven_scenes(tmp_path) / "stairs/TestSplit.txt", "sequence1\n")
    with pytest.raises(RefusedObject, match="in both lists"):
        found_in("seven_scenes", tmp_path)


def test_frames_that_lack_a_file_are_left_out_and_told(tmp_path):
    numbered(tmp_path / NAME, 5)
    frame_file(tmp_path, 1).unlink()
    frame_file(tmp_path, 3, "depth.png").unlink()
    frames, notes = read_one("seven_scenes", tmp_path, NAME)
    assert [one.number for one in frames] == [0, 2, 4]
    assert notes == ["1 of 5 frames have no file of a pose: left out", "1 of 5 frames have no colour or no depth: left out"]


def test_links_that_lead_to_themselves_are_no_frames_and_no_scenes(tmp_path):
    numbered(tmp_path / NAME, 2)
    frame_file(tmp_path, 1).unlink()
    frame_file(tmp_path, 1).symlink_to("frame-000001.pose.txt")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "stairs/seq-09").symlink_to("seq-09")
    assert list(found_in("seven_scenes", tmp_path)) == [NAME]


def test_a_sequence_of_one_frame_is_one(tmp_path):
    numbered(tmp_path / NAME, 1)
    assert len(read_one("seven_scenes", tmp_path, NAME)[0]) == 1


@pytest.mark.parametrize("text", [rows(np.full((4, 4), np.nan)), rows(np.full((4, 4), -np.inf)), 4 * "-1.#IND -1.#IND 1.#QNAN 1.#INF\n"])
def test_a_pose_that_is_not_finite_leaves_its_frame_out(tmp_path, text):
    put(frame_file(seven_scenes(tmp_path)), text)
    frames, notes = read_one("seven_scenes", tmp_path, NAME)
    assert [one.number for one in frames] == [0, 2] and notes == ["1 of 3 frames have no pose: left out"]


def test_a_sequence_without_any_pose_is_refused(tmp_path):
    numbered(tmp_path / NAME, 2)
    for number in (0, 1):
        put(frame_file(tmp_path, number), rows(np.full((4, 4), np.nan)))
    refused("no-poses", "none of 2 frames has a pose", "seven_scenes", tmp_path, NAME)
    for number in (0, 1):
        frame_file(tmp_path, number).unlink()
    refused("no-poses", "none of 2 frames has a pose", "seven_scenes", tmp_path, NAME)


@pytest.mark.parametrize(
    "text", ["", rows(np.eye(3)), rows(np.eye(5)), rows(2 * np.eye(4)), rows(np.diag([1, 1, -1, 1])), "a\n" * 16, "1_0 " * 16, "\xff" * 16]
)
def test_a_pose_of_another_camera_is_refused(tmp_path, text):
    put(frame_file(seven_scenes(tmp_path)), text)
    refused("bad-pose", "frame-000001.pose.txt", "seven_scenes", tmp_path, NAME)


def test_a_file_of_a_pose_that_is_far_too_large_is_not_read(tmp_path):
    put(frame_file(seven_scenes(tmp_path)), b"1 " * 100_000)
    refused("too-large", "frame-000001.pose.txt", "seven_scenes", tmp_path, NAME)


@pytest.mark.parametrize("role", ["color.png", "depth.png"])
@pytest.mark.parametrize("number", [0, 1])
def test_pictures_of_another_size_are_refused(tmp_path, role, number):
    pixels = colour(width=20) if role == "color.png" else depth(width=20)
    put(frame_file(seven_scenes(tmp_path), number, role), encoded(pixels))
    refused("wrong-size", "20x12 pixels", "seven_scenes", tmp_path, NAME)


@pytest.mark.parametrize("role", ["color.png", "depth.png"])
@pytest.mark.parametrize("number", [0, 1])
def test_pictures_that_are_cut_off_are_refused(tmp_path, role, number):
    path = frame_file(seven_scenes(tmp_path), number, role)
    for length in (0, 20, path.stat().st_size - 30):
        put(path, path.read_bytes()[:length]) if length else put(path, b"")
        refused("broken-picture", f"frame-00000{number}.{role}", "seven_scenes", tmp_path, NAME)


def test_depth_of_8_bits_is_refused(tmp_path):
    put(frame_file(seven_scenes(tmp_path), 1, "depth.png"), encoded(depth().astype(np.uint8)))
    refused("broken-picture", "one channel of 16 bits", "seven_scenes", tmp_path, NAME)


def test_frames_that_measured_nothing_are_told_and_a_sequence_of_them_is_refused(tmp_path):
    numbered(tmp_path / NAME, 2)
    put(frame_file(tmp_path, 0, "depth.png"), encoded(np.zeros((12, 16), np.uint16)))
    frames, notes = read_one("seven_scenes", tmp_path, NAME)
    assert not frames[0].depth.any() and notes == ["1 of 2 frames measured no depth"]
    put(frame_file(tmp_path, 1, "depth.png"), encoded(np.full((12, 16), 65535, np.uint16)))
    refused("no-depth", "none of 2 frames", "seven_scenes", tmp_path, NAME)
    frames, notes = read_one("seven_scenes", tmp_path, NAME, wanted=(True, False))
    assert len(frames) == 2 and frames[0].depth is None and notes == []


def test_what_is_not_asked_for_is_not_opened(tmp_path):
    put(frame_file(seven_scenes(tmp_path), 1, "color.png"), b"no picture")
    frames, _ = read_one("seven_scenes", tmp_path, NAME, wanted=(False, True))
    assert [one.colour for one in frames] == [None] * 3


def test_a_bomb_is_known_by_its_size(tmp_path):
    path = frame_file(seven_scenes(tmp_path), 0, "depth.png")
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    put(path, bytes(content))
    with pytest.raises(RefusedObject) as caught:
        read_one("seven_scenes", tmp_path, NAME)
    assert caught.value.reason in ("too-large", "broken-picture")
