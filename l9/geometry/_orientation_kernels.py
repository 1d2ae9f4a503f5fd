"""Which faces of a mesh's closed parts disagree with their neighbours about which way to look; compiled by Numba.

Two faces that share an edge agree where they run along it in opposite directions. Faces are joined edge
by edge (union and find, each face with its parity against the first of its part); a part is closed where each of its edges has two
faces, and it has two sides where no chain of them comes back turned over.
"""

import numpy as np
from numpy import ndarray

from l9.geometry._triangle_kernels import Parts, scalar

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the golden section of 2^64: spreads keys over a table
HALF = np.uint64(32)
EMPTY = -1
NEITHER = 2
MAJORITY = 0.75  # share of a part's area that must agree for its word to count
NOTHING = 1e-9  # a part's volume (six times) over its area (twice) to the power of 1.5: less than that encloses nothing


@scalar
def _slot(a: int, b: int, c: int, bits: int) -> np.int64:
    """Where three numbers are looked for first in a table of 2^bits."""
    mixed = np.uint64(a) * GOLDEN
    mixed = (mixed ^ mixed >> HALF ^ np.uint64(b)) * GOLDEN
    mixed = (mixed ^ mixed >> HALF ^ np.uint64(c)) * GOLDEN
    return np.int64((mixed ^ mixed >> HALF) * GOLDEN >> np.uint64(64 - bits))


@scalar
def _bits_for(count: int) -> int:
    """A table of 2^bits is at most three quarters full with so many keys."""
    bits = 1
    while 3 * (1 << bits) < 4 * count:
        bits += 1
    return bits


@scalar
def weld(places: ndarray) -> ndarray:
    """For each vertex the first one at its place; places: the bits of its coordinates, int64 (v, 3)."""
    bits = _bits_for(len(places))
    table, welded = np.full(1 << bits, EMPTY, np.int64), np.empty(len(places), np.int64)
    for v in range(len(places)):
        slot = _slot(places[v, 0], places[v, 1], places[v, 2], bits)
        while True:
            there = table[slot]
            if there == EMPTY:
                table[slot], welded[v] = v, v
                break
            if places[there, 0] == places[v, 0] and places[there, 1] == places[v, 1] and places[there, 2] == places[v, 2]:
                welded[v] = there
                break
            slot = (slot + 1) & ((1 << bits) - 1)
    return welded


@scalar
def _root(parent: ndarray, parity: ndarray, face: int) -> tuple[int, int]:
    """The first face of a face's part, and whether it looks the other way; shortens the way there."""
    root, turned = face, 0
    while parent[root] != root:
        turned ^= parity[root]
        root = parent[root]
    found, here = turned, face
    while parent[here] != root:
        following, own = parent[here], parity[here]
        parent[here], parity[here] = root, turned
        turned ^= own
        here = following
    return root, found


@scalar
def _join(parts: Parts, one: int, other: int, differ: int) -> None:
    """Make two faces that share an edge one part; `differ` where both run along it in one direction."""
    parent, parity, broken = parts
    root, turned = _root(parent, parity, one)
    second, second_turned = _root(parent, parity, other)
    if root == second:
        broken[root] |= turned ^ second_turned ^ differ  # a strip with one side
    else:
        parent[second], parity[second] = root, turned ^ second_turned ^ differ
        broken[root] |= broken[second]


@scalar
def _area_and_volume(vertices: ndarray, face: ndarray) -> tuple[float, float]:
    """Twice the area of a face, and six times the volume between it and the origin: positive where its back is seen from there."""
    a, b, c = face[0], face[1], face[2]
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    return float(np.sqrt(x * x + y * y + z * z)), float(x * vertices[a, 0] + y * vertices[a, 1] + z * vertices[a, 2])


@scalar
def _wrong_parity(area: float, other_area: float, volume: float) -> int:
    """Which faces of a closed part are to be turned: those of parity 0, those of parity 1, or NEITHER.

    area, other_area  of parities 0 and 1; volume: of the part where all faces look as parity 0 does, positive if outwards
    """
    both = area + other_area
    if min(area, other_area) == 0.0 or abs(volume) <= NOTHING * both * np.sqrt(both):
        return NEITHER
    if max(area, other_area) >= MAJORITY * both:
        return 1 if area > other_area else 0
    return 1 if volume > 0.0 else 0


@scalar
def _join_along(edges: ndarray, starts: ndarray, ends: ndarray, parts: Parts) -> tuple[int, ndarray]:
    """Join faces along edges that two of them share: how many pairs disagree, and the edges that are alone.

    edges         numbers of directed edges, 3 times the face and 0 to 2; starts, ends: their vertices (int32, by number)
    Where more than two are one, their faces are marked as broken.
    """
    broken = parts[2]
    bits = _bits_for(len(edges))
    size = 1 << bits
    first, counts = np.full(size, EMPTY, np.int32), np.zeros(size, np.uint8)
    differing = 0
    for edge in edges:
        start, end = np.int64(starts[edge]), np.int64(ends[edge])
        slot = _slot(start + end, abs(start - end), np.int64(0), bits)
        while first[slot] != EMPTY:
            other = first[slot]
            if (starts[other] == start and ends[other] == end) or (starts[other] == end and ends[other] == start):
                break
            slot = (slot + 1) & (size - 1)
        counts[slot] = min(counts[slot] + 1, 3)
        if counts[slot] == 1:
            first[slot] = edge
            continue
        other = first[slot]
        if counts[slot] == 2:
            differ = 1 if starts[other] == start else 0
            differing += differ
            _join(parts, other // 3, edge // 3, differ)
        else:
            broken[edge // 3] = 1
            broken[other // 3] = 1
    alone, found = np.empty(len(edges), np.int32), 0
    for slot in range(size):
        if counts[slot] == 1:
            alone[found] = first[slot]
            found += 1
    return differing, alone[:found]


@scalar
def _join_all(places: ndarray, faces: ndarray, parts: Parts) -> int:
    """Join faces along all edges; how many pairs disagree. Parts with an edge that has not two faces are marked as broken.

    First by the numbers of vertices, so that parts that only touch stay apart; then, where an edge is alone, by their places.
    """
    count = 3 * len(faces)
    edges, starts, ends = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    used = 0
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if a != b and b != c and c != a:  # what is only an edge closes nothing
            for side in range(3):
                edges[used], starts[3 * face + side], ends[3 * face + side] = (
                    3 * face + side,
                    faces[face, side],
                    faces[face, (side + 1) % 3],
                )
                used += 1
    differing, alone = _join_along(edges[:used], starts, ends, parts)
    if len(alone) == 0:
        return differing
    welded = weld(places)
    used = 0
    for edge in alone:
        starts[edge], ends[edge] = welded[starts[edge]], welded[ends[edge]]
        if starts[edge] != ends[edge]:
            edges[used] = edge
            used += 1
    more, alone = _join_along(edges[:used], starts, ends, parts)
    for edge in alone:
        parts[2][edge // 3] = 1
    return differing + more


@scalar
def faces_to_turn(vertices: ndarray, places: ndarray, faces: ndarray) -> ndarray:
    """1 for each face to be turned over, so that those of a closed part agree, else 0; uint8 (f).

    A part whose faces agree, or that encloses nothing, stays as it is. Else they follow the most area, or look outwards where neither
    side has MAJORITY of it.

    vertices  float64 (v, 3), and their bits `places`, int64, with no negative zeros; faces: int64 (f, 3)
    """
    turn = np.zeros(len(faces), np.uint8)
    parent, parity, broken = np.arange(len(faces)), np.zeros(len(faces), np.uint8), np.zeros(len(faces), np.uint8)
    if _join_all(places, faces, (parent, parity, broken)) == 0:
        return turn
    areas, volumes = np.zeros((len(faces), 2)), np.zeros(len(faces))
    for face in range(len(faces)):
        root, turned = _root(parent, parity, face)
        broken[root] |= broken[face]
        area, volume = _area_and_volume(vertices, faces[face])
        areas[root, turned] += area
        volumes[root] += -volume if turned else volume
    wrong = np.full(len(faces), NEITHER, np.uint8)
    for root in range(len(faces)):
        if parent[root] == root and not broken[root]:
            wrong[root] = _wrong_parity(areas[root, 0], areas[root, 1], volumes[root])
    for face in range(len(faces)):
        root, turned = _root(parent, parity, face)
        turn[face] = 1 if turned == wrong[root] else 0
    return turn
