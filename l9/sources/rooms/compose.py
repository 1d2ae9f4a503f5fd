"""A furnished room out of a seed: its plan, its furniture, its lights, and the way of a camera through it."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from l9.errors import DataError
from l9.sources.rooms.catalog import Furniture
from l9.sources.rooms.furnish import GROUPS, LARGEST, furnish
from l9.sources.rooms.lights import ceiling_lamps, lights_of
from l9.sources.rooms.looks import poses_along
from l9.sources.rooms.path import floor_path
from l9.sources.rooms.placing import Arrangement
from l9.sources.rooms.plan import draw_plan
from l9.sources.rooms.shell import build_shell, draw_openings
from l9.sources.rooms.thing import Light, Model, Room, Thing

KINDS = tuple(GROUPS)
ATTEMPTS = 12  # each with fewer things than the one before
LEAST_PIECES = 6  # of furniture, doors and windows not counted


def compose_room(catalog: Sequence[Furniture], models: Callable[[str], Model], *, seed: int, frames: int) -> Room:
    """One room, equal for equal arguments.

    catalog  the furniture of one split, see `catalog_of`
    models   a furniture id -> its model: metres, +Y up, front +Z, the middle of its footprint at the origin, standing on y = 0
    frames   of the camera's path, 1 or more
    returns  things in the order walls, floor, ceiling, then doors, windows and what stands in the room
    raises   DataError where a model is larger than the catalog says, or where no attempt gave a room that one can walk through
    """
    loaded = cache(models)
    for attempt in range(ATTEMPTS):
        room, shell, lights = arranged_room(catalog, loaded, seed=seed, attempt=attempt)
        boxes = [one.box for one in room.placed]
        path = floor_path(room.plan, boxes, frames, room.random)
        pieces = sum(bool(one.own.source) and one.role not in ("door", "window") for one in room.placed)
        if path is not None and pieces >= LEAST_PIECES and {"door", "window"} <= {one.role for one in room.placed}:
            poses = poses_along(path, room.plan, boxes, room.random)
            return Room((*shell, *(one.thing() for one in room.placed)), lights, poses)
    raise DataError(
        f"room {seed}: no room with {LEAST_PIECES} pieces of furniture and a free way in {ATTEMPTS} attempts; give more furniture"
    )


def arranged_room(
    catalog: Sequence[Furniture], models: Callable[[str], Model], *, seed: int, attempt: int = 0
) -> tuple[Arrangement, list[Thing], tuple[Light, ...]]:
    """A room before its camera: what is placed, the walls, floor and ceiling around it, and its lights; later attempts are emptier."""
    random = np.random.default_rng([seed, attempt])
    kind = KINDS[int(random.integers(len(KINDS)))]
    room = Arrangement(draw_plan(random, LARGEST.get(kind, (6.5, 6.0))), catalog, models, random)
    shell = build_shell(room, draw_openings(room), wet=kind in ("bathroom", "kitchen"))
    furnish(room, kind, 1.0 - attempt / ATTEMPTS)
    lamps = ceiling_lamps(room, 1 + int(random.integers(3)))
    return room, shell, lights_of(room, lamps)
