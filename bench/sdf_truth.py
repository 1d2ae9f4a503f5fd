"""What the grids of bench/sdf.py are judged by: a brute-force distance of our own, and the inside by libigl's fast winding number.

The distance is float64 and knows no tree. Per block of 4^3 voxels every triangle's distance to the block's middle is computed; a triangle
is tried at the block's voxels unless it is farther from the middle than the nearest one by more than the block's diagonal, which
no nearest triangle of any of its voxels can be. Every voxel of the grid has its exact distance, not only those of the band.
"""

import igl
import numpy as np
from numba import njit
from numpy import ndarray
from sdf_judged import BOX_SIDE
from sdf_peers import points_of

from l9.geometry.grid import grid_centres

BLOCK = 4  # voxels a side
HALF_DIAGONAL = np.sqrt(3) * (BLOCK - 1) / 2  # voxels: from a block's middle to its farthest voxel centre
FLAT = 1e-24  # twice the area, squared, over the longest side^4: thinner triangles are their sides, which is 1e-12 of the side off at most


@njit(cache=True)
def _to_side(p: ndarray, a: ndarray, b: ndarray) -> float:
    """Squared distance from p to the segment a b."""
    along, length = 0.0, 0.0
    for k in range(3):
        along += (p[k] - a[k]) * (b[k] - a[k])
        length += (b[k] - a[k]) ** 2
    share = min(1.0, max(0.0, along / length)) if length > 0.0 else 0.0
    found = 0.0
    for k in range(3):
        found += (p[k] - a[k] - share * (b[k] - a[k])) ** 2
    return found


@njit(cache=True)
def _edge_side(p: ndarray, a: ndarray, b: ndarray, normal: ndarray) -> float:
    """On which side of the edge a b the point's foot lies, seen along the normal; positive within."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    return normal[0] * (uy * vz - uz * vy) + normal[1] * (uz * vx - ux * vz) + normal[2] * (ux * vy - uy * vx)


@njit(cache=True)
def _to_triangle(p: ndarray, a: ndarray, b: ndarray, c: ndarray, normal: ndarray, square: float) -> float:
    """Squared distance from p to a triangle; `square` is the normal's squared length, 0 for a triangle that is its sides."""
    if square > 0.0 and _edge_side(p, a, b, normal) >= 0.0 and _edge_side(p, b, c, normal) >= 0.0 and _edge_side(p, c, a, normal) >= 0.0:
        height = normal[0] * (p[0] - a[0]) + normal[1] * (p[1] - a[1]) + normal[2] * (p[2] - a[2])
        return height * height / square
    return min(_to_side(p, a, b), _to_side(p, b, c), _to_side(p, c, a))


@njit(cache=True)
def _fill_block(
    corners: ndarray, normals: ndarray, squares: ndarray, centres: ndarray, first: ndarray, spare: float, found: ndarray
) -> None:
    """The squared distances of one block; `spare` is the block's diagonal with a little more."""
    middle, count = np.empty(3), len(corners)
    for k in range(3):
        middle[k] = (centres[first[k]] + centres[first[k] + BLOCK - 1]) / 2
    reach = np.empty(count)
    for t in range(count):
        reach[t] = np.sqrt(_to_triangle(middle, corners[t, 0], corners[t, 1], corners[t, 2], normals[t], squares[t]))
    tried = np.flatnonzero(reach <= reach.min() + spare)
    point = np.empty(3)
    for x in range(first[0], first[0] + BLOCK):
        for y in range(first[1], first[1] + BLOCK):
            for z in range(first[2], first[2] + BLOCK):
                point[0], point[1], point[2] = centres[x], centres[y], centres[z]
                best = np.inf
                for t in tried:
                    best = min(best, _to_triangle(point, corners[t, 0], corners[t, 1], corners[t, 2], normals[t], squares[t]))
                found[x, y, z] = best


@njit(cache=True)
def _fill(corners: ndarray, normals: ndarray, squares: ndarray, centres: ndarray, spare: float, found: ndarray) -> None:
    """The squared distances of the grid, block by block."""
    first = np.empty(3, np.int64)
    for x in range(0, len(centres), BLOCK):
        for y in range(0, len(centres), BLOCK):
            for z in range(0, len(centres), BLOCK):
                first[0], first[1], first[2] = x, y, z
                _fill_block(corners, normals, squares, centres, first, spare, found)


def exact_distance(vertices: ndarray, faces: ndarray, resolution: int) -> ndarray:
    """Unsigned distance (float64, units of the box) of every voxel centre of [-1, 1]^3; `resolution` is a multiple of 4."""
    corners = vertices[faces].astype(np.float64)
    sides = corners - np.roll(corners, -1, axis=1)
    normals = np.cross(sides[:, 0], sides[:, 1])
    squares, longest = (normals**2).sum(axis=1), (sides**2).sum(axis=2).max(axis=1)
    found = np.empty((resolution,) * 3)
    spare = 2 * HALF_DIAGONAL * (BOX_SIDE / resolution) * (1 + 1e-9)
    _fill(corners, normals, np.where(squares > FLAT * longest**2, squares, 0.0), grid_centres(resolution), spare, found)
    return np.sqrt(found)


def reference(vertices: ndarray, faces: ndarray, resolution: int) -> dict[str, ndarray]:
    """What real meshes are judged by: exact distance; w > 0.5 as the inside; and how many voxels have w < -0.5."""
    turns = igl.fast_winding_number(vertices, faces, points_of(resolution, np.float64)).reshape((resolution,) * 3)
    return {
        "distance": exact_distance(vertices, faces, resolution),
        "inside": turns > 0.5,
        "judged": np.ones_like(turns, dtype=np.bool_),
        "backwards": turns < -0.5,
    }
