"""l9.geometry.overlap: what two frames see of each other, with the answer said beforehand."""

import numpy as np
import pytest
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, ShapeError, UsageError
from l9.geometry.camera import Pinhole, back_project, looking_at, moved
from l9.geometry.overlap import occupied_cells, view_iou, view_overlap, visible_in

CAMERA = Pinhole.of_field(60, 40, 60.0)
CLOUDS = arrays(np.float64, st.tuples(st.integers(0, 30), st.just(3)), elements=st.floats(-1, 1))


@few
@given(arrays(np.float64, (40, 60), elements=st.one_of(st.just(0.0), st.floats(0.5, 4))), st.floats(-2, 2), st.floats(-2, 2))
def test_a_frame_sees_all_of_its_own_points_where_they_were(depth, x, y):
    pose = looking_at(np.array([x, y, 1.0]), np.array([3.0, 0.5, 0.5]), np.array([0.0, 0.0, 1.0]))
    points = moved(back_project(depth, CAMERA), pose)
    visible, pixels = visible_in(points, depth, CAMERA, pose, 1e-6)
    assert visible.all()
    rows, columns = np.nonzero(depth)
    assert_allclose(pixels, np.stack([columns, rows], axis=1), atol=1e-6)


def test_what_is_occluded_beside_or_behind_is_not_visible():
    depth = np.full((40, 60), 3.0)
    depth[:, :30] = 1.0  # something nearer on the left
    depth[:5] = 0.0
    points = np.array(
        [
            [-0.3, 0, 3.0],  # behind what is nearer
            [0.3, 0, 3.0],  # on the wall
            [0.3, 0, 3.04],  # within tolerance
            [0.3, 0, 2.9],  # before the wall, where nothing was seen
            [-0.1, 0, 1.0],  # on what is nearer
            [0.3, -1.1, 3.0],  # where nothing was measured
            [9.0, 0, 3.0],  # beside the picture
            [0.0, 0, -1.0],  # behind the camera
        ]
    )
    visible, pixels = visible_in(points, depth, CAMERA, np.eye(4), 0.05)
    assert_array_equal(visible, [False, True, True, False, True, False, False, False])
    assert_array_equal(np.isnan(pixels).all(axis=1), [False] * 7 + [True])
    assert pixels[6, 0] > 60


def test_non_finite_depth_is_no_sight():
    for nothing in (np.nan, np.inf, -3.0):
        assert not visible_in(np.array([[0.0, 0, 3]]), np.full((40, 60), nothing), CAMERA, np.eye(4), 0.1)[0].any()
    with pytest.raises(ShapeError):
        visible_in(np.zeros((1, 3)), np.ones((40, 59)), CAMERA, np.eye(4), 0.1)


def test_half_of_a_wall_is_half_an_overlap():
    x, y = np.meshgrid(np.arange(0.01, 4, 0.02), np.arange(0.01, 1, 0.02))
    wall = np.stack([x.reshape(-1), y.reshape(-1), np.full(x.size, 0.02)], axis=1)
    left, right = occupied_cells(wall[wall[:, 0] < 2]), occupied_cells(wall[(wall[:, 0] > 1) & (wall[:, 0] < 3)])
    assert len(left) == 40 * 20
    assert view_overlap(left, right) == view_overlap(right, left) == 0.5
    assert view_iou(left, right) == 1 / 3
    part = occupied_cells(wall[wall[:, 0] < 0.5])
    assert view_overlap(part, left) == 1
    assert view_overlap(left, part) == 0.25


@few
@given(CLOUDS, CLOUDS)
def test_overlap_is_a_share(one, other):
    first, second = occupied_cells(one), occupied_cells(other)
    assert len(first) == len({tuple(place) for place in np.floor(one / 0.05).tolist()})
    assert view_overlap(first, first) == view_iou(first, first) == float(len(one) > 0)
    assert 0 <= view_iou(first, second) <= min(view_overlap(first, second), view_overlap(second, first)) <= 1
    assert view_iou(first, second) == view_iou(second, first)


def test_points_that_have_no_cell_are_refused():
    with pytest.raises(UsageError, match="cell is 0"):
        occupied_cells(np.zeros((1, 3)), 0.0)
    with pytest.raises(RefusedObject, match="not-finite"):
        occupied_cells(np.full((1, 3), np.nan))
    for far in (6e4, -6e4):
        with pytest.raises(RefusedObject, match="too-far"):
            occupied_cells(np.full((1, 3), far))
