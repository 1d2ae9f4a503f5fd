"""The shell of a room: walls with holes for doors and windows, what fills these holes, floor, ceiling and skirting."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.sources.rooms import made
from l9.sources.rooms.catalog import Furniture
from l9.sources.rooms.placing import Arrangement, size_of
from l9.sources.rooms.plan import WALL, Opening, Plan, Wall, free_place, zone
from l9.sources.rooms.slabs import joined, slab
from l9.sources.rooms.surfaces import FLOOR_TILE, drawn_colour, floor_material, wall_material
from l9.sources.rooms.thing import Material, Model, Thing

SLAB = 0.05  # metres, the thickness of floor and ceiling
SILL = 0.85  # metres above the floor, of a window that is no glass door
MADE_SHARE = 0.4  # share of doors and windows that l9 makes itself even where the catalog has some
SKIRTING_HEIGHT = 0.08  # metres
SKIRTING = 0.008  # metres before the wall, less than the gap that furniture keeps


def draw_openings(room: Arrangement) -> list[tuple[Opening, Furniture | None]]:
    """Holes for one or two doors and one to three windows, each with the furniture that fills it, None where l9 makes it."""
    taken: list[tuple[Opening, Furniture | None]] = []
    doors, windows = 1 + room.chance(0.3), 1 + int(room.random.integers(3))
    for kind in ["door"] * doors + ["window"] * windows:
        furniture = None if room.chance(MADE_SHARE) else room.pick(kind)
        if kind == "door":
            drawn = (float(room.random.uniform(0.8, 0.98)), 0.0, float(room.random.uniform(1.98, 2.1)))
        else:
            drawn = (float(room.random.uniform(0.8, 1.7)), 0.0, float(room.random.uniform(1.0, 1.35)))
        width, _, height = size_of(furniture) if furniture else drawn
        sill = 0.0 if kind == "door" else SILL if height + SILL < room.plan.height - 0.1 else 0.06
        place = free_place(room.plan, [one for one, _ in taken], width, room.random)
        if place is not None and sill + height < room.plan.height - 0.05:
            taken.append((Opening(kind, *place, width, sill, sill + height), furniture))
    return taken


def build_shell(room: Arrangement, openings: Sequence[tuple[Opening, Furniture | None]], *, wet: bool) -> list[Thing]:
    """Walls, floor and ceiling; doors and windows are placed in the room, which also keeps free what is before them."""
    plan, paint, accent = room.plan, wall_material(room.random), wall_material(room.random)
    skirting, things = Material(drawn_colour(room.random, made.WHITE)), []
    for number, wall in enumerate(plan.walls):
        holes = [one for one, _ in openings if one.wall == number]
        board = _skirting(wall, [hole for hole in holes if hole.low < SKIRTING_HEIGHT], skirting)
        things.append(Thing(joined([_wall(plan, number, holes, accent if number == 1 else paint), board]), "wall", "wall"))
    things.append(Thing(_ground(plan, (-SLAB, 0.0), floor_material(room.random, wet=wet), FLOOR_TILE), "floor", "floor"))
    ceiling = Material(drawn_colour(room.random, made.WHITE))
    things.append(Thing(_ground(plan, (plan.height, plan.height + SLAB), ceiling, 1.0), "ceiling", "ceiling"))
    for opening, furniture in openings:
        _fill(room, opening, furniture)
        room.zones.append((zone(plan, opening), -1))
    return things


def _fill(room: Arrangement, opening: Opening, furniture: Furniture | None) -> None:
    """A door or a window in its hole, its middle in the middle of the wall."""
    wall = room.plan.walls[opening.wall]
    size = size_of(furniture) if furniture else (opening.width, WALL, opening.high - opening.low)
    box = wall.box(opening.along, -(WALL + size[1]) / 2, size, opening.low)
    if furniture is not None:
        room.add(box, opening.kind, room.standing(furniture))
        return
    model = made.door(size, room.random) if opening.kind == "door" else made.window(size, room.random)
    room.add(box, opening.kind, Thing(model, opening.kind, opening.kind))


def _wall(plan: Plan, number: int, holes: Sequence[Opening], material: Material) -> Model:
    """A wall of WALL metres beyond its inner face; at its end it reaches round an outer corner, or stops before an inner one."""
    wall, following = plan.walls[number], plan.walls[(number + 1) % len(plan.walls)]
    length = wall.length + (WALL if wall.inward @ following.direction > 0 else -WALL)
    sides = [side for hole in holes for side in (hole.along - hole.width / 2, hole.along + hole.width / 2)]
    levels = [level for hole in holes for level in (hole.low, hole.high)]
    x, z = np.unique([0.0, length, *sides]), np.unique([0.0, plan.height, *levels])
    solid = np.ones((len(x) - 1, len(z) - 1), np.bool_)
    across, up = (x[:-1] + x[1:]) / 2, (z[:-1] + z[1:]) / 2
    for hole in holes:
        within = np.abs(across - hole.along) < hole.width / 2
        solid &= ~(within[:, None] & (up > hole.low) & (up < hole.high))
    return slab(x, z, solid, (0.0, WALL), material).moved(_wall_pose(wall))


def _wall_pose(wall: Wall) -> Float[ndarray, "4 4"]:
    """From (along, up, outward) of a wall to the room's axes."""
    pose = np.eye(4)
    pose[:2, 0], pose[:3, 1], pose[:3, 2] = wall.direction, (0, 0, 1), (*-wall.inward, 0)
    pose[:2, 3] = wall.start
    return pose


def _skirting(wall: Wall, gaps: Sequence[Opening], material: Material) -> Model:
    """A board along the foot of a wall, left out where a door is."""
    sides = [side for gap in gaps for side in (gap.along - gap.width / 2, gap.along + gap.width / 2)]
    x = np.unique([0.0, wall.length, *sides])
    middle = (x[:-1] + x[1:]) / 2
    solid = np.array([[all(abs(one - gap.along) > gap.width / 2 for gap in gaps)] for one in middle])
    return slab(x, [0.0, SKIRTING_HEIGHT], solid, (-SKIRTING, 0.0), material).moved(_wall_pose(wall))


def _ground(plan: Plan, span: tuple[float, float], material: Material, tile: float) -> Model:
    """A plate of the room's plan, as far as its walls' outer faces."""
    across, along = plan.cut
    x = np.array([-WALL, plan.width - across + WALL, plan.width + WALL])
    y = np.array([-WALL, plan.depth - along + WALL, plan.depth + WALL])
    solid = np.array([[True, True], [True, False]])
    if across == 0:
        x, y, solid = x[[0, 2]], y[[0, 2]], np.ones((1, 1), np.bool_)
    return slab(x, y, solid, span, material, tile)
