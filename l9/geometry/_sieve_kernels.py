"""Cells of voxels near the surface: the tree gives a cell's list of triangles, its parts get shorter ones; compiled by Numba.

A cell of 8^3 voxels collects its list from the tree. Its parts of 4^3, and theirs of 2^3, take from the list above what may be nearest
in them, and the voxels measure what is left (two or three triangles as a rule). Where a mesh is so fine that lists are long, cells of
4^3 collect for themselves, or search for every voxel. See `l9.geometry._list_kernels` for what is kept.
"""

import numpy as np
from numpy import ndarray

from l9.geometry._cell_kernels import TILE
from l9.geometry._list_kernels import (
    ROOM,
    copy_list,
    fill_four,
    fill_list,
    fill_part,
    keep,
    list_of,
    measure_list,
    most_at_corners,
    set_reach,
)
from l9.geometry._tree_kernels import AWAY, BOX, WIDE, find_nearest, most_of_eight, tree_scratch
from l9.geometry._triangle_kernels import (
    LANES,
    NEAREST,
    PACKET,
    SQUARE,
    Parts,
    X,
    Y,
    Z,
    lanes,
    measure_triangle,
    nearest_point,
    scalar,
)
from l9.geometry.lattice import Size

COARSE_WINDOW, WINDOW, WHOLE_WINDOW = np.float32(0.995), np.float32(0.9955), np.float32(0.9905)
"""Beyond the band, what undercuts the nearest by less is not looked for: in cells of 4^3 voxels, and again in their
parts, or in the whole cell at once; 0.95 % in all."""
SQUARE_WINDOW = np.float32(0.981)  # of squared distances, where voxels are searched one by one: 0.95 % too
LONGEST = 512  # triangles of a list
SHORT = 16  # triangles of a cell's list that its parts may as well take whole
WORTH = 0.8  # share of a list that must at most be left for a copy to pay
MEASURED = 12  # triangles that all of 4^3 voxels measure, rather than have their parts choose


@lanes
def _members_spare(boxes: ndarray, group: int, x: float, y: float, z: float, half: float, reach: ndarray, spare: ndarray) -> None:
    """Positive where a member of a group may be nearest in a cell; as `l9.geometry._list_kernels` has it of triangles, by its box."""
    a, b, c, d, e, f, g, h = reach[0], reach[1], reach[2], reach[3], reach[4], reach[5], reach[6], reach[7]
    start = np.uint64(group * BOX)
    for k in range(WIDE):
        at = start + np.uint64(k)
        gx = x - min(max(x, boxes[at]), boxes[at + np.uint64(48)])
        gy = y - min(max(y, boxes[at + np.uint64(16)]), boxes[at + np.uint64(64)])
        gz = z - min(max(z, boxes[at + np.uint64(32)]), boxes[at + np.uint64(80)])
        square = gx * gx + gy * gy + gz * gz
        share = np.float32(1) / np.sqrt(max(square, np.float32(1e-12)))
        gx, gy, gz = gx * share * half, gy * share * half, gz * share * half
        spare[k] = most_at_corners(a, b, c, d, e, f, g, h, gx, gy, gz) - square * share


@scalar
def _collect(
    boxes: ndarray, first: ndarray, x: float, y: float, z: float, half: float, reach: ndarray, numbers: ndarray, work: Parts
) -> int:
    """Numbers in the tree of the triangles that may be nearest in the cell around (x, y, z); returns how many."""
    todo, spare, _ = work
    todo[0, 0], todo[0, 1] = first[len(first) - 1], len(first) - 1
    top, count = 1, 0
    while top > 0:
        top -= 1
        group, level = todo[top, 0], todo[top, 1]
        _members_spare(boxes, group, x, y, z, half, reach, spare)
        for k in range(WIDE):
            more = 1 if spare[k] > np.float32(0) else 0
            if level == 0:
                numbers[count] = WIDE * group + k
                count += more
            else:
                todo[top, 0], todo[top, 1] = first[level - 1] + WIDE * (group - first[level]) + k, level - 1
                top += more
    return count


@scalar
def _middle(origin: ndarray, at: Size, half: float) -> tuple[float, float, float]:
    """Middle of a cell whose first voxel is `at` of the tile."""
    return origin[0] + np.float32(at[0]) + half, origin[1] + np.float32(at[1]) + half, origin[2] + np.float32(at[2]) + half


@scalar
def _part(at: Size, side: int, number: int) -> Size:
    """First voxel of a cell's part, of eight with `side` voxels a side."""
    return at[0] + side * (number >> 2 & 1), at[1] + side * (number >> 1 & 1), at[2] + side * (number & 1)


@scalar
def _within(at: Size, shape: Size) -> bool:
    """Whether a cell has any voxel that is wanted."""
    return at[0] < shape[0] and at[1] < shape[1] and at[2] < shape[2]


@scalar
def _parts_of_list(field: ndarray, at: Size, origin: ndarray, band: float, listed: ndarray, count: int, work: Parts) -> None:
    """Fill 4^3 voxels from a list, in parts of 2^3."""
    _, _, (_, _, kept), (reach, _), best, _ = work
    for number in range(8):
        part = _part(at, 2, number)
        x, y, z = _middle(origin, part, np.float32(0.5))
        nearest = measure_list(listed, count, x, y, z)
        left = keep(listed, count, nearest, np.float32(0.5), band, WINDOW, kept, reach)
        fill_part(field, part, listed, kept, left, x, y, z, best)


@scalar
def _four_of_list(field: ndarray, at: Size, origin: ndarray, band: float, listed: ndarray, count: int, work: Parts) -> None:
    """Fill 4^3 voxels from the list of the cell around."""
    _, (_, _, small), (_, kept, fewer), (reach, _), best, _ = work
    half = np.float32(1.5)
    x, y, z = _middle(origin, at, half)
    nearest = measure_list(listed, count, x, y, z)
    left = keep(listed, count, nearest, half, band, COARSE_WINDOW, kept, reach)
    if left <= 4 * MEASURED:
        few = keep(listed, count, nearest, half, band, WHOLE_WINDOW, fewer, reach)
        if few <= MEASURED:
            fill_four(field, at, listed, fewer, few, x, y, z, best)
            return
    copy_list(listed, kept, left, small)
    _parts_of_list(field, at, origin, band, small, left, work)


@scalar
def _four_by_search(field: ndarray, at: Size, origin: ndarray, band: float, near: int, tree: Parts, work: Parts) -> None:
    """Fill 4^3 voxels by searching the tree for each, from triangle `near` on."""
    frames, boxes, first = tree
    search_work, packet = work[0], work[5]
    x, y, z = _middle(origin, at, np.float32(0))
    for start in range(0, 64, LANES):
        for lane in range(LANES):
            a, b, c = 2 * (start >> 5) + (lane >> 3), 2 * (start >> 4 & 1) + (lane >> 2 & 1), lane & 3
            packet[X + lane], packet[Y + lane], packet[Z + lane] = x + np.float32(a), y + np.float32(b), z + np.float32(c)
            packet[SQUARE + lane] = AWAY
        measure_triangle(packet, frames, near, np.float32(1), np.float32(0))
        find_nearest(packet, SQUARE_WINDOW, band * band, frames, boxes, first, search_work)
        for lane in range(LANES):
            a, b, c = 2 * (start >> 5) + (lane >> 3), 2 * (start >> 4 & 1) + (lane >> 2 & 1), lane & 3
            field[((at[0] + a) * TILE + at[1] + b) * TILE + at[2] + c] = np.sqrt(packet[SQUARE + lane])


@scalar
def sieve_four(field: ndarray, at: Size, origin: ndarray, band: float, near: int, tree: Parts, work: Parts) -> None:
    """Fill the 4^3 voxels from `at` of a tile from the tree; near: a triangle that is nearest somewhere about."""
    frames, boxes, first = tree
    search_work, (listed, _, _), (numbers, _, _), (reach, _), _, _ = work
    half = np.float32(1.5)
    x, y, z = _middle(origin, at, half)
    px, py, pz = nearest_point(frames, near, x, y, z)
    set_reach(x - px, y - py, z - pz, half, ROOM, reach)
    count = _collect(boxes, first, x, y, z, half, reach, numbers, search_work)
    if count > LONGEST:
        _four_by_search(field, at, origin, band, near, tree, work)
        return
    fill_list(frames, numbers, count, listed)
    _parts_of_list(field, at, origin, band, listed, count, work)


@scalar
def _eight_of_tree(field: ndarray, at: Size, origin: ndarray, shape: Size, band: float, near: int, tree: Parts, work: Parts) -> None:
    """Fill 8^3 voxels whose list would be too long: each 4^3 collects its own, from the triangle nearest to its middle on."""
    frames, boxes, first = tree
    search_work, packet = work[0], work[5]
    for lane in range(LANES):
        packet[X + lane], packet[Y + lane], packet[Z + lane] = _middle(origin, _part(at, 4, lane), np.float32(1.5))
        packet[SQUARE + lane] = AWAY
    measure_triangle(packet, frames, near, np.float32(1), np.float32(0))
    find_nearest(packet, np.float32(1), np.float32(0), frames, boxes, first, search_work)
    nearest = np.empty(8, np.int64)
    for number in range(8):
        nearest[number] = int(packet[NEAREST + number])
    for number in range(8):
        part = _part(at, 4, number)
        if _within(part, shape):
            sieve_four(field, part, origin, band, nearest[number], tree, work)


@scalar
def _take_best_reach(points: ndarray, at: Size, half: float, work: Parts) -> None:
    """The reach of a cell by the one of its corners' nearest points that bounds it best."""
    reach, trial = work[3]
    least = AWAY
    x, y, z = np.float32(at[0]) + half, np.float32(at[1]) + half, np.float32(at[2]) + half
    for n in range(8):
        set_reach(x - points[n, 0], y - points[n, 1], z - points[n, 2], half, ROOM, trial)
        most = most_of_eight(trial, 0)
        if most < least:
            least = most
            reach[:8] = trial[:8]


@scalar
def sieve_eight(
    field: ndarray, at: Size, origin: ndarray, shape: Size, band: float, points: ndarray, near: int, tree: Parts, work: Parts
) -> None:
    """Fill the 8^3 voxels from `at` of a tile.

    points  float32 (8, 3): nearest point of each of its corners, from the tile's first voxel; near: the triangle of one
    """
    frames, boxes, first = tree
    search_work, (listed, narrower, _), (numbers, kept, _), (reach, _), _, _ = work
    half = np.float32(3.5)
    x, y, z = _middle(origin, at, half)
    _take_best_reach(points, at, half, work)
    count = _collect(boxes, first, x, y, z, half, reach, numbers, search_work)
    if count > LONGEST:
        _eight_of_tree(field, at, origin, shape, band, near, tree, work)
        return
    fill_list(frames, numbers, count, listed)
    if count > SHORT:
        nearest = measure_list(listed, count, x, y, z)
        left = keep(listed, count, nearest, half, band, ROOM, kept, reach)
        if left <= WORTH * count:
            copy_list(listed, kept, left, narrower)
            listed, count = narrower, left
    for number in range(8):
        part = _part(at, 4, number)
        if _within(part, shape):
            _four_of_list(field, part, origin, band, listed, count, work)


@scalar
def sieve_scratch(count: int) -> Parts:
    """What cells work in, over so many triangles: searching; lists; numbers; reaches; distances; a packet."""
    numbers = np.empty(count + WIDE, np.int64), np.empty(LONGEST + 1, np.int64), np.empty(LONGEST + 1, np.int64)
    lists = list_of(LONGEST), list_of(LONGEST), list_of(LONGEST)
    reaches = np.empty(8, np.float32), np.empty(8, np.float32)
    return tree_scratch(), lists, numbers, reaches, np.empty(64, np.float32), np.zeros(PACKET, np.float32)
