"""Surfaces of dense grids: closed, where the formula says, the right way round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from l9.errors import ShapeError
from l9.geometry.isosurface import isosurface


def ball(side=24, radius=7.0, middle=11.5):
    return np.linalg.norm(np.indices((side,) * 3).transpose(1, 2, 3, 0) - middle, axis=-1) - radius


def edge_counts(faces):
    """How often each directed edge occurs, and its reverse."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return edges, {tuple(edge) for edge in edges.tolist()}


def test_a_ball_is_where_its_formula_says():
    """Linear interpolation of a distance is off by the curvature over an edge: below 1 / (8 * radius) voxel."""
    vertices, faces = isosurface(ball(), 0.0)
    assert_allclose(np.linalg.norm(vertices - 11.5, axis=1), 7.0, atol=0.02)
    corners = vertices[faces] - 11.5
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert_allclose(volume, 4 / 3 * np.pi * 7**3, rtol=0.02)  # flat faces cut corners off; positive: faces look outwards


def test_an_unsigned_distance_has_an_inner_and_an_outer_surface():
    vertices, _ = isosurface(np.abs(ball()), 1.0)
    radii = np.linalg.norm(vertices - 11.5, axis=1)
    assert_allclose(np.where(radii > 7, radii - 8, radii - 6), 0, atol=0.02)
    assert (radii > 7).any() and (radii < 7).any()


@settings(max_examples=60, deadline=None)
@given(arrays(np.int8, (5, 4, 6), elements=st.integers(-3, 3)))
def test_any_field_has_a_surface_without_seams(values):
    """Every directed edge inside the grid has its reverse once: closed where the field is padded with what is outside."""
    vertices, faces = isosurface(np.pad(values.astype(np.float64), 1, constant_values=2.0), 0.0)
    edges, directed = edge_counts(faces)
    assert len(directed) == len(edges)
    assert all((second, first) in directed for first, second in directed)
    assert len(np.unique(faces)) == len(vertices)
    assert len(faces) == 0 or (faces.max() < len(vertices) and np.isfinite(vertices).all())


def test_mirrored_fields_have_mirrored_surfaces():
    field = np.random.default_rng(0).standard_normal((6, 6, 6))
    there, mirrored = isosurface(field, 0.25)[0], isosurface(field[::-1].copy(), 0.25)[0]
    back = mirrored * [-1, 1, 1] + [5, 0, 0]

    def order(points):
        return points[np.lexsort(np.round(points, 6).T)]

    assert_allclose(order(back), order(there), atol=1e-9)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_nothing_crosses_a_constant_field(value):
    vertices, faces = isosurface(np.full((3, 3, 3), value), 0.0)
    assert vertices.shape == (0, 3) and faces.shape == (0, 3)


def test_what_is_not_finite_is_refused():
    with pytest.raises(ShapeError, match="1 values that are not finite"):
        isosurface(np.array([[[0.0, np.nan]]]), 0.0)
