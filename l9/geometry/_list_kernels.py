"""Lists of the triangles that may be nearest somewhere in a cell of voxels, and what they leave of each other; compiled by Numba.

From a cell's middle c each triangle of a list is measured. With distance d, and unit direction g from its nearest point to c, no place
c + x is nearer to it than d + x g, since a plane across g keeps the triangle apart. The nearest point p of them all bounds what is
found from above: |c + x - p|. So a triangle is nearest nowhere in the cell if |c + x - p| - x g <= d throughout; as that is convex in
x, the cell's eight corners decide.

A list is one flat float32 array, block by block of 64 triangles, row by row of 64 numbers: constant offsets into one array are what
the compiler makes vector code of.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._cell_kernels import TILE
from l9.geometry._tree_kernels import AWAY
from l9.geometry._triangle_kernels import FRAME, lanes, scalar, square_in_frame
from l9.geometry.lattice import Size

BLOCK = 64  # triangles
VECTOR = 8  # triangles that are measured by one instruction: lists are filled up to whole vectors
AX, AY, AZ, UX, UY, UZ, VX, VY, VZ, NX, NY, NZ, LENGTH, FAR, FAR_U, FAR_V, NEAR, NEAR_U, NEAR_V, D, GX, GY, GZ, SPARE = (
    np.uint64(BLOCK * row) for row in range(FRAME + 5)
)
"""Rows of a block: a triangle's frame (see `make_frame`), distance and direction from the cell's middle, how much it may be nearest by.
Unsigned, else every index is tested for counting from the end."""
LIST = BLOCK * (FRAME + 5)  # numbers of a block
ROOM = np.float32(1.0001)  # on an upper bound, for the rounding of lower ones
DIAGONAL = np.float32(1.7321)  # half of a cube's, in half sides
CORNERS = np.array([[(k >> bit & 1) * 2 - 1 for k in range(8)] for bit in (2, 1, 0)]).astype(np.float32).reshape(-1)
PART = CORNERS / np.float32(2)  # places of a part's 2^3 voxels from its middle
FOUR = (np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij")).reshape(-1) - 1.5).astype(np.float32)  # of a cell's 4^3


@scalar
def list_of(count: int) -> ndarray:
    """Room for a list of so many triangles."""
    return np.empty((count + BLOCK - 1) // BLOCK * LIST, np.float32)


@scalar
def _place(number: int) -> np.uint64:
    """Where number `number` of a list has its first row."""
    return np.uint64((number // BLOCK) * LIST + number % BLOCK)


@scalar
def _filled(count: int) -> int:
    """So many triangles, filled up to whole vectors."""
    return (count + VECTOR - 1) // VECTOR * VECTOR


@scalar
def fill_list(frames: ndarray, numbers: ndarray, count: int, listed: ndarray) -> None:
    """Make the list of `count` triangles of the tree, filled up with the last."""
    for n in range(_filled(count)):
        number, to = numbers[min(n, count - 1)], _place(n)
        for row in range(FRAME):
            listed[to] = frames[number, row]
            to += np.uint64(BLOCK)


@scalar
def copy_list(listed: ndarray, kept: ndarray, count: int, to: ndarray) -> None:
    """Make the list `to` of `count` numbers of another, filled up with the last."""
    for n in range(_filled(count)):
        source, target = _place(kept[min(n, count - 1)]), _place(n)
        for _ in range(FRAME):
            to[target] = listed[source]
            source, target = source + np.uint64(BLOCK), target + np.uint64(BLOCK)


@lanes
def _measure_block(listed: ndarray, block: int, count: int, x: float, y: float, z: float) -> None:
    """Distance and direction of a block's first `count` triangles from (x, y, z): rows D, GX, GY, GZ.

    As `square_in_frame`, with the way from the nearest point kept. Nearer than 1e-6 voxels the direction is shorter than 1, which only
    makes less of a bound.
    """
    zero = np.float32(0)
    start = np.uint64(block * LIST)
    for k in range(count):
        at = start + np.uint64(k)
        rx, ry, rz = x - listed[at + AX], y - listed[at + AY], z - listed[at + AZ]
        ux, uy, uz = listed[at + UX], listed[at + UY], listed[at + UZ]
        vx, vy, vz = listed[at + VX], listed[at + VY], listed[at + VZ]
        nx, ny, nz = listed[at + NX], listed[at + NY], listed[at + NZ]
        fu, fv, nu, nv = listed[at + FAR_U], listed[at + FAR_V], listed[at + NEAR_U], listed[at + NEAR_V]
        u, v, height = rx * ux + ry * uy + rz * uz, rx * vx + ry * vy + rz * vz, rx * nx + ry * ny + rz * nz
        beyond = u - listed[at + LENGTH]
        from_far, along_far = fu * v - fv * beyond, beyond * fu + v * fv
        from_near, along_near = nv * u - nu * v, u * nu + v * nv
        past = max(beyond, zero) + min(u, zero)
        past_far = max(along_far - listed[at + FAR], zero) + min(along_far, zero)
        past_near = max(along_near - listed[at + NEAR], zero) + min(along_near, zero)
        square, off_u, off_v = v * v + past * past, past, v
        other = from_far * from_far + past_far * past_far
        closer = other < square
        off_u, off_v = past_far * fu - from_far * fv if closer else off_u, past_far * fv + from_far * fu if closer else off_v
        square = min(square, other)
        other = from_near * from_near + past_near * past_near
        closer = other < square
        off_u, off_v = past_near * nu + from_near * nv if closer else off_u, past_near * nv - from_near * nu if closer else off_v
        square = min(square, other)
        inside = min(min(v, from_far), from_near) > zero
        off_u, off_v, square = zero if inside else off_u, zero if inside else off_v, zero if inside else square
        square += height * height
        share = np.float32(1) / np.sqrt(max(square, np.float32(1e-12)))
        listed[at + D] = square * share
        listed[at + GX] = (off_u * ux + off_v * vx + height * nx) * share
        listed[at + GY] = (off_u * uy + off_v * vy + height * ny) * share
        listed[at + GZ] = (off_u * uz + off_v * vz + height * nz) * share


@scalar
def measure_list(listed: ndarray, count: int, x: float, y: float, z: float) -> int:
    """Measure all of a list from a cell's middle; the nearest one's number."""
    least, nearest = AWAY, 0
    for block in range((count + BLOCK - 1) // BLOCK):
        here = min(count - block * BLOCK, BLOCK)
        _measure_block(listed, block, _filled(here), x, y, z)
        start = np.uint64(block * LIST) + D
        for k in range(here):
            d = listed[start + np.uint64(k)]
            nearest = block * BLOCK + k if d < least else nearest
            least = min(d, least)
    return nearest


@lanes
def set_reach(dx: float, dy: float, dz: float, half: float, share: float, reach: ndarray) -> None:
    """How far each corner of a cell looks: `share` of its distance from a point of the surface; d: from there to the cell's middle."""
    for k in range(8):
        x, y, z = CORNERS[k] * half + dx, CORNERS[8 + k] * half + dy, CORNERS[16 + k] * half + dz
        reach[k] = share * np.sqrt(x * x + y * y + z * z)


@njit(inline="always")
def most_at_corners(a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float, x: Any, y: Any, z: Any) -> Any:
    """Greatest over a cell's corners of the reach there (a to h) less the way along (x, y, z), which is g times half a side."""
    low, high = x + y, x - y
    ll, lh, hl, hh = low + z, low - z, high + z, high - z
    return max(max(max(a + ll, b + lh), max(c + hl, d + hh)), max(max(e - hh, f - hl), max(g - lh, h - ll)))


@lanes
def _set_spare(listed: ndarray, block: int, count: int, half: float, reach: ndarray) -> None:
    """Row SPARE of a block's first `count` triangles: positive where one may be nearest at some corner."""
    a, b, c, d, e, f, g, h = reach[0], reach[1], reach[2], reach[3], reach[4], reach[5], reach[6], reach[7]
    start = np.uint64(block * LIST)
    for k in range(count):
        at = start + np.uint64(k)
        x, y, z = half * listed[at + GX], half * listed[at + GY], half * listed[at + GZ]
        listed[at + SPARE] = most_at_corners(a, b, c, d, e, f, g, h, x, y, z) - listed[at + D]


@scalar
def keep(listed: ndarray, count: int, nearest: int, half: float, band: float, share: float, kept: ndarray, reach: ndarray) -> int:
    """Numbers in a measured list of what may be nearest in its cell; returns how many.

    half   half a side of the cell, from its first voxel to its last
    share  of what the nearest one bounds that must be undercut to count, where all of the cell is beyond `band`
    """
    at = _place(nearest)
    d = listed[at + D]
    taken = share if d - DIAGONAL * half > band else ROOM
    set_reach(d * listed[at + GX], d * listed[at + GY], d * listed[at + GZ], half, taken, reach)
    left = 0
    for block in range((count + BLOCK - 1) // BLOCK):
        here = min(count - block * BLOCK, BLOCK)
        _set_spare(listed, block, _filled(here), half, reach)
        if block == nearest // BLOCK:
            listed[at + SPARE] = AWAY  # always kept: it is what the others are held against
        start = np.uint64(block * LIST) + SPARE
        for k in range(here):  # without a branch, which would often be guessed wrong
            kept[left] = block * BLOCK + k
            left += 1 if listed[start + np.uint64(k)] > np.float32(0) else 0
    return left


def _measuring(places: ndarray, count: int) -> Any:
    """A loop over the `count` voxels that lie at `places` from a middle; made for each count, since the compiler wants to know it."""
    second, third = count, 2 * count

    @lanes
    def measure(listed: ndarray, kept: ndarray, left: int, x: float, y: float, z: float, best: ndarray) -> None:
        """Least distances of the voxels around (x, y, z) from the first `left` of a list's numbers `kept`."""
        for k in range(count):
            best[k] = AWAY
        for n in range(left):
            at = _place(kept[n])
            ax, ay, az = x - listed[at + AX], y - listed[at + AY], z - listed[at + AZ]
            ux, uy, uz, vx, vy, vz = listed[at + UX], listed[at + UY], listed[at + UZ], listed[at + VX], listed[at + VY], listed[at + VZ]
            nx, ny, nz, length = listed[at + NX], listed[at + NY], listed[at + NZ], listed[at + LENGTH]
            far, fu, fv = listed[at + FAR], listed[at + FAR_U], listed[at + FAR_V]
            near, nu, nv = listed[at + NEAR], listed[at + NEAR_U], listed[at + NEAR_V]
            for k in range(count):
                rx, ry, rz = ax + places[k], ay + places[second + k], az + places[third + k]
                u, v, height = rx * ux + ry * uy + rz * uz, rx * vx + ry * vy + rz * vz, rx * nx + ry * ny + rz * nz
                best[k] = min(best[k], square_in_frame(u, v, height, length, far, fu, fv, near, nu, nv))
        for k in range(count):
            best[k] = np.sqrt(best[k])

    return measure


_measure_part, _measure_four = _measuring(PART, 8), _measuring(FOUR, 64)


@scalar
def fill_part(field: ndarray, at: Size, listed: ndarray, kept: ndarray, count: int, x: float, y: float, z: float, best: ndarray) -> None:
    """Fill the 2^3 voxels from `at` of a tile, around (x, y, z), by measuring `count` numbers of a list."""
    _measure_part(listed, kept, count, x, y, z, best)
    place = (at[0] * TILE + at[1]) * TILE + at[2]
    field[place], field[place + 1], field[place + TILE], field[place + TILE + 1] = best[0], best[1], best[2], best[3]
    place += TILE * TILE
    field[place], field[place + 1], field[place + TILE], field[place + TILE + 1] = best[4], best[5], best[6], best[7]


@scalar
def fill_four(field: ndarray, at: Size, listed: ndarray, kept: ndarray, count: int, x: float, y: float, z: float, best: ndarray) -> None:
    """The same of 4^3 voxels."""
    _measure_four(listed, kept, count, x, y, z, best)
    for a in range(4):
        for b in range(4):
            place = ((at[0] + a) * TILE + at[1] + b) * TILE + at[2]
            for c in range(4):
                field[place + c] = best[16 * a + 4 * b + c]
