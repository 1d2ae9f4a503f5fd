"""l9.geometry.sample: points on the surface, uniform by area, one seed one result."""

import numpy as np
import pytest
from geometry_cases import few, solid, solids
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject
from l9.geometry.sample import sample_surface
from l9.geometry.sdf import distance_to_surface


@few
@given(solids(), st.integers(0, 2**63 - 1))
def test_points_lie_on_the_surface_and_on_their_face(drawn, seed):
    vertices, faces = solid(*drawn)
    points, normals, numbers = sample_surface(vertices, faces, 500, seed=seed)
    assert (points.dtype, normals.dtype, numbers.dtype) == (np.float32, np.float32, np.int64)
    assert_allclose(distance_to_surface(vertices, faces, points), 0, atol=1e-6)
    assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    assert_allclose(((points - vertices[faces[numbers, 0]]) * normals).sum(axis=1), 0, atol=1e-6)


def test_one_seed_gives_one_result_and_another_gives_another():
    mesh = solid("mug")
    first, again, other = (sample_surface(*mesh, 64, seed=seed) for seed in (3, 3, 4))
    for one, same in zip(first, again, strict=True):
        assert_array_equal(one, same)
    assert not np.array_equal(first[0], other[0])


def test_faces_are_drawn_by_area_and_points_evenly_within():
    """Two triangles of area 1 and 3 of one rectangle 1 x 4, cut in four strips: binomial spread is 0.003 at 20,000."""
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [5, 0, 0], [11, 0, 0], [5, 1, 0]])
    points, _, numbers = sample_surface(vertices, np.array([[0, 1, 2], [3, 4, 5]]), 20_000, seed=0)
    assert_allclose((numbers == 1).mean(), 0.75, atol=0.015)
    large = points[numbers == 1]
    assert_allclose(large.mean(axis=0), [7, 1 / 3, 0], atol=0.05)
    assert_allclose((large[:, 1] < 0.5).mean(), 0.75, atol=0.015)


def test_a_face_without_area_is_never_drawn():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]])
    faces = np.array([[3, 3, 3], [0, 1, 1], [0, 1, 2], [1, 1, 2], [3, 3, 3]])
    _, _, numbers = sample_surface(vertices, faces, 5_000, seed=0)
    assert set(numbers) == {2}


def test_slivers_have_unit_normals():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, 1e-12, 0]], dtype=np.float64)
    _, normals, _ = sample_surface(vertices, np.array([[0, 1, 2]]), 10, seed=0)
    assert_allclose(normals, np.broadcast_to([0, 0, 1], (10, 3)))


def test_a_mesh_without_area_is_refused():
    with pytest.raises(RefusedObject, match="no-area"):
        sample_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), 5, seed=0)
