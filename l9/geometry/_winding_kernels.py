"""The generalised winding number of packets of points: solid angles near by, dipoles far away; compiled by Numba."""

import math

import numpy as np
from numpy import ndarray

from l9.geometry._tree_kernels import WIDE, least_of, most_of, tree_scratch
from l9.geometry._triangle_kernels import LANES, LOW, PACKET, X, Y, Z, lanes, scalar

SUM = LOW  # row of a packet in which solid angles are added up, steradians
FAR = 2.0  # radii; a group or triangle farther than this is one dipole: w is then off by at most 0.02 on real furniture, read against 0.5
MOMENTS = 13  # numbers of a group, see `group_moments`
FACE = 7  # numbers of a single triangle, see `face_moments`


@scalar
def _face_place(triangle: int) -> int:
    """Where a triangle's first number stands in `faces`; each next one is WIDE farther."""
    return triangle // WIDE * (FACE * WIDE) + triangle % WIDE


@scalar
def face_moments(triangles: ndarray) -> ndarray:
    """What each triangle looks like from afar, float32 (flat): centre x y z, squared radius, area normal x y z.

    A group's 16 triangles stand together: their x, then their y, and so on.
    """
    faces = np.zeros((len(triangles) + WIDE - 1) // WIDE * WIDE * FACE, np.float32)
    for t in range(len(triangles)):
        ux, uy, uz = (
            triangles[t, 1, 0] - triangles[t, 0, 0],
            triangles[t, 1, 1] - triangles[t, 0, 1],
            triangles[t, 1, 2] - triangles[t, 0, 2],
        )
        vx, vy, vz = (
            triangles[t, 2, 0] - triangles[t, 0, 0],
            triangles[t, 2, 1] - triangles[t, 0, 1],
            triangles[t, 2, 2] - triangles[t, 0, 2],
        )
        place = _face_place(t)
        faces[place + 4 * WIDE] = 0.5 * (uy * vz - uz * vy)
        faces[place + 5 * WIDE] = 0.5 * (uz * vx - ux * vz)
        faces[place + 6 * WIDE] = 0.5 * (ux * vy - uy * vx)
        radius = 0.0
        for axis in range(3):
            faces[place + axis * WIDE] = (triangles[t, 0, axis] + triangles[t, 1, axis] + triangles[t, 2, axis]) / 3
        for corner in range(3):
            away = 0.0
            for axis in range(3):
                away += (triangles[t, corner, axis] - faces[place + axis * WIDE]) ** 2
            radius = max(radius, away)
        faces[place + 3 * WIDE] = radius
    return faces


@scalar
def _add_moments(triangles: ndarray, faces: ndarray, start: int, stop: int, moments: ndarray, place: int) -> None:
    """Moments of triangles start to stop into `moments` from `place` on."""
    x, y, z, weight = 0.0, 0.0, 0.0, 0.0
    for t in range(start, stop):
        face = _face_place(t)
        nx, ny, nz = faces[face + 4 * WIDE], faces[face + 5 * WIDE], faces[face + 6 * WIDE]
        area = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-30  # so that triangles without area have a centre too
        weight += area
        x, y, z = x + area * faces[face], y + area * faces[face + WIDE], z + area * faces[face + 2 * WIDE]
    x, y, z = x / weight, y / weight, z / weight
    found = np.zeros(MOMENTS)
    found[0], found[1], found[2] = x, y, z
    for t in range(start, stop):
        for corner in range(3):
            away = (triangles[t, corner, 0] - x) ** 2 + (triangles[t, corner, 1] - y) ** 2 + (triangles[t, corner, 2] - z) ** 2
            found[3] = max(found[3], away)
        face = _face_place(t)
        nx, ny, nz = faces[face + 4 * WIDE], faces[face + 5 * WIDE], faces[face + 6 * WIDE]
        dx, dy, dz = faces[face] - x, faces[face + WIDE] - y, faces[face + 2 * WIDE] - z
        found[4], found[5], found[6] = found[4] + nx, found[5] + ny, found[6] + nz
        found[7], found[8], found[9] = found[7] + nx * dx, found[8] + ny * dy, found[9] + nz * dz
        found[10] += 0.5 * (nx * dy + ny * dx)
        found[11] += 0.5 * (ny * dz + nz * dy)
        found[12] += 0.5 * (nz * dx + nx * dz)
    for n in range(MOMENTS):
        moments[place + n] = found[n]


@scalar
def group_moments(triangles: ndarray, faces: ndarray, first: ndarray, total: int) -> ndarray:
    """What each group of the tree looks like from afar, float32 (flat, MOMENTS a group).

    0:3 centre (mean weighted by area), 3 squared radius, 4:7 sum N of area normals, 7:13 the symmetric part of
    sum of area normal (x) (centroid - centre): xx, yy, zz, xy, yz, zx
    source  Barill et al., Fast winding numbers for soups and clouds, 2018, eq. 12-14, first order
    """
    moments = np.zeros(total * MOMENTS, np.float32)
    covers = WIDE
    for level in range(len(first)):
        until = first[level + 1] if level + 1 < len(first) else total
        for group in range(first[level], until):
            start = (group - first[level]) * covers
            _add_moments(triangles, faces, start, min(start + covers, len(triangles)), moments, group * MOMENTS)
        covers *= WIDE
    return moments


@lanes
def _add_dipole(packet: ndarray, moments: ndarray, place: int) -> None:
    """Add the solid angle of a whole group to every lane."""
    cx, cy, cz = moments[place], moments[place + 1], moments[place + 2]
    nx, ny, nz = moments[place + 4], moments[place + 5], moments[place + 6]
    xx, yy, zz = moments[place + 7], moments[place + 8], moments[place + 9]
    xy, yz, zx = moments[place + 10], moments[place + 11], moments[place + 12]
    for k in range(LANES):
        dx, dy, dz = cx - packet[X + k], cy - packet[Y + k], cz - packet[Z + k]
        inverse = np.float32(1) / (dx * dx + dy * dy + dz * dz)
        twist = xx * dx * dx + yy * dy * dy + zz * dz * dz + np.float32(2) * (xy * dx * dy + yz * dy * dz + zx * dz * dx)
        first = nx * dx + ny * dy + nz * dz + xx + yy + zz
        packet[SUM + k] += (first - np.float32(3) * twist * inverse) * inverse * np.sqrt(inverse)


@scalar
def _is_far(moments: ndarray, place: int, x: float, y: float, z: float, high_x: float, high_y: float, high_z: float) -> bool:
    """Whether a whole packet is farther than FAR radii from the group that has its moments at `place`."""
    zero = np.float32(0)
    dx, dy = max(moments[place] - high_x, x - moments[place], zero), max(moments[place + 1] - high_y, y - moments[place + 1], zero)
    dz = max(moments[place + 2] - high_z, z - moments[place + 2], zero)
    return dx * dx + dy * dy + dz * dz > np.float32(FAR * FAR) * moments[place + 3]


@lanes
def _faces_far(faces: ndarray, group: int, x: float, y: float, z: float, high_x: float, high_y: float, high_z: float, far: ndarray) -> None:
    """How much farther (voxels^2) than FAR radii a packet is from each of a group's triangles, into `far`; negative: nearer."""
    zero = np.float32(0)
    for k in range(WIDE):
        place = np.uint64(group) * np.uint64(FACE * WIDE) + np.uint64(k)
        cx, cy, cz = faces[place], faces[place + np.uint64(WIDE)], faces[place + np.uint64(2 * WIDE)]
        dx, dy, dz = max(max(cx - high_x, x - cx), zero), max(max(cy - high_y, y - cy), zero), max(max(cz - high_z, z - cz), zero)
        far[k] = dx * dx + dy * dy + dz * dz - np.float32(FAR * FAR) * faces[place + np.uint64(3 * WIDE)]


@lanes
def _add_far_triangle(packet: ndarray, faces: ndarray, place: int) -> None:
    """Add the solid angle of a triangle that is small from afar to every lane."""
    cx, cy, cz = faces[place], faces[place + WIDE], faces[place + 2 * WIDE]
    nx, ny, nz = faces[place + 4 * WIDE], faces[place + 5 * WIDE], faces[place + 6 * WIDE]
    for k in range(LANES):
        dx, dy, dz = cx - packet[X + k], cy - packet[Y + k], cz - packet[Z + k]
        inverse = np.float32(1) / (dx * dx + dy * dy + dz * dz)
        packet[SUM + k] += (nx * dx + ny * dy + nz * dz) * inverse * np.sqrt(inverse)


@lanes
def _add_solid_angle(packet: ndarray, corners: ndarray, t: int) -> None:
    """Add the signed solid angle of triangle `t` of `corners` (float32 (n, 9)) to every lane; positive where its back is seen.

    source  van Oosterom & Strackee, The solid angle of a plane triangle, 1983, eq. 8. The arc tangent is a polynomial, 0.0003 off
            at worst (Abramowitz & Stegun 4.4.47): the compiler has no vector form of the library's
    """
    px, py, pz = corners[t, 0], corners[t, 1], corners[t, 2]
    qx, qy, qz = corners[t, 3], corners[t, 4], corners[t, 5]
    rx, ry, rz = corners[t, 6], corners[t, 7], corners[t, 8]
    for k in range(LANES):
        x, y, z = packet[X + k], packet[Y + k], packet[Z + k]
        ax, ay, az = px - x, py - y, pz - z
        bx, by, bz = qx - x, qy - y, qz - z
        cx, cy, cz = rx - x, ry - y, rz - z
        a, b, c = np.sqrt(ax * ax + ay * ay + az * az), np.sqrt(bx * bx + by * by + bz * bz), np.sqrt(cx * cx + cy * cy + cz * cz)
        volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        bottom = a * b * c + (ax * bx + ay * by + az * bz) * c + (bx * cx + by * cy + bz * cz) * a + (cx * ax + cy * ay + cz * az) * b
        up, across = abs(volume), abs(bottom)
        ratio = min(up, across) / (max(up, across) + np.float32(1e-30))
        square = ratio * ratio
        angle = np.float32(-0.0851330) * square + np.float32(0.1801410)
        angle = (angle * square + np.float32(-0.3302995)) * square + np.float32(0.9998660)
        angle = (angle + np.float32(0.0208351) * square * square * square * square) * ratio
        angle = np.float32(math.pi / 2) - angle if up > across else angle
        angle = np.float32(math.pi) - angle if bottom < np.float32(0) else angle
        packet[SUM + k] += np.float32(2) * (-angle if volume < np.float32(0) else angle)


@lanes
def _clear(packet: ndarray) -> None:
    for k in range(LANES):
        packet[SUM + k] = np.float32(0)


@scalar
def _add_tree(packet: ndarray, corners: ndarray, faces: ndarray, moments: ndarray, first: ndarray, todo: ndarray, far: ndarray) -> None:
    """Add the solid angle of the whole mesh to every lane of a packet."""
    x, y, z = least_of(packet, X), least_of(packet, Y), least_of(packet, Z)
    high_x, high_y, high_z = most_of(packet, X), most_of(packet, Y), most_of(packet, Z)
    todo[0, 0], todo[0, 1] = first[len(first) - 1], len(first) - 1
    top = 1
    while top > 0:
        top -= 1
        group, level = todo[top, 0], todo[top, 1]
        place = group * MOMENTS
        if _is_far(moments, place, x, y, z, high_x, high_y, high_z):
            _add_dipole(packet, moments, place)
        elif level == 0:
            _faces_far(faces, group, x, y, z, high_x, high_y, high_z, far)
            for k in range(min(WIDE, len(corners) - group * WIDE)):
                if far[k] > np.float32(0):
                    _add_far_triangle(packet, faces, group * FACE * WIDE + k)
                else:
                    _add_solid_angle(packet, corners, group * WIDE + k)
        else:
            below = first[level - 1] + WIDE * (group - first[level])
            for child in range(below, min(below + WIDE, first[level])):
                todo[top, 0], todo[top, 1] = child, level - 1
                top += 1


@scalar
def winding_numbers(
    points: ndarray, count: int, corners: ndarray, faces: ndarray, moments: ndarray, first: ndarray, found: ndarray
) -> None:
    """Winding number of the first `count` points (float32 (n, 3), voxels, neighbours in order) into `found` (float32 (n)).

    corners  float32 (n, 9): the tree's triangles; positive inside where they are counter-clockwise from outside
    """
    packet = np.zeros(PACKET, np.float32)
    todo, far = tree_scratch()[:2]
    for start in range(0, count, LANES):
        for k in range(LANES):
            n = min(start + k, count - 1)
            packet[X + k], packet[Y + k], packet[Z + k] = points[n, 0], points[n, 1], points[n, 2]
        _clear(packet)
        _add_tree(packet, corners, faces, moments, first, todo, far)
        for k in range(min(LANES, count - start)):
            found[start + k] = packet[SUM + k] * np.float32(0.25 / math.pi)
