"""Triangles as the distance loops want them: cut to size, each in a frame of its own; compiled by Numba.

LANES points are measured at once, as one float32 array of rows of LANES numbers: a *packet*. Rows are found by constant offsets
into one flat array, since the compiler makes vector code of such loops only where it can prove that no two rows overlap.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy import ndarray

LANES = 16
X, Y, Z, LIMIT, SQUARE, NEAREST, LOW = (LANES * row for row in range(7))
"""Rows of a packet: position (voxels); squared distance beyond which nothing more is wanted; least squared distance found so far;
number of its triangle (exact in float32 up to 2^24); a lower bound of the squared distance."""
PACKET = 7 * LANES
FRAME = 19  # numbers of a frame, see `make_frame`
FLAT = 1e-13  # a triangle lower than this share of its longest side is that side: float64 keeps no normal there
Parts = tuple[Any, ...]
"""Several arrays handed on together: of a tree, of scratch memory."""
DEEPEST = 60  # times one triangle is halved at most

lanes = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
"""For loops over lanes: fastmath lets the compiler reorder sums and take minima without asking for NaN, of which there are none."""
scalar = njit(cache=True, nogil=True, error_model="numpy")
"""For everything around them."""


@scalar
def longest_side(corners: ndarray) -> tuple[int, float]:
    """Which side (from corner k to the next) is longest, and its squared length."""
    side, most = 0, -1.0
    for k in range(3):
        after = (k + 1) % 3
        x, y, z = corners[after, 0] - corners[k, 0], corners[after, 1] - corners[k, 1], corners[after, 2] - corners[k, 2]
        square = x * x + y * y + z * z
        if square > most:
            side, most = k, square
    return side, most


@scalar
def _most_allowed(corners: ndarray, longest: float, half: float) -> float:
    """Squared length that a side may have: `longest`, more where the triangle is farther than that from the grid's cube."""
    away = 0.0
    for axis in range(3):
        low = min(corners[0, axis], corners[1, axis], corners[2, axis])
        high = max(corners[0, axis], corners[1, axis], corners[2, axis])
        gap = max(low - half, -half - high, 0.0)
        away += gap * gap
    return max(longest * longest, away)


@scalar
def cut_triangles(triangles: ndarray, longest: float, half: float) -> ndarray:
    """Triangles (float64 (f, 3, 3), voxels) halved until no side is longer than `longest` or, far out, than the way to the grid.

    half  half a side of the grid, voxels
    Float32 keeps 2^-24 of a triangle's size, so that small ones are exact. Both triangles at a side halve it alike, so that none
    comes apart.
    """
    pieces = np.empty((len(triangles) + 64, 3, 3))
    todo = np.empty((DEEPEST + 4, 3, 3))
    count = 0
    for number in range(len(triangles)):
        todo[0] = triangles[number]
        top = 1
        while top > 0:
            top -= 1
            side, square = longest_side(todo[top])
            if square <= _most_allowed(todo[top], longest, half) or top > DEEPEST:
                if count == len(pieces):
                    more = np.empty((2 * count, 3, 3))
                    more[:count] = pieces
                    pieces = more
                pieces[count] = todo[top]
                count += 1
                continue
            for axis in range(3):
                a, b, c = todo[top, side, axis], todo[top, (side + 1) % 3, axis], todo[top, (side + 2) % 3, axis]
                middle = (a + b) / 2
                todo[top, 0, axis], todo[top, 1, axis], todo[top, 2, axis] = a, middle, c
                todo[top + 1, 0, axis], todo[top + 1, 1, axis], todo[top + 1, 2, axis] = middle, b, c
            top += 2
    return pieces[:count]


@scalar
def _across(ux: float, uy: float, uz: float) -> tuple[float, float, float]:
    """Some unit vector at right angles to a unit vector."""
    if abs(ux) <= abs(uy) and abs(ux) <= abs(uz):
        x, y, z = 0.0, -uz, uy
    elif abs(uy) <= abs(uz):
        x, y, z = -uz, 0.0, ux
    else:
        x, y, z = -uy, ux, 0.0
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


@scalar
def make_frame(corners: ndarray, frames: ndarray, number: int) -> None:
    """Write the frame of a triangle (float64 (3, 3)) into row `number` of `frames` (float32 (n, FRAME)).

    0:3 origin, a corner; 3:6 unit vector u along the longest side; 6:9 v, across it in the plane; 9:12 the normal;
    12 length of the longest side; then of the side from its end to the third corner, and of that from the origin to the third
    corner: 13, 16 length; 14:16, 17:19 unit direction in (u, v). A side without length has the direction (1, 0).
    Worked in float64: float32 would lose the normals of slivers.
    """
    a, square = longest_side(corners)
    b, c = (a + 1) % 3, (a + 2) % 3
    length = math.sqrt(square)
    ux, uy, uz = 1.0, 0.0, 0.0
    if length > 0.0:
        ux, uy, uz = corners[b, 0] - corners[a, 0], corners[b, 1] - corners[a, 1], corners[b, 2] - corners[a, 2]
        ux, uy, uz = ux / length, uy / length, uz / length
    wx, wy, wz = corners[c, 0] - corners[a, 0], corners[c, 1] - corners[a, 1], corners[c, 2] - corners[a, 2]
    along = wx * ux + wy * uy + wz * uz
    vx, vy, vz = wx - along * ux, wy - along * uy, wz - along * uz
    height = math.sqrt(vx * vx + vy * vy + vz * vz)
    if height > FLAT * length:
        vx, vy, vz = vx / height, vy / height, vz / height
        slip = vx * ux + vy * uy + vz * uz  # what rounding left along u, large in slivers
        vx, vy, vz = vx - slip * ux, vy - slip * uy, vz - slip * uz
        again = math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx / again, vy / again, vz / again
    else:
        height = 0.0
        vx, vy, vz = _across(ux, uy, uz)
    far, near = math.sqrt((along - length) ** 2 + height * height), math.sqrt(along * along + height * height)
    frames[number, 0], frames[number, 1], frames[number, 2] = corners[a, 0], corners[a, 1], corners[a, 2]
    frames[number, 3], frames[number, 4], frames[number, 5] = ux, uy, uz
    frames[number, 6], frames[number, 7], frames[number, 8] = vx, vy, vz
    frames[number, 9], frames[number, 10], frames[number, 11] = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    frames[number, 12], frames[number, 13], frames[number, 16] = length, far, near
    frames[number, 14], frames[number, 15] = ((along - length) / far, height / far) if far > 0.0 else (1.0, 0.0)
    frames[number, 17], frames[number, 18] = (along / near, height / near) if near > 0.0 else (1.0, 0.0)


@njit(inline="always")
def square_in_frame(u: Any, v: Any, height: Any, length: float, far: float, fu: float, fv: float, near: float, nu: float, nv: float) -> Any:
    """Squared distance of a point from a triangle in whose frame it lies at (u, v, height); the others: of `make_frame`.

    That to the plane, and within the plane 0 inside, else that to the nearest side.
    """
    zero = np.float32(0)
    beyond = u - length
    from_far, along_far = fu * v - fv * beyond, beyond * fu + v * fv
    from_near, along_near = nv * u - nu * v, u * nu + v * nv
    past = max(max(-u, beyond), zero)
    past_far = max(max(-along_far, along_far - far), zero)
    past_near = max(max(-along_near, along_near - near), zero)
    square = min(v * v + past * past, from_far * from_far + past_far * past_far)
    square = min(square, from_near * from_near + past_near * past_near)
    return height * height + (zero if min(min(v, from_far), from_near) > zero else square)


@lanes
def measure_triangle(packet: ndarray, frames: ndarray, number: int, window: float, band: float) -> None:
    """Measure triangle `number` from every lane; rows SQUARE, NEAREST and LIMIT follow where it is nearer.

    window, band  see `set_limits`
    """
    ax, ay, az = frames[number, 0], frames[number, 1], frames[number, 2]
    ux, uy, uz = frames[number, 3], frames[number, 4], frames[number, 5]
    vx, vy, vz = frames[number, 6], frames[number, 7], frames[number, 8]
    nx, ny, nz = frames[number, 9], frames[number, 10], frames[number, 11]
    length, far, fu, fv = frames[number, 12], frames[number, 13], frames[number, 14], frames[number, 15]
    near, nu, nv = frames[number, 16], frames[number, 17], frames[number, 18]
    itself = np.float32(number)
    for k in range(LANES):
        rx, ry, rz = packet[X + k] - ax, packet[Y + k] - ay, packet[Z + k] - az
        u, v, height = rx * ux + ry * uy + rz * uz, rx * vx + ry * vy + rz * vz, rx * nx + ry * ny + rz * nz
        square = square_in_frame(u, v, height, length, far, fu, fv, near, nu, nv)
        best = packet[SQUARE + k]
        packet[NEAREST + k] = itself if square < best else packet[NEAREST + k]
        best = min(square, best)
        packet[SQUARE + k] = best
        packet[LIMIT + k] = max(best * window, min(best, band))


@lanes
def set_limits(packet: ndarray, window: float, band: float) -> None:
    """Row LIMIT from row SQUARE: nothing beyond it is looked for.

    window  share (at most 1) of the squared distance that a triangle must be within to count, where that is more than `band`
    band    squared distance (voxels^2) up to which the nearest triangle is wanted exactly
    """
    for k in range(LANES):
        best = packet[SQUARE + k]
        packet[LIMIT + k] = max(best * window, min(best, band))


@scalar
def nearest_point(frames: ndarray, number: int, x: float, y: float, z: float) -> tuple[float, float, float]:
    """The point of triangle `number` that is nearest to (x, y, z), voxels."""
    zero = np.float32(0)
    rx, ry, rz = x - frames[number, 0], y - frames[number, 1], z - frames[number, 2]
    u, v = (
        rx * frames[number, 3] + ry * frames[number, 4] + rz * frames[number, 5],
        rx * frames[number, 6] + ry * frames[number, 7] + rz * frames[number, 8],
    )
    beyond = u - frames[number, 12]
    if not (
        v > zero and frames[number, 14] * v - frames[number, 15] * beyond > zero and frames[number, 18] * u - frames[number, 17] * v > zero
    ):
        at_u, at_v = min(max(u, zero), frames[number, 12]), zero
        best = (u - at_u) ** 2 + v * v
        along = min(max(beyond * frames[number, 14] + v * frames[number, 15], zero), frames[number, 13])
        side_u, side_v = frames[number, 12] + along * frames[number, 14], along * frames[number, 15]
        square = (u - side_u) ** 2 + (v - side_v) ** 2
        if square < best:
            best, at_u, at_v = square, side_u, side_v
        along = min(max(u * frames[number, 17] + v * frames[number, 18], zero), frames[number, 16])
        side_u, side_v = along * frames[number, 17], along * frames[number, 18]
        if (u - side_u) ** 2 + (v - side_v) ** 2 < best:
            at_u, at_v = side_u, side_v
        u, v = at_u, at_v
    return (
        frames[number, 0] + u * frames[number, 3] + v * frames[number, 6],
        frames[number, 1] + u * frames[number, 4] + v * frames[number, 7],
        frames[number, 2] + u * frames[number, 5] + v * frames[number, 8],
    )
