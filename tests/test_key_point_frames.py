"""l9.geometry.key_point_frames: patches cut where they should be, and descriptors that follow the frame they are told."""

import numpy as np
import pytest
from dotted_room import CAMERA, picture_of, walk
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.key_point_frames import cut_patches, moved_frames, orb_descriptors, sift_descriptors

OCTAVE = np.array([1 << 8], np.int32)  # the picture itself, its first layer


@pytest.fixture(scope="module")
def picture():
    return picture_of(CAMERA, walk(1)[0])


def frames_of(*rows):
    return np.array(rows, np.float32)


@pytest.mark.parametrize("side", [16, 17, 96])
def test_a_patch_has_its_key_point_in_the_very_middle(side):
    """A picture whose red grows by 2 a column and green by 3 a row, everywhere: the mean of a patch is what its middle is."""
    rows, columns = np.mgrid[:80, :120]
    ramp = np.stack([2 * columns, 3 * rows, 0 * rows], axis=2).astype(np.uint8)
    pixels = np.array([[60.0, 40.0], [60.25, 39.5], [59.5, 40.75]], np.float32)
    patches = cut_patches(ramp, pixels, side)
    assert patches.shape == (3, side, side, 3)
    if side == 96:  # reaches over the edge, whose pixels go on
        assert_array_equal(patches[0, 0, :, 1], 0)
        return
    assert_allclose(patches.mean(axis=(1, 2))[:, :2], pixels * [2, 3], atol=0.6)  # bytes are rounded
    if side % 2:
        assert_array_equal(patches[0], ramp[40 - side // 2 : 41 + side // 2, 60 - side // 2 : 61 + side // 2])


def test_no_key_points_no_patches(picture):
    assert cut_patches(picture, np.zeros((0, 2), np.float32), 16).shape == (0, 16, 16, 3)
    assert sift_descriptors(picture, np.zeros((0, 4), np.float32), np.zeros(0, np.int32)).shape == (0, 128)
    assert orb_descriptors(picture, np.zeros((0, 4), np.float32)).shape == (0, 32)


def test_frames_move_as_they_are_told():
    moved = moved_frames(frames_of([10, 20, 4, 350], [1, 2, 3, 4]), frames_of([1, -2, np.log(2), 20], [0, 0, 0, 0]))
    assert_allclose(moved, [[11, 18, 8, 10], [1, 2, 3, 4]], rtol=1e-6)


def test_descriptors_follow_a_picture_that_is_turned(picture):
    """A quarter turn clockwise: column u, row v goes to column h - 1 - v, row u, and angles grow by 90 degrees."""
    turned = np.ascontiguousarray(np.rot90(picture, -1))
    places = np.random.default_rng(0).integers([90, 90], [230, 150], (12, 2))
    plain = np.concatenate([places, np.full((12, 1), 12), np.arange(12)[:, None] * 30], axis=1).astype(np.float32)
    with_it = plain.copy()
    with_it[:, 0], with_it[:, 1], with_it[:, 3] = CAMERA.height - 1 - plain[:, 1], plain[:, 0], (plain[:, 3] + 90) % 360
    octaves = np.repeat(OCTAVE, 12)
    sift = [sift_descriptors(one, frames, octaves).astype(float) for one, frames in ((picture, plain), (turned, with_it))]
    apart = np.linalg.norm(sift[0][:, None] - sift[1], axis=2)
    assert (apart.argmin(axis=1) == np.arange(12)).all()
    assert np.diag(apart).max() < 60  # of 512, the length of each
    orb = [np.unpackbits(orb_descriptors(one, frames), axis=1) for one, frames in ((picture, plain), (turned, with_it))]
    assert (orb[0][:, None] != orb[1]).sum(axis=2).argmin(axis=1).tolist() == list(range(12))


def test_each_key_point_keeps_its_row(picture):
    """ORB leaves out what is near the edge: its row is zeros, and the others stay in their places."""
    places = frames_of([5, 5, 12, 0], [160, 120, 12, 0], [315, 5, 12, 0], [100, 100, 12, 90])
    alone = [orb_descriptors(picture, places[number : number + 1])[0] for number in range(4)]
    together = orb_descriptors(picture, places)
    assert_array_equal(together, alone)
    assert_array_equal(together.any(axis=1), [False, True, False, True])
    octaves = np.repeat(OCTAVE, 4)
    sift = sift_descriptors(picture, places, octaves)
    assert_array_equal(sift, [sift_descriptors(picture, places[n : n + 1], octaves[:1])[0] for n in range(4)])
    assert sift.any(axis=1).all()
