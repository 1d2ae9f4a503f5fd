"""One frame into the voxels of the blocks it sees, compiled by Numba.

The inner loops have no branches, so that the compiler makes vector code of them: a layer of 16 x 16 voxels at once.
"""

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._block_kernels import SIDE, Parts, number_of
from l9.geometry._glance_kernels import BAND, FREE

ALL = np.uint16(0xFFFF)  # every voxel of a row was seen
LAYER = SIDE * SIDE  # voxels of a block that are worked on at once: those of one x
LEAST = np.float32(1e-6)  # metres before the camera from which on a voxel is looked at
ANYWHERE = 1e29  # metres: farther than anything, and finite, since fastmath knows no infinity

scalar = njit(cache=True, nogil=True, error_model="numpy")
lanes = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)


@lanes
def _pixels(u: float, v: float, z: float, step: ndarray, width: int, height: int, pixel: ndarray, away: ndarray) -> None:
    """The pixel that sees each voxel of a layer (y, z), the one after the last where none does, and the voxels' depths.

    u, v, z  of the layer's first voxel: pixel coordinates from the picture's corner, times depth; depth
    step     float32 (2, 3): of the three from one voxel to the next, along y and along z
    """
    wide, high, zero, one = np.float32(width), np.float32(height), np.float32(0), np.float32(1)
    row_length, outside = np.int32(width), np.int32(width * height)
    for j in range(SIDE):
        u_row, v_row, z_row = u + np.float32(j) * step[0, 0], v + np.float32(j) * step[0, 1], z + np.float32(j) * step[0, 2]
        for k in range(SIDE):
            deep = z_row + np.float32(k) * step[1, 2]
            share = one / max(deep, LEAST)
            column, row = (u_row + np.float32(k) * step[1, 0]) * share, (v_row + np.float32(k) * step[1, 1]) * share
            inside = (column >= zero) & (column < wide) & (row >= zero) & (row < high) & (deep > LEAST)
            column, row = min(max(column, zero), wide - one), min(max(row, zero), high - one)
            pixel[SIDE * j + k] = np.int32(row) * row_length + np.int32(column) if inside else outside
            away[SIDE * j + k] = deep


@lanes
def _gaps(depth: ndarray, pixel: ndarray, away: ndarray, gap: ndarray) -> None:
    """How far behind each voxel of a layer its pixel's surface lies; far below 0 where there is none."""
    for k in range(LAYER):
        gap[k] = depth[np.uint32(pixel[k])] - away[k]


@lanes
def _add(gap: ndarray, away: ndarray, cut: float, reach: float, square: float, sums: ndarray, weights: ndarray) -> None:
    """Add a layer's distances; what lies beyond the band in front counts as its end where `reach` goes so far."""
    one, zero = np.float32(1), np.float32(0)
    for k in range(LAYER):
        weight = one / (one + square * (away[k] * away[k] - one))
        weight = weight if (gap[k] >= -cut) & (gap[k] <= reach) else zero
        sums[k] += weight * min(max(gap[k], -cut), cut)
        weights[k] += weight


@lanes
def _see(gap: ndarray, cut: float, seen: ndarray) -> None:
    """Set the bits of the voxels that lie in the band or before it."""
    for j in range(SIDE):
        bits = np.uint32(0)
        for k in range(SIDE):
            bits |= np.uint32(gap[SIDE * j + k] >= -cut) << np.uint32(k)
        seen[j] |= np.uint16(bits)


@lanes
def _in_band(gap: ndarray, cut: float) -> bool:
    """Whether any voxel of a layer lies in the band."""
    count = np.int32(0)
    for k in range(LAYER):
        count += np.int32((gap[k] >= -cut) & (gap[k] <= cut))
    return bool(count > 0)


@scalar
def _layer_is_full(seen: ndarray) -> bool:
    count = 0
    for j in range(SIDE):
        count += seen[j] == ALL
    return bool(count == SIDE)


@scalar
def _is_full(seen: ndarray) -> bool:
    count = 0
    for i in range(SIDE):
        count += _layer_is_full(seen[i])
    return bool(count == SIDE)


@scalar
def _block_start(place: ndarray, size: float, matrix: ndarray, camera: ndarray, start: ndarray) -> None:
    """What `_gaps` wants of a block's first voxel."""
    dx = (SIDE * place[0] + 0.5) * size - camera[0]
    dy = (SIDE * place[1] + 0.5) * size - camera[1]
    dz = (SIDE * place[2] + 0.5) * size - camera[2]
    for row in range(3):
        start[row] = matrix[row, 0] * dx + matrix[row, 1] * dy + matrix[row, 2] * dz


@scalar
def observe(
    places: ndarray,
    said: ndarray,
    numbers: ndarray,
    blocks: Parts,
    size: float,
    view: Parts,
    limits: Parts,
    touched: ndarray,
) -> None:
    """One picture into blocks; no two calls at once may be given the same ones.

    places   int32 (n, 3), said  int32 (n): as `blocks_in_view` found them
    numbers  int32 (n): of the blocks
    blocks   seen, fine, sums and weights of `l9.geometry.blocks`
    view     depth (see `cleaned`), width, height, the 3x3 matrix from the world to pixels times depth, the camera's place
    limits   truncation; what counts in front, at most; 1 for weights of 1/z^2
    touched  bool (n), set where a block without numbers has voxels in the band
    """
    seen, fine, sums, weights = blocks
    depth, width, height, matrix, camera = view
    cut, reach, square = np.float32(limits[0]), np.float32(limits[1]), np.float32(limits[2])
    start, pixel, away, gap = np.empty(3), np.empty(LAYER, np.int32), np.empty(LAYER, np.float32), np.empty(LAYER, np.float32)
    step = (size * matrix[:, 1:].T).astype(np.float32)
    for n in range(len(places)):
        number = numbers[n]
        row, of_seen = fine[number], seen[number]
        counts = row >= 0 and (said[n] == BAND or reach > cut)
        if said[n] == FREE:
            of_seen[:] = ALL
        if not counts and said[n] != BAND and _is_full(of_seen):
            continue
        _block_start(places[n], size, matrix, camera, start)
        for i in range(SIDE):
            u, v, z = start[0] + size * i * matrix[0, 0], start[1] + size * i * matrix[1, 0], start[2] + size * i * matrix[2, 0]
            _pixels(np.float32(u), np.float32(v), np.float32(z), step, width, height, pixel, away)
            _gaps(depth, pixel, away, gap)
            if not _layer_is_full(of_seen[i]):
                _see(gap, cut, of_seen[i])
            if counts:
                _add(gap, away, cut, reach, square, sums[row, i].reshape(-1), weights[row, i].reshape(-1))
            elif row < 0 and not touched[n]:
                touched[n] = _in_band(gap, cut)


@scalar
def fill_region(table: Parts, blocks: Parts, corner: ndarray, truncation: float, values: ndarray, weights: ndarray, known: ndarray) -> None:
    """Voxels from `corner` on into three dense arrays [x, y, z].

    table   keys and numbers of `l9.geometry.blocks`
    blocks  its seen, fine, sums and weights
    """
    cut = np.float32(truncation)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            x, y, before, number = corner[0] + i, corner[1] + j, np.int64(1) << 40, -1
            for k in range(values.shape[2]):
                z = corner[2] + k
                if z // SIDE != before:
                    before = z // SIDE
                    number = number_of(table[0], table[1], x // SIDE, y // SIDE, before)
                values[i, j, k], weights[i, j, k], known[i, j, k] = -cut, 0, False
                if number < 0 or not (blocks[0][number, x % SIDE, y % SIDE] >> np.uint16(z % SIDE)) & np.uint16(1):
                    continue
                values[i, j, k], known[i, j, k], row = cut, True, blocks[1][number]
                if row >= 0 and blocks[3][row, x % SIDE, y % SIDE, z % SIDE] > 0:
                    weight = blocks[3][row, x % SIDE, y % SIDE, z % SIDE]
                    values[i, j, k] = min(max(blocks[2][row, x % SIDE, y % SIDE, z % SIDE] / weight, -cut), cut)
                    weights[i, j, k] = weight
