"""Distances of voxels to the triangles near them, triangle by triangle; compiled by Numba."""

import math

import numpy as np
from numba import njit
from numpy import ndarray

TIE = 1e-9  # share by which two squared distances may differ and still be one: the same edge seen from its two triangles


@njit(cache=True, nogil=True)
def count_blocks(triangles: ndarray, reach: float, side: int) -> ndarray:
    """How many blocks of `side` voxels each triangle (voxels, from the corner of block 0 0 0) comes as near as `reach` to, by its box."""
    counts = np.zeros(len(triangles), np.int64)
    for number in range(len(triangles)):
        total = 1
        for axis in range(3):
            first, last = _blocks_along(triangles[number], axis, reach, side)
            total *= last - first + 1
        counts[number] = total
    return counts


@njit(cache=True, nogil=True)
def list_blocks(triangles: ndarray, reach: float, side: int, starts: ndarray, blocks: ndarray, numbers: ndarray) -> None:
    """The pairs that `count_blocks` counted: block (x, y, z) and triangle, those of triangle k from `starts[k]` on."""
    for number in range(len(triangles)):
        place = starts[number]
        x0, x1 = _blocks_along(triangles[number], 0, reach, side)
        y0, y1 = _blocks_along(triangles[number], 1, reach, side)
        z0, z1 = _blocks_along(triangles[number], 2, reach, side)
        for x in range(x0, x1 + 1):
            for y in range(y0, y1 + 1):
                for z in range(z0, z1 + 1):
                    blocks[place, 0], blocks[place, 1], blocks[place, 2] = x, y, z
                    numbers[place] = number
                    place += 1


@njit(cache=True, nogil=True)
def _blocks_along(triangle: ndarray, axis: int, reach: float, side: int) -> tuple[int, int]:
    low = min(triangle[0, axis], triangle[1, axis], triangle[2, axis]) - reach
    high = max(triangle[0, axis], triangle[1, axis], triangle[2, axis]) + reach
    return math.floor(low / side), math.floor(high / side)


@njit(cache=True, nogil=True, error_model="numpy")
def measure_block(triangles: ndarray, numbers: ndarray, reach: float, squares: ndarray, heights: ndarray, nearest: ndarray) -> None:
    """Squared distance of each voxel of a block to the nearest of these triangles, where it is not beyond `reach`.

    triangles  corners, voxels, from the centre of the block's first voxel
    numbers    of the triangles to be looked at, ascending
    heights    of the voxel above the plane of its nearest triangle; where two are equally near, of the one it is farther above or
               below, whose side is that of the surface (at an edge, the other's plane may be crossed without the surface being so)
    nearest    number of that triangle, -1 where there is none
    """
    side = squares.shape[0]
    farthest = reach * reach
    for number in numbers:
        corners = triangles[number]
        nx, ny, nz = _unit_normal(corners)
        for x in range(_first(corners, 0, reach), _last(corners, 0, reach, side) + 1):
            for y in range(_first(corners, 1, reach), _last(corners, 1, reach, side) + 1):
                for z in range(_first(corners, 2, reach), _last(corners, 2, reach, side) + 1):
                    height = nx * (x - corners[0, 0]) + ny * (y - corners[0, 1]) + nz * (z - corners[0, 2])
                    if abs(height) > reach:
                        continue
                    square = _square_to(corners, float(x), float(y), float(z))
                    best = squares[x, y, z]
                    if square > farthest or square > best * (1 + TIE) + TIE:
                        continue
                    if square < best * (1 - TIE) - TIE or abs(height) > abs(heights[x, y, z]):
                        heights[x, y, z] = height
                        nearest[x, y, z] = number
                    squares[x, y, z] = min(square, best)


@njit(cache=True, nogil=True)
def _first(corners: ndarray, axis: int, reach: float) -> int:
    return max(0, math.ceil(min(corners[0, axis], corners[1, axis], corners[2, axis]) - reach))


@njit(cache=True, nogil=True)
def _last(corners: ndarray, axis: int, reach: float, side: int) -> int:
    return min(side - 1, math.floor(max(corners[0, axis], corners[1, axis], corners[2, axis]) + reach))


@njit(cache=True, nogil=True, error_model="numpy")
def _unit_normal(corners: ndarray) -> tuple[float, float, float]:
    """Zeros for a triangle without area."""
    ux, uy, uz = corners[1, 0] - corners[0, 0], corners[1, 1] - corners[0, 1], corners[1, 2] - corners[0, 2]
    vx, vy, vz = corners[2, 0] - corners[0, 0], corners[2, 1] - corners[0, 1], corners[2, 2] - corners[0, 2]
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = math.sqrt(x * x + y * y + z * z)
    if length == 0:
        return 0.0, 0.0, 0.0
    return x / length, y / length, z / length


@njit(cache=True, nogil=True, error_model="numpy")
def _square_to(corners: ndarray, x: float, y: float, z: float) -> float:
    """Squared distance of a point to a triangle, by the region of its plane that the point lies over.

    source  Ericson, Real-Time Collision Detection, 2005, section 5.1.5
    """
    ax, ay, az = corners[0, 0], corners[0, 1], corners[0, 2]
    bx, by, bz = corners[1, 0] - ax, corners[1, 1] - ay, corners[1, 2] - az
    cx, cy, cz = corners[2, 0] - ax, corners[2, 1] - ay, corners[2, 2] - az
    px, py, pz = x - ax, y - ay, z - az
    d1, d2 = bx * px + by * py + bz * pz, cx * px + cy * py + cz * pz
    if d1 <= 0 and d2 <= 0:
        return px * px + py * py + pz * pz
    bb, bc, cc = bx * bx + by * by + bz * bz, bx * cx + by * cy + bz * cz, cx * cx + cy * cy + cz * cz
    d3, d4 = d1 - bb, d2 - bc
    if d3 >= 0 and d4 <= d3:
        return _length(px - bx, py - by, pz - bz)
    over_c = d1 * d4 - d3 * d2
    if over_c <= 0 and d1 >= 0 and d3 <= 0:
        share = d1 / (d1 - d3)
        return _length(px - share * bx, py - share * by, pz - share * bz)
    d5, d6 = d1 - bc, d2 - cc
    if d6 >= 0 and d5 <= d6:
        return _length(px - cx, py - cy, pz - cz)
    over_b = d5 * d2 - d1 * d6
    if over_b <= 0 and d2 >= 0 and d6 <= 0:
        share = d2 / (d2 - d6)
        return _length(px - share * cx, py - share * cy, pz - share * cz)
    over_a = d3 * d6 - d5 * d4
    if over_a <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        share = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return _length(px - bx - share * (cx - bx), py - by - share * (cy - by), pz - bz - share * (cz - bz))
    total = over_a + over_b + over_c
    v, w = over_b / total, over_c / total
    return _length(px - v * bx - w * cx, py - v * by - w * cy, pz - v * bz - w * cz)


@njit(cache=True, nogil=True)
def _length(x: float, y: float, z: float) -> float:
    return x * x + y * y + z * z
