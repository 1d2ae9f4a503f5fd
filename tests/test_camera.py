"""l9.geometry.camera: pixels to points and back, and the normals of what was seen."""

import math

import numpy as np
import pytest
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import ShapeError
from l9.geometry.camera import Pinhole, back_project, depth_normals, depth_of_disparity, inverse_pose, looking_at, moved, project

CAMERA = Pinhole(40, 30, 35.0, 33.0, 18.7, 15.2)
PLACES = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


@few
@given(arrays(np.float64, (30, 40), elements=st.one_of(st.just(0.0), st.just(np.nan), st.floats(0.1, 50))))
def test_a_point_projects_to_the_pixel_it_came_from(depth):
    points = back_project(depth, CAMERA)
    rows, columns = np.nonzero(depth > 0)
    assert_allclose(project(points, CAMERA), np.stack([columns, rows, depth[rows, columns]], axis=1), rtol=1e-9, atol=1e-9)


@few
@given(PLACES, PLACES.filter(lambda target: np.linalg.norm(np.cross(target, [0, 0, 1])) > 0.1), PLACES)
def test_a_pose_and_its_inverse_cancel(eye, towards, point):
    pose = looking_at(eye, eye + towards, np.array([0.0, 0.0, 1.0]))
    there = moved(point[None], pose)
    assert_allclose(moved(there, inverse_pose(pose)), point[None], atol=1e-12)
    assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)


def test_depth_of_disparity_is_0_where_there_is_none():
    disparity = np.array([[10, 4, 3, 0, -1], [np.nan, np.inf, -np.inf, 1e30, 1e-45]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        depth = depth_of_disparity(disparity, 1000.0, 0.2, doffs=-3.0)
    assert depth.dtype == np.float32
    assert_allclose(depth, [[200 / 7, 200, 0, 0, 0], [0, 0, 0, 200 / 1e30, 0]], rtol=1e-6)
    assert depth_of_disparity(np.full((1, 1), 1e-40, np.float32), 1000.0, 0.2)[0, 0] == 0, "beyond float32"


def test_a_point_behind_the_camera_has_no_pixel():
    assert np.isnan(project(np.array([[0.0, 0, -1], [0, 0, 0]]), CAMERA)).all()
    assert_allclose(project(np.array([[0.0, 0, 2]]), CAMERA), [[18.7, 15.2, 2]])


def test_a_resized_camera_sees_the_same_field():
    half = CAMERA.resized(20, 15)
    for corner in (np.array([-0.5, -0.5]), np.array([39.5, 29.5])):
        ray = np.array([[(corner[0] - CAMERA.cx) / CAMERA.fx, (corner[1] - CAMERA.cy) / CAMERA.fy, 1.0]])
        assert_allclose(project(ray, half)[0, :2], (corner + 0.5) / 2 - 0.5)


def plane_depth(normal, away):
    """Depth of the plane normal . point = -away, before the camera."""
    return -away / (CAMERA.directions() @ normal)


@few
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.5, 5))
def test_the_normals_of_a_plane_are_its_own(x, y, away):
    normal = np.array([x, y, -1.0]) / math.sqrt(x * x + y * y + 1)
    found = depth_normals(plane_depth(normal, away), CAMERA, jump=0.2)
    assert found.dtype == np.float32
    assert_allclose(found[1:-1, 1:-1], np.broadcast_to(normal, (28, 38, 3)), atol=1e-6)
    for border in (found[0], found[-1], found[:, 0], found[:, -1]):
        assert not border.any()


def test_normals_of_a_ball_face_the_camera_and_are_unit():
    rays = CAMERA.directions()
    square, along = (rays**2).sum(axis=-1), rays @ np.array([0, 0, 3.0])
    under = along**2 - square * 8
    depth = np.where(under > 0, (along - np.sqrt(np.maximum(under, 0))) / square, 0)
    normals = depth_normals(depth, CAMERA)
    found = np.abs(normals).sum(axis=-1) > 0
    assert 100 < found.sum() < (depth > 0).sum()
    points = rays[found] * depth[found, None]
    assert_allclose(np.linalg.norm(normals[found], axis=1), 1, atol=1e-6)
    assert ((normals[found] * points).sum(axis=1) < 0).all()
    assert np.median((normals[found] * (points - [0, 0, 3])).sum(axis=1)) > 0.999


@pytest.mark.parametrize("missing", [0.0, np.nan, np.inf, -1.0, 1.5])
def test_no_normal_leans_on_a_depth_that_is_missing_or_beyond_a_jump(missing):
    depth = np.full((30, 40), 2.0)
    depth[10, 20] = missing
    found = np.abs(depth_normals(depth, CAMERA)).sum(axis=-1) > 0
    expected = np.zeros((30, 40), dtype=bool)
    expected[1:-1, 1:-1] = True
    for row, column in ((10, 20), (9, 20), (11, 20), (10, 19), (10, 21)):
        expected[row, column] = False
    assert_array_equal(found, expected)


def test_pictures_of_another_size_are_refused():
    for function in (back_project, depth_normals):
        with pytest.raises(ShapeError, match="39x30 pixels, its camera 40x30"):
            function(np.ones((30, 39)), CAMERA)
    tiny = Pinhole(2, 9, 1.0, 1.0, 0.0, 0.0)
    assert not depth_normals(np.ones((9, 2)), tiny).any()
