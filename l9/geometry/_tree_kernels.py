"""A tree over triangles in which a packet of points finds its nearest ones; compiled by Numba.

Triangles stand along a Morton curve. Sixteen that follow each other share a group, sixteen groups a group of the next level, and so
on to one. `boxes` (float32, flat) holds the groups, level by level from the triangles up, BOX numbers each: the lowest x of its 16
members, then y, z, then the highest. `first[level]` is the level's first group: member k of group g is triangle 16 g + k at level 0,
and above it group first[level - 1] + 16 (g - first[level]) + k.
"""

import numpy as np
from numpy import ndarray

from l9.geometry._triangle_kernels import (
    FRAME,
    LANES,
    LIMIT,
    NEAREST,
    PACKET,
    SQUARE,
    Parts,
    X,
    Y,
    Z,
    lanes,
    make_frame,
    measure_triangle,
    nearest_point,
    scalar,
    set_limits,
)

WIDE = 16  # members of a group
BOX = 6 * WIDE
NOWHERE = 1e15  # voxels: where the boxes of missing members lie; its square is still a float32
OUTWARD = 1e-6  # share of a coordinate by which boxes are widened, for their rounding to float32
CURVE_BITS = 10  # of the Morton curve along each axis
AWAY = np.float32(1e30)  # squared distance to begin with: finite, since fastmath knows no infinity


@scalar
def _spread_bits(value: int) -> int:
    """The low 10 bits of a number with two zeros between each."""
    value = (value | (value << 16)) & 0x30000FF
    value = (value | (value << 8)) & 0x300F00F
    value = (value | (value << 4)) & 0x30C30C3
    return (value | (value << 2)) & 0x9249249


@scalar
def morton_order(points: ndarray) -> ndarray:
    """Numbers of `points` (float64 (n, 3)) along a Morton curve through their box; equal places keep their order."""
    count = len(points)
    low, high = np.empty(3), np.empty(3)
    for axis in range(3):
        low[axis], high[axis] = points[0, axis], points[0, axis]
        for n in range(1, count):
            low[axis], high[axis] = min(low[axis], points[n, axis]), max(high[axis], points[n, axis])
    size = max(high[0] - low[0], high[1] - low[1], high[2] - low[2], 1e-300)
    places = np.empty(count, np.int64)
    for n in range(count):
        place = 0
        for axis in range(3):
            place |= _spread_bits(int((points[n, axis] - low[axis]) / size * ((1 << CURVE_BITS) - 1))) << axis
        places[n] = place
    order, other = np.arange(count), np.empty(count, np.int64)
    for digit in range(3):  # a radix sort, least digit first
        until = np.zeros((1 << CURVE_BITS) + 1, np.int64)
        for n in range(count):
            until[((places[n] >> (CURVE_BITS * digit)) & 1023) + 1] += 1
        for value in range(1 << CURVE_BITS):
            until[value + 1] += until[value]
        for n in range(count):
            value = (places[order[n]] >> (CURVE_BITS * digit)) & 1023
            other[until[value]] = order[n]
            until[value] += 1
        order, other = other, order
    return order


@scalar
def group_levels(count: int) -> tuple[ndarray, int]:
    """First group of each level over `count` triangles, and the number of groups in all."""
    first = np.zeros(12, np.int64)
    groups = (count + WIDE - 1) // WIDE
    total, levels = groups, 1
    while groups > 1:
        first[levels] = total
        groups = (groups + WIDE - 1) // WIDE
        total += groups
        levels += 1
    return first[:levels], total


@scalar
def _set_box(boxes: ndarray, slot: int, axis: int, low: float, high: float) -> None:
    """Write one axis of the box of member `slot` (16 times the group, plus the member)."""
    place = (slot // WIDE) * BOX + slot % WIDE + WIDE * axis
    boxes[place], boxes[place + 3 * WIDE] = low, high


@scalar
def group_boxes(triangles: ndarray, first: ndarray, total: int) -> ndarray:
    """Boxes of the tree over `triangles` (float64 (n, 3, 3), in its order)."""
    boxes = np.empty(total * BOX, np.float32)
    members = (first[1] if len(first) > 1 else total) * WIDE
    for n in range(members):
        for axis in range(3):
            low, high = NOWHERE, -NOWHERE
            if n < len(triangles):
                low = min(triangles[n, 0, axis], triangles[n, 1, axis], triangles[n, 2, axis])
                high = max(triangles[n, 0, axis], triangles[n, 1, axis], triangles[n, 2, axis])
                low, high = low - OUTWARD * abs(low), high + OUTWARD * abs(high)
            _set_box(boxes, n, axis, low, high)
    for level in range(1, len(first)):
        below = first[level] - first[level - 1]
        until = first[level + 1] if level + 1 < len(first) else total
        for n in range((until - first[level]) * WIDE):
            for axis in range(3):
                low, high = NOWHERE, -NOWHERE
                if n < below:
                    place = (first[level - 1] + n) * BOX + WIDE * axis
                    for k in range(WIDE):
                        low, high = min(low, boxes[place + k]), max(high, boxes[place + 3 * WIDE + k])
                _set_box(boxes, first[level] * WIDE + n, axis, low, high)
    return boxes


@scalar
def make_frames(triangles: ndarray) -> ndarray:
    """The frame of each triangle, float32 (n, FRAME); see `make_frame`."""
    frames = np.empty((len(triangles), FRAME), np.float32)
    for number in range(len(triangles)):
        make_frame(triangles[number], frames, number)
    return frames


@lanes
def _members_within(
    boxes: ndarray, group: int, x: float, y: float, z: float, high_x: float, high_y: float, high_z: float, limit: float, within: ndarray
) -> bool:
    """Which members' boxes come within a squared distance `limit` of the packet's box: positive in `within`; whether any does."""
    zero = np.float32(0)
    place = group * BOX
    some = np.float32(0)
    for k in range(WIDE):
        dx = max(max(boxes[place + k] - high_x, x - boxes[place + 48 + k]), zero)
        dy = max(max(boxes[place + 16 + k] - high_y, y - boxes[place + 64 + k]), zero)
        dz = max(max(boxes[place + 32 + k] - high_z, z - boxes[place + 80 + k]), zero)
        spare = max(limit - (dx * dx + dy * dy + dz * dz), zero)
        within[k] = spare
        some += spare
    return bool(some > zero)


@lanes
def _any_lane_within(packet: ndarray, boxes: ndarray, group: int, member: int) -> bool:
    """Whether a member's box comes within the limit of any lane."""
    zero = np.float32(0)
    place = group * BOX + member
    low_x, low_y, low_z = boxes[place], boxes[place + 16], boxes[place + 32]
    high_x, high_y, high_z = boxes[place + 48], boxes[place + 64], boxes[place + 80]
    some = np.float32(0)
    for k in range(LANES):
        x, y, z = packet[X + k], packet[Y + k], packet[Z + k]
        dx, dy, dz = max(max(low_x - x, x - high_x), zero), max(max(low_y - y, y - high_y), zero), max(max(low_z - z, z - high_z), zero)
        some += max(packet[LIMIT + k] - (dx * dx + dy * dy + dz * dz), zero)
    return bool(some > zero)


@scalar
def least_of(packet: ndarray, row: int) -> float:
    """Least number of a row, as a tree of minima: a chain would wait for each."""
    a, b = min(packet[row], packet[row + 1]), min(packet[row + 2], packet[row + 3])
    c, d = min(packet[row + 4], packet[row + 5]), min(packet[row + 6], packet[row + 7])
    e, f = min(packet[row + 8], packet[row + 9]), min(packet[row + 10], packet[row + 11])
    g, h = min(packet[row + 12], packet[row + 13]), min(packet[row + 14], packet[row + 15])
    return min(min(min(a, b), min(c, d)), min(min(e, f), min(g, h)))


@scalar
def most_of_eight(numbers: ndarray, start: int) -> float:
    """Greatest of eight numbers."""
    a, b = max(numbers[start], numbers[start + 1]), max(numbers[start + 2], numbers[start + 3])
    c, d = max(numbers[start + 4], numbers[start + 5]), max(numbers[start + 6], numbers[start + 7])
    return max(max(a, b), max(c, d))


@scalar
def most_of(packet: ndarray, row: int) -> float:
    """Greatest number of a row."""
    return max(most_of_eight(packet, row), most_of_eight(packet, row + 8))


@scalar
def _nearest_last(within: ndarray, members: ndarray, count: int, place: int) -> None:
    """Bring the member that is nearest to the packet to `place` of the list: what is looked at first shortens all limits."""
    best = 0
    for n in range(1, count):
        if within[members[n]] > within[members[best]]:
            best = n
    members[best], members[place] = members[place], members[best]


@scalar
def find_nearest(packet: ndarray, window: float, band: float, frames: ndarray, boxes: ndarray, first: ndarray, scratch: Parts) -> None:
    """Bring rows SQUARE and NEAREST of a packet to the nearest triangle, from any triangle they hold on entry.

    window, band  float32, see `set_limits`: a triangle that is nearer than the limit is never missed
    scratch       of `tree_scratch`
    """
    todo, within, members = scratch
    x, y, z = least_of(packet, X), least_of(packet, Y), least_of(packet, Z)
    high_x, high_y, high_z = most_of(packet, X), most_of(packet, Y), most_of(packet, Z)
    set_limits(packet, window, band)
    todo[0, 0], todo[0, 1] = first[len(first) - 1], len(first) - 1
    top = 1
    while top > 0:
        top -= 1
        group, level = todo[top, 0], todo[top, 1]
        if not _members_within(boxes, group, x, y, z, high_x, high_y, high_z, most_of(packet, LIMIT), within):
            continue
        count = 0
        for k in range(WIDE):  # without a branch, which would be guessed wrong a third of the time
            members[count] = k
            count += 1 if within[k] > np.float32(0) else 0
        _nearest_last(within, members, count, count - 1 if level > 0 else 0)
        for n in range(count):
            if not _any_lane_within(packet, boxes, group, members[n]):
                continue
            if level == 0:
                measure_triangle(packet, frames, group * WIDE + members[n], window, band)
            else:
                todo[top, 0], todo[top, 1] = first[level - 1] + WIDE * (group - first[level]) + members[n], level - 1
                top += 1


@scalar
def tree_scratch() -> tuple[ndarray, ndarray, ndarray]:
    """What `find_nearest` works in: groups to visit (12 levels of 15 at most wait at once), and one group's members."""
    return np.empty((12 * WIDE, 2), np.int64), np.empty(WIDE, np.float32), np.empty(WIDE, np.int64)


@scalar
def some_near(x: float, y: float, z: float, boxes: ndarray, first: ndarray) -> int:
    """Some triangle that is likely near a point: by the nearest box of each level."""
    zero = np.float32(0)
    group = first[len(first) - 1]
    found = 0
    for level in range(len(first) - 1, -1, -1):
        best, member = np.float32(np.inf), 0
        for k in range(WIDE):
            place = group * BOX + k
            dx, dy = max(boxes[place] - x, x - boxes[place + 48], zero), max(boxes[place + 16] - y, y - boxes[place + 64], zero)
            dz = max(boxes[place + 32] - z, z - boxes[place + 80], zero)
            square = dx * dx + dy * dy + dz * dz
            if square < best:
                best, member = square, k
        found = WIDE * (group - first[level]) + member
        if level > 0:
            group = first[level - 1] + found
    return found


@scalar
def nearest_places(points: ndarray, frames: ndarray, boxes: ndarray, first: ndarray) -> tuple[ndarray, ndarray]:
    """What is nearest to each of `points` (float32 (n, 3), neighbours in order).

    Returns float32 (n, 4): the nearest point of the triangles and its squared distance; int32 (n): the triangle's number.
    """
    places, numbers = np.empty((len(points), 4), np.float32), np.empty(len(points), np.int32)
    packet = np.zeros(PACKET, np.float32)
    scratch = tree_scratch()
    for start in range(0, len(points), LANES):
        for k in range(LANES):
            n = min(start + k, len(points) - 1)
            packet[X + k], packet[Y + k], packet[Z + k] = points[n, 0], points[n, 1], points[n, 2]
            packet[SQUARE + k] = AWAY
        near = some_near(points[start, 0], points[start, 1], points[start, 2], boxes, first)
        measure_triangle(packet, frames, near, np.float32(1), np.float32(0))
        find_nearest(packet, np.float32(1), np.float32(0), frames, boxes, first, scratch)
        for k in range(min(LANES, len(points) - start)):
            n, number = start + k, int(packet[NEAREST + k])
            x, y, z = nearest_point(frames, number, packet[X + k], packet[Y + k], packet[Z + k])
            places[n, 0], places[n, 1], places[n, 2], places[n, 3] = x, y, z, packet[SQUARE + k]
            numbers[n] = number
    return places, numbers
