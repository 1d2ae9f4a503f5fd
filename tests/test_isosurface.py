"""The surface of a small grid: closed, turned outwards, where the field crosses the level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from l9.geometry.isosurface import isosurface


def edges_of(faces):
    """Directed edges, as pairs of vertex numbers."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def volume(vertices, faces):
    a, b, c = vertices[faces].astype(np.float64).transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


@settings(deadline=None, max_examples=40)
@given(arrays(np.float32, (4, 5, 3), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
def test_every_surface_is_closed_and_encloses_what_is_above(field):
    """Each directed edge has its opposite just as often: no holes and one orientation; the volume is none but where something is above."""
    vertices, faces = isosurface(field, 0.5)
    edges = edges_of(faces)
    there, counts = np.unique(edges, axis=0, return_counts=True)
    back, back_counts = np.unique(edges[:, ::-1], axis=0, return_counts=True)
    assert np.array_equal(there, back) and np.array_equal(counts, back_counts)
    assert set(np.unique(faces)) == set(range(len(vertices)))
    assert (volume(vertices, faces) > 0) == bool((field > 0.5).any())


def test_a_ball_has_its_volume_and_its_place():
    """Of radius 6 voxels around (8, 9, 10): linear interpolation of a distance is exact along radii, faces cut corners by below 2 %."""
    places = np.stack(np.meshgrid(*map(np.arange, (17, 19, 21)), indexing="ij"), axis=-1)
    depth = 6.0 - np.linalg.norm(places - [8, 9, 10], axis=-1)
    vertices, faces = isosurface(depth, 0.0, outside=-1.0)
    assert volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    np.testing.assert_allclose(vertices.mean(axis=0), [8, 9, 10], atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(vertices - [8, 9, 10], axis=1), 6.0, atol=0.05)


def test_one_voxel_is_an_octahedron_that_reaches_half_way():
    field = np.zeros((3, 3, 3))
    field[1, 1, 1] = 1.0
    vertices, faces = isosurface(field, 0.5)
    assert len(vertices) == 6 and len(faces) == 8
    np.testing.assert_allclose(np.abs(vertices - 1).sum(axis=1), 0.5)


def test_a_full_grid_is_closed_at_its_border():
    vertices, faces = isosurface(np.ones((2, 2, 2)), 0.5)
    assert vertices.min() == -0.5 and vertices.max() == 1.5 and volume(vertices, faces) > 1


def test_nothing_above_the_level_is_no_surface():
    """A value of just the level is outside."""
    for value in (0.0, 0.5):
        vertices, faces = isosurface(np.full((3, 3, 3), value), 0.5)
        assert vertices.shape == (0, 3) and faces.shape == (0, 3)
