"""Meshes, turns and damage that the geometry tests share; most of the damage is `l9.geometry.damage`."""

import itertools

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from l9.geometry.damage import doubled, flipped, holed, inverted, nested  # noqa: F401  where tests look for them
from l9.geometry.solids import SOLIDS

few = settings(deadline=None, max_examples=15, derandomize=True)

QUARTER_TURNS = [
    np.eye(3)[list(order)] * np.array(signs)[:, None]
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
    if np.linalg.det(np.eye(3)[list(order)] * np.array(signs)[:, None]) > 0
]
MIRRORS = [np.diag(signs) for signs in ([-1.0, 1, 1], [1, -1.0, 1], [1, 1, -1.0])]


def turned_grid(grid, turn):
    """The grid of a mesh whose points were turned (or mirrored) by a signed permutation: `points @ turn.T`."""
    axes = np.abs(turn).argmax(axis=1)
    return np.flip(grid.transpose(axes), [axis for axis in range(3) if turn[axis, axes[axis]] < 0])


@st.composite
def soups(draw, most=6):
    """Loose triangles in and around the box, with slivers and triangles that are a segment or a point."""
    count = draw(st.integers(1, most))
    corners = draw(arrays(np.float64, (count, 3, 3), elements=st.floats(-1.5, 1.5, width=32)))
    kinds = draw(st.lists(st.sampled_from(["as drawn", "sliver", "segment", "point"]), min_size=count, max_size=count))
    for triangle, kind in zip(corners, kinds, strict=True):
        if kind == "sliver":
            triangle[2] = (triangle[0] + triangle[1]) / 2 + 1e-6
        if kind in ("segment", "point"):
            triangle[2] = triangle[1]
        if kind == "point":
            triangle[1] = triangle[2] = triangle[0]
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def solid(name, seed=0, tilt=None):
    """A solid's vertices and faces, tilted about the origin by a random rotation where `tilt` is a seed."""
    found = SOLIDS[name](np.random.default_rng(seed))
    if tilt is None:
        return found.vertices, found.faces
    return 0.75 * found.vertices @ Rotation.random(rng=np.random.default_rng(tilt)).as_matrix().T, found.faces


def solids():
    """What `solid` takes, for closed solids in general position."""
    names = st.sampled_from(["box", "chair", "cone", "cylinder", "lamp", "mug", "table"])
    return st.tuples(names, st.integers(0, 99), st.integers(0, 99))


def axis_holes(vertices, faces):
    """A mesh with a hole wherever one of the six axes leaves it: every ray from the middle gets out."""
    centroids = vertices[faces].mean(axis=1)
    off_axis = np.sort(np.abs(centroids), axis=1)[:, 1]
    return vertices, faces[off_axis > 0.15]
