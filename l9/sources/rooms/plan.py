"""The plan of a room: a rectangle or an L of walls, and the openings that doors and windows take in them."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from numpy.random import Generator

from l9.sources.rooms.boxes import Box, overlap

WALL = 0.14  # metres, the thickness of a wall
L_SHAPED = 0.35  # share of the rooms that are wide enough for it
DOOR_ZONE = 0.9  # metres before a door that stay free, to open it and to walk in


@dataclass(frozen=True)
class Wall:
    """One straight wall, seen from its inner face.

    start, end  metres, on the floor; the room lies on the left of the way from one to the other
    """

    start: tuple[float, float]
    end: tuple[float, float]

    @property
    def length(self) -> float:
        """Metres."""
        return math.dist(self.start, self.end)

    @property
    def direction(self) -> Float[ndarray, "2"]:
        """From the start to the end, a unit vector."""
        return (np.array(self.end) - self.start) / self.length

    @property
    def inward(self) -> Float[ndarray, "2"]:
        """Into the room, a unit vector."""
        x, y = self.direction
        return np.array([-y, x])

    @property
    def turn(self) -> float:
        """Of a box whose front looks into the room, radians."""
        x, y = -self.direction
        return math.atan2(y, x)

    def box(self, along: float, away: float, size: tuple[float, float, float], low: float = 0.0) -> Box:
        """The box of a width, depth and height whose back is `away` metres before the wall, its middle `along` metres from the start."""
        width, depth, height = size
        x, y = np.array(self.start) + along * self.direction + (away + depth / 2) * self.inward
        return Box(float(x), float(y), width, depth, low, low + height, self.turn)


@dataclass(frozen=True)
class Opening:
    """A hole in a wall.

    kind        `door` or `window`
    wall        number of its wall
    along       metres from the wall's start to its middle
    width       metres
    low, high   metres above the floor
    """

    kind: str
    wall: int
    along: float
    width: float
    low: float
    high: float


@dataclass(frozen=True)
class Plan:
    """The room's inner faces: x from 0 to `width`, y from 0 to `depth`, z from 0 to `height`, metres.

    cut  what an L lacks at its corner (width, depth), metres; (0, 0) for a rectangle
    """

    width: float
    depth: float
    height: float
    cut: tuple[float, float] = (0.0, 0.0)

    @property
    def walls(self) -> tuple[Wall, ...]:
        """Counter-clockwise, seen from above."""
        width, depth, (across, along) = self.width, self.depth, self.cut
        corners = [(0.0, 0.0), (width, 0.0), (width, depth - along), (width - across, depth - along), (width - across, depth), (0.0, depth)]
        if across == 0:
            corners = [(0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth)]
        return tuple(Wall(start, end) for start, end in zip(corners, [*corners[1:], corners[0]], strict=True))

    @property
    def blocks(self) -> tuple[Box, ...]:
        """What of the rectangle is not room."""
        across, along = self.cut
        if across == 0:
            return ()
        return (Box(self.width - across / 2, self.depth - along / 2, across, along, 0.0, self.height),)

    @property
    def area(self) -> float:
        """Of the floor, square metres."""
        return self.width * self.depth - self.cut[0] * self.cut[1]

    def holds(self, box: Box) -> bool:
        """Whether a box lies within the walls."""
        corners = box.corners()
        inside = (corners >= -1e-9).all() and (corners <= np.array([self.width, self.depth]) + 1e-9).all()
        return bool(inside) and box.high <= self.height + 1e-9 and not any(overlap(box, block) for block in self.blocks)

    def far_from_walls(self, points: Float[ndarray, "n 2"], gap: float) -> Bool[ndarray, "n"]:
        """Whether points of the floor lie within the walls, `gap` metres or more from all of them."""
        inside = np.asarray(((points >= gap) & (points <= np.array([self.width, self.depth]) - gap)).all(axis=1))
        across, along = self.cut
        corner = np.array([self.width - across, self.depth - along])
        cut_off = np.asarray((points > corner - gap).all(axis=1)) if across else np.zeros(len(points), np.bool_)
        return inside & ~cut_off


def draw_plan(random: Generator, largest: tuple[float, float] = (6.5, 6.0)) -> Plan:
    """A room of 3 by 3 metres up to `largest`, 2.4 to 2.8 metres high."""
    width, depth = (float(side) for side in random.uniform([3.0, 3.0], largest))
    height = float(random.uniform(2.4, 2.8))
    cut = (float(random.uniform(0.25, 0.45)) * width, float(random.uniform(0.25, 0.45)) * depth)
    chosen = random.random() < L_SHAPED
    return Plan(width, depth, height, cut if chosen and min(width - cut[0], depth - cut[1]) > 2.4 else (0.0, 0.0))


def free_place(plan: Plan, taken: list[Opening], width: float, random: Generator) -> tuple[int, float] | None:
    """Number of a wall and metres along it for the middle of one more opening, apart from the others; None where none was found."""
    for _ in range(30):
        number = int(random.integers(len(plan.walls)))
        room = plan.walls[number].length - width - 0.5
        along = 0.25 + width / 2 + float(random.uniform(0, 1)) * room
        apart = all(one.wall != number or abs(one.along - along) > (one.width + width) / 2 + 0.3 for one in taken)
        if room > 0 and apart:
            return number, along
    return None


def zone(plan: Plan, opening: Opening) -> Box:
    """What stays free before an opening: before a door a place to open it, before a window as much as keeps it in sight."""
    wall = plan.walls[opening.wall]
    if opening.kind == "door":
        return wall.box(opening.along, 0.0, (opening.width + 0.1, DOOR_ZONE, 2.0))
    return wall.box(opening.along, 0.0, (opening.width, 0.3, opening.high - opening.low), opening.low)
