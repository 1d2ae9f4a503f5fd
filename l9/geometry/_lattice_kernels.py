"""The distance of every voxel of a tile, from few exact searches: where a lattice proves the rest, nothing is searched.

Nodes 8 voxels apart are searched for their nearest surface points. d^2(x) - |x|^2 is a minimum of affine functions of x, hence
concave: interpolated between the nodes of a cell it is a lower bound, and any of their nearest points gives an upper one. Where both
agree within the tolerance throughout a cell, its voxels are filled from them; elsewhere the lattice is halved, down to the voxels.
So cost grows with the surface (and with the set of points that are as near to one part of it as to another), not with the volume.
Within the band every voxel is searched, so that the nearest triangle is exact there; compiled by Numba.
"""

import numpy as np
from numpy import ndarray

from l9.geometry._cell_kernels import AGREE, TILE, Size, fill_cell
from l9.geometry._tree_kernels import AWAY, find_nearest, some_near, tree_scratch
from l9.geometry._triangle_kernels import (
    LANES,
    LOW,
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

COARSEST = 8  # voxels between the first nodes
WINDOW = np.float32(0.981)  # beyond the band, what is less than 0.95 % nearer than the best so far is not looked for
ALL = np.float32(1)
DISTINCT = 12  # triangles of neighbours that are tried before a search
PARENTS = 12  # nodes of the coarser lattice at a block of 2 x 2 x 4 nodes
ROOM = np.float32(1.00001)  # on a bound that was computed with another formula than the search's

LANE_X, LANE_Y, LANE_Z = (
    np.array([(k >> 2) & 1 for k in range(16)]),
    np.array([(k >> 1) & 1 for k in range(16)]),
    np.array([(k >> 3) * 2 + (k & 1) for k in range(16)]),
)
"""Place of each lane in its block of 2 x 2 x 4 nodes."""


def _parent_shares() -> ndarray:
    """Share of each of the 12 parents in each lane's interpolation, float32 flat (parent, lane)."""
    places = [(x, y, z) for x in range(2) for y in range(2) for z in range(3)]
    hats = [np.maximum(0, 1 - np.abs(np.stack([LANE_X, LANE_Y, LANE_Z]).T / 2 - place)).prod(axis=1) for place in places]
    return np.concatenate(hats).astype(np.float32)


OFFSETS = np.concatenate([LANE_X, LANE_Y, LANE_Z]).astype(np.float32)
SHARES = _parent_shares()


@lanes
def _offer(parents: ndarray, stride: float, block: ndarray) -> None:
    """Bounds of a block's 16 nodes from its parents: rows SQUARE and NEAREST (upper) and LOW (lower).

    parents  float32 (PARENTS, 5): nearest point from the block's first node, squared distance less the parent's own from there, number
    """
    for k in range(LANES):
        x, y, z = OFFSETS[k] * stride, OFFSETS[16 + k] * stride, OFFSETS[32 + k] * stride
        block[X + k], block[Y + k], block[Z + k] = x, y, z
        block[SQUARE + k] = AWAY
        block[NEAREST + k] = np.float32(0)
        block[LOW + k] = x * x + y * y + z * z
    for parent in range(PARENTS):
        px, py, pz, square, number = parents[parent, 0], parents[parent, 1], parents[parent, 2], parents[parent, 3], parents[parent, 4]
        for k in range(LANES):
            dx, dy, dz = block[X + k] - px, block[Y + k] - py, block[Z + k] - pz
            high = dx * dx + dy * dy + dz * dz
            best = block[SQUARE + k]
            block[NEAREST + k] = number if high < best else block[NEAREST + k]
            block[SQUARE + k] = min(best, high)
            block[LOW + k] += SHARES[16 * parent + k] * square


@scalar
def _gather_parents(
    nodes: ndarray, numbers: ndarray, known: ndarray, size: Size, i: int, j: int, k: int, stride: int, parents: ndarray
) -> None:
    """Parents (see `_offer`) of the block whose first node is (i, j, k); those not known lie far away and are asked by no lane."""
    parent = 0
    for a in range(2):
        for b in range(2):
            for c in range(3):
                place = (((i >> 1) + a) * size[1] + (j >> 1) + b) * size[2] + (k >> 1) + c
                parents[parent, 0], parents[parent, 3], parents[parent, 4] = np.float32(1e14), np.float32(0), np.float32(0)
                if known[place]:
                    parents[parent, 0] = nodes[4 * place] - np.float32(i * stride)
                    parents[parent, 1] = nodes[4 * place + 1] - np.float32(j * stride)
                    parents[parent, 2] = nodes[4 * place + 2] - np.float32(k * stride)
                    parents[parent, 3] = nodes[4 * place + 3] - np.float32(4 * stride * stride * (a * a + b * b + c * c))
                    parents[parent, 4] = numbers[place]
                parent += 1


@scalar
def _measure_distinct(packet: ndarray, count: int, frames: ndarray, window: float, band: float, tried: ndarray) -> None:
    """Measure each triangle that some lane holds as its nearest, from all lanes: as a rule that is the answer already."""
    distinct = 0
    for k in range(count):
        tried[DISTINCT + k] = int(packet[NEAREST + k])
    for k in range(count):
        number = tried[DISTINCT + k]
        new = distinct < DISTINCT
        for n in range(distinct):
            new = new and tried[n] != number
        if new:
            measure_triangle(packet, frames, number, window, band)
            tried[distinct] = number
            distinct += 1


@scalar
def _repeat_last(packet: ndarray, count: int) -> None:
    """Fill the lanes from `count` on with the one before."""
    for k in range(count, LANES):
        for row in range(0, PACKET, LANES):
            packet[row + k] = packet[row + count - 1]


@scalar
def _search(
    packet: ndarray, places: ndarray, count: int, band: float, tree: Parts, work: Parts, final: bool, out: Parts, origin: ndarray
) -> None:
    """Search for `count` lanes, and write what was found at their places: distances of voxels, or all about nodes."""
    frames, boxes, first = tree
    field, nodes, numbers = out
    _repeat_last(packet, count)
    find_nearest(packet, WINDOW if final else ALL, band, frames, boxes, first, work)
    for k in range(count):
        place, square = places[k], packet[SQUARE + k]
        if final:
            field[place] = np.sqrt(square)
            continue
        number = int(packet[NEAREST + k])
        x, y, z = nearest_point(frames, number, packet[X + k], packet[Y + k], packet[Z + k])
        nodes[4 * place], nodes[4 * place + 1], nodes[4 * place + 2] = x - origin[0], y - origin[1], z - origin[2]
        nodes[4 * place + 3], numbers[place] = square, number


@scalar
def _take_block(
    block: ndarray,
    need: ndarray,
    size: Size,
    i: int,
    j: int,
    k: int,
    stride: int,
    band: float,
    coarse: Parts,
    out: Parts,
    origin: ndarray,
    packet: ndarray,
    places: ndarray,
) -> int:
    """The block's needed nodes that its parents leave open, as lanes of `packet`; the others are written. Returns how many are open."""
    coarse_nodes, coarse_numbers, coarse_size = coarse
    field, nodes, numbers = out
    count = 0
    for lane in range(LANES):
        a, b, c = i + LANE_X[lane], j + LANE_Y[lane], k + LANE_Z[lane]
        place = (a * size[1] + b) * size[2] + c
        if need[place] == 0:
            continue
        if (a | b | c) & 1 == 0:  # a node of the coarser lattice
            parent = ((a >> 1) * coarse_size[1] + (b >> 1)) * coarse_size[2] + (c >> 1)
            if stride == 1:
                field[place] = np.sqrt(coarse_nodes[4 * parent + 3])
                continue
            for n in range(4):
                nodes[4 * place + n] = coarse_nodes[4 * parent + n]
            numbers[place] = coarse_numbers[parent]
            continue
        high, low = block[SQUARE + lane], block[LOW + lane]
        if stride == 1 and low > band and high <= AGREE * low:
            field[place] = np.sqrt(np.sqrt(high * low))
            continue
        packet[X + count], packet[Y + count], packet[Z + count] = origin[0] + a * stride, origin[1] + b * stride, origin[2] + c * stride
        packet[SQUARE + count], packet[NEAREST + count], packet[LOW + count] = high * ROOM, block[NEAREST + lane], low
        places[count] = place
        count += 1
    return count


@scalar
def _any_needed(need: ndarray, size: Size, i: int, j: int, k: int) -> bool:
    """Whether any node is needed of the block whose first one is (i, j, k)."""
    needed = 0
    for a in range(2):
        for b in range(2):
            place = ((i + a) * size[1] + j + b) * size[2] + k
            needed += need[place] + need[place + 1] + need[place + 2] + need[place + 3]
    return needed > 0


@scalar
def _refine(
    stride: int,
    coarse: Parts,
    known: ndarray,
    need: ndarray,
    size: Size,
    out: Parts,
    band: float,
    tree: Parts,
    origin: ndarray,
    work: Parts,
) -> None:
    """Find the needed nodes (voxels where `stride` is 1) of a lattice from the one with twice its stride."""
    coarse_nodes, coarse_numbers, coarse_size = coarse
    field = out[0]
    packet, waiting = np.zeros(PACKET, np.float32), np.zeros(PACKET, np.float32)
    places, waiting_places = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    block, parents, tried = np.empty(PACKET, np.float32), np.zeros((PARENTS, 5), np.float32), np.empty(DISTINCT + LANES, np.int64)
    window, final, waits = (WINDOW if stride == 1 else ALL), stride == 1, 0
    for i in range(0, size[0], 2):
        for j in range(0, size[1], 2):
            for k in range(0, size[2], 4):
                if not _any_needed(need, size, i, j, k):
                    continue
                _gather_parents(coarse_nodes, coarse_numbers, known, coarse_size, i, j, k, stride, parents)
                _offer(parents, np.float32(stride), block)
                count = _take_block(block, need, size, i, j, k, stride, band, coarse, out, origin, packet, places)
                if count == 0:
                    continue
                _repeat_last(packet, count)
                _measure_distinct(packet, count, tree[0], window, band, tried)
                for lane in range(count):
                    high, low = packet[SQUARE + lane], packet[LOW + lane]
                    if final and low > band and high <= AGREE * low:
                        field[places[lane]] = np.sqrt(np.sqrt(high * low))
                        continue
                    for row in range(0, PACKET, LANES):
                        waiting[row + waits] = packet[row + lane]
                    waiting_places[waits] = places[lane]
                    waits += 1
                    if waits == LANES:
                        _search(waiting, waiting_places, waits, band, tree, work, final, out, origin)
                        waits = 0
    if waits > 0:
        _search(waiting, waiting_places, waits, band, tree, work, final, out, origin)


@scalar
def _first_nodes(
    nodes: ndarray, numbers: ndarray, known: ndarray, size: Size, shape: Size, tree: Parts, origin: ndarray, work: Parts
) -> None:
    """Search for the nodes of the coarsest lattice, each packet from what the one before found."""
    frames, boxes, first = tree
    packet, places = np.zeros(PACKET, np.float32), np.empty(LANES, np.int64)
    near = some_near(origin[0] + TILE / 2, origin[1] + TILE / 2, origin[2] + TILE / 2, boxes, first)
    for i in range(0, shape[0], 2):
        for j in range(0, shape[1], 2):
            for k in range(0, shape[2], 4):
                for lane in range(LANES):
                    a, b, c = min(i + LANE_X[lane], shape[0] - 1), min(j + LANE_Y[lane], shape[1] - 1), min(k + LANE_Z[lane], shape[2] - 1)
                    places[lane] = (a * size[1] + b) * size[2] + c
                    known[places[lane]] = 1
                    packet[X + lane], packet[Y + lane] = origin[0] + COARSEST * a, origin[1] + COARSEST * b
                    packet[Z + lane], packet[SQUARE + lane] = origin[2] + COARSEST * c, AWAY
                measure_triangle(packet, frames, near, ALL, np.float32(0))
                _search(packet, places, LANES, np.float32(0), tree, work, False, (nodes, nodes, numbers), origin)
                near = int(packet[NEAREST + LANES - 1])


@scalar
def _cells_over(voxels: int) -> int:
    """Cells of the coarsest lattice over so many voxels."""
    return (voxels + COARSEST - 1) // COARSEST


@scalar
def _padded(cells: int) -> Size:
    """Size of the arrays of a lattice over `cells` cells a side: whole blocks of 2 x 2 x 4 nodes."""
    return cells + 2, cells + 2, cells + 4


@scalar
def _mark_open(cells: int, size: Size, need: ndarray, final: bool, i: int, j: int, k: int, below: ndarray) -> None:
    """Mark what lies in cell (i, j, k), which stays open: its nodes of the next lattice, and the cells between them."""
    wide = 2 if final else 3
    for a in range(wide):
        for b in range(wide):
            for c in range(wide):
                need[((2 * i + a) * size[1] + 2 * j + b) * size[2] + 2 * k + c] = 1
    if not final:
        for n in range(8):
            below[((2 * i + (n >> 2 & 1)) * 2 * cells + 2 * j + (n >> 1 & 1)) * 2 * cells + 2 * k + (n & 1)] = 1


@scalar
def tile_distance(field: ndarray, origin: ndarray, shape: Size, band: float, frames: ndarray, boxes: ndarray, first: ndarray) -> None:
    """Distance (voxels) of the voxels of a tile into `field` (float32 flat TILE^3).

    origin  float32 (3): centre of its first voxel, voxels from the middle of the grid
    shape   voxels a side of it that are wanted; the others of `field` are left as they are, or not
    band    voxels: up to this distance every one is exact (float32), beyond it within 1 %
    """
    tree, work, cell_work = (frames, boxes, first), tree_scratch(), (np.zeros((8, 4), np.float32), np.empty(64, np.float32))
    square_band = np.float32(band * band)
    stride, cells = COARSEST, TILE // COARSEST
    size = _padded(cells)
    count = size[0] * size[1] * size[2]
    nodes, numbers = np.empty(4 * count, np.float32), np.empty(count, np.int32)
    known, live = np.zeros(count, np.uint8), np.zeros(cells**3, np.uint8)
    wide = (_cells_over(shape[0]), _cells_over(shape[1]), _cells_over(shape[2]))
    for i in range(wide[0]):
        for j in range(wide[1]):
            for k in range(wide[2]):
                live[(i * cells + j) * cells + k] = 1
    _first_nodes(nodes, numbers, known, size, (wide[0] + 1, wide[1] + 1, wide[2] + 1), tree, origin, work)
    while stride > 1:
        half = stride // 2
        final = half == 1
        finer = _padded(2 * cells) if not final else (TILE, TILE, TILE)
        count = finer[0] * finer[1] * finer[2]
        need, below = np.zeros(count, np.uint8), np.zeros(8 * cells**3 if not final else 1, np.uint8)
        for i in range(cells):
            for j in range(cells):
                for k in range(cells):
                    if live[(i * cells + j) * cells + k] == 0:
                        continue
                    if stride > 2 and fill_cell(field, nodes, size, i, j, k, stride, band, cell_work):
                        continue
                    _mark_open(cells, finer, need, final, i, j, k, below)
        more = count if not final else 1
        finer_nodes, finer_numbers = np.empty(4 * more, np.float32), np.empty(more, np.int32)
        _refine(half, (nodes, numbers, size), known, need, finer, (field, finer_nodes, finer_numbers), square_band, tree, origin, work)
        nodes, numbers, known, live, size, stride, cells = finer_nodes, finer_numbers, need, below, finer, half, 2 * cells
