"""Points that tiles share: each is looked at once, in company that does not depend on threads."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.lattice import STRIDE, Lattice, along_curve, grid_lattice
from l9.geometry.sdf import sdf_grid
from l9.geometry.sign import GLANCED_AT
from l9.geometry.solids import SOLIDS
from l9.geometry.tiles import over_tiles
from l9.geometry.tree import Tree, triangle_tree
from l9.geometry.workers import Workers

SIZES = st.tuples(*[st.integers(1, 9)] * 3)


def mug(resolution):
    mesh = SOLIDS["mug"](np.random.default_rng(2))
    return triangle_tree(mesh.vertices, mesh.faces, resolution)


@given(size=SIZES)
def test_the_curve_meets_each_point_once(size):
    order, places = along_curve(size)
    assert_array_equal(np.sort(order), np.arange(np.prod(size)))
    assert_array_equal(np.ravel_multi_index(tuple(places.T), size), order)


def test_sixteen_points_of_the_curve_fill_a_block():
    _, places = along_curve((8, 8, 8))
    for packet in places.reshape(-1, 16, 3):
        assert sorted(np.ptp(packet, axis=0) + 1) == [2, 2, 4]


@given(size=SIZES, first=st.tuples(*[st.integers(0, 40)] * 3))
@settings(max_examples=10, deadline=None)  # the first compiles
def test_nodes_and_anchors_are_what_the_tree_says_of_each_point(size, first):
    resolution, tree = 48, mug(48)
    lattice = Lattice(first, size, resolution)
    nodes, anchors = lattice.nodes(tree), lattice.anchors(tree)
    places = np.stack(np.meshgrid(*[np.arange(count) for count in size], indexing="ij"), axis=-1)
    points = (STRIDE * places + first - (resolution - 1) / 2).astype(np.float32)
    distance = tree.nearest(points.reshape(-1, 3)).reshape(size)
    found = np.sqrt(nodes.places[..., 3])
    assert_allclose(found, distance, rtol=1e-6, atol=1e-5)  # voxels; an edge is as near by both its triangles, which round it apart
    assert_allclose(np.linalg.norm(points - nodes.places[..., :3], axis=-1), distance, atol=1e-4)  # float32 places, tens of voxels
    corners = tree.triangles[nodes.numbers]
    assert (nodes.places[..., :3] >= corners.min(axis=-2) - 1e-4).all()
    assert (nodes.places[..., :3] <= corners.max(axis=-2) + 1e-4).all()
    assert_allclose(anchors, tree.winding(points.reshape(-1, 3)).reshape(size), atol=0.02)  # what far groups are off by


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_no_bit(threads):
    lattice, tree = grid_lattice(72), mug(72)
    with Workers(threads) as workers:
        assert_array_equal(lattice.nodes(tree, workers).places, lattice.nodes(tree).places)
        assert_array_equal(lattice.anchors(tree, workers), lattice.anchors(tree))


def test_a_grid_looks_at_each_point_of_its_lattice_once(monkeypatch):
    asked = []
    nearest, winding = Tree.nearest_places, Tree.winding
    monkeypatch.setattr(Tree, "nearest_places", lambda tree, points: asked.append(("near", len(points))) or nearest(tree, points))
    monkeypatch.setattr(Tree, "winding", lambda tree, points: asked.append(("turns", len(points))) or winding(tree, points))
    mesh = SOLIDS["mug"](np.random.default_rng(2))
    sdf_grid(mesh.vertices, mesh.faces, 64, sign="winding")
    places = [("turns", 2 * GLANCED_AT)]  # before and behind each
    assert asked == [*places, ("near", 9**3), ("turns", 9**3)]


@pytest.mark.parametrize("resolution", [5, 32, 40, 70])
def test_tiles_say_the_same_with_the_grids_lattice_as_with_their_own(resolution):
    tree = mug(resolution)
    lattice = grid_lattice(resolution)
    nodes, anchors = lattice.nodes(tree), lattice.anchors(tree)
    shared = over_tiles(resolution, lambda tile: (tile.distance(tree, 3, nodes), tile.winding(tree, anchors)))
    alone = over_tiles(resolution, lambda tile: (tile.distance(tree, 3), tile.winding(tree)))
    for (distance, turns), (own_distance, own_turns) in zip(shared, alone, strict=True):
        assert_allclose(distance, own_distance, rtol=0.02, atol=1e-5)  # each within 1 % of the truth
        assert_array_equal(turns > 0.5, own_turns > 0.5)


def test_what_fails_in_a_thread_is_raised_and_no_thread_stays():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), Workers(3) as workers:
        workers.map(lambda part: 1 / part, [2, 1, 0])
    assert threading.active_count() == before
