"""l9.geometry.orientation: faces of closed parts agree, everything else stays as it was."""

import numpy as np
import pytest
from geometry_cases import doubled, few, flipped, holed, inverted, solid, solids
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from l9.errors import RefusedObject
from l9.geometry import sdf_at, sdf_grid
from l9.geometry.damage import cracked, double_walled, joined, unwelded
from l9.geometry.orientation import agreeing_faces, turned_faces
from l9.geometry.solids import SOLIDS


def normals(vertices, faces):
    corners = vertices[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_a_shuffled_solid_has_the_inside_of_the_whole(name, share):
    whole = solid(name, 1, tilt=5)
    wrong = (sdf_grid(*flipped(*whole, share=share), 24) < 0) != (sdf_grid(*whole, 24) < 0)
    assert not wrong.any()


@few
@given(solids(), st.integers(0, 99), st.sampled_from([0.02, 0.2, 0.5]))
def test_neither_the_order_of_faces_nor_doubled_vertices_matter(drawn, seed, share):
    vertices, faces = solid(*drawn)
    order = np.random.default_rng(seed).permutation(len(faces))
    shuffled = flipped(vertices, faces, share=share, seed=seed)
    turned = turned_faces(*shuffled)
    assert_array_equal(turned_faces(vertices, shuffled[1][order]), turned[order])
    assert ((normals(vertices, agreeing_faces(*shuffled)[0]) * normals(vertices, faces)).sum(axis=1) >= 0).all()
    if drawn[0] in ("box", "cone", "cylinder"):  # parts of the others touch, so that a soup of them has edges with four faces
        assert_array_equal(turned_faces(*unwelded(*shuffled)), turned)


def test_points_of_your_own_and_a_mesh_inside_out():
    whole = solid("lamp", 1, tilt=5)
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    assert_array_equal(np.sign(sdf_at(*flipped(*whole), points)), np.sign(sdf_at(*whole, points)))
    assert not turned_faces(*inverted(*whole)).any()
    assert_array_equal(sdf_grid(*flipped(*inverted(*whole)), 24) < 0, sdf_grid(*whole, 24) < 0)


def test_a_hollow_stays_one_and_so_does_a_part_inside_out():
    """What most of a part's area says is believed: an inner wall that looks the other way bounds a hollow."""
    vertices, faces = solid("sphere")
    hollow = double_walled(vertices, faces, 0.3, same_way=False)
    assert_array_equal(agreeing_faces(*flipped(*hollow, share=0.1))[0], hollow[1])
    two = joined((vertices, faces), (vertices + 2, faces[:, ::-1]))
    assert not turned_faces(*two).any()


def test_without_a_clear_majority_faces_look_outwards():
    vertices, faces = solid("box")
    assert_array_equal(agreeing_faces(*flipped(vertices + 5, faces, share=0.5))[0], faces)


def test_loose_faces_given_twice_stay_as_they_are():
    """Two alike have two faces at each of their edges, and look the same way: but they enclose nothing."""
    vertices, faces = doubled(*cracked(*solid("sphere")), share=1.0)
    assert not turned_faces(vertices + 3, faces).any()


@pytest.mark.parametrize("damage", [holed, doubled], ids=lambda damage: damage.__name__)
def test_parts_with_holes_and_doubled_faces_stay_as_they_are(damage):
    vertices, faces = damage(*solid("torus"))
    assert not turned_faces(*flipped(vertices, faces)).any()


def test_a_closed_surface_with_one_side_stays_as_it_is():
    """The projective plane in six corners: every edge has two faces, and no way of turning them makes all agree."""
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5], [0, 5, 1], [1, 2, 4], [2, 3, 5], [3, 4, 1], [4, 5, 2], [5, 1, 3]])
    assert not turned_faces(np.random.default_rng(0).normal(size=(6, 3)), faces).any()


def test_three_faces_at_an_edge_and_faces_that_are_edges():
    vertices, faces = solid("box")
    fin = np.concatenate([vertices, [[3.0, 3.0, 3.0]]])
    turned = faces.copy()
    turned[3] = turned[3, ::-1]
    assert turned_faces(vertices, turned).sum() == 1
    assert not turned_faces(fin, np.concatenate([turned, [[faces[0, 0], faces[0, 1], len(vertices)]]])).any()
    assert turned_faces(vertices, np.concatenate([turned, [[0, 0, 1], [2, 2, 2]]])).sum() == 1


def test_zero_is_zero_whatever_its_sign():
    vertices, faces = unwelded(*solid("box"))
    vertices = vertices - vertices.min(axis=0)
    vertices[::2][vertices[::2] == 0] = -0.0
    turned = faces.copy()
    turned[3] = turned[3, ::-1]
    assert_array_equal(np.flatnonzero(turned_faces(vertices, turned)), [3])


def test_no_faces_and_vertices_that_are_not_there():
    assert len(turned_faces(np.zeros((0, 3)), np.zeros((0, 3), np.int64))) == 0
    for ask in (turned_faces, lambda *mesh: sdf_grid(*mesh, 8, sign="none"), lambda *mesh: sdf_at(*mesh, np.zeros((1, 3)))):
        with pytest.raises(RefusedObject, match="face 1 names vertex 3 of 3"):
            ask(np.zeros((3, 3)), np.array([[0, 1, 2], [0, 1, 3]]))
