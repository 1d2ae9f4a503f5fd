"""The hot loops over a tree of triangles, compiled by Numba: its growth, the winding number, and the nearest triangle."""

import numpy as np
from numba import njit
from numpy import ndarray

FLAT = 1e-24  # squared sine of a triangle's angle below which it is only its edges: float64 keeps no normal there
LEAF = 8  # triangles in a leaf: below that the tree costs more than the triangles
FAR = 2.5  # a node farther than this many radii is one dipole: w is off by 0.003 to 0.03 at worst on real furniture; it is read against 0.5


@njit(cache=True)
def grow_tree(centroids: ndarray) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """A binary tree over points (float64 (n, 3)): halves along the longest axis until LEAF are left.

    returns  order (n): the points, leaf by leaf; start, stop, skip (nodes): node i owns order[start:stop]; nodes stand parent,
             left, right (depth first), and `skip` is the node after i's descendants
    """
    count = len(centroids)
    order = np.arange(count)
    size = 4 * (count // LEAF + 1)
    start, stop, skip = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    todo = [(0, count)]
    nodes = 0
    while len(todo) > 0:
        low, high = todo.pop()
        start[nodes], stop[nodes] = low, high
        nodes += 1
        if high - low <= LEAF:
            continue
        part = order[low:high].copy()
        spread = np.empty(3)
        for axis in range(3):
            spread[axis] = centroids[part, axis].max() - centroids[part, axis].min()
        order[low:high] = part[np.argsort(centroids[part, np.argmax(spread)], kind="mergesort")]
        middle = (low + high) // 2
        todo.append((middle, high))
        todo.append((low, middle))
    for node in range(nodes - 1, -1, -1):
        leaf = stop[node] - start[node] <= LEAF
        skip[node] = node + 1 if leaf else skip[skip[node + 1]]
    return order, start[:nodes], stop[:nodes], skip[:nodes]


@njit(cache=True)
def node_moments(triangles: ndarray, start: ndarray, stop: ndarray) -> ndarray:
    """What a node looks like from afar, float64 (nodes, 13).

    0:3 centre (mean weighted by area), 3 squared radius, 4:7 sum N of area normals, 7:13 the symmetric part of
    sum of area normal (x) (centroid - centre): xx, yy, zz, xy, yz, zx
    source  Barill et al., Fast winding numbers for soups and clouds, 2018, eq. 12-14, first order
    """
    moments = np.zeros((len(start), 13))
    for node in range(len(start)):
        part = triangles[start[node] : stop[node]]
        centroid = (part[:, 0] + part[:, 1] + part[:, 2]) / 3
        normal = 0.5 * np.cross(part[:, 1] - part[:, 0], part[:, 2] - part[:, 0])
        area = np.sqrt((normal**2).sum(axis=1)) + 1e-300  # so that a node of zero-area triangles has a centre too
        centre = (centroid * area.reshape(-1, 1)).sum(axis=0) / area.sum()
        away = centroid - centre
        moments[node, 0:3] = centre
        for k in range(3):
            moments[node, 3] = max(moments[node, 3], ((part[:, k] - centre) ** 2).sum(axis=1).max())
            moments[node, 4 + k] = normal[:, k].sum()
            moments[node, 7 + k] = (normal[:, k] * away[:, k]).sum()
            after = (k + 1) % 3
            moments[node, 10 + k] = 0.5 * (normal[:, k] * away[:, after] + normal[:, after] * away[:, k]).sum()
    return moments


@njit(cache=True)
def _dipole(moments: ndarray, node: int, dx: float, dy: float, dz: float, square: float) -> float:
    """Solid angle of a whole node, seen along d = centre - point, of squared length `square`."""
    xx, yy, zz = moments[node, 7], moments[node, 8], moments[node, 9]
    first = moments[node, 4] * dx + moments[node, 5] * dy + moments[node, 6] * dz + xx + yy + zz
    mixed = moments[node, 10] * dx * dy + moments[node, 11] * dy * dz + moments[node, 12] * dz * dx
    twist = xx * dx * dx + yy * dy * dy + zz * dz * dz + 2.0 * mixed
    return (first - 3.0 * twist / square) / (square * np.sqrt(square))


@njit(cache=True)
def _solid_angle(triangles: ndarray, t: int, x: float, y: float, z: float) -> float:
    """Signed solid angle of one triangle from a point, steradians; positive where its back is seen.

    source  van Oosterom & Strackee, The solid angle of a plane triangle, 1983, eq. 8
    """
    ax, ay, az = triangles[t, 0, 0] - x, triangles[t, 0, 1] - y, triangles[t, 0, 2] - z
    bx, by, bz = triangles[t, 1, 0] - x, triangles[t, 1, 1] - y, triangles[t, 1, 2] - z
    cx, cy, cz = triangles[t, 2, 0] - x, triangles[t, 2, 1] - y, triangles[t, 2, 2] - z
    a, b, c = np.sqrt(ax * ax + ay * ay + az * az), np.sqrt(bx * bx + by * by + bz * bz), np.sqrt(cx * cx + cy * cy + cz * cz)
    volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    bottom = a * b * c + (ax * bx + ay * by + az * bz) * c + (bx * cx + by * cy + bz * cz) * a + (cx * ax + cy * ay + cz * az) * b
    return 2.0 * np.arctan2(volume, bottom)


@njit(cache=True)
def sum_tree(triangles: ndarray, start: ndarray, stop: ndarray, skip: ndarray, moments: ndarray, points: ndarray) -> ndarray:
    """Winding number (float64 (n)) of `triangles` (in the tree's order) at `points` (float64 (n, 3))."""
    found = np.empty(len(points))
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        total = 0.0
        node = 0
        while node < len(start):
            dx, dy, dz = moments[node, 0] - x, moments[node, 1] - y, moments[node, 2] - z
            square = dx * dx + dy * dy + dz * dz
            if square > FAR * FAR * moments[node, 3]:
                total += _dipole(moments, node, dx, dy, dz, square)
                node = skip[node]
            elif skip[node] == node + 1:
                for t in range(start[node], stop[node]):
                    total += _solid_angle(triangles, t, x, y, z)
                node += 1
            else:
                node += 1
        found[n] = total / (4.0 * np.pi)
    return found


@njit(cache=True)
def node_boxes(triangles: ndarray, start: ndarray, stop: ndarray) -> ndarray:
    """Bounding box of every node, float64 (nodes, 6): lowest x y z, highest x y z."""
    boxes = np.empty((len(start), 6))
    for node in range(len(start)):
        for axis in range(3):
            boxes[node, axis] = triangles[start[node] : stop[node], :, axis].min()
            boxes[node, 3 + axis] = triangles[start[node] : stop[node], :, axis].max()
    return boxes


@njit(cache=True)
def _box_square(boxes: ndarray, node: int, x: float, y: float, z: float) -> float:
    """Squared distance from a point to a node's box, 0 inside."""
    dx = max(boxes[node, 0] - x, 0.0, x - boxes[node, 3])
    dy = max(boxes[node, 1] - y, 0.0, y - boxes[node, 4])
    dz = max(boxes[node, 2] - z, 0.0, z - boxes[node, 5])
    return dx * dx + dy * dy + dz * dz


@njit(cache=True)
def _segment_square(ax: float, ay: float, az: float, ux: float, uy: float, uz: float) -> float:
    """Squared distance from the origin to the segment from a to a + u; a segment without length is a point."""
    length = ux * ux + uy * uy + uz * uz
    along = -(ax * ux + ay * uy + az * uz)
    share = min(1.0, max(0.0, along / length)) if length > 0.0 else 0.0
    dx, dy, dz = ax + share * ux, ay + share * uy, az + share * uz
    return dx * dx + dy * dy + dz * dz


@njit(cache=True)
def _triangle_square(triangles: ndarray, t: int, x: float, y: float, z: float) -> float:
    """Squared distance from a point to a triangle: to its plane above the triangle, else to the nearest edge.

    source  Ericson, Real-time collision detection, 2005, section 5.1.5
    """
    ax, ay, az = triangles[t, 0, 0] - x, triangles[t, 0, 1] - y, triangles[t, 0, 2] - z
    bx, by, bz = triangles[t, 1, 0] - x, triangles[t, 1, 1] - y, triangles[t, 1, 2] - z
    cx, cy, cz = triangles[t, 2, 0] - x, triangles[t, 2, 1] - y, triangles[t, 2, 2] - z
    ux, uy, uz = bx - ax, by - ay, bz - az
    vx, vy, vz = cx - ax, cy - ay, cz - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    area = nx * nx + ny * ny + nz * nz
    of_a = nx * (by * cz - bz * cy) + ny * (bz * cx - bx * cz) + nz * (bx * cy - by * cx)
    of_b = nx * (cy * az - cz * ay) + ny * (cz * ax - cx * az) + nz * (cx * ay - cy * ax)
    of_c = nx * (ay * bz - az * by) + ny * (az * bx - ax * bz) + nz * (ax * by - ay * bx)
    proper = area > FLAT * (ux * ux + uy * uy + uz * uz) * (vx * vx + vy * vy + vz * vz)
    if proper and of_a >= 0.0 and of_b >= 0.0 and of_c >= 0.0:
        height = ax * nx + ay * ny + az * nz
        return height * height / area
    nearest = _segment_square(ax, ay, az, ux, uy, uz)
    nearest = min(nearest, _segment_square(bx, by, bz, cx - bx, cy - by, cz - bz))
    return min(nearest, _segment_square(cx, cy, cz, -vx, -vy, -vz))


@njit(cache=True)
def nearest_in_tree(triangles: ndarray, start: ndarray, stop: ndarray, skip: ndarray, boxes: ndarray, points: ndarray) -> ndarray:
    """Distance (float64 (n)) from each of `points` (float64 (n, 3)) to the nearest triangle.

    The nearest triangle of one point is the first guess for the next, so that neighbours in space should be neighbours in order.
    """
    found = np.empty(len(points))
    nearest = 0
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        bound = _triangle_square(triangles, nearest, x, y, z)
        node = 0
        while node < len(start):
            if _box_square(boxes, node, x, y, z) >= bound:
                node = skip[node]
                continue
            if skip[node] == node + 1:
                for t in range(start[node], stop[node]):
                    square = _triangle_square(triangles, t, x, y, z)
                    if square < bound:
                        bound, nearest = square, t
            node += 1
        found[n] = np.sqrt(bound)
    return found
