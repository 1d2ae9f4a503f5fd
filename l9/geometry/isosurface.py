"""The surface on which a dense grid has one value: marching cubes, for fields of distances that have no sign."""

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from l9.errors import ShapeError
from l9.geometry.cube_table import EDGES, cube_triangles

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])  # a cube's corners, in their order


def isosurface(values: Float[ndarray, "x y z"], level: float) -> tuple[Float64[ndarray, "v 3"], Int64[ndarray, "f 3"]]:
    """Vertices in voxels (voxel (i, j, k) has its centre there) and faces, counter-clockwise seen from where values are above the level.

    values   finite; a value on the level counts as above it. Where the grid ends the surface is open
    returns  no vertices where no value is below the level, or all are; each vertex is shared by all faces that meet there
    raises   ShapeError where a value is not finite
    source   Lorensen & Cline, Marching cubes, 1987; the table is that of `l9.geometry.cube_table`
    """
    if not np.isfinite(values).all():
        raise ShapeError(f"isosurface got {int((~np.isfinite(values)).sum()):,} values that are not finite; expected none")
    below = values.astype(np.float64) - level
    inside = below < 0
    cubes = _crossed_cubes(inside)
    table, counts = cube_triangles()
    cases = (inside[tuple((cubes[:, None] + CORNERS).transpose(2, 0, 1))] << np.arange(8)).sum(axis=1)
    numbers = table[cases].astype(np.int64)
    used = np.arange(table.shape[1]) < 3 * counts[cases][:, None].astype(np.int64)
    corners = np.array(EDGES)[numbers[used]]
    ends = np.repeat(cubes, used.sum(axis=1), axis=0)[:, None] + CORNERS[corners]  # (3f, 2, 3): both ends of each corner's edge
    return _joined(np.ascontiguousarray(ends), below)


def _crossed_cubes(inside: ndarray) -> Int64[ndarray, "n 3"]:
    """The lowest corners of the cubes that have corners on both sides."""
    shape = tuple(side - 1 for side in inside.shape)
    parts = [inside[x : x + shape[0], y : y + shape[1], z : z + shape[2]] for x, y, z in CORNERS]
    held = np.sum(parts, axis=0, dtype=np.int64)
    return np.argwhere((held > 0) & (held < 8))


def _joined(ends: Int64[ndarray, "c 2 3"], below: Float64[ndarray, "x y z"]) -> tuple[Float64[ndarray, "v 3"], Int64[ndarray, "f 3"]]:
    """One vertex for each edge that is crossed, where the field meets the level along it."""
    places = np.ravel_multi_index(tuple(ends.transpose(2, 0, 1)), below.shape)
    keys, first, faces = np.unique(places, axis=0, return_index=True, return_inverse=True)
    here, there = below.ravel()[keys].T
    shares = here / (here - there)
    low, high = ends[first].transpose(1, 0, 2)
    return low + shares[:, None] * (high - low), faces.reshape(-1, 3).astype(np.int64)
