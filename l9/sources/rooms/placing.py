"""A room that is being furnished: what stands where, whether one more thing fits, and where along a wall it would."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from l9.errors import DataError
from l9.sources.rooms.boxes import Box, overlap
from l9.sources.rooms.catalog import Furniture
from l9.sources.rooms.plan import Plan
from l9.sources.rooms.thing import Model, Thing

GAP = 0.01  # metres between any two things
WALL_GAP = 0.015  # metres between a wall and what stands before it
SLACK = 0.002  # metres that a model may reach out of its catalog's box
UPRIGHT = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # +Y up, front +Z -> +Z up, front -Y


@dataclass(frozen=True)
class Placed:
    """A thing at its place.

    box   metres
    role  the part it plays, such as `sofa` or `picture`
    on    number of the thing that it rests on or is set in, -1 for none
    own   the thing in its box's axes: the middle of the footprint at the origin, standing on z = 0, front -y
    """

    box: Box
    role: str
    own: Thing
    on: int = -1

    def thing(self) -> Thing:
        """The thing in the room's axes."""
        return Thing(self.own.model.moved(pose_of(self.box)), self.own.label, self.own.name, self.own.source)


@dataclass
class Arrangement:
    """The furniture of a room so far.

    catalog  what there is to choose from
    models   a furniture id -> its model, metres, +Y up, front +Z
    placed   in the order of placing
    zones    boxes that stay free, each with the number of the thing it belongs to (-1: to a door or a window)
    stood    furniture that was turned upright already, by its id
    """

    plan: Plan
    catalog: Sequence[Furniture]
    models: Callable[[str], Model]
    random: Generator
    placed: list[Placed] = field(default_factory=list)
    zones: list[tuple[Box, int]] = field(default_factory=list)
    stood: dict[str, Thing] = field(default_factory=dict)

    def fits(self, box: Box, *, free: Box | None = None, within: int = -2) -> bool:
        """Whether a box, and the place that has to stay free before it, has room; the place before thing `within` may be taken."""
        if not self.plan.holds(box.grown(GAP)) or not self.clear(box):
            return False
        if any(overlap(box, zone) for zone, owner in self.zones if owner != within):
            return False
        return free is None or not any(overlap(free, other.box) for other in self.placed)

    def clear(self, box: Box, *, host: int = -1) -> bool:
        """Whether a box keeps apart from every thing but `host`, the one that it rests on."""
        grown = box.grown(GAP)
        return not any(overlap(grown, other.box) for number, other in enumerate(self.placed) if number != host)

    def add(self, box: Box, role: str, own: Thing, *, free: Box | None = None, on: int = -1) -> int:
        """Put a thing at its place without asking whether it fits, and return its number."""
        self.placed.append(Placed(box, role, own, on))
        if free is not None:
            self.zones.append((free, len(self.placed) - 1))
        return len(self.placed) - 1

    def add_furniture(self, furniture: Furniture, box: Box, *, free: Box | None = None, on: int = -1) -> int:
        """The same for a piece of furniture."""
        return self.add(box, furniture.role, self.standing(furniture), free=free, on=on)

    def standing(self, furniture: Furniture) -> Thing:
        """A piece of furniture in its box's axes. DataError where its model is larger than the catalog says."""
        if furniture.id not in self.stood:
            self.stood[furniture.id] = _upright(furniture, self.models(furniture.id))
        return self.stood[furniture.id]

    def pick(self, *roles: str, most: float = 99.0, highest: float = 99.0) -> Furniture | None:
        """Any piece of furniture of the roles, at most `most` metres wide and `highest` metres high; None where there is none."""
        fitting = [one for one in self.catalog if one.role in roles and one.width <= most and one.height <= highest]
        return fitting[int(self.random.integers(len(fitting)))] if fitting else None

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return bool(self.random.random() < share)

    def numbers(self, *roles: str) -> list[int]:
        """Of the things that play one of the roles."""
        return [number for number, one in enumerate(self.placed) if one.role in roles]


def _upright(furniture: Furniture, model: Model) -> Thing:
    """A piece of furniture in its box's axes, once its model was found to be no larger than the box."""
    model = model.moved(UPRIGHT)
    used = model.vertices[np.bincount(model.faces.reshape(-1), minlength=len(model.vertices)) > 0]
    low, high = used.min(axis=0), used.max(axis=0)
    half = np.array([furniture.width, furniture.depth]) / 2 + SLACK
    if (np.abs([low[:2], high[:2]]) > half).any() or high[2] > furniture.height + SLACK or abs(low[2]) > SLACK:
        size = " x ".join(f"{side:.2f}" for side in (furniture.width, furniture.depth, furniture.height))
        raise DataError(
            f"{furniture.id}: the model reaches from {low.round(2)} to {high.round(2)} m; expected the catalog's {size}, on the ground"
        )
    return Thing(model, furniture.label, furniture.kind, furniture.id)


def pose_of(box: Box) -> Float[ndarray, "4 4"]:
    """From a box's own axes to the room's."""
    pose = np.eye(4)
    pose[:2, :2] = box.axes.T
    pose[:3, 3] = box.x, box.y, box.low
    return pose


def before(box: Box, reach: float) -> Box:
    """The place before a box's front, `reach` metres deep."""
    x, y = box.at(0.0, box.depth / 2 + reach / 2)
    return Box(x, y, box.width, reach, 0.0, max(box.high, 0.6), box.turn)


def size_of(furniture: Furniture) -> tuple[float, float, float]:
    """Width, depth and height, metres."""
    return furniture.width, furniture.depth, furniture.height


def wall_boxes(
    room: Arrangement, size: tuple[float, float, float], *, low: float = 0.0, away: float = WALL_GAP
) -> Iterator[tuple[int, Box]]:
    """Forty boxes with their backs to a wall, and the wall's number: in corners, beside what stands there already, and anywhere."""
    walls, width = room.plan.walls, size[0]
    for _ in range(40):
        number = int(room.random.integers(len(walls)))
        wall, least = walls[number], width / 2 + GAP + 0.005
        spare, kind = wall.length - 2 * least, room.random.random()
        if spare < 0:
            continue
        along = least + spare * float(room.random.random())
        if kind < 0.4:
            along = least + spare * float(kind < 0.2)
        elif kind < 0.75 and (beside := [one.box for one in room.placed if abs(one.box.turn - wall.turn) < 1e-6]):
            other = beside[int(room.random.integers(len(beside)))]
            middle = float((np.array([other.x, other.y]) - wall.start) @ wall.direction)
            step = (other.width + width) / 2 + 2 * GAP
            along = middle + step * (1 if room.chance(0.5) else -1)
            if not least <= along <= wall.length - least:  # the other stands at a wall that looks the same way, and is elsewhere
                continue
        yield number, wall.box(along, away, size, low)


def at_wall(
    room: Arrangement, furniture: Furniture | None, *, reach: float = 0.0, low: float = 0.0, on_wall: int | None = None
) -> int | None:
    """Stand a piece of furniture with its back to a wall, `reach` metres free before it; None where no place was found."""
    if furniture is None:
        return None
    for number, box in wall_boxes(room, size_of(furniture), low=low):
        free = before(box, reach) if reach else None
        if on_wall in (None, number) and room.fits(box, free=free):
            return room.add_furniture(furniture, box, free=free)
    return None
