"""The hot loops of drawing points from a surface and of thinning points out, compiled by Numba.

No step is fused, reordered or replaced by a reciprocal: a seed gives the bytes that the same formulas in plain numpy give.
"""

import heapq

import numpy as np
from numba import njit
from numpy import ndarray


@njit(cache=True)
def _normal(vertices: ndarray, faces: ndarray, f: int) -> tuple[float, float, float, float]:
    """Cross product of two edges of face `f`, and its length: twice the area."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    return nx, ny, nz, np.sqrt(nx * nx + ny * ny + nz * nz)


@njit(cache=True)
def running_areas(vertices: ndarray, faces: ndarray) -> tuple[ndarray, int]:
    """Twice the area of all faces up to and with each (float64 (f)), and the number of the last face that has any, -1 for none."""
    until = np.empty(len(faces))
    total, last = 0.0, -1
    for f in range(len(faces)):
        doubled = _normal(vertices, faces, f)[3]
        if doubled != 0.0:
            last = f
        total += doubled
        until[f] = total
    return until, last


@njit(cache=True)
def _first_faces(until: ndarray, last: int, buckets: int) -> ndarray:
    """For each of `buckets` equal parts of the whole area the face that it begins in (int32 (buckets))."""
    first = np.empty(buckets, np.int32)
    share, f = until[-1] / buckets, 0
    for bucket in range(buckets):
        while f < last and until[f] <= bucket * share:
            f += 1
        first[bucket] = f
    return first


@njit(cache=True)
def draw_faces(until: ndarray, last: int, buckets: int, shares: ndarray) -> ndarray:
    """The face (int64 (n)) in which each of `shares` of the whole area (float64 (n), in [0, 1)) lies.

    A table leads near it, and a walk of about faces / buckets steps ends at the first face whose running area lies beyond.
    source  Chen & Asau, On generating random variates from an empirical distribution, 1974
    """
    drawn, first = np.empty(len(shares), np.int64), _first_faces(until, last, buckets)
    for n in range(len(shares)):
        wanted = shares[n] * until[-1]
        f = first[int(shares[n] * buckets)]
        while f > 0 and until[f - 1] > wanted:  # where rounding put a bucket's beginning beyond `wanted`
            f -= 1
        while f < last and until[f] <= wanted:  # not beyond `last`: rounding up to the whole area must not draw a face without any
            f += 1
        drawn[n] = f
    return drawn


@njit(cache=True)
def place_points(vertices: ndarray, faces: ndarray, drawn: ndarray, roots: ndarray, alongs: ndarray) -> tuple[ndarray, ndarray]:
    """A point of each face in `drawn` and the face's unit normal, float32 (n, 3), from two numbers in [0, 1): float64 (n) each.

    Apart from the looking up, since a processor fetches many faces at once where no branch stands between.
    """
    points, normals = np.empty((len(drawn), 3), np.float32), np.empty((len(drawn), 3), np.float32)
    for n in range(len(drawn)):
        f, root, along = drawn[n], np.sqrt(roots[n]), alongs[n]
        first, second, third = 1.0 - root, root * (1.0 - along), root * along
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        for k in range(3):
            points[n, k] = first * vertices[a, k] + second * vertices[b, k] + third * vertices[c, k]
        x, y, z, doubled = _normal(vertices, faces, f)
        normals[n, 0], normals[n, 1], normals[n, 2] = x / doubled, y / doubled, z / doubled
    return points, normals


@njit(cache=True)
def _neighbours(pairs: ndarray, count: int) -> tuple[ndarray, ndarray]:
    """`pairs` (int64 (p, 2)) by point: those of point i are others[start[i]:start[i + 1]]."""
    start = np.zeros(count + 1, np.int64)
    for pair in pairs:
        start[pair[0] + 1] += 1
        start[pair[1] + 1] += 1
    start = np.cumsum(start)
    others, end = np.empty(2 * len(pairs), np.int32), start[:-1].copy()
    for pair in pairs:
        others[end[pair[0]]], others[end[pair[1]]] = pair[1], pair[0]
        end[pair[0]] += 1
        end[pair[1]] += 1
    return start, others


@njit(cache=True)
def _crowding(points: ndarray, i: int, j: int, radius: float, least: float) -> float:
    """How much two points nearer than `radius` weigh on each other: 1 near 0, 0 at `radius`; the same for all below `least`."""
    x, y, z = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
    near = 1.0 - min(max(np.sqrt(x * x + y * y + z * z), least) / radius, 1.0)
    squared = near * near
    return squared * squared * squared * squared


@njit(cache=True)
def thin_out(points: ndarray, pairs: ndarray, count: int, radius: float, least: float) -> ndarray:
    """Numbers (int64 (count), ascending) of the points (float64 (n, 3)) that are left when the most crowded one goes, again and again.

    pairs  every two points nearer than `radius`, int64 (p, 2)
    Weights only fall, so that an entry of the heap that is not up to date stands too early, never too late.
    source  Yuksel, Sample elimination for generating Poisson disk sample sets, 2015, algorithm 1 and eq. 3
    """
    start, others = _neighbours(pairs, len(points))
    weights, kept = np.zeros(len(points)), np.ones(len(points), np.bool_)
    for i in range(len(points)):
        for k in range(start[i], start[i + 1]):
            weights[i] += _crowding(points, i, others[k], radius, least)
    heap = [(-weights[i], i) for i in range(len(points))]
    heapq.heapify(heap)
    left = len(points)
    while left > count:
        weight, i = heapq.heappop(heap)
        if -weight != weights[i]:
            heapq.heappush(heap, (-weights[i], i))
            continue
        kept[i] = False
        left -= 1
        for k in range(start[i], start[i + 1]):
            weights[others[k]] -= _crowding(points, i, others[k], radius, least)
    return np.flatnonzero(kept)
