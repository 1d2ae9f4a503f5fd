"""l9.geometry.voxels: surface occupancy against clipping, and what turning, order and damage must not change."""

import itertools

import numpy as np
import pytest
from geometry_cases import MIRRORS, QUARTER_TURNS, few, solid, solids, soups, turned_grid
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from l9.errors import UsageError
from l9.geometry.grid import grid_centres
from l9.geometry.sample import sample_surface
from l9.geometry.tree import triangle_tree
from l9.geometry.voxels import solid_occupancy, surface_occupancy


def grid_points(resolution):
    """Every voxel centre of the box from -1 to 1, float32 (r, r, r, 3)."""
    return np.stack(np.meshgrid(*[grid_centres(resolution).astype(np.float32)] * 3, indexing="ij"), axis=-1)


def _clipped(polygon, low, high):
    """What is left of a polygon inside an axis-aligned box (Sutherland and Hodgman), as a list of points."""
    for axis, (sign, bound) in itertools.product(range(3), ((1, low), (-1, high))):
        kept = []
        for here, after in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            a, b = sign * (here[axis] - bound[axis]), sign * (after[axis] - bound[axis])
            if a >= 0:
                kept.append(here)
            if (a < 0) != (b < 0):
                kept.append(here + (after - here) * (a / (a - b)))
        polygon = kept
    return polygon


@few
@given(soups(most=3))
def test_a_voxel_is_occupied_where_clipping_leaves_something_of_a_triangle(soup):
    """Boxes grown and shrunk by a millionth bracket the rounding of the clipping."""
    vertices, faces = soup
    resolution = 5
    found = surface_occupancy(vertices, faces, resolution)
    centres = grid_centres(resolution)
    for index in itertools.product(range(resolution), repeat=3):
        centre = centres[list(index)]
        reach = 1 / resolution
        left = {
            slack: any(_clipped(list(vertices[face]), centre - reach - slack, centre + reach + slack) for face in faces)
            for slack in (-1e-6, 1e-6)
        }
        assert found[index] <= left[1e-6]
        assert found[index] >= left[-1e-6]


@few
@given(solids(), st.integers(1, 40))
def test_every_point_of_the_surface_lies_in_an_occupied_voxel(drawn, resolution):
    mesh = solid(*drawn)
    points, _, _ = sample_surface(*mesh, 20_000, seed=0)
    index = np.floor((points.astype(np.float64) + 1) / 2 * resolution - 1e-6).astype(int)
    index = np.clip(index, 0, resolution - 1)
    assert surface_occupancy(*mesh, resolution)[tuple(index.T)].mean() > 0.999  # float32 rounding moves a few across a wall


@few
@given(soups(), st.sampled_from(QUARTER_TURNS + MIRRORS), st.integers(1, 17))
def test_turning_the_mesh_turns_the_grid(soup, turn, resolution):
    vertices, faces = soup
    turned = surface_occupancy(vertices @ turn.T, faces, resolution)
    assert_array_equal(turned, turned_grid(surface_occupancy(vertices, faces, resolution), turn))


@few
@given(soups(), st.randoms(use_true_random=False))
def test_order_of_faces_and_corners_changes_nothing(soup, random):
    vertices, faces = soup
    other = [random.sample(list(face), 3) for face in random.sample(list(faces), len(faces))]
    assert_array_equal(surface_occupancy(vertices, np.array(other), 9), surface_occupancy(vertices, faces, 9))


@few
@given(soups(), soups())
def test_a_union_is_occupied_where_either_is(one, other):
    vertices, faces = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1] + len(one[0])])
    assert_array_equal(surface_occupancy(vertices, faces, 8), surface_occupancy(*one, 8) | surface_occupancy(*other, 8))


def test_a_wall_between_two_layers_marks_both():
    vertices = np.array([[0.0, -2, -2], [0, 2, -2], [0, 2, 2], [0, -2, 2]])
    occupied = surface_occupancy(vertices, np.array([[0, 1, 2], [0, 2, 3]]), 8)
    assert_array_equal(np.flatnonzero(occupied.all(axis=(1, 2))), [3, 4])
    assert occupied.sum() == 2 * 8 * 8


def test_the_box_sets_the_scale_and_cuts_what_leaves_it():
    vertices, faces = solid("chair")
    assert_array_equal(surface_occupancy(vertices * 3 + 5, faces, 20, box=(2.0, 8.0)), surface_occupancy(vertices, faces, 20))
    assert not surface_occupancy(vertices + 10, faces, 20).any()
    assert not surface_occupancy(vertices - 1e12, faces, 20).any()


def test_a_solid_is_its_surface_and_its_inside():
    vertices, faces = solid("cone")
    occupied = solid_occupancy(vertices, faces, 24)
    winding = triangle_tree(vertices, faces, 24).winding(12 * grid_points(24).reshape(-1, 3)).reshape(occupied.shape)
    filled = np.abs(winding) > 0.5
    assert_array_equal(occupied, surface_occupancy(vertices, faces, 24) | filled)
    assert (filled & ~surface_occupancy(vertices, faces, 24)).any()


def test_no_grid_without_voxels_or_with_a_box_turned_round():
    vertices, faces = solid("box")
    with pytest.raises(UsageError, match="resolution is 0"):
        surface_occupancy(vertices, faces, 0)
    with pytest.raises(UsageError, match="a lower and a higher bound"):
        surface_occupancy(vertices, faces, 4, box=(1.0, -1.0))
