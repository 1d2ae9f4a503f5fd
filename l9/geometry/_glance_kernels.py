"""Which blocks a depth image says something about, found without a look at their voxels; compiled by Numba.

A *pyramid* holds the nearest and the farthest depth of tiles of 4, 8, 16 ... pixels a side: some of its cells bound what lies behind
any rectangle of the picture, and so behind a block.
"""

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._block_kernels import SIDE, Parts

TILE = 4  # pixels a side of the finest cells
NOTHING = np.float32(-1e30)  # depth where nothing was measured: farther before the camera's back than any band reaches
HIDDEN, FREE, PARTLY_FREE, BAND = 0, 1, 2, 3
"""What a picture says of a block: nothing; all of it was seen free; some of it may have been; the surface's band may pass it."""
CLUSTER = 4  # blocks a side that are looked at together first
SPARE = 1e-5  # share by which float32 may be wrong about a depth, and more

glance_kernel = njit(cache=True, nogil=True, error_model="numpy")


@glance_kernel
def cleaned(depth: ndarray, jump: float) -> ndarray:
    """Depth as the loops want it: float32 (h * w + 1), the last one NOTHING, as are pixels without depth and those within a jump.

    A pixel lies within a jump where its depth is off by more than `jump` from both neighbours in its row, or both in its column: a
    mixture of what is before and behind, as sensors give them at edges. The outermost pixels of a thing are off on one side only.
    """
    h, w = depth.shape
    found = np.full(h * w + 1, NOTHING, np.float32)
    for v in range(h):
        for u in range(w):
            d = depth[v, u]
            if not (d > 0 and d < np.inf):
                continue
            across = u > 0 and u < w - 1 and abs(d - depth[v, u - 1]) > jump and abs(d - depth[v, u + 1]) > jump
            down = v > 0 and v < h - 1 and abs(d - depth[v - 1, u]) > jump and abs(d - depth[v + 1, u]) > jump
            if not (across or down):
                found[v * w + u] = d
    return found


@glance_kernel
def pyramid(depth: ndarray, width: int, height: int, levels: ndarray, low: ndarray, high: ndarray, whole: ndarray) -> None:
    """Fill the cells of all levels.

    levels  int64 (n, 3): first cell, columns and rows of each level
    low     nearest depth of a cell's pixels, infinity for none
    high    farthest depth, 0 for none
    whole   whether all its pixels have one
    """
    low[:], high[:], whole[:] = np.inf, 0, True
    for v in range(height):
        for u in range(width):
            cell, d = (v // TILE) * levels[0, 1] + u // TILE, depth[v * width + u]
            if d > 0:
                low[cell], high[cell] = min(low[cell], d), max(high[cell], d)
            else:
                whole[cell] = False
    for level in range(1, len(levels)):
        for v in range(levels[level - 1, 2]):
            for u in range(levels[level - 1, 1]):
                part = levels[level - 1, 0] + v * levels[level - 1, 1] + u
                cell = levels[level, 0] + (v // 2) * levels[level, 1] + u // 2
                low[cell], high[cell] = min(low[cell], low[part]), max(high[cell], high[part])
                whole[cell] = whole[cell] and whole[part]


@glance_kernel
def _reach(middle: float, half: float, near: float, far: float, focal: float, centre: float) -> tuple[float, float]:
    """Lowest and highest pixel coordinate of all points within `half` of `middle`, at depths from `near` to `far`."""
    low, high = middle - half, middle + half
    return focal * low / (near if low < 0 else far) + centre, focal * high / (near if high > 0 else far) + centre


@glance_kernel
def _bounds(lens: ndarray, levels: ndarray, cells: Parts, u: Parts, v: Parts) -> tuple[float, float, bool]:
    """Nearest and farthest depth of a rectangle of pixels, and whether it lies in the picture and has no holes."""
    low, high, whole = np.inf, 0.0, u[0] >= 0 and v[0] >= 0 and u[1] < lens[4] and v[1] < lens[5]
    first_u, last_u = int(max(u[0], 0)) // TILE, int(min(u[1], lens[4] - 1)) // TILE
    first_v, last_v = int(max(v[0], 0)) // TILE, int(min(v[1], lens[5] - 1)) // TILE
    level = 0
    while max(last_u - first_u, last_v - first_v) >> level > 3:
        level += 1
    for row in range(first_v >> level, (last_v >> level) + 1):
        for column in range(first_u >> level, (last_u >> level) + 1):
            cell = levels[level, 0] + row * levels[level, 1] + column
            low, high, whole = min(low, cells[0][cell]), max(high, cells[1][cell]), whole and cells[2][cell]
    return low, high, whole


@glance_kernel
def _glance(middle: ndarray, half: ndarray, lens: ndarray, levels: ndarray, cells: Parts, truncation: float) -> int:
    """What the picture says of a box, see HIDDEN and after; `middle` and half its extent along the camera's axes, metres.

    lens  fx, fy, cx, cy, width, height
    """
    near, far = middle[2] - half[2], middle[2] + half[2]
    if far <= 0:
        return HIDDEN
    u, v = (0.0, lens[4]), (0.0, lens[5])  # one pixel more than there are: the box is not wholly in view
    if near > 0.01 * far:
        low, high = _reach(middle[0], half[0], near, far, lens[0], lens[2])
        u = (np.floor(low + 0.5) - 1, np.floor(high + 0.5) + 1)  # one more on each side for rounding
        low, high = _reach(middle[1], half[1], near, far, lens[1], lens[3])
        v = (np.floor(low + 0.5) - 1, np.floor(high + 0.5) + 1)
        if u[1] < 0 or v[1] < 0 or u[0] >= lens[4] or v[0] >= lens[5]:
            return HIDDEN
    low, high, whole = _bounds(lens, levels, cells, u, v)
    if near > (high + truncation) * (1 + SPARE) or high == 0:
        return HIDDEN
    if (far + truncation) * (1 + SPARE) < low:
        return FREE if whole else PARTLY_FREE
    return BAND


@glance_kernel
def blocks_in_view(
    first: ndarray,
    last: ndarray,
    size: float,
    turn: ndarray,
    place: ndarray,
    lens: ndarray,
    levels: ndarray,
    cells: Parts,
    truncation: float,
) -> ndarray:
    """Blocks between two (in clusters) of which the picture says anything: int32 (n, 4), their places and what it says.

    first, last  int64 (3), clusters
    turn         world-to-camera rotation
    place        the camera's, metres
    """
    found, count = np.empty((1024, 4), np.int32), 0
    middle, steepness = np.empty(3), np.abs(turn).sum(axis=1)
    wide = steepness * (0.5 * CLUSTER * SIDE * size)
    half = steepness * (0.5 * (SIDE - 1) * size)
    for x in range(first[0], last[0] + 1):
        for y in range(first[1], last[1] + 1):
            for z in range(first[2], last[2] + 1):
                _into_camera(x, y, z, CLUSTER * SIDE * size, turn, place, middle)
                if _glance(middle, wide, lens, levels, cells, truncation) == HIDDEN:
                    continue
                if count + CLUSTER**3 > len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                for k in range(CLUSTER**3):
                    a, b, c = CLUSTER * x + k // CLUSTER**2, CLUSTER * y + k // CLUSTER % CLUSTER, CLUSTER * z + k % CLUSTER
                    _into_camera(a, b, c, SIDE * size, turn, place, middle)
                    said = _glance(middle, half, lens, levels, cells, truncation)
                    if said != HIDDEN:
                        found[count, 0], found[count, 1], found[count, 2], found[count, 3] = a, b, c, said
                        count += 1
    return found[:count]


@glance_kernel
def _into_camera(x: int, y: int, z: int, side: float, turn: ndarray, place: ndarray, middle: ndarray) -> None:
    """The middle of a cube of a lattice, in the camera's axes."""
    dx, dy, dz = (x + 0.5) * side - place[0], (y + 0.5) * side - place[1], (z + 0.5) * side - place[2]
    for row in range(3):
        middle[row] = turn[row, 0] * dx + turn[row, 1] * dy + turn[row, 2] * dz
