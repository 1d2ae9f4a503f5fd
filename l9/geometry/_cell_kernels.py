"""Cells of a lattice whose voxels need no search: filled from their eight corners, where these prove enough; compiled by Numba.

See `l9.geometry._lattice_kernels` for what the corners prove.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._tree_kernels import AWAY
from l9.geometry._triangle_kernels import Parts, lanes, scalar
from l9.geometry.lattice import Size

TILE = 32  # voxels a side of what is worked on at once: its lattice stays in the second cache
AGREE = np.float32(1.039)  # upper over lower bound of the squared distance, at most
UPPER, LOWER = np.float32(0.4928), np.float32(0.5072)  # shares of both bounds that are within 0.96 % of either, as distances
Plane = tuple[float, float, float]
"""Coefficients of 1, y and z."""


@njit(inline="always")
def _square_less_own(corners: ndarray, corner: int, x: float) -> Plane:
    """Squared distance from a corner's nearest point, less y^2 + z^2, of the voxels of a cell at `x`."""
    dx, py, pz, two = x - corners[corner, 0], corners[corner, 1], corners[corner, 2], np.float32(2)
    return dx * dx + py * py + pz * pz, -two * py, -two * pz


@njit(inline="always")
def _at(plane: Plane, y: float, z: float) -> float:
    return plane[0] + plane[1] * y + plane[2] * z


@njit(inline="always")
def _edge_along_x(corners: ndarray, edge: int, along: float) -> float:
    """Interpolated squared distance, less the own one, on one of the four edges along x."""
    return float(corners[edge, 3] + along * (corners[4 + edge, 3] - corners[edge, 3]))


def _bounding(side: int) -> Any:
    """The bounds of one plane of a cell's voxels; made for each side, since the compiler wants to know the count."""
    y_of, z_of = (axis.reshape(-1).astype(np.float32) for axis in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    count, share = side * side, np.float32(1 / side)

    @lanes
    def bound(corners: ndarray, x: float, found: ndarray) -> bool:
        """Distance of the voxels at `x` of a cell into `found`, from between their bounds; whether these agree everywhere.

        corners  float32 (8, 4): nearest point from the cell's first voxel, and squared distance less the corner's own from there
        """
        a, b = _square_less_own(corners, 0, x), _square_less_own(corners, 1, x)
        c, d = _square_less_own(corners, 2, x), _square_less_own(corners, 3, x)
        e, f = _square_less_own(corners, 4, x), _square_less_own(corners, 5, x)
        g, h = _square_less_own(corners, 6, x), _square_less_own(corners, 7, x)
        along = x * share
        low_0, by_z = _edge_along_x(corners, 0, along), _edge_along_x(corners, 1, along)
        by_y, by_both = _edge_along_x(corners, 2, along), _edge_along_x(corners, 3, along)
        low_yz = (by_both - by_y - by_z + low_0) * share * share
        low_y, low_z, low_0 = (by_y - low_0) * share, (by_z - low_0) * share, low_0 + x * x
        apart = np.float32(0)
        for k in range(count):
            y, z = y_of[k], z_of[k]
            half = min(min(_at(a, y, z), _at(b, y, z)), min(_at(c, y, z), _at(d, y, z)))
            least = min(half, min(min(_at(e, y, z), _at(f, y, z)), min(_at(g, y, z), _at(h, y, z))))
            own = y * y + z * z
            low, high = own + low_0 + low_z * z + (low_y + low_yz * z) * y, own + least
            apart += max(high - AGREE * low, np.float32(0))
            found[k] = np.sqrt(UPPER * high + LOWER * max(low, np.float32(0)))
        return bool(apart <= np.float32(0))

    return bound


_bounds_of_8, _bounds_of_4 = _bounding(8), _bounding(4)


@scalar
def _cell_corners(nodes: ndarray, size: Size, node: Size, at: Size, stride: int, corners: ndarray) -> float:
    """Fill `corners` (see `_bounding`) of the cell from a node, whose first voxel is `at`; its least squared distance."""
    least = AWAY
    for corner in range(8):
        a, b, c = corner >> 2 & 1, corner >> 1 & 1, corner & 1
        place = 4 * (((node[0] + a) * size[1] + node[1] + b) * size[2] + node[2] + c)
        square = nodes[place + 3]
        corners[corner, 0] = nodes[place] - np.float32(at[0])
        corners[corner, 1] = nodes[place + 1] - np.float32(at[1])
        corners[corner, 2] = nodes[place + 2] - np.float32(at[2])
        corners[corner, 3] = square - np.float32(stride * stride * (a + b + c))
        least = min(least, square)
    return float(least)


@scalar
def _middle_agrees(corners: ndarray, stride: int) -> bool:
    """Whether the bounds agree in the middle of a cell, where they are farthest apart as a rule."""
    middle = np.float32(0.5 * stride)
    low, high = np.float32(3) * middle * middle, AWAY
    for corner in range(8):
        low += np.float32(0.125) * corners[corner, 3]
        dx, dy, dz = middle - corners[corner, 0], middle - corners[corner, 1], middle - corners[corner, 2]
        high = min(high, dx * dx + dy * dy + dz * dz)
    return bool(high <= AGREE * low)


@scalar
def fill_cell(
    field: ndarray, nodes: ndarray, size: Size, node: Size, at: Size, stride: int, band: float, scratch: Parts
) -> tuple[bool, float]:
    """Fill the voxels of one cell from its corners, if they prove them all to be beyond the band and within the tolerance.

    node    the first corner's place in `nodes` (float32 flat, 4 a node: nearest point from the tile's first voxel, squared distance)
    at      its first voxel; stride: voxels a side, 8 or 4
    Returns whether it did, and the least distance of a corner.
    """
    corners, found = scratch
    least = np.sqrt(_cell_corners(nodes, size, node, at, stride, corners))
    if least < 2 * stride or least < band + np.sqrt(3.0) * stride or not _middle_agrees(corners, stride):
        return False, least
    for a in range(stride):
        agree = _bounds_of_8(corners, np.float32(a), found) if stride == 8 else _bounds_of_4(corners, np.float32(a), found)
        if not agree:
            return False, least
        for b in range(stride):
            place = ((at[0] + a) * TILE + at[1] + b) * TILE + at[2]
            for c in range(stride):
                field[place + c] = found[b * stride + c]
    return True, least
