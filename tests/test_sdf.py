"""l9.geometry.sdf and sign: distance and inside against known truth, and what damage and turning may change."""

import itertools

import numpy as np
import pytest
from geometry_cases import (
    MIRRORS,
    QUARTER_TURNS,
    axis_holes,
    doubled,
    few,
    flipped,
    holed,
    inverted,
    nested,
    solid,
    solids,
    soups,
    turned_grid,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject
from l9.geometry.grid import grid_centres
from l9.geometry.sdf import distance_to_surface, sdf_grid
from l9.geometry.sign import inside_grid, winding_number
from l9.geometry.solids import SOLIDS


def grid_points(resolution):
    """Every voxel centre of the box from -1 to 1, float32 (r, r, r, 3)."""
    return np.stack(np.meshgrid(*[grid_centres(resolution).astype(np.float32)] * 3, indexing="ij"), axis=-1)


DAMAGE = [holed, flipped, doubled, inverted, nested, axis_holes]


def _summed(vertices, faces, points):
    """Winding number without a tree: every solid angle, by van Oosterom and Strackee."""
    a, b, c = (vertices[faces[:, k]][None] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    bottom = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return np.arctan2((a * np.cross(b, c)).sum(2), bottom).sum(axis=1) / (2 * np.pi)


def _away(vertices, faces, resolution, least):
    return sdf_grid(vertices, faces, resolution, sign="none") > least


@few
@given(soups(), st.sampled_from(QUARTER_TURNS + MIRRORS))
def test_turning_the_mesh_turns_the_distance(soup, turn):
    vertices, faces = soup
    turned = sdf_grid(vertices @ turn.T, faces, 9, sign="none")
    assert_allclose(turned, turned_grid(sdf_grid(vertices, faces, 9, sign="none"), turn), atol=2e-6)


@few
@given(solids(), st.sampled_from(QUARTER_TURNS + MIRRORS))
def test_turning_a_solid_turns_its_sdf(drawn, turn):
    vertices, faces = solid(*drawn)
    assert_allclose(sdf_grid(vertices @ turn.T, faces, 20), turned_grid(sdf_grid(vertices, faces, 20), turn), atol=2e-6)


@few
@given(soups(most=4), st.integers(0, 99))
def test_the_distance_is_that_to_the_nearest_of_many_points_on_the_triangles(soup, seed):
    vertices, faces = soup
    steps = np.stack(np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41)), axis=-1).reshape(-1, 2)
    root = np.sqrt(steps[:, :1])
    weights = np.concatenate([1 - root, root * (1 - steps[:, 1:]), root * steps[:, 1:]], axis=1)
    dense = (weights @ vertices[faces]).reshape(-1, 3)
    points = np.random.default_rng(seed).uniform(-1, 1, (50, 3))
    nearest = np.linalg.norm(dense[None] - points[:, None], axis=2).min(axis=1)
    found = distance_to_surface(vertices, faces, points)
    gap = 5.2 / 40  # half a step of the samples at most, on edges up to 5.2 long
    assert (found <= nearest + 1e-12).all()
    assert (found >= np.sqrt(np.maximum(nearest**2 - gap**2, 0)) - gap).all()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_triangle_without_area_is_its_longest_side(order):
    points = np.array([[0.5, 1.0, 0.0], [3.0, 0.0, 4.0], [-3.0, 4.0, 0.0]])
    for corners in ([[0, 0, 0], [0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0.3, 0, 0], [1, 0, 0]], [[0, 0, 0], [0.3, 1e-17, 0], [1, 0, 0]]):
        found = distance_to_surface(np.array(corners, dtype=np.float64), np.array([order]), points)
        assert_allclose(found, [1, np.sqrt(20), 5])


@few
@given(solids(), solids())
def test_a_union_of_disjoint_solids_is_the_minimum(left_drawn, right_drawn):
    one, other = solid(*left_drawn), solid(*right_drawn)
    left, right = one[0] * 0.4 - [0.5, 0, 0], other[0] * 0.4 + [0.5, 0, 0]
    both = sdf_grid(np.concatenate([left, right]), np.concatenate([one[1], other[1] + len(left)]), 20)
    assert_allclose(both, np.minimum(sdf_grid(left, one[1], 20), sdf_grid(right, other[1], 20)), atol=2e-6)


@few
@given(solids(), st.integers(0, 99))
def test_face_order_and_doubled_vertices_change_nothing(drawn, seed):
    vertices, faces = solid(*drawn)
    shuffled = np.random.default_rng(seed).permutation(faces)
    loose = np.arange(3 * len(faces)).reshape(-1, 3)
    assert_allclose(sdf_grid(vertices[shuffled.reshape(-1)], loose, 20), sdf_grid(vertices, faces, 20), atol=2e-6)


@pytest.mark.parametrize("name", SOLIDS)
def test_a_solid_has_the_sdf_of_its_formula(name):
    """Distance to 0.001 (facets), and to 0.01 in the mug's handle, where its ends sink into the wall; sign wherever that is clear."""
    made = SOLIDS[name](np.random.default_rng(5))
    found = sdf_grid(made.vertices, made.faces, 32)
    truth = made.sdf(grid_points(32).reshape(-1, 3)).reshape(found.shape)
    assert_allclose(found, truth, atol=0.01 if name == "mug" else 1e-3)
    clear = np.abs(truth) > 1e-3
    assert_array_equal(found[clear] < 0, truth[clear] < 0)


def test_without_sign_the_distance_is_its_size():
    mesh = solid("lamp")
    assert_array_equal(sdf_grid(*mesh, 16, sign="none"), np.abs(sdf_grid(*mesh, 16)))


def test_the_box_sets_the_scale():
    vertices, faces = solid("chair")
    assert_allclose(sdf_grid(vertices * 3 + 5, faces, 16, box=(2.0, 8.0)), 3 * sdf_grid(vertices, faces, 16), atol=1e-5)


@few
@given(solids())
def test_the_winding_number_of_a_closed_solid_is_1_or_0(drawn):
    mesh = solid(*drawn)
    points = grid_points(12)[_away(*mesh, 12, 0.01)]
    found = winding_number(*mesh, points)
    assert_allclose(found, np.rint(found), atol=0.03)
    assert set(np.rint(found)) <= {0.0, 1.0}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["torus", "chair", "mug"])
def test_the_tree_sums_what_all_triangles_sum(name, damage):
    vertices, faces = damage(*solid(name, 1))
    points = np.random.default_rng(0).uniform(-1, 1, (30, 3))
    assert_allclose(winding_number(vertices, faces, points), _summed(vertices, faces, points), atol=0.03)


def test_the_tree_takes_triangles_without_area_and_refuses_no_triangles():
    vertices, faces = solid("box")
    points = np.array([[0.0, 0, 0], [0.99, 0.99, 0.99]])
    heap = np.concatenate([faces, np.zeros((40, 3), faces.dtype)])
    assert_allclose(winding_number(vertices, heap, points), [1, 0], atol=1e-3)
    with pytest.raises(RefusedObject, match="no-faces"):
        winding_number(vertices, faces[:0], points)


def _agreement(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_rays_cost_nothing_of_what_the_winding_number_says(name, damage):
    """The short cut of grids gives the same inside; on flipped faces a few voxels differ, and are right more often."""
    whole = solid(name, 2, tilt=7)
    points = grid_points(24).reshape(-1, 3)
    truth, winding = (np.abs(winding_number(*mesh, points)).reshape(24, 24, 24) > 0.5 for mesh in (whole, damage(*whole)))
    found = inside_grid(*damage(*whole), 24)
    assert _agreement(found, truth) >= _agreement(winding, truth)
    assert (found != winding).mean() <= (0.001 if damage is flipped else 0)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_ball_keeps_its_inside(damage):
    mesh = solid("sphere")
    truth = np.linalg.norm(grid_points(32), axis=-1) < 0.9
    found = inside_grid(*damage(*mesh), 32)
    assert _agreement(found, truth) > 0.97


@pytest.mark.parametrize("resolution", [2, 5, 24])
def test_rays_that_escape_through_holes_are_found_out(resolution):
    """From the middle of this ball all six rays get out; the grid lies wholly inside. A grid of one voxel has no neighbour to tell."""
    vertices, faces = axis_holes(*solid("sphere"))
    assert inside_grid(vertices * 2, faces, resolution).all()


def test_a_sheet_with_two_sides_has_no_inside():
    vertices = np.array([[-0.8, 0.01, -0.8], [0.8, 0.01, -0.8], [0, 0.01, 0.8]])
    assert not inside_grid(vertices, np.array([[0, 1, 2], [2, 1, 0]]), 16).any()
