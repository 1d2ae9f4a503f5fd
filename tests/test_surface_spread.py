"""l9.geometry.surface_spread: areas add up, no voxel is passed by."""

import numpy as np
import pytest
from geometry_cases import solid
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from l9.errors import RefusedObject
from l9.geometry.surface_spread import spread_points

ONE = np.array([[0, 1, 2]])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=9, max_size=9), st.floats(0.05, 1.0))
def test_a_triangle_is_covered_evenly(numbers, spacing):
    corners = np.array(numbers).reshape(3, 3)
    points, nearest, areas = spread_points(corners, ONE, spacing)
    area = np.linalg.norm(np.cross(corners[1] - corners[0], corners[2] - corners[0])) / 2
    assert_allclose(areas.sum(), area, atol=1e-9)
    assert_allclose(points.mean(axis=0), corners.mean(axis=0), atol=1e-9)  # parts of equal size about the middle
    # no point of the triangle, such as its corners, is farther from a part's middle than two thirds of the part's longest edge
    gaps = np.linalg.norm(points[None] - corners[:, None], axis=2)
    assert (gaps.min(axis=1) <= spacing * 2 / 3 + 1e-9).all()
    assert_allclose(gaps[nearest, np.arange(len(points))], gaps.min(axis=0), atol=np.linalg.norm(np.ptp(corners, axis=0)) / 2 + 1e-9)


def test_parts_by_hand():
    corners = np.array([[0.0, 0, 0], [3, 0, 0], [0, 3, 0]])
    points, nearest, areas = spread_points(corners, ONE, 3 / 2 * np.sqrt(2))
    assert_allclose(sorted(map(tuple, points.round(9))), [(0.5, 0.5, 0), (0.5, 2, 0), (1, 1, 0), (2, 0.5, 0)])
    assert_allclose(areas, 9 / 8)
    assert sorted(nearest.tolist()) in ([0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2])  # the middle one is as near to all


def test_a_solid_is_covered_and_again_the_same():
    vertices, faces = solid("box")
    points, nearest, areas = spread_points(vertices, faces, 0.1)
    again = spread_points(vertices, faces, 0.1)
    assert all(np.array_equal(one, other) for one, other in zip((points, nearest, areas), again, strict=True))
    corners = vertices[faces]
    exact = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    assert_allclose(areas.sum(), exact, rtol=1e-9)
    assert nearest.max() < len(vertices)


def test_kilometres_are_refused_and_nothing_is_nothing():
    with pytest.raises(RefusedObject, match="too-large"):
        spread_points(1e6 * np.eye(3), ONE, 0.02)
    assert [len(one) for one in spread_points(np.eye(3), np.zeros((0, 3), np.int64), 0.1)] == [0, 0, 0]
