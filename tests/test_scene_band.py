"""Distances near a scene's surface: exact, on the right side, the same however the scene is cut into blocks."""

import numpy as np
import pytest
from geometry_cases import solid
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject
from l9.geometry.scene_band import scene_band
from l9.geometry.sdf import sdf_at

VOXEL, REACH = 0.1, 0.3


def assembled(vertices, faces, side, first, shape, voxel=VOXEL, truncation=REACH):
    """The blocks of a scene as one grid from voxel `first` on."""
    grid = np.full(shape, np.nan)
    heights = np.full(shape, np.nan)
    for one in scene_band(vertices, faces, voxel=voxel, truncation=truncation, side=side):
        low = one.block * side - first
        cut = [slice(max(0, a), min(a + side, n)) for a, n in zip(low, shape, strict=True)]
        take = tuple(slice(c.start - a, c.stop - a) for c, a in zip(cut, low, strict=True))
        grid[tuple(cut)], heights[tuple(cut)] = one.distances[take], one.heights[take]
    return grid, heights


def centres(first, shape, voxel=VOXEL):
    axes = [(np.arange(n) + a + 0.5) * voxel for a, n in zip(first, shape, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


@pytest.mark.parametrize("name", ["box", "cone", "cylinder", "mug", "chair"])
def test_distances_and_sides_are_those_of_the_exact_tree(name):
    vertices, faces = solid(name)
    first, shape = np.full(3, -16), (32, 32, 32)
    grid, heights = assembled(vertices, faces, 16, first, shape)
    points = centres(first, shape).reshape(-1, 3).astype(np.float32)
    signed = sdf_at(vertices, faces, points, sign="winding").reshape(shape)
    near = ~np.isnan(grid)
    assert_array_equal(near[np.abs(np.abs(signed) - REACH) > 1e-4], (np.abs(signed) < REACH)[np.abs(np.abs(signed) - REACH) > 1e-4])
    assert_allclose(grid[near], np.abs(signed)[near], atol=1e-5)  # float32 of the tree
    clear = near & (np.abs(signed) > 1e-3)
    if name in ("mug", "chair"):  # their parts overlap: a triangle within another part has another side than the whole
        assert (np.sign(heights[clear]) == np.sign(signed[clear])).mean() > 0.99
    else:
        assert_array_equal(np.sign(heights[clear]), np.sign(signed[clear]))


@given(side=st.sampled_from([4, 8, 16, 32]), shift=st.tuples(*[st.integers(-40, 40)] * 3))
@settings(max_examples=15, deadline=None)  # the first compiles
def test_blocks_and_whole_shifts_change_nothing(side, shift):
    vertices, faces = solid("mug")
    first, shape = np.full(3, -14), (28, 28, 28)
    whole, _ = assembled(vertices, faces, 64, first, shape)
    shifted, _ = assembled(vertices + np.array(shift) * VOXEL, faces, side, first + np.array(shift), shape)
    assert_array_equal(np.isnan(whole), np.isnan(shifted))
    assert_allclose(shifted, whole, atol=1e-9)


def test_blocks_come_in_order_and_none_is_empty():
    blocks = list(scene_band(*solid("chair"), voxel=0.02, truncation=0.06, side=16))
    places = [tuple(one.block) for one in blocks]
    assert places == sorted(places) and len(set(places)) == len(places) > 50
    assert all((one.nearest >= 0).any() for one in blocks)


def test_the_nearest_triangle_is_named():
    vertices, faces = solid("box")
    for one in scene_band(vertices, faces, voxel=VOXEL, truncation=REACH, side=16):
        seen = one.nearest >= 0
        points = (one.block * 16 + np.argwhere(seen) + 0.5) * VOXEL
        corners = vertices[faces[one.nearest[seen]]]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        assert_allclose(((points - corners[:, 0]) * normals).sum(axis=1), one.heights[seen], atol=1e-9)


def test_triangles_without_area_are_measured_and_have_no_side():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    blocks = list(scene_band(vertices, np.array([[0, 1, 2]]), voxel=1.0, truncation=2.0))
    assert min(np.nanmin(one.distances) for one in blocks) == pytest.approx(np.sqrt(0.5))
    assert all((one.heights[one.nearest >= 0] == 0).all() for one in blocks)


def test_a_scene_in_other_units_is_refused_before_it_fills_the_memory():
    vertices, faces = solid("box")
    for size in (1e5, 1e30):
        with pytest.raises(RefusedObject, match="is its unit metres"):
            list(scene_band(vertices * size, faces, voxel=0.02, truncation=0.06))
