"""l9.geometry.key_points: where key points of a dotted room are said to be, against where they are."""

import numpy as np
import pytest
from dotted_room import CAMERA, apart, frame, true_points, turned_world, walk
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.key_points import BORDER, ERODED, KeyPoints, depth_at, key_points
from l9.geometry.scan import Frame

POSE = walk(1)[0]
DEPTH_CAMERA = Pinhole.of_field(256, 200, 75.0)


@pytest.fixture(scope="module")
def seen():
    return frame(0, POSE)


def with_depth(one, depth):
    return Frame(one.number, one.colour, depth, one.colour_camera, one.depth_camera, one.pose, one.colour_pose)


def test_places_and_normals_are_exact_where_depth_is(seen):
    found = key_points(seen)
    assert len(found) > 60
    points, normals = true_points(found.pixels.astype(float), CAMERA, POSE)
    assert_allclose(found.points, points, atol=1e-6)
    assert_allclose(found.normals, normals, atol=2e-3)  # float32 depth
    assert_allclose(found.depths, (points - POSE[:3, 3]) @ POSE[:3, 2], rtol=1e-6)


def test_noise_of_depth_is_smoothed():
    """Noise of 1.4e-3 z^2 is 3 mm here; the weights are those of 50 pixels."""
    found = key_points(frame(0, POSE, noise=1.4e-3))
    points, normals = true_points(found.pixels.astype(float), CAMERA, POSE)
    off = np.linalg.norm(found.points - points, axis=1)
    assert np.median(off) < 0.6e-3
    assert off.max() < 3e-3
    assert (found.normals * normals).sum(axis=1).min() > np.cos(0.25)


@few
@given(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(-0.03, 0.03), st.integers(0, 99))
def test_cameras_that_stand_apart_agree_on_places(x, y, z, tilt):
    """Another size, another focal length, up to 5 cm and 3 degrees between them."""
    away = np.eye(4)
    away[:3, :3] = Rotation.from_rotvec(np.random.default_rng(tilt).uniform(-0.03, 0.03, 3)).as_matrix()
    away[:3, 3] = x, y, z
    two = apart(0, POSE, CAMERA, DEPTH_CAMERA, away)
    found = key_points(two)
    assert len(found) > 30
    points, normals = true_points(found.pixels.astype(float), CAMERA, POSE)
    off = np.linalg.norm(found.points - points, axis=1)
    assert np.median(off) < 1e-6
    assert off.max() < 0.01, "in a corner of the room two walls are one plane"
    assert np.median((found.normals * normals).sum(axis=1)) > 1 - 1e-6


def test_depth_of_the_wrong_camera_is_not_taken_for_the_right_one():
    """A post before the wall, and cameras 5 cm apart: each pixel of colour has the depth of what itself shows."""
    away = np.eye(4)
    away[0, 3] = 0.05
    two = apart(0, POSE, CAMERA, DEPTH_CAMERA, away)
    depth = two.depth.copy()
    depth[:, 110:130] = 0.5
    two = with_depth(two, depth)
    across, down = np.meshgrid(np.arange(20, 300, 4.0), np.arange(20, 220, 8.0))
    pixels = np.stack([across.ravel(), down.ravel()], axis=1)
    depths, _, there = depth_at(pixels, two)
    points, _ = true_points(pixels, CAMERA, POSE)
    wall = (points - POSE[:3, 3]) @ POSE[:3, 2]
    post = np.abs(depths - 0.5) < 0.01
    assert (post & there).sum() > 10
    right = np.abs(depths - wall) < 0.01
    assert right[there & ~post].all()
    # where the post's pixels lie for the colour camera: 5 cm right of the depth camera's, at half a metre
    columns = (np.array([110, 130]) - DEPTH_CAMERA.cx) / DEPTH_CAMERA.fx * 0.5 - 0.05
    low, high = columns / 0.5 * CAMERA.fx + CAMERA.cx
    assert pixels[post & there, 0].min() > low - 3
    assert pixels[post & there, 0].max() < high + 3


def test_the_border_and_eroded_depth_are_kept_clear(seen):
    depth = seen.depth.copy()
    rows, columns = np.random.default_rng(0).integers(0, [[CAMERA.height], [CAMERA.width]], (2, 40))
    depth[rows[:20], columns[:20]] = 0
    depth[rows[20:], columns[20:]] = np.nan
    whole, holed = key_points(seen), key_points(with_depth(seen, depth))
    assert 20 < len(holed) < len(whole)
    assert (whole.pixels >= BORDER).all()
    assert (whole.pixels <= [CAMERA.width - 1 - BORDER, CAMERA.height - 1 - BORDER]).all()
    nearest = np.floor(whole.pixels + 0.5)
    off = np.abs(nearest[:, None] - np.stack([columns, rows], axis=1)).max(axis=2).min(axis=1)
    assert_array_equal(whole.pixels[off > ERODED], holed.pixels)


def test_one_a_pixel_the_strongest_first_and_no_more_than_asked_for(seen):
    found = key_points(seen, least_response=0.0, border=0)
    assert len(np.unique(np.floor(found.pixels + 0.5), axis=0)) == len(found)
    assert (np.diff(found.responses) <= 0).all()
    fewer = key_points(seen, least_response=0.0, border=0, most=10)
    assert_array_equal(fewer.pixels, found.pixels[:10])
    strong = key_points(seen, least_response=float(found.responses[20]), border=0)
    assert strong.responses.min() >= found.responses[20]


def test_twice_is_the_same_and_the_world_may_move(seen):
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = Rotation.random(rng=np.random.default_rng(3)).as_matrix(), [10.0, -4, 2]
    first, again, moved_away = key_points(seen), key_points(seen), key_points(turned_world(seen, turn))
    assert_array_equal(first.points, again.points)
    assert_array_equal(first.pixels, moved_away.pixels)
    assert_allclose(moved_away.points, first.points @ turn[:3, :3].T + turn[:3, 3], atol=1e-9)
    assert_allclose(moved_away.normals, first.normals @ turn[:3, :3].T, atol=1e-9)


def test_pictures_without_key_points_or_depth_have_none(seen):
    grey = Frame(0, np.full_like(seen.colour, 90), seen.depth, CAMERA, CAMERA, POSE, POSE)
    for one in (grey, with_depth(seen, np.zeros_like(seen.depth))):
        found = key_points(one)
        assert len(found) == 0
        assert found.points.shape == found.normals.shape == (0, 3)
    with pytest.raises(RefusedObject, match="frame 0 has depth alone"):
        key_points(frame(0, POSE, colour=False))
    with pytest.raises(RefusedObject, match="frame 0 has colour alone"):
        key_points(frame(0, POSE, depth=False))


def test_parts_and_wholes():
    found = key_points(frame(0, POSE))
    halves = [found.subset(np.arange(len(found)) % 2 == 0), found.subset(np.arange(1, len(found), 2))]
    joined = KeyPoints.concat(halves)
    assert len(joined) == len(found)
    assert_array_equal(joined.points[: len(halves[0])], found.points[::2])
