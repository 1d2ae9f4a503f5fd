"""The hot loops over voxels, compiled by Numba: triangles into boxes, and crossings of scan lines.

Lengths are in voxels from the middle of the grid: voxel i covers [i - r/2, i + 1 - r/2] and has its centre at i - (r - 1)/2.
"""

import numpy as np
from numba import njit
from numpy import ndarray

TOUCH = 1e-9  # voxels: a box and a triangle nearer than this touch; far above float64 rounding, far below what a grid can show


@njit(cache=True)
def _first(low: float, half: float, resolution: int) -> int:
    """First voxel whose closed extent reaches `low` or beyond, within the grid."""
    return int(max(0.0, min(float(resolution), np.ceil(low + half - 1.0 - TOUCH))))


@njit(cache=True)
def _last(high: float, half: float, resolution: int) -> int:
    """Last voxel whose closed extent begins at `high` or before, within the grid; -1 where there is none."""
    return int(min(resolution - 1.0, max(-1.0, np.floor(high + half + TOUCH))))


@njit(cache=True)
def _apart(p: float, q: float, s: float, reach: float, length: float) -> bool:
    """Whether three projections all lie beyond a box's `reach` on one side of an axis of size `length`."""
    limit = reach + TOUCH * length
    return min(p, q, s) > limit or max(p, q, s) < -limit


@njit(cache=True)
def _crossed_edges_apart(corners: ndarray, x: float, y: float, z: float) -> bool:
    """Whether one of the nine axes box edge x triangle edge separates a triangle from the unit box at (x, y, z)."""
    for k in range(3):
        after = (k + 1) % 3
        ex, ey, ez = corners[after, 0] - corners[k, 0], corners[after, 1] - corners[k, 1], corners[after, 2] - corners[k, 2]
        ax, ay, az = corners[0, 0] - x, corners[0, 1] - y, corners[0, 2] - z
        bx, by, bz = corners[1, 0] - x, corners[1, 1] - y, corners[1, 2] - z
        cx, cy, cz = corners[2, 0] - x, corners[2, 1] - y, corners[2, 2] - z
        size = abs(ey) + abs(ez)
        if _apart(ez * ay - ey * az, ez * by - ey * bz, ez * cy - ey * cz, 0.5 * size, size):
            return True
        size = abs(ex) + abs(ez)
        if _apart(ez * ax - ex * az, ez * bx - ex * bz, ez * cx - ex * cz, 0.5 * size, size):
            return True
        size = abs(ex) + abs(ey)
        if _apart(ey * ax - ex * ay, ey * bx - ex * by, ey * cx - ex * cy, 0.5 * size, size):
            return True
    return False


@njit(cache=True)
def _normal(corners: ndarray) -> tuple[float, float, float]:
    """Cross product of two edges: twice the area, along the normal."""
    ux, uy, uz = corners[1, 0] - corners[0, 0], corners[1, 1] - corners[0, 1], corners[1, 2] - corners[0, 2]
    vx, vy, vz = corners[2, 0] - corners[0, 0], corners[2, 1] - corners[0, 1], corners[2, 2] - corners[0, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@njit(cache=True)
def _mark_triangle(corners: ndarray, occupied: ndarray, a: int, b: int, c: int) -> None:
    """Mark the voxels of one triangle whose normal is longest along axis `a`.

    Per column (b, c) the plane's slab leaves a short run along `a`. The slab is that of all three corners, so that the poor
    normal of a sliver can only lengthen the run, never cut it.
    """
    resolution = occupied.shape[0]
    half = resolution / 2
    normal = _normal(corners)
    reach = 0.5 * (abs(normal[0]) + abs(normal[1]) + abs(normal[2])) * (1.0 + 2.0 * TOUCH)
    height = np.empty(3)
    for k in range(3):
        height[k] = normal[b] * corners[k, b] + normal[c] * corners[k, c] + normal[a] * corners[k, a]
    bottom, top = height.min() - reach, height.max() + reach
    index = np.empty(3, np.int64)
    centre = np.empty(3)
    for i in range(_first(corners[:, b].min(), half, resolution), _last(corners[:, b].max(), half, resolution) + 1):
        for j in range(_first(corners[:, c].min(), half, resolution), _last(corners[:, c].max(), half, resolution) + 1):
            index[b], index[c] = i, j
            centre[b], centre[c] = i - half + 0.5, j - half + 0.5
            low, high = corners[:, a].min(), corners[:, a].max()
            if normal[a] != 0.0:
                rest = normal[b] * centre[b] + normal[c] * centre[c]
                p, q = (bottom - rest) / normal[a], (top - rest) / normal[a]  # bounds of the centre: half a voxel within its walls
                low, high = max(low, min(p, q) + 0.5), min(high, max(p, q) - 0.5)
            for k in range(_first(low, half, resolution), _last(high, half, resolution) + 1):
                index[a], centre[a] = k, k - half + 0.5
                if not occupied[index[0], index[1], index[2]]:
                    apart = _crossed_edges_apart(corners, centre[0], centre[1], centre[2])
                    occupied[index[0], index[1], index[2]] = not apart


@njit(cache=True)
def mark_triangles(triangles: ndarray, occupied: ndarray) -> None:
    """Set every voxel of `occupied` (bool [r r r]) that one of `triangles` (float64 (f, 3, 3), voxels) overlaps."""
    for t in range(len(triangles)):
        nx, ny, nz = _normal(triangles[t])
        nx, ny, nz = abs(nx), abs(ny), abs(nz)
        if nx >= ny and nx >= nz:
            _mark_triangle(triangles[t], occupied, 0, 1, 2)
        elif ny >= nz:
            _mark_triangle(triangles[t], occupied, 1, 2, 0)
        else:
            _mark_triangle(triangles[t], occupied, 2, 0, 1)


@njit(cache=True, nogil=True)
def side_of(px: float, py: float, qx: float, qy: float, x: float, y: float) -> tuple[float, int]:
    """Twice the area of (p, q, point), and on which side the point lies: 1 left, -1 right, never 0.

    Both triangles of an edge compute the same number, since the edge is taken in one order; a point on it counts as moved by
    (-tiny^2, tiny). So a line through a closed surface crosses it an even number of times, whatever it grazes.
    """
    if px < qx or (px == qx and py < qy):
        value = (qx - px) * (y - py) - (qy - py) * (x - px)
        return value, 1 if value >= 0.0 else -1
    value = (px - qx) * (y - qy) - (py - qy) * (x - qx)
    return -value, -1 if value >= 0.0 else 1


@njit(cache=True)
def _lines(p: float, q: float, s: float, half: float, resolution: int) -> range:
    """The scan lines between the lowest and the highest of three coordinates, within the grid."""
    low = max(0.0, min(float(resolution), np.ceil(min(p, q, s) + half)))
    high = max(-1.0, min(resolution - 1.0, np.floor(max(p, q, s) + half)))
    return range(int(low), int(high) + 1)


@njit(cache=True)
def _count_triangle(corners: ndarray, counts: ndarray, a: int, b: int, c: int) -> None:
    """Add one triangle's crossings of the lines along axis `a` to `counts` [b, c, a]."""
    resolution = counts.shape[0]
    half = (resolution - 1) / 2
    p, q, s = corners[0], corners[1], corners[2]
    for i in _lines(p[b], q[b], s[b], half, resolution):
        for j in _lines(p[c], q[c], s[c], half, resolution):
            x, y = i - half, j - half
            of_s, first = side_of(p[b], p[c], q[b], q[c], x, y)
            of_p, second = side_of(q[b], q[c], s[b], s[c], x, y)
            of_q, third = side_of(s[b], s[c], p[b], p[c], x, y)
            if first != second or second != third:
                continue
            area = of_p + of_q + of_s
            depth = (of_p * p[a] + of_q * q[a] + of_s * s[a]) / area if area != 0.0 else p[a]
            counts[i, j, int(max(0.0, min(float(resolution), np.ceil(depth + half))))] += first


@njit(cache=True)
def count_crossings(triangles: ndarray, counts: ndarray, a: int) -> None:
    """Signed crossings of the scan lines along axis `a` (0, 1, 2), through voxel centres.

    triangles  float64 (f, 3, 3), voxels
    counts     int32 [r, r, r + 1], zeros on entry; axes (a + 1, a + 2, a) modulo 3; entry k collects the crossings between the
               centres of voxels k - 1 and k: +1 where the surface faces along +a, -1 where it faces along -a
    """
    for t in range(len(triangles)):
        _count_triangle(triangles[t], counts, a, (a + 1) % 3, (a + 2) % 3)
