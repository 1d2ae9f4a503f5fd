"""Marching cubes over blocks, compiled by Numba: a block's cubes are those whose lowest corner is one of its voxels.

A row of 17 voxels along z is one number, a bit a voxel, so that the cubes which the surface passes are found 16 at a time. A vertex
belongs to the edge it lies on, and that to the block of its lower voxel: blocks that meet name it by the same number.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._block_kernels import SIDE, Parts, number_of

MORE = SIDE + 1  # voxels a side of a block's cubes
ROW = np.uint32((1 << SIDE) - 1)

Bits = Any  # uint32, which Numba makes uint64 of when it calculates

surface_kernel = njit(cache=True, nogil=True, error_model="numpy")


@surface_kernel
def _ones(bits: Bits) -> int:
    """How many bits are set."""
    bits = np.uint32(bits)
    bits = bits - ((bits >> np.uint32(1)) & np.uint32(0x55555555))
    bits = (bits & np.uint32(0x33333333)) + ((bits >> np.uint32(2)) & np.uint32(0x33333333))
    bits = (bits + (bits >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
    return int((bits * np.uint32(0x01010101)) >> np.uint32(24)) & 0xFF  # multiplied in 64 bits


@surface_kernel
def _lowest(bits: Bits) -> int:
    """The place of the lowest bit that is set."""
    bits = np.uint32(bits)
    return _ones((bits & (~bits + np.uint32(1))) - np.uint32(1))


@surface_kernel
def _voxel(blocks: Parts, number: int, i: int, j: int, k: int, cut: float) -> float:
    """A known voxel's value: +truncation where it was only ever seen free."""
    row = blocks[1][number]
    if row < 0 or blocks[3][row, i, j, k] <= 0:
        return cut
    return min(max(blocks[2][row, i, j, k] / blocks[3][row, i, j, k], -cut), cut)


@surface_kernel
def _read_block(around: ndarray, blocks: Parts, cut: float, values: ndarray, known: ndarray, inside: ndarray) -> None:
    """A block and the first layer of those beyond it: values float32 (17, 17, 17), and rows of bits (17, 17)."""
    for i in range(MORE):
        for j in range(MORE):
            row = np.uint32(0)
            first = around[4 * (i // SIDE) + 2 * (j // SIDE)]
            beyond = around[4 * (i // SIDE) + 2 * (j // SIDE) + 1]
            if first >= 0:
                row = np.uint32(blocks[0][first, i % SIDE, j % SIDE])
            if beyond >= 0:
                row |= np.uint32(blocks[0][beyond, i % SIDE, j % SIDE] & np.uint16(1)) << np.uint32(SIDE)
            known[i, j], negative = row, np.uint32(0)
            while row:
                k = _lowest(row)
                row &= row - np.uint32(1)
                values[i, j, k] = _voxel(blocks, first if k < SIDE else beyond, i % SIDE, j % SIDE, k % SIDE, cut)
                negative |= np.uint32(values[i, j, k] < 0) << np.uint32(k)
            inside[i, j] = negative


@surface_kernel
def _grown(rows: ndarray, wanted: int) -> ndarray:
    """The same rows, with room for `wanted`."""
    return rows if wanted <= len(rows) else np.concatenate((rows, np.empty((max(wanted, 2 * len(rows)), rows.shape[1]), rows.dtype)))


@surface_kernel
def _crossed(known: ndarray, inside: ndarray, axis: int, i: int, j: int) -> Bits:
    """The edges along one axis, from a row of voxels, on which the sign changes between two known ones."""
    if axis == 2:
        one = np.uint32(1)
        return (inside[i, j] ^ (inside[i, j] >> one)) & known[i, j] & (known[i, j] >> one) & ROW
    a, b = i + (axis == 0), j + (axis == 1)
    return (inside[i, j] ^ inside[a, b]) & known[i, j] & known[a, b] & ROW


@surface_kernel
def place_vertices(
    table: Parts, places: ndarray, blocks: Parts, size: float, cut: float, known: ndarray, inside: ndarray, edges: ndarray, starts: ndarray
) -> ndarray:
    """The vertices on the edges of some blocks, float32 (v, 3), metres; block after block, along x, y and then z.

    table          keys and numbers of all blocks; places  int32 (n, 3) of these; blocks  seen, fine, sums and weights
    known, inside  uint32 (n, 17, 17), filled: rows of bits
    edges, starts  uint32 and int64 (n, 3, 16, 16), filled: crossed edges from each row of voxels, number of the first one's vertex
    """
    found, count = np.empty((1024, 3), np.float32), 0
    values, around = np.zeros((MORE, MORE, MORE), np.float32), np.empty(8, np.int64)
    for n in range(len(places)):
        x, y, z = places[n, 0], places[n, 1], places[n, 2]
        for c in range(8):
            around[c] = number_of(table[0], table[1], x + (c >> 2), y + (c >> 1 & 1), z + (c & 1))
        _read_block(around, blocks, np.float32(cut), values, known[n], inside[n])
        found = _grown(found, count + 3 * SIDE**3)
        for axis in range(3):
            for i in range(SIDE):
                for j in range(SIDE):
                    left = _crossed(known[n], inside[n], axis, i, j)
                    edges[n, axis, i, j], starts[n, axis, i, j] = left, count
                    while left:
                        k = _lowest(left)
                        left &= left - np.uint32(1)
                        here, there = values[i, j, k], values[i + (axis == 0), j + (axis == 1), k + (axis == 2)]
                        share = np.float64(here) / (np.float64(here) - np.float64(there))
                        found[count, 0] = (SIDE * np.int64(x) + i + 0.5 + share * (axis == 0)) * size
                        found[count, 1] = (SIDE * np.int64(y) + j + 0.5 + share * (axis == 1)) * size
                        found[count, 2] = (SIDE * np.int64(z) + k + 0.5 + share * (axis == 2)) * size
                        count += 1
    return found[:count].copy()


@surface_kernel
def _vertex(around: ndarray, edges: ndarray, starts: ndarray, axis: int, i: int, j: int, k: int) -> int:
    """The number of the vertex on an edge from voxel (i, j, k), which may lie one beyond the block."""
    n = around[4 * (i // SIDE) + 2 * (j // SIDE) + k // SIDE]
    i, j, k = i % SIDE, j % SIDE, k % SIDE
    below = edges[n, axis, i, j] & ((np.uint32(1) << np.uint32(k)) - np.uint32(1))
    return int(starts[n, axis, i, j] + _ones(below))


@surface_kernel
def _case(inside: ndarray, i: int, j: int, k: int) -> int:
    """Which corners of a cube are inside: bit 4x + 2y + z."""
    case = 0
    for c in range(8):
        case |= int((inside[i + (c >> 2), j + (c >> 1 & 1)] >> np.uint32(k + (c & 1))) & np.uint32(1)) << c
    return case


@surface_kernel
def _passed(known: ndarray, inside: ndarray, i: int, j: int) -> Bits:
    """The cubes from a row of voxels whose corners are all known, and some but not all of them inside."""
    any_of = inside[i, j] | inside[i + 1, j] | inside[i, j + 1] | inside[i + 1, j + 1]
    all_of = inside[i, j] & inside[i + 1, j] & inside[i, j + 1] & inside[i + 1, j + 1]
    seen = known[i, j] & known[i + 1, j] & known[i, j + 1] & known[i + 1, j + 1]
    one = np.uint32(1)
    return (seen & (seen >> one)) & (any_of | (any_of >> one)) & ~(all_of & (all_of >> one)) & ROW


@surface_kernel
def join_faces(around: ndarray, known: ndarray, inside: ndarray, edges: ndarray, starts: ndarray, triangles: Parts, first: int) -> ndarray:
    """Triangles of the cubes of some blocks, int32 (f, 3).

    around     int64 (n, 8): for each, the rows in `edges` of itself and those beyond it, in the order of a cube's corners
    known ...  as `place_vertices` filled them, of all blocks; `first` is the row of the first of these
    triangles  edges and counts of `l9.geometry.cube_table`, and axis, x, y, z of each edge's lower corner, int64 (12, 4)
    """
    table, counts, lower = triangles
    found, count = np.empty((1024, 3), np.int32), 0
    for n in range(len(around)):
        m = first + n
        for i in range(SIDE):
            for j in range(SIDE):
                left = _passed(known[m], inside[m], i, j)
                found = _grown(found, count + SIDE * table.shape[1] // 3)
                while left:
                    k = _lowest(left)
                    left &= left - np.uint32(1)
                    case = _case(inside[m], i, j, k)
                    for corner in range(3 * counts[case]):
                        axis, a, b, c = lower[table[case, corner]]
                        found[count + corner // 3, corner % 3] = _vertex(around[n], edges, starts, axis, i + a, j + b, k + c)
                    count += counts[case]
    return found[:count].copy()
