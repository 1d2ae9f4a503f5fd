"""l9.geometry.normalise: where a mesh stands after it, and what turns it."""

import math

import numpy as np
import pytest
from geometry_cases import few, soups
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from l9.errors import RefusedObject
from l9.geometry.mesh import AXES, axis_vector
from l9.geometry.normalise import normalise_cube, normalise_sphere, rotation_about


@few
@given(soups())
def test_the_cube_is_centred_with_longest_side_1_8(soup):
    vertices, faces = soup
    assume(np.ptp(vertices, axis=0).max() > 1e-3)
    moved = normalise_cube(vertices, faces)
    assert_allclose(moved.max(axis=0) + moved.min(axis=0), 0, atol=1e-9)
    assert_allclose(np.ptp(moved, axis=0).max(), 1.8, rtol=1e-12)


@few
@given(soups())
def test_the_sphere_holds_the_farthest_vertex_at_1(soup):
    vertices, faces = soup
    assume(np.ptp(vertices, axis=0).max() > 1e-3)
    moved = normalise_sphere(vertices, faces)
    assert_allclose(moved.max(axis=0) + moved.min(axis=0), 0, atol=1e-9)
    assert_allclose(np.linalg.norm(moved, axis=1).max(), 1, rtol=1e-12)


@pytest.mark.parametrize("fit", [normalise_cube, normalise_sphere])
@pytest.mark.parametrize("stray", [50.0, np.nan, np.inf, 1e308])
def test_vertices_that_no_face_uses_do_not_count(fit, stray):
    vertices, faces = np.array([[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    with_stray = np.concatenate([vertices, np.full((1, 3), stray)])
    assert_allclose(fit(with_stray, faces)[:3], fit(vertices, faces))


@pytest.mark.parametrize("fit", [normalise_cube, normalise_sphere])
@pytest.mark.parametrize("size", [0.0, 5e-324, 1.7e308])
def test_a_size_that_cannot_be_divided_by_is_refused(fit, size):
    vertices = np.array([[-size, 0, 0], [size, 0, 0], [size, 0, 0]])
    with pytest.raises(RefusedObject, match="no-area"), np.errstate(over="ignore"):
        fit(vertices, np.array([[0, 1, 2]]))


@pytest.mark.parametrize("axis", AXES)
def test_a_rotation_is_right_handed_about_its_axis(axis):
    up, side = axis_vector(axis), np.roll(axis_vector(axis), 1)
    turn = rotation_about(axis, 0.3)
    assert_allclose(turn @ turn.T, np.eye(3), atol=1e-15)
    assert_allclose(turn @ up, up)
    assert_allclose(turn @ side, math.cos(0.3) * side + math.sin(0.3) * np.cross(up, side), atol=1e-15)


@given(st.sampled_from(AXES), st.integers(-8, 8))
def test_quarter_turns_are_exact(axis, quarters):
    turn = rotation_about(axis, quarters * math.pi / 2)
    assert set(np.abs(turn).ravel()) <= {0.0, 1.0}
    assert_allclose(turn, np.linalg.matrix_power(rotation_about(axis, math.pi / 2), quarters), atol=0)
