"""What is inside, of every voxel of a tile: the winding number of few points, carried along grid lines to all others.

Between two points of a line w changes by a whole number at each surface the line crosses, and smoothly otherwise: only where an
edge of the surface is near, such as the rim of a hole, does it change fast. So w is summed at anchors 8 voxels apart and carried
from one to the next, along x, then y, then z. What is left over at the far anchor is the smooth part: where it is small it is shared
out evenly, where it is not, and where the result is near a half, every voxel is summed. A tile without surface whose anchors all
mean the same needs no carrying. Compiled by Numba.
"""

import numpy as np
from numba import njit
from numpy import ndarray

from l9.geometry._cell_kernels import TILE
from l9.geometry._kernels import side_of
from l9.geometry._tree_kernels import BOX, WIDE, tree_scratch
from l9.geometry._triangle_kernels import Parts, lanes, scalar
from l9.geometry._winding_kernels import winding_numbers
from l9.geometry.lattice import STRIDE, Size, along_curve
from l9.geometry.sign import DOUBTFUL, INSIDE

ANCHORS = STRIDE  # voxels between anchors
SMOOTH = 0.15  # left over between two anchors: beyond it, w does not run evenly from one to the other
CLOSED = 0.02  # left over less than that: a surface without holes near by, as far as w is summed exactly
UNSURE = 0.1  # a w carried over 8 voxels is summed where it is nearer to a half than this, and
WAVERING = 0.8  # this share of what is left over; both are less for shorter stretches
LINE = TILE + 1  # points of a line: the tile's voxels and the first of the next
HALF, QUARTER, THREE_QUARTERS = np.float32(INSIDE), np.float32(DOUBTFUL[0]), np.float32(DOUBTFUL[1])
BLOCK = 4  # points a side of the blocks in which w is summed, so that packets are compact
BLOCKS = (LINE + BLOCK - 1) // BLOCK
ROOM = 1024  # points that are summed at once, and a block's more
PLACES, BLOCK_PLACES = along_curve((BLOCK,) * 3)[1], along_curve((BLOCKS,) * 3)[1]  # of points in a block, of blocks


@scalar
def _first_line(low: float, origin: float, step: int) -> int:
    """First line at or after coordinate `low`, of those every `step` voxels."""
    return int(max(0.0, min(TILE + 1.0, np.ceil((low - origin) / step) * step)))


@scalar
def _cross_triangle(triangles: ndarray, t: int, counts: ndarray, origin: ndarray, a: int, steps: tuple[int, int]) -> None:
    """Add one triangle's crossings of the tile's lines along axis `a` to `counts` [b, c, a], see `_count_crossings`."""
    b, c = (a + 1) % 3, (a + 2) % 3
    pb, qb, sb = triangles[t, 0, b], triangles[t, 1, b], triangles[t, 2, b]
    pc, qc, sc = triangles[t, 0, c], triangles[t, 1, c], triangles[t, 2, c]
    last_b, last_c = max(pb, qb, sb) - origin[b], max(pc, qc, sc) - origin[c]
    start_c = _first_line(min(pc, qc, sc), origin[c], steps[1])
    for i in range(_first_line(min(pb, qb, sb), origin[b], steps[0]), int(min(float(TILE), max(last_b, -1.0))) + 1, steps[0]):
        for j in range(start_c, int(min(float(TILE), max(last_c, -1.0))) + 1, steps[1]):
            x, y = origin[b] + i, origin[c] + j
            of_s, first = side_of(pb, pc, qb, qc, x, y)
            of_p, second = side_of(qb, qc, sb, sc, x, y)
            of_q, third = side_of(sb, sc, pb, pc, x, y)
            if first != second or second != third:
                continue
            area = of_p + of_q + of_s
            depth = triangles[t, 0, a]
            if area != 0.0:
                depth = (of_p * depth + of_q * triangles[t, 1, a] + of_s * triangles[t, 2, a]) / area
            step = np.ceil(depth - origin[a])
            if 1 <= step <= TILE:
                counts[i, j, int(step)] += first


@scalar
def _apart(boxes: ndarray, slot: int, origin: ndarray) -> bool:
    """Whether the box of member `slot` (16 times the group, plus the member) misses the tile's lines along all three axes."""
    place = (slot // WIDE) * BOX + slot % WIDE
    apart = False
    for axis in range(3):
        low, high = boxes[place + axis * WIDE], boxes[place + (3 + axis) * WIDE]
        apart = apart or low > origin[axis] + TILE or high < origin[axis]
    return apart


@scalar
def _triangles_of(boxes: ndarray, first: ndarray, origin: ndarray, todo: ndarray, found: ndarray) -> int:
    """Numbers of the triangles whose boxes meet the tile into `found`, and how many there are."""
    todo[0, 0], todo[0, 1] = first[len(first) - 1], len(first) - 1
    top, count = 1, 0
    while top > 0:
        top -= 1
        group, level = todo[top, 0], todo[top, 1]
        for member in range(WIDE):
            if _apart(boxes, group * WIDE + member, origin):
                continue
            if level == 0:
                found[count] = group * WIDE + member
                count += 1
            else:
                todo[top, 0], todo[top, 1] = first[level - 1] + WIDE * (group - first[level]) + member, level - 1
                top += 1
    return count


@scalar
def _count_crossings(triangles: ndarray, near: ndarray, origin: ndarray, a: int, steps: tuple[int, int]) -> ndarray:
    """Signed crossings of the tile's lines along axis `a`, int16 [b, c, a] with (b, c) = (a + 1, a + 2) modulo 3.

    Entry k counts those between points k - 1 and k of the line: +1 where the surface faces along +a, -1 where it faces along -a.
    steps  voxels between lines along b and c: only these lines are counted
    """
    counts = np.zeros((LINE, LINE, LINE), np.int16)
    for t in near:
        _cross_triangle(triangles, t, counts, origin, a, steps)
    return counts


@scalar
def _ask(asked: Parts, place: int) -> None:
    """Note that w is to be summed at a point (flat)."""
    points, blocks = asked
    points[place] = 1
    a, b, c = place // (LINE * LINE) // BLOCK, place // LINE % LINE // BLOCK, place % LINE // BLOCK
    blocks[(a * BLOCKS + b) * BLOCKS + c] = 1


@scalar
def _carry(turns: ndarray, known: ndarray, counts: ndarray, start: int, step: int, extent: int, span: int, asked: Parts, last: bool) -> int:
    """Carry w along one line (flat, `step` apart from `start` on, `extent` voxels) over each stretch of `span` whose ends are known.

    counts   the line's crossings, int16 (LINE)
    asked    where w may run unevenly: the stretch's middle, to be summed before the halves are tried
    returns  how many are asked
    last     whether nothing is carried from this line on: then an uneven run matters only near a half, or where it may hide a hole
    """
    uneven = 0
    for low in range(0, extent, span):
        if known[start + (low + 1) * step]:
            continue
        crossed, surfaces = 0, 0
        for k in range(low + 1, low + span + 1):
            crossed += counts[k]
            surfaces += abs(counts[k])
        here, there = turns[start + low * step], turns[start + (low + span) * step]
        left_over = there - here + crossed
        unsure = (UNSURE + WAVERING * abs(left_over)) * (span + 2) / (ANCHORS + 2)  # less between points that are closer
        even = abs(left_over) <= SMOOTH if not last else span < ANCHORS or surfaces == 0 or abs(left_over) <= CLOSED
        for k in range(low + 1, low + span):
            here += left_over / span - counts[k]
            turns[start + k * step] = here
            even = even and abs(abs(here) - INSIDE) >= unsure
        if even:
            for k in range(low + 1, low + span):
                known[start + k * step] = 1
        else:
            _ask(asked, start + (low + span // 2) * step)
            uneven += 1
    return uneven


@scalar
def _take_asked(asked: Parts, block: Size, origin: ndarray, points: ndarray, places: ndarray, count: int) -> int:
    """Append the points of a block that are asked, and clear that; how many there are then."""
    flags, blocks = asked
    number = (block[0] * BLOCKS + block[1]) * BLOCKS + block[2]
    if blocks[number] == 0:
        return count
    blocks[number] = 0
    for m in range(BLOCK**3):
        a, b, c = BLOCK * block[0] + PLACES[m, 0], BLOCK * block[1] + PLACES[m, 1], BLOCK * block[2] + PLACES[m, 2]
        place = (a * LINE + b) * LINE + c
        if a < LINE and b < LINE and c < LINE and flags[place]:
            points[count, 0], points[count, 1], points[count, 2] = origin[0] + a, origin[1] + b, origin[2] + c
            places[count] = place
            flags[place] = 0
            count += 1
    return count


@scalar
def _sum_asked(turns: ndarray, known: ndarray, asked: Parts, origin: ndarray, work: Parts, tree: Parts) -> None:
    """Sum w where `asked`, block by block along a Morton curve, and clear that."""
    corners, faces, moments, first = tree
    points, places, sums = work
    count = 0
    for n in range(BLOCKS**3):
        block = (BLOCK_PLACES[n, 0], BLOCK_PLACES[n, 1], BLOCK_PLACES[n, 2])
        count = _take_asked(asked, block, origin, points, places, count)
        if count > ROOM or n == BLOCKS**3 - 1:
            winding_numbers(points, count, corners, faces, moments, first, sums)
            for m in range(count):
                turns[places[m]], known[places[m]] = sums[m], 1
            count = 0


@scalar
def _extent(count: int) -> int:
    """So many voxels, up to the next anchor."""
    return (count + ANCHORS - 1) // ANCHORS * ANCHORS


@scalar
def _carry_axis(
    turns: ndarray, known: ndarray, asked: Parts, counts: ndarray, a: int, extent: Size, steps: tuple[int, int], span: int
) -> int:
    """Carry w along the lines of axis `a`, `steps` apart, over stretches of `span` voxels; how many points are asked.

    extent  voxels to fill along x, y and z; the lines just beyond are carried where anchors lie on them
    """
    strides = (LINE * LINE, LINE, 1)
    b, c = (a + 1) % 3, (a + 2) % 3
    uneven = 0
    for i in range(0, extent[b] + (steps[0] == ANCHORS), steps[0]):
        for j in range(0, extent[c] + (steps[1] == ANCHORS), steps[1]):
            start = i * strides[b] + j * strides[c]
            uneven += _carry(turns, known, counts[i, j], start, strides[a], extent[a], span, asked, a == 2)
    return uneven


@scalar
def _alike(anchors: ndarray) -> bool:
    """Whether w runs evenly between all anchors of a tile without surface and means the same at each, as far as they tell."""
    low = high = anchors[0, 0, 0]
    for w in anchors.flat:
        low, high = min(low, w), max(high, w)
    spread = high - low
    for edge in (-DOUBTFUL[1], -DOUBTFUL[0], DOUBTFUL[0], DOUBTFUL[1]):
        if low <= edge <= high:
            return False
    margin = UNSURE + WAVERING * spread
    return spread <= SMOOTH and abs(abs(low) - INSIDE) >= margin and abs(abs(high) - INSIDE) >= margin


@scalar
def _own_anchors(lattice: ndarray, node: Size, extent: Size) -> ndarray:
    """Of a lattice, the anchors from `node` on that lie in the next `extent` voxels or just beyond."""
    i, j, k = node[0] + extent[0] // ANCHORS, node[1] + extent[1] // ANCHORS, node[2] + extent[2] // ANCHORS
    return lattice[node[0] : i + 1, node[1] : j + 1, node[2] : k + 1]


@scalar
def tile_winding(
    origin: ndarray,
    shape: Size,
    lattice: ndarray,
    node: Size,
    triangles: ndarray,
    boxes: ndarray,
    corners: ndarray,
    faces: ndarray,
    moments: ndarray,
    first: ndarray,
) -> ndarray:
    """Winding number at the points of a tile, float32 flat LINE^3, of which those of `shape` are filled.

    Where no surface is near and all points mean the same (inside, in doubt, or neither) they get the w of the first; anchors differ by
    SMOOTH at most.

    origin     float64 (3): centre of its first voxel, voxels from the middle of the grid
    lattice    float32 [i, j, k]: w of points ANCHORS apart; node: which of them lies in the tile's first voxel
    triangles  float64 (n, 3, 3), and the same as float32 (n, 9) `corners`, in the tree's order
    """
    turns, known = np.zeros(LINE**3, np.float32), np.zeros(LINE**3, np.uint8)
    extent = _extent(shape[0]), _extent(shape[1]), _extent(shape[2])
    anchors = _own_anchors(lattice, node, extent)
    found = np.empty(len(triangles), np.int64)
    near = found[: _triangles_of(boxes, first, origin, tree_scratch()[0], found)]
    if len(near) == 0 and _alike(anchors):
        turns[:] = anchors[0, 0, 0]
        return turns
    asked = (np.zeros(LINE**3, np.uint8), np.zeros(BLOCKS**3, np.uint8))
    room = ROOM + BLOCK**3
    work = (np.empty((room, 3), np.float32), np.empty(room, np.int64), np.empty(room, np.float32))
    tree = (corners, faces, moments, first)
    for i in range(anchors.shape[0]):
        for j in range(anchors.shape[1]):
            for k in range(anchors.shape[2]):
                place = ANCHORS * ((i * LINE + j) * LINE + k)
                turns[place], known[place] = anchors[i, j, k], 1
    for a in range(3):  # along x between anchors, along y from there, along z to all
        steps = (ANCHORS, ANCHORS) if a == 0 else (ANCHORS, 1) if a == 1 else (1, 1)
        counts = _count_crossings(triangles, near, origin, a, steps)
        span, uneven = ANCHORS, 1
        while span > 1 and uneven > 0:
            uneven = _carry_axis(turns, known, asked, counts, a, extent, steps, span)
            if uneven > 0:
                _sum_asked(turns, known, asked, origin, work, tree)
            span //= 2
    return turns


@njit(inline="always")
def _in_doubt(w: float) -> bool:
    """Whether w is nearer to a half than to what a closed surface gives."""
    return bool(QUARTER < abs(w) < THREE_QUARTERS)


@lanes
def _place_line(
    values: ndarray, to: int, field: ndarray, at: int, turns: ndarray, w_at: int, count: int, facing: float, scale: float
) -> int:
    """One line along z of `place_signed`: all three arrays are flat."""
    here, there, turn = np.uint64(at), np.uint64(to), np.uint64(w_at)
    doubts = np.int32(0)
    for n in range(count):
        k = np.uint64(n)
        w, distance = facing * turns[turn + k], field[here + k] * scale
        values[there + k] = -distance if w > HALF else distance
        doubts += 1 if _in_doubt(w) else 0
    return int(doubts)


@scalar
def place_signed(values: ndarray, first: Size, shape: Size, field: ndarray, turns: ndarray, facing: float, scale: float) -> int:
    """Put a tile's distances (flat TILE^3) times `scale` into a grid, negative where w (of `tile_winding`) says inside.

    values  float32 [x, y, z], C order; first: the tile's first voxel there; shape: its voxels that the grid has
    Returns how many signs are in doubt.
    """
    flat = values.reshape(-1)
    doubts = 0
    for i in range(shape[0]):
        for j in range(shape[1]):
            to = ((first[0] + i) * values.shape[1] + first[1] + j) * values.shape[2] + first[2]
            at, w_at = (i * TILE + j) * TILE, (i * LINE + j) * LINE
            doubts += _place_line(flat, to, field, at, turns, w_at, shape[2], facing, scale)
    return doubts


@scalar
def doubtful(turns: ndarray, shape: Size) -> int:
    """How many of a tile's w leave the sign in doubt."""
    count = 0
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                count += 1 if _in_doubt(turns[(i * LINE + j) * LINE + k]) else 0
    return count
