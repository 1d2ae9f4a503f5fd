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
    """A table of 2^bits is at most half full with so many keys."""
    bits = 1
    while (1 << bits) < 2 * count:
        bits += 1
    return bits


@scalar
def _weld(places: ndarray) -> ndarray:
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
def _wrong_parity(areas: ndarray, volume: float) -> int:
    """Which faces of a closed part are to be turned: those of parity 1 or those of parity 0.

    areas  of both parities; volume: of the part where all faces look as parity 0 does, positive if outwards
    """
    most = max(areas[0], areas[1])
    if most >= MAJORITY * (areas[0] + areas[1]):
        return 1 if areas[0] == most else 0
    return 1 if volume > 0 else 0


@scalar
def _join_along(starts: ndarray, ends: ndarray, owners: ndarray, parts: Parts) -> tuple[int, ndarray]:
    """Join faces along the edges of which there are two: how many pairs disagree, and the numbers of those that are alone.

    starts, ends  vertices of each directed edge; owners: its face. Where more than two are one, their faces are marked as broken.
    """
    broken = parts[2]
    bits = _bits_for(len(starts))
    size = 1 << bits
    first, counts = np.full(size, EMPTY, np.int64), np.zeros(size, np.uint8)
    keys = np.empty(size, np.int64)
    differing = 0
    for edge in range(len(starts)):
        start, end = starts[edge], ends[edge]
        key = min(start, end) << 32 | max(start, end)
        slot = _slot(start + end, abs(start - end), np.int64(0), bits)
        while first[slot] != EMPTY and keys[slot] != key:
            slot = (slot + 1) & (size - 1)
        counts[slot] = min(counts[slot] + 1, 3)
        if counts[slot] == 1:
            keys[slot], first[slot] = key, edge
            continue
        other = first[slot]
        if counts[slot] == 2:
            differ = 1 if starts[other] == start else 0
            differing += differ
            _join(parts, owners[other], owners[edge], differ)
        else:
            broken[owners[edge]] = 1
            broken[owners[other]] = 1
    alone, found = np.empty(len(starts), np.int64), 0
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
    starts, ends, owners = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    used = 0
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if a == b or b == c or c == a:  # what is only an edge closes nothing
            continue
        for start, end in ((a, b), (b, c), (c, a)):
            starts[used], ends[used], owners[used] = start, end, face
            used += 1
    differing, alone = _join_along(starts[:used], ends[:used], owners[:used], parts)
    if len(alone) == 0:
        return differing
    welded = _weld(places)
    far_starts, far_ends, far_owners = np.empty(len(alone), np.int64), np.empty(len(alone), np.int64), np.empty(len(alone), np.int64)
    used = 0
    for edge in alone:
        start, end = welded[starts[edge]], welded[ends[edge]]
        if start != end:
            far_starts[used], far_ends[used], far_owners[used] = start, end, owners[edge]
            used += 1
    more, alone = _join_along(far_starts[:used], far_ends[:used], far_owners[:used], parts)
    for edge in alone:
        parts[2][far_owners[edge]] = 1
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
    for face in range(len(faces)):
        root, turned = _root(parent, parity, face)
        disagrees = areas[root].min() > 0.0 and abs(volumes[root]) > NOTHING * areas[root].sum() ** 1.5
        if disagrees and not broken[root] and turned == _wrong_parity(areas[root], volumes[root]):
            turn[face] = 1
    return turn
