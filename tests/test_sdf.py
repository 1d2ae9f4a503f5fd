"""l9.geometry.sdf, sign and tree: distance and inside against known truth, and what damage and turning may change."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import uncompiled as uncompiled_cubes
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
from uncompiled import CASES, WAYS

from l9.errors import RefusedObject, UsageError
from l9.geometry import dense_grid, sdf_at, sdf_band, sdf_grid, sdf_report
from l9.geometry.damage import cracked, joined, two_sided, unwelded
from l9.geometry.grid import grid_centres
from l9.geometry.sdf import inside_grid, measured_grid, truncated
from l9.geometry.sign import GLANCED_AT, LOOKED_AT, SurfaceSides, resolved_sign
from l9.geometry.solids import SOLIDS
from l9.geometry.tiles import Tile, over_tiles
from l9.geometry.tree import Tree, triangle_tree

EXACT = 1e-6  # of the box's side, which is 2: what the 3 voxels next to the surface may be off
FAR = 0.01  # of the distance: what all others may be off


def grid_points(resolution):
    """Every voxel centre of the box from -1 to 1, float32 (r, r, r, 3)."""
    return np.stack(np.meshgrid(*[grid_centres(resolution).astype(np.float32)] * 3, indexing="ij"), axis=-1)


DAMAGE = [holed, flipped, doubled, inverted, nested, axis_holes]


def winding_number(vertices, faces, points):
    """w at points of the box from -1 to 1."""
    return triangle_tree(vertices, faces, 64).winding((points * 32).astype(np.float32))


def assert_near_truth(found, truth, resolution, off=0.0):
    """Within the promise, at every voxel: EXACT in the band, FAR beyond; `off` more where the truth itself is inexact."""
    error, voxel = np.abs(np.abs(found) - np.abs(truth)), 2 / resolution
    band = np.abs(truth) <= 3 * voxel
    assert error[band].max(initial=0) <= 2 * EXACT + off
    assert (error[~band] / np.abs(truth[~band])).max(initial=0) <= FAR + off / voxel


def assert_same(one, other):
    """Two grids of one shape, each within the promise."""
    assert_near_truth(one, other, len(one), off=2 * EXACT)
    assert_array_equal(one < 0, other < 0)


def _segment_square(points, start, end):
    along, length = end - start, ((end - start) ** 2).sum()
    share = np.clip(((points - start) @ along) / (length if length > 0 else 1.0), 0, 1)
    return ((points - start - share[:, None] * along) ** 2).sum(axis=1)


def brute_distance(vertices, faces, points):
    """Distance (float64) to every triangle in turn, by its plane where the foot is inside and by its sides."""
    best = np.full(len(points), np.inf)
    for a, b, c in vertices[faces].astype(np.float64):
        sides = [(a, b), (b, c), (c, a)]
        square = np.min([_segment_square(points, start, end) for start, end in sides], axis=0)
        normal = np.cross(b - a, c - a)
        area = normal @ normal
        if area > 1e-26 * max(((end - start) ** 2).sum() for start, end in sides) ** 2:
            within = np.all([(np.cross(end - start, points - start) @ normal) >= 0 for start, end in sides], axis=0)
            square = np.where(within, ((points - a) @ normal) ** 2 / area, square)
        best = np.minimum(best, square)
    return np.sqrt(best)


@few
@given(soups(), st.sampled_from([1, 5, 12, 33]))
def test_every_voxel_of_a_soup_is_as_near_as_promised(soup, resolution):
    """Slivers, segments, points and triangles that leave the box included; 33 voxels are more than a tile."""
    truth = brute_distance(*soup, grid_points(resolution).reshape(-1, 3).astype(np.float64)).reshape((resolution,) * 3)
    assert_near_truth(sdf_grid(*soup, resolution, sign="none"), truth, resolution)


def test_a_triangle_through_voxel_centres_has_distance_0_there():
    centre = grid_centres(8)[3]
    vertices = np.array([[-0.9, -0.9, centre], [0.9, -0.9, centre], [0, 0.9, centre]])
    found = sdf_grid(vertices, np.array([[0, 1, 2]]), 8, sign="none")
    assert_allclose(found[4, 3, 3], 0, atol=EXACT)
    assert_allclose(found[4, 3, 4], 0.25, atol=EXACT)


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e6])
def test_a_mesh_far_larger_or_smaller_than_the_box(scale):
    """A tetrahedron whose corners lie far outside still has exact distances within: its faces are cut to size."""
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=np.float64)
    vertices = corners * scale + np.array([0.8 - scale / 3, 0.0, 0.0]) * (scale > 1)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    truth = brute_distance(vertices, faces, grid_points(16).reshape(-1, 3).astype(np.float64)).reshape((16,) * 3)
    assert_near_truth(sdf_grid(vertices, faces, 16, sign="none"), truth, 16)


def test_a_sliver_of_aspect_a_million():
    vertices = np.array([[-0.9, -0.3, 0.1], [0.9, 0.4, -0.2], [0.9, 0.4 + 1.8e-6, -0.2]])
    truth = brute_distance(vertices, np.array([[0, 1, 2]]), grid_points(20).reshape(-1, 3).astype(np.float64)).reshape((20,) * 3)
    assert_near_truth(sdf_grid(vertices, np.array([[0, 1, 2]]), 20, sign="none"), truth, 20)


def test_a_million_triangles():
    """A finely faceted ball: its mesh lies within 2e-5 of the true one."""
    steps = np.linspace(0, 2 * np.pi, 1001)[:-1]
    polar = np.linspace(0, np.pi, 501)
    sphere = np.stack(
        [np.outer(np.sin(polar), np.cos(steps)), np.outer(np.sin(polar), np.sin(steps)), np.outer(np.cos(polar), np.ones(1000))], -1
    )
    here = (np.arange(500)[:, None] * 1000 + np.arange(1000)).reshape(-1)
    right = (np.arange(500)[:, None] * 1000 + (np.arange(1000) + 1) % 1000).reshape(-1)
    faces = np.concatenate([np.stack([here, here + 1000, right], 1), np.stack([right, here + 1000, right + 1000], 1)])
    found = sdf_grid(0.9 * sphere.reshape(-1, 3), faces, 32)
    assert_near_truth(found, np.linalg.norm(grid_points(32), axis=-1) - 0.9, 32, off=2e-5)
    assert_array_equal(found < 0, np.linalg.norm(grid_points(32), axis=-1) < 0.9)


@pytest.mark.parametrize("resolution", [31, 64, 70])
def test_tiles_meet(resolution):
    """Neighbours differ by a voxel at most, and by what the promise leaves open: also where two tiles meet, and inside."""
    found = sdf_grid(*solid("mug", 3, tilt=4), resolution)
    voxel = 2 / resolution
    for axis in range(3):
        assert np.abs(np.diff(found, axis=axis)).max() <= voxel + 2 * FAR * np.abs(found).max()
    truth = brute_distance(*solid("mug", 3, tilt=4), grid_points(resolution)[15:33, 30, :].reshape(-1, 3).astype(np.float64))
    error = np.abs(np.abs(found[15:33, 30, :].reshape(-1)) - truth)
    assert (error <= np.maximum(2 * EXACT, FAR * truth)).all()


@pytest.fixture(scope="module")
def uncompiled(tmp_path_factory):
    """What `uncompiled.py` says of its cubes, from a process of its own: Numba asks for the variable when it is imported."""
    path = tmp_path_factory.mktemp("uncompiled") / "cubes.npz"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, uncompiled_cubes.__file__, path], check=True, env=environment, timeout=300)
    with np.load(path) as cubes:
        ways = json.loads(str(cubes["ways"]))
        return {name: (cubes[name], ways[name]) for name in ways}


@pytest.mark.parametrize("name", sorted(CASES))
def test_each_way_of_filling_a_cube_is_as_near_as_promised(uncompiled, name):
    """Compiled or not."""
    (vertices, faces), resolution, first = CASES[name]
    centres = grid_centres(resolution)[first : first + 8]
    points = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1).reshape(-1, 3)
    truth = brute_distance(vertices, faces, points).reshape(8, 8, 8)
    voxel = 2 / resolution
    compiled = Tile((first,) * 3, (8, 8, 8), resolution).distance(triangle_tree(vertices, faces, resolution), 3)
    for found in (uncompiled[name][0] * voxel, compiled * voxel):
        assert_near_truth(found, truth, resolution)


def test_no_way_of_filling_a_cube_is_left_out(uncompiled):
    taken = {way for _, ways in uncompiled.values() for way in ways}
    assert taken == {*WAYS, "fill_cell 8 True", "fill_cell 8 False", "fill_cell 4 True", "fill_cell 4 False"} - {"fill_cell"}


def test_threads_change_nothing():
    mesh = solid("chair", 1, tilt=2)
    assert_array_equal(sdf_grid(*mesh, 40, threads=3), sdf_grid(*mesh, 40))


@few
@given(soups(), st.sampled_from(QUARTER_TURNS + MIRRORS))
def test_turning_the_mesh_turns_the_distance(soup, turn):
    vertices, faces = soup
    assert_same(sdf_grid(vertices @ turn.T, faces, 9, sign="none"), turned_grid(sdf_grid(vertices, faces, 9, sign="none"), turn))


@few
@given(solids(), st.sampled_from(QUARTER_TURNS + MIRRORS))
def test_turning_a_solid_turns_its_sdf(drawn, turn):
    vertices, faces = solid(*drawn)
    assert_same(sdf_grid(vertices @ turn.T, faces, 20), turned_grid(sdf_grid(vertices, faces, 20), turn))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_triangle_without_area_is_its_longest_side(order):
    points = np.array([[0.5, 1.0, 0.0], [3.0, 0.0, 4.0], [-3.0, 4.0, 0.0]])
    for corners in ([[0, 0, 0], [0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0.3, 0, 0], [1, 0, 0]], [[0, 0, 0], [0.3, 1e-17, 0], [1, 0, 0]]):
        found = sdf_at(np.array(corners, dtype=np.float64), np.array([order]), points, sign="none")
        assert_allclose(found, [1, np.sqrt(20), 5], rtol=1e-6)


@few
@given(solids(), solids())
def test_a_union_of_disjoint_solids_is_the_minimum(left_drawn, right_drawn):
    one, other = solid(*left_drawn), solid(*right_drawn)
    left, right = one[0] * 0.4 - [0.5, 0, 0], other[0] * 0.4 + [0.5, 0, 0]
    both = sdf_grid(np.concatenate([left, right]), np.concatenate([one[1], other[1] + len(left)]), 20)
    assert_same(both, np.minimum(sdf_grid(left, one[1], 20), sdf_grid(right, other[1], 20)))


@few
@given(solids(), st.integers(0, 99))
def test_face_order_and_doubled_vertices_change_nothing(drawn, seed):
    vertices, faces = solid(*drawn)
    shuffled = np.random.default_rng(seed).permutation(faces)
    loose = np.arange(3 * len(faces)).reshape(-1, 3)
    assert_same(sdf_grid(vertices[shuffled.reshape(-1)], loose, 20), sdf_grid(vertices, faces, 20))


@pytest.mark.parametrize("name", SOLIDS)
def test_a_solid_has_the_sdf_of_its_formula(name):
    """Distance to 0.001 (facets), and to 0.01 in the mug's handle, where its ends sink into the wall; sign wherever that is clear."""
    made = SOLIDS[name](np.random.default_rng(5))
    found = sdf_grid(made.vertices, made.faces, 32)
    truth = made.sdf(grid_points(32).reshape(-1, 3)).reshape(found.shape)
    assert (np.abs(found - truth) <= (0.01 if name == "mug" else 1e-3) + FAR * np.abs(truth)).all()
    clear = np.abs(truth) > 1e-3
    assert_array_equal(found[clear] < 0, truth[clear] < 0)


@pytest.mark.parametrize("name", ["box", "table", "chair"])
def test_flat_solids_are_exact(name):
    """Boxes have no facets: band and sign as the formula says, to 1e-5."""
    made = SOLIDS[name](np.random.default_rng(1))
    assert_near_truth(sdf_grid(made.vertices, made.faces, 48), made.sdf(grid_points(48).reshape(-1, 3)).reshape((48,) * 3), 48, off=1e-5)


def test_without_sign_the_distance_is_its_size():
    mesh = solid("lamp")
    assert_array_equal(sdf_grid(*mesh, 16, sign="none"), np.abs(sdf_grid(*mesh, 16)))


def test_the_box_sets_the_scale():
    vertices, faces = solid("chair")
    assert_allclose(sdf_grid(vertices * 3 + 5, faces, 16, box=(2.0, 8.0)), 3 * sdf_grid(vertices, faces, 16), rtol=2 * FAR, atol=6 * EXACT)


def test_a_wider_band_is_exact_farther_out():
    mesh = solid("cone", 2, tilt=3)
    truth = brute_distance(*mesh, grid_points(40)[20].reshape(-1, 3).astype(np.float64)).reshape(40, 40)
    found = np.abs(sdf_grid(*mesh, 40, band=12)[20])
    assert np.abs(found - truth)[truth < 12 / 20].max() <= 2 * EXACT


@pytest.mark.parametrize("resolution", [24, 48])
def test_the_band_alone_is_that_of_the_grid(resolution):
    mesh = solid("chair", 4, tilt=1)
    indices, values = sdf_band(*mesh, resolution)
    grid = sdf_grid(*mesh, resolution).reshape(-1)
    assert_array_equal(indices, np.flatnonzero(np.abs(grid) <= np.float32(3) * np.float32(2 / resolution)))
    assert_array_equal(values, grid[indices])


def test_a_grid_made_of_the_band_is_the_truncated_one():
    mesh = solid("mug", 4, tilt=1)
    rebuilt = dense_grid(*sdf_band(*mesh, 32), 32)
    assert_allclose(rebuilt, truncated(sdf_grid(*mesh, 32), 3 * 2 / 32), atol=EXACT)


def test_no_band_where_the_mesh_is_not():
    vertices, faces = solid("box")
    indices, values = sdf_band(vertices + 10, faces, 40)
    assert len(indices) == len(values) == 0
    assert (dense_grid(indices, values, 40) == np.float32(3 * 2 / 40)).all()


@few
@given(solids(), st.integers(0, 99))
def test_points_of_your_own_have_the_distance_to_every_triangle(drawn, seed):
    mesh = solid(*drawn)
    points = np.random.default_rng(seed).uniform(-1.5, 1.5, (7, 5, 3))
    found = sdf_at(*mesh, points)
    truth = brute_distance(*mesh, points.reshape(-1, 3)).reshape(7, 5)
    assert_allclose(np.abs(found), truth, atol=5e-6)
    clear = truth > 1e-3
    assert_array_equal(found[clear] < 0, winding_number(*mesh, points.reshape(-1, 3)).reshape(7, 5)[clear] > 0.5)


def test_no_points_and_one_point():
    mesh = solid("box")
    assert sdf_at(*mesh, np.zeros((0, 3))).shape == (0,)
    assert_allclose(sdf_at(*mesh, np.array([5.0, 0, 0])), 5 - mesh[0][:, 0].max(), atol=1e-5)


def test_points_close_together_far_from_the_mesh():
    """Their own extent says nothing about the mesh's: 1e-6 of both together is kept."""
    vertices, faces = solid("box")
    points = np.array([[40.0, 0, 0], [40.0 + 1e-9, 0, 0]])
    assert_allclose(sdf_at(vertices, faces, points), 40 - vertices[:, 0].max(), atol=4e-5)


def test_what_makes_no_sense_is_refused_in_one_line():
    vertices, faces = solid("box")
    with pytest.raises(RefusedObject, match="no-faces"):
        sdf_grid(vertices, faces[:0], 8)
    with pytest.raises(UsageError, match="threads is 0; expected 1 or more"):
        sdf_grid(vertices, faces, 8, threads=0)
    with pytest.raises(UsageError, match="threads is 0; expected 1 or more"):
        sdf_report(vertices, faces, 8, threads=0)
    with pytest.raises(UsageError, match="threads is 0; expected 1 or more"):
        inside_grid(vertices, faces, 8, sign="none", threads=0)
    with pytest.raises(UsageError, match="band is -1; expected 0 or more voxels"):
        sdf_grid(vertices, faces, 8, band=-1)
    with pytest.raises(UsageError, match="resolution is 0"):
        sdf_grid(vertices, faces, 0)
    for corner in (1e12, np.nan):
        with pytest.raises(RefusedObject, match=r"far-away: a corner lies (4e\+12|nan) voxels from the box; expected at most 1e\+09"):
            sdf_grid(np.concatenate([vertices[:-1], [[corner, 0, 0]]]), faces, 8)
    for ask in (lambda: sdf_band(vertices, faces, 8, sign="parity"), lambda: sdf_at(vertices, faces, vertices, sign="parity")):
        with pytest.raises(UsageError, match=r"needs (the|a) whole grid; expected auto, winding or none"):
            ask()


def _summed(vertices, faces, points):
    """Winding number without a tree: every solid angle, by van Oosterom and Strackee."""
    a, b, c = (vertices[faces[:, k]][None] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    bottom = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return np.arctan2((a * np.cross(b, c)).sum(2), bottom).sum(axis=1) / (2 * np.pi)


@few
@given(solids())
def test_the_winding_number_of_a_closed_solid_is_1_or_0(drawn):
    mesh = solid(*drawn)
    points = grid_points(12)[sdf_grid(*mesh, 12, sign="none") > 0.01]
    found = winding_number(*mesh, points)
    assert_allclose(found, np.rint(found), atol=0.03)
    assert set(np.rint(found)) <= {0.0, 1.0}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["torus", "chair", "mug"])
def test_the_tree_sums_what_all_triangles_sum(name, damage):
    vertices, faces = damage(*solid(name, 1))
    points = np.random.default_rng(0).uniform(-1, 1, (30, 3))
    assert_allclose(winding_number(vertices, faces, points), _summed(vertices, faces, points), atol=0.03)


def test_the_tree_takes_triangles_without_area():
    vertices, faces = solid("box")
    points = np.array([[0.0, 0, 0], [0.99, 0.99, 0.99]])
    heap = np.concatenate([faces, np.zeros((40, 3), faces.dtype)])
    assert_allclose(winding_number(vertices, heap, points), [1, 0], atol=2e-3)


def _agreement(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_carrying_costs_little_of_what_the_winding_number_says(name, damage):
    """Carried along grid lines, w gives the inside that it gives summed at every voxel, but for rims of holes and flipped faces."""
    whole = solid(name, 2, tilt=7)
    damaged, sense = damage(*whole), -1 if damage is inverted else 1
    truth, winding = (winding_number(*mesh, grid_points(24).reshape(-1, 3)).reshape((24,) * 3) for mesh in (whole, damaged))
    summed = sense * winding > 0.5
    found = sense * over_tiles(24, lambda tile: tile.winding(triangle_tree(*damaged, 24)))[0] > 0.5
    assert (found != summed).mean() <= (0.007 if damage is flipped else 0.003)
    assert _agreement(found, truth > 0.5) >= _agreement(summed, truth > 0.5) - 0.06  # of a torus of 60 voxels, 4


@pytest.mark.parametrize("damage", [holed, inverted, nested], ids=lambda damage: damage.__name__)
def test_tiles_without_surface_have_one_sign_and_one_doubt(damage):
    """At 128^3 a ball has 8 tiles inside it and some outside; all of their voxels are as the winding number says, doubt included."""
    mesh = damage(*solid("sphere"))
    summed = winding_number(*mesh, grid_points(128)[::5, ::5, ::5].reshape(-1, 3)).reshape((26,) * 3)
    found = measured_grid(*mesh, 128, sign="winding")
    inside = (-summed if damage is inverted else summed) > 0.5
    assert ((found.values < 0)[::5, ::5, ::5] != inside).mean() <= 0.001
    doubt = ((np.abs(summed) > 0.25) & (np.abs(summed) < 0.75)).mean()
    assert abs(found.doubt - doubt) <= 0.003  # a fifth of the voxels a side stand for all


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_ball_keeps_its_inside(damage):
    mesh = solid("sphere")
    truth = np.linalg.norm(grid_points(32), axis=-1) < 0.9
    assert _agreement(inside_grid(*damage(*mesh), 32), truth) > 0.97


@pytest.mark.parametrize("resolution", [2, 5, 24])
def test_lines_that_escape_through_holes_are_found_out(resolution):
    """From the middle of this ball all six axes get out; the grid lies wholly inside."""
    vertices, faces = axis_holes(*solid("sphere"))
    assert inside_grid(vertices * 2, faces, resolution).all()


def test_no_stripes_where_the_anchors_lie():
    """A box without three of its sides, so that w is near a half at length: what is wrong lies no denser on the anchors' planes."""
    corners = np.array(list(itertools.product((-1, 1), repeat=3))) * [0.8, 0.7, 0.75] + [0.013, 0.007, 0.011]
    faces = np.array([[0, 4, 5], [0, 5, 1], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]])
    summed = np.abs(winding_number(corners, faces, grid_points(64).reshape(-1, 3))).reshape((64,) * 3)
    differs = inside_grid(corners, faces, 64, sign="winding") != (summed > 0.5)
    wrong = np.argwhere(differs)
    assert len(wrong) <= 200  # of 57,825 inside
    assert np.abs(summed - 0.5)[differs].max(initial=0) <= 0.02  # which is how well w is summed
    assert (wrong % 8 == 0).any(axis=1).mean() <= 0.45  # a third of all voxels lie on these planes


@pytest.mark.parametrize(("damage", "least"), [(unwelded, 1.0), (cracked, 0.999), (doubled, 0.999), (inverted, 1.0)])
@pytest.mark.parametrize("name", ["torus", "sphere", "capsule"])
def test_the_sign_survives_damage(name, damage, least):
    mesh = solid(name, 3, tilt=5)
    assert _agreement(sdf_grid(*damage(*mesh), 64) < 0, sdf_grid(*mesh, 64) < 0) >= least


def test_parity_does_not_ask_which_way_faces_look():
    mesh = solid("mug", 1, tilt=3)
    half = flipped(*mesh, share=0.5)
    assert_array_equal(sdf_grid(*half, 32, sign="parity") < 0, sdf_grid(*mesh, 32) < 0)
    assert measured_grid(*half, 32, sign="parity").sign == "parity"


def test_a_sheet_with_two_sides_has_no_inside():
    vertices = np.array([[-0.8, 0.01, -0.8], [0.8, 0.01, -0.8], [0, 0.01, 0.8]])
    sheet = two_sided(vertices, np.array([[0, 1, 2]]))
    found = measured_grid(*sheet, 16)
    assert found.sign == "none"
    assert (found.values > 0).all()
    assert not inside_grid(*sheet, 16).any()
    assert not sdf_report(*sheet).has_inside


def test_a_report_says_what_is_wrong():
    whole = solid("torus", 2, tilt=1)
    sound, turned, holes, twice = (sdf_report(*mesh, 32) for mesh in (whole, inverted(*whole), holed(*whole, share=0.3), doubled(*whole)))
    assert (sound.open_edges, sound.flipped, sound.doubled, sound.has_inside) == (0, 0, 0, True)
    assert sound.doubt <= 0.001
    assert (turned.flipped, turned.has_inside) == (1, True)
    assert holes.open_edges > 0.2
    assert holes.doubt > 0.005
    assert 0.2 < twice.doubled < 0.26  # 30 % of the faces once more
    assert 0.1 < sdf_report(*flipped(*whole), 32).flipped < 0.3


def test_the_share_in_doubt_is_of_the_grid():
    vertices = np.array([[-0.8, 0.013, -0.8], [0.8, 0.013, -0.8], [0.8, 0.013, 0.8], [-0.8, 0.013, 0.8]])
    found = measured_grid(vertices, np.array([[0, 1, 2], [0, 2, 3]]), 24, sign="winding")
    w = np.abs(winding_number(vertices, np.array([[0, 1, 2], [0, 2, 3]]), grid_points(24).reshape(-1, 3)))
    assert abs(found.doubt - ((w > 0.25) & (w < 0.75)).mean()) <= 0.03  # carried evenly where it only nears a half


@pytest.mark.parametrize(
    ("usual", "turned", "neither", "settled"),
    [(32, 0, 0, True), (0, 32, 0, True), (14, 2, 16, True), (13, 3, 16, False), (15, 0, 17, False), (16, 16, 0, False), (0, 0, 32, False)],
)
def test_few_places_settle_which_way_a_mesh_faces_where_most_say_the_same(usual, turned, neither, settled):
    before, behind = np.repeat(np.float32([[0, 1], [1, 0], [0, 0]]), (usual, turned, neither), axis=0).T
    assert SurfaceSides(before, behind).settled == settled


def test_a_mesh_that_few_places_do_not_settle_is_looked_at_in_more(monkeypatch):
    """A box beside a sheet of two sides and four times its area: it has an inside, though most of its area parts none."""
    vertices, faces = solid("box")
    extent = vertices.max(axis=0) - vertices.min(axis=0)
    small = (vertices - vertices.min(axis=0)) / extent * 0.6 - 0.3, faces
    sheet = two_sided(np.array([[-1.0, -1, 0.5], [1, -1, 0.5], [1, 1, 0.5], [-1, 1, 0.5]]), np.array([[0, 1, 2], [0, 2, 3]]))
    asked, winding = [], Tree.winding
    monkeypatch.setattr(Tree, "winding", lambda tree, points: asked.append(len(points)) or winding(tree, points))
    assert resolved_sign(triangle_tree(*joined(small, sheet), 32), "auto", 32) == ("winding", 1)
    assert asked == [2 * GLANCED_AT, 2 * LOOKED_AT]
