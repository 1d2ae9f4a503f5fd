"""Cells of a lattice whose voxels need no search: filled from their eight corners, where these prove enough; compiled by Numba.

See `l9.geometry._lattice_kernels` for what the corners prove.
"""

import numpy as np
from numpy import ndarray

from l9.geometry._tree_kernels import AWAY
from l9.geometry._triangle_kernels import Parts, lanes, scalar

TILE = 32  # voxels a side of what is worked on at once: its lattice stays in the second cache
AGREE = np.float32(1.039)  # upper over lower bound of the squared distance: their middle is within 0.96 %
Size = tuple[int, int, int]
"""Of an array of nodes or voxels, along x, y, z."""


def _cell_table(side: int) -> ndarray:
    """Per 64 voxels of a cell of side^3, float32 flat (chunk, 11, 64): x y z from its first voxel, shares of its 8 corners."""
    places = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij")).reshape(3, -1)
    rows = [*places]
    for corner in range(8):
        bits = np.array([corner >> 2 & 1, corner >> 1 & 1, corner & 1])[:, None]
        rows.append(np.where(bits == 1, places / side, 1 - places / side).prod(axis=0))
    return np.stack(rows).reshape(11, -1, 64).transpose(1, 0, 2).astype(np.float32).reshape(-1)


CELL_8, CELL_4 = _cell_table(8), _cell_table(4)


@lanes
def _cell_bounds(table: ndarray, chunk: int, corners: ndarray, middles: ndarray) -> bool:
    """Middle of both bounds (not squared) of 64 voxels of a cell into `middles`; whether they agree everywhere.

    corners  float32 (8, 4): nearest point from the cell's first voxel, and squared distance less the corner's own from there
    """
    apart = np.float32(0)
    start = np.uint64(chunk * 704)
    for k in range(64):
        place = start + np.uint64(k)  # unsigned: else every index is tested for counting from the end, and the loop is not vector code
        x, y, z = table[place], table[place + np.uint64(64)], table[place + np.uint64(128)]
        low, high = x * x + y * y + z * z, AWAY
        for corner in range(8):
            low += table[place + np.uint64(192 + 64 * corner)] * corners[corner, 3]
            dx, dy, dz = x - corners[corner, 0], y - corners[corner, 1], z - corners[corner, 2]
            high = min(high, dx * dx + dy * dy + dz * dz)
        apart += max(high - AGREE * low, np.float32(0))
        middles[k] = np.sqrt(np.sqrt(high * max(low, np.float32(0))))
    return bool(apart <= np.float32(0))


@scalar
def _cell_corners(nodes: ndarray, size: Size, node: Size, at: Size, stride: int, corners: ndarray) -> float:
    """Fill `corners` (see `_cell_bounds`) of the cell from a node, whose first voxel is `at`; its least squared distance."""
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
    corners, middles = scratch
    least = np.sqrt(_cell_corners(nodes, size, node, at, stride, corners))
    if least < 2 * stride or least < band + np.sqrt(3.0) * stride or not _middle_agrees(corners, stride):
        return False, least
    for chunk in range(stride**3 // 64):
        if not _cell_bounds(CELL_8 if stride == 8 else CELL_4, chunk, corners, middles):
            return False, least
        for n in range(64):
            a, rest = (chunk, n) if stride == 8 else (n >> 4, n & 15)
            b, c = (rest >> 3, rest & 7) if stride == 8 else (rest >> 2, rest & 3)
            field[((at[0] + a) * TILE + at[1] + b) * TILE + at[2] + c] = middles[n]
    return True, least
