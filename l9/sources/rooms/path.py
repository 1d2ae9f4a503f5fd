"""The way of a camera through a furnished room: along the free floor, from place to place, without a jump."""

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d, label

from l9.sources.rooms.boxes import Box, distances
from l9.sources.rooms.plan import Plan

CELL = 0.1  # metres of the grid on which the way is sought
APART = 0.25  # metres that the camera keeps from every thing and wall
MARGIN = 0.08  # metres more on the grid: a step from cell to cell comes nearer than both of its ends
HEAD = 2.0  # metres: what hangs higher is no obstacle
RUG = 0.03  # metres: what is lower is walked on
LEAST_AREA = 0.8  # square metres of free floor in one piece
STOPS = 7


def is_free(points: Float[ndarray, "n 2"], plan: Plan, boxes: Sequence[Box], gap: float = APART) -> Bool[ndarray, "n"]:
    """Whether points of the floor lie in the room, `gap` metres or more from its walls and from all boxes a camera could touch."""
    free = plan.far_from_walls(points, gap)
    for box in boxes:
        if box.low < HEAD and box.high > RUG:
            free &= distances(points, box) >= gap
    return free


def floor_path(plan: Plan, boxes: Sequence[Box], frames: int, random: Generator) -> Float[ndarray, "frames 2"] | None:
    """Places of the camera above the floor, metres, evenly along one smooth way; None where the room leaves too little free floor.

    The way visits the places farthest from each other that can be reached, each next one the nearest of those left.
    source of the places  farthest point sampling: Eldar et al., 1997
    """
    x, y = np.arange(CELL / 2, plan.width, CELL), np.arange(CELL / 2, plan.depth, CELL)
    centres = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    free = is_free(centres.reshape(-1, 2), plan, boxes, APART + MARGIN).reshape(len(x), len(y))
    pieces, count = label(free)
    sizes = np.bincount(pieces.reshape(-1), minlength=count + 1)[1:]
    if count == 0 or sizes.max() * CELL**2 < LEAST_AREA:
        return None
    cells = np.argwhere(pieces == 1 + int(sizes.argmax()))
    walked = _walk(free, _stops(cells, random))
    rough = centres[walked[:, 0], walked[:, 1]]
    for smooth in (5.0, 3.0, 1.5, 0.7):
        path = _evenly(gaussian_filter1d(rough, smooth, axis=0, mode="nearest"), frames)
        if is_free(path, plan, boxes).all():
            return path
    return _evenly(rough, frames)


def _stops(cells: Int[ndarray, "n 2"], random: Generator) -> list[tuple[int, int]]:
    """Cells far from each other, in the order of a walk."""
    chosen = [int(random.integers(len(cells)))]
    nearest = np.full(len(cells), np.inf)
    for _ in range(STOPS):
        nearest = np.minimum(nearest, np.linalg.norm(cells - cells[chosen[-1]], axis=1))
        chosen.append(int(nearest.argmax()))
    left, order = chosen[2:], [chosen[1]]  # the second is at one end of the room, which the first need not be
    while left:
        here = cells[order[-1]]
        order.append(left.pop(int(np.argmin([np.linalg.norm(cells[one] - here) for one in left]))))
    return [(int(cells[one][0]), int(cells[one][1])) for one in order]


def _walk(free: Bool[ndarray, "a b"], stops: list[tuple[int, int]]) -> Float[ndarray, "n 2"]:
    """Cells of the shortest ways from each stop to the next."""
    walked = [stops[0]]
    for start, goal in pairwise(stops):
        walked += _shortest(free, start, goal)[1:]
    return np.array(walked)


def _shortest(free: Bool[ndarray, "a b"], start: tuple[int, int], goal: tuple[int, int]) -> list[tuple[int, int]]:
    """Cells of the shortest way over free ones, corner to corner too; `start` and `goal` hang together.

    source  Dijkstra, Numerische Mathematik 1, 1959
    """
    best, came = {goal: 0.0}, dict[tuple[int, int], tuple[int, int]]()
    queue = [(0.0, goal)]
    while queue:
        length, cell = heapq.heappop(queue)
        if cell == start:
            break
        for step in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            other = (cell[0] + step[0], cell[1] + step[1])
            if not (0 <= other[0] < free.shape[0] and 0 <= other[1] < free.shape[1] and free[other]):
                continue
            longer = length + math.hypot(*step)
            if longer < best.get(other, math.inf) - 1e-9:
                best[other], came[other] = longer, cell
                heapq.heappush(queue, (longer, other))
    way = [start]
    while way[-1] != goal:
        way.append(came[way[-1]])
    return way


def _evenly(path: Float[ndarray, "n 2"], count: int) -> Float[ndarray, "count 2"]:
    """Points at equal steps along a line through others."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    wanted = np.linspace(0, lengths[-1], count)
    return np.stack([np.interp(wanted, lengths, path[:, 0]), np.interp(wanted, lengths, path[:, 1])], axis=1)
