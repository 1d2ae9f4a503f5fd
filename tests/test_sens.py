"""`.sens`: what was written is read, one frame at a time, and what is not as it says is refused."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sens_bytes import HEIGHT, WIDTH, frame, header, intrinsics, plain_colour, plain_depth, sens, shifted

from l9.errors import RefusedObject
from l9.readers.sens import read_sens

EYE = np.eye(4)


@pytest.fixture
def recorded(tmp_path):
    """The frames and notes of the bytes of a file."""
    opened = []

    def read(content, **wanted):
        path = tmp_path / f"{len(opened)}.sens"
        path.write_bytes(content)
        opened.append(path.open("rb"))
        notes = []
        return list(read_sens(opened[-1], notes).frames(**wanted)), notes

    yield read
    for stream in opened:
        stream.close()


def refused(recorded, content, reason, words=None):
    with pytest.raises(RefusedObject, match=words) as caught:
        recorded(content)
    assert caught.value.reason == reason


def test_frames_are_what_was_written(recorded):
    frames, notes = recorded(sens(3))
    assert [one.number for one in frames] == [0, 1, 2] and notes == []
    for number, one in enumerate(frames):
        assert_allclose(one.colour, plain_colour(number), atol=4)  # JPEG
        assert_array_equal(one.depth, np.full((HEIGHT, WIDTH), (1000 + number) / 1000, np.float32))
        assert_allclose(one.pose, shifted(0.1 * number), atol=1e-7)
        assert_array_equal(one.pose, one.colour_pose)
        assert one.seconds == pytest.approx(number / 30, abs=1e-5)
        assert (one.depth_camera.width, one.depth_camera.height, one.depth_camera.fx, one.depth_camera.cx) == (
            WIDTH,
            HEIGHT,
            15,
            (WIDTH - 1) / 2,
        )
        assert (one.colour_camera.width, one.colour_camera.fy) == (2 * WIDTH, 30)


def test_what_is_not_asked_for_is_not_decoded(recorded):
    broken = header(1) + frame(EYE, b"no picture", b"no depth")
    ((only,), _) = recorded(broken, colour=False, depth=False)
    assert only.colour is None and only.depth is None


def test_a_recording_is_read_again_from_its_start(tmp_path):
    (tmp_path / "a.sens").write_bytes(sens(4))
    with (tmp_path / "a.sens").open("rb") as stream:
        recording = read_sens(stream, [])
        first = next(recording.frames())
        assert len(list(recording.frames())) == 4
        assert_array_equal(next(recording.frames()).depth, first.depth)


def test_frames_without_a_pose_are_left_out_and_told(recorded):
    lost = np.full((4, 4), -np.inf)
    body = [frame(pose, plain_colour(), plain_depth()) for pose in (EYE, lost, np.full((4, 4), np.nan), shifted(1))]
    frames, notes = recorded(header(4) + b"".join(body))
    assert [one.number for one in frames] == [0, 3]
    assert notes == ["2 of 4 frames have no pose: left out"]


def test_a_recording_without_any_pose_is_refused(recorded):
    refused(recorded, header(1) + frame(np.full((4, 4), -np.inf), plain_colour(), plain_depth()), "no-poses")


def test_a_pose_that_is_none_is_refused(recorded):
    for wrong in (2 * EYE, np.diag([1, 1, -1, 1]), np.zeros((4, 4))):
        refused(recorded, header(1) + frame(wrong, plain_colour(), plain_depth()), "bad-pose", "frame 0 of 1")


def test_extrinsics_place_the_colour_camera(recorded):
    aside = np.eye(4)
    aside[0, 3] = -0.025  # a point in front of the depth camera is 2.5 cm to the left of the colour camera's axis
    matrices = (intrinsics(2 * WIDTH, 2 * HEIGHT, 30), aside, intrinsics(WIDTH, HEIGHT, 15), EYE)
    ((only,), _) = recorded(header(1, matrices=matrices) + frame(shifted(1), plain_colour(), plain_depth()))
    assert_allclose(only.pose[:3, 3], [1, 0, 0])
    assert_allclose(only.colour_pose[:3, 3], [1.025, 0, 0], atol=1e-6)


def test_raw_depth_is_read(recorded):
    ((only,), _) = recorded(header(1, codecs=(2, 0)) + frame(EYE, plain_colour(), plain_depth(), compress=bytes))
    assert_array_equal(only.depth, np.full((HEIGHT, WIDTH), 2, np.float32))


def test_what_follows_the_frames_is_left_alone(recorded):
    frames, _ = recorded(sens(2) + struct.pack("<Q", 1000) + b"inertia" * 50)
    assert len(frames) == 2


@pytest.mark.parametrize(
    "head, reason",
    [
        ({"version": 3}, "not-sens"),
        ({"name": b"x" * 5000}, "bad-header"),
        ({"codecs": (0, 1)}, "unknown-codec"),
        ({"codecs": (2, 2)}, "unknown-codec"),
        ({"codecs": (-1, 70000)}, "unknown-codec"),
        ({"scale": 0.0}, "bad-header"),
        ({"scale": float("nan")}, "bad-header"),
        ({"scale": 1e-42}, "bad-header"),
        ({"sizes": (0, 24, 16, 12)}, "bad-header"),
        ({"sizes": (32, 24, 2**31, 2**31)}, "bad-header"),
        ({"sizes": (32, 24, 16, 13)}, "broken-depth"),
        ({"sizes": (32, 25, 16, 12)}, "wrong-size"),
        ({"matrices": (np.full((4, 4), np.nan), EYE, EYE, EYE)}, "bad-header"),
        ({"matrices": (EYE, np.zeros((4, 4)), EYE, EYE)}, "bad-header"),
        ({"matrices": (np.full((4, 4), 0x7F800001, np.uint32).view(np.float32), EYE, EYE, EYE)}, "bad-header"),  # a NaN that signals
    ],
)
def test_absurd_headers_are_refused(recorded, head, reason):
    refused(recorded, sens(1, **head), reason)


def test_a_name_that_is_longer_than_the_file(recorded):
    refused(recorded, struct.pack("<IQ", 4, 2**63) + b"abc", "bad-header")


def test_counts_and_lengths_beyond_the_file_are_refused_unread(recorded):
    refused(recorded, header(2**60) + sens(1)[-100:], "truncated", "too few")
    refused(recorded, header(0), "no-frames")
    lengths = np.eye(4, dtype="<f4").tobytes() + struct.pack("<4Q", 0, 0, 2**62, 2**62)
    refused(recorded, header(1) + lengths, "truncated", "frame 0 of 1")


def test_a_bomb_of_depth_is_stopped_at_its_size(recorded):
    bomb = zlib.compress(bytes(50_000_000), 9)
    content = header(1) + frame(EYE, plain_colour(), bomb)
    tracemalloc.start()
    refused(recorded, content, "broken-depth", "frame 0 of 1")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_broken_pictures_and_depths_name_their_frame(recorded):
    good = plain_colour()
    for colour in (b"", b"\xff\xd8\xff\xe0 nothing", b"GIF89a"):
        refused(recorded, header(1) + frame(EYE, colour, plain_depth()), "broken-picture", "frame 0 of 1")
    for depth in (b"", b"no zlib", zlib.compress(b"short"), zlib.compress(plain_depth().tobytes())[:-9]):
        refused(recorded, header(1) + frame(EYE, good, depth), "broken-depth", "frame 0 of 1")


@given(cut=st.integers(0, len(sens(2)) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "cut.sens"
    path.write_bytes(sens(2)[:cut])
    with path.open("rb") as stream, pytest.raises(RefusedObject) as caught:
        list(read_sens(stream, []).frames())
    assert caught.value.reason == "truncated"


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    peaks = []
    for count in (5, 5, 200):  # the first time Pillow sets itself up
        path = tmp_path / f"{count}.sens"
        path.write_bytes(sens(count))
        with path.open("rb") as stream:
            tracemalloc.start()
            assert sum(1 for _ in read_sens(stream, []).frames()) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[2] < peaks[1] + 100_000  # bytes; 195 frames hold 600,000
