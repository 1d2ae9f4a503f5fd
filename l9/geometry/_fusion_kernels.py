"""One frame into the voxels of the blocks it sees, compiled by Numba.

The inner loops have no branches, so that the compiler makes vector code of them: 16 voxels along z at once.
"""

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._block_kernels import SIDE, number_of
from l9.geometry._glance_kernels import BAND, FREE

ALL = np.uint16(0xFFFF)  # every voxel of a row was seen
ANYWHERE = 1e29  # metres: farther than anything, and finite, since fastmath knows no infinity

scalar = njit(cache=True, nogil=True, error_model="numpy")
lanes = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)


@lanes
def _gaps(u: float, v: float, z: float, step: tuple, depth: ndarray, width: int, height: int, gap: ndarray, away: ndarray) -> None:
    """Depth of the pixel that sees each voxel of a row, less the voxel's own depth; far below 0 where no pixel does.

    u, v, z  of the first voxel: pixel coordinates from the picture's corner, times depth; depth
    step     of the three from one voxel to the next
    away     depths of the voxels, filled too
    """
    outside = width * height
    wide, high, one = np.float32(width), np.float32(height), np.float32(1)
    for k in range(SIDE):
        along = np.float32(k)
        deep = z + along * step[2]
        share = one / max(deep, np.float32(1e-6))
        column, row = (u + along * step[0]) * share, (v + along * step[1]) * share
        inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high) & (deep > np.float32(1e-6))
        column, row = min(max(column, np.float32(0)), wide - one), min(max(row, np.float32(0)), high - one)
        pixel = np.int32(row) * np.int32(width) + np.int32(column)
        pixel = pixel if inside else np.int32(outside)
        gap[k] = depth[np.uint64(np.uint32(pixel))] - deep
        away[k] = deep


@lanes
def _add_row(gap: ndarray, away: ndarray, low: float, cut: float, reach: float, square: float, sums: ndarray, weights: ndarray) -> None:
    """Add a row's distances; what lies beyond the band in front counts as its end where `reach` goes so far."""
    one = np.float32(1)
    for k in range(SIDE):
        weight = one / (one + square * (away[k] * away[k] - one))
        weight = weight if (gap[k] >= low) & (gap[k] <= reach) else np.float32(0)
        sums[k] += weight * min(max(gap[k], low), cut)
        weights[k] += weight


@lanes
def _seen_row(gap: ndarray, low: float) -> int:
    """A bit for each voxel of a row that lies in the band or before it."""
    bits = np.uint32(0)
    for k in range(SIDE):
        bits |= np.uint32(gap[k] >= low) << np.uint32(k)
    return bits


@lanes
def _in_band(gap: ndarray, low: float, cut: float) -> bool:
    count = np.int32(0)
    for k in range(SIDE):
        count += np.int32((gap[k] >= low) & (gap[k] <= cut))
    return count > 0


@scalar
def _is_full(seen: ndarray) -> bool:
    for i in range(SIDE):
        for j in range(SIDE):
            if seen[i, j] != ALL:
                return False
    return True


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
    blocks: tuple,
    size: float,
    view: tuple,
    limits: tuple,
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
    start, gap, away = np.empty(3), np.empty(SIDE, np.float32), np.empty(SIDE, np.float32)
    step = (np.float32(size * matrix[0, 2]), np.float32(size * matrix[1, 2]), np.float32(size * matrix[2, 2]))
    for n in range(len(places)):
        number = numbers[n]
        row, of_seen = fine[number], seen[number]
        counts = row >= 0 and (said[n] == BAND or reach > cut)
        if not counts and said[n] == FREE:
            of_seen[:] = ALL
        if not counts and said[n] != BAND and _is_full(of_seen):
            continue
        _block_start(places[n], size, matrix, camera, start)
        for i in range(SIDE):
            for j in range(SIDE):
                u = np.float32(start[0] + size * (i * matrix[0, 0] + j * matrix[0, 1]))
                v = np.float32(start[1] + size * (i * matrix[1, 0] + j * matrix[1, 1]))
                z = np.float32(start[2] + size * (i * matrix[2, 0] + j * matrix[2, 1]))
                _gaps(u, v, z, step, depth, width, height, gap, away)
                if of_seen[i, j] != ALL:
                    of_seen[i, j] |= np.uint16(_seen_row(gap, -cut))
                if counts:
                    _add_row(gap, away, -cut, cut, reach, square, sums[row, i, j], weights[row, i, j])
                elif row < 0 and not touched[n]:
                    touched[n] = _in_band(gap, -cut, cut)


@scalar
def fill_region(table: tuple, blocks: tuple, corner: ndarray, truncation: float, values: ndarray, weights: ndarray, known: ndarray) -> None:
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
