"""Furniture that belongs together: a table with its chairs, a sofa with its table and television, a bed, a desk, a kitchen's row."""

import math
from dataclasses import replace

import numpy as np

from l9.sources.rooms import made
from l9.sources.rooms.boxes import Box
from l9.sources.rooms.catalog import Furniture
from l9.sources.rooms.placing import GAP, WALL_GAP, Arrangement, at_wall, before, size_of
from l9.sources.rooms.thing import Thing
from l9.sources.rooms.tops import put_on

CHAIR_ROOM = 0.62  # metres of a table's side for one chair
AROUND_TABLE = (0.7, 0.5, 0.3)  # metres free on all sides, the most that there is room for
SIDES = ((0.0, 1), (math.pi / 2, 0), (math.pi, 1), (-math.pi / 2, 0))  # turn of a side's outward direction, and which length it has


def dining(room: Arrangement, chairs: int = 6) -> None:
    """A table away from the walls, chairs around it that face it."""
    table, chair = room.pick("dining table"), room.pick("chair")
    number = None
    for around in AROUND_TABLE:
        number = in_the_middle(room, table, around) if number is None else number
    if number is None or chair is None:
        return
    box, left = room.placed[number].box, chairs
    for side in room.random.permutation(4):
        turn, across = SIDES[side]
        length = (box.width, box.depth)[1 - across]
        for step in np.arange(count := max(1, int(length / CHAIR_ROOM)) if length > 0.55 else 0):
            along = (step - (count - 1) / 2) * max(CHAIR_ROOM, chair.width + 0.05)
            if left and _chair_at(room, chair, box, number, turn, along):
                left -= 1


def _chair_at(room: Arrangement, chair: Furniture, table: Box, number: int, side: float, along: float) -> bool:
    """A chair before one side of a table, `along` metres from the side's middle; now and then not quite square to it."""
    facing = replace(table, turn=table.turn + side)  # its front looks out of that side
    slant = float(room.random.uniform(-0.25, 0.25)) if room.chance(0.3) else 0.0
    half = (table.depth if abs(math.cos(side)) > 0.5 else table.width) / 2
    away = half + float(room.random.uniform(0.03, 0.12)) + chair.depth / 2 + 0.5 * chair.width * abs(math.sin(slant))
    x, y = facing.at(along, away)
    box = Box(x, y, chair.width, chair.depth, 0.0, chair.height, facing.turn + math.pi + slant)
    if not room.fits(box, within=number):
        return False
    room.add_furniture(chair, box)
    return True


def in_the_middle(room: Arrangement, furniture: Furniture | None, around: float) -> int | None:
    """Stand a piece of furniture away from the walls, with `around` metres free on all sides, of 30 places the most open one."""
    if furniture is None:
        return None
    best: tuple[float, Box] | None = None
    for _ in range(30):
        x, y = room.random.uniform([0, 0], [room.plan.width, room.plan.depth])
        turn = float(room.random.integers(4)) * math.pi / 2
        box = Box(float(x), float(y), furniture.width, furniture.depth, 0.0, furniture.height, turn)
        if room.fits(box.grown(around)):
            nearest = min((math.dist((x, y), (one.box.x, one.box.y)) for one in room.placed if one.box.low < 1), default=9.0)
            if best is None or nearest > best[0]:
                best = (nearest, box)
    if best is None:
        return None
    return room.add_furniture(furniture, best[1], free=best[1].grown(around - 0.1))


def lounge(room: Arrangement) -> None:
    """A sofa, a low table before it, a television on the wall that it faces, armchairs beside the table."""
    sofa = at_wall(room, room.pick("sofa", most=2.9), reach=1.3)
    if sofa is None:
        return
    seat = room.placed[sofa].box
    _television(room, seat)
    table, middle = room.pick("coffee table"), seat
    if table is not None:
        x, y = seat.at(0.0, seat.depth / 2 + float(room.random.uniform(0.3, 0.45)) + table.depth / 2)
        box = Box(x, y, table.width, table.depth, 0.0, table.height, seat.turn)
        if room.fits(box, within=sofa):
            room.add_furniture(table, box)
            middle = box
    for side in (-1, 1):
        chair = room.pick("armchair")
        if chair is not None and room.chance(0.75):
            turn = seat.turn + side * (math.pi / 2 + float(room.random.uniform(-0.45, 0.1)))
            x, y = middle.at(side * (middle.width / 2 + 0.35 + chair.depth / 2), 0.35)
            box = Box(x, y, chair.width, chair.depth, 0.0, chair.height, turn)
            if room.fits(box, within=sofa):
                room.add_furniture(chair, box)


def _television(room: Arrangement, seat: Box) -> None:
    """A low cabinet with a television on the wall across from a seat, as near to the seat's middle as there is room."""
    screen, stand = room.pick("television"), room.pick("tv stand", "dresser", most=1.8)
    facing = [wall for wall in room.plan.walls if wall.inward @ seat.front < -0.9]
    if stand is None or screen is None or not facing:
        return
    for off in (0.0, 0.3, -0.3, 0.6, -0.6):
        wall = facing[int(room.random.integers(len(facing)))]
        along = float((np.array(seat.at(off, 0.0)) - wall.start) @ wall.direction)
        box = wall.box(along, WALL_GAP, size_of(stand))
        if room.fits(box, free=before(box, 0.4)):
            number = room.add_furniture(stand, box, free=before(box, 0.4))
            put_on(room, number, screen.role, room.standing(screen), size_of(screen), back=0.5)
            return


def bedroom(room: Arrangement) -> None:
    """A bed with its head to a wall and night stands beside it."""
    number = at_wall(room, room.pick("bed"), reach=0.5)
    if number is None:
        return
    bed, stand = room.placed[number].box, room.pick("nightstand", "stool", most=0.6, highest=0.6)
    for side in (-1, 1):
        if stand is not None:
            x, y = bed.at(side * (bed.width / 2 + stand.width / 2 + 0.04), stand.depth / 2 - bed.depth / 2)
            box = Box(x, y, stand.width, stand.depth, 0.0, stand.height, bed.turn)
            if room.fits(box):
                room.add_furniture(stand, box)


def desk(room: Arrangement) -> None:
    """A desk with its back to a wall, a chair that faces it, and a computer."""
    chosen = room.pick("desk") if room.chance(0.75) else room.pick("dining table", most=1.9)
    number, chair, computer = at_wall(room, chosen, reach=0.75), room.pick("chair"), room.pick("computer")
    if number is None:
        return
    table = room.placed[number].box
    if computer is not None:
        put_on(room, number, computer.role, room.standing(computer), size_of(computer), back=0.3)
    if chair is not None:
        _chair_at(room, chair, table, number, 0.0, float(room.random.uniform(-0.15, 0.15)))


def kitchen(room: Arrangement) -> None:
    """A row along the wall with most room: a refrigerator, cupboards, a sink, a stove, a worktop, and cupboards that hang above."""
    wanted = ["refrigerator", "lower cabinet", "kitchen sink", "counter", "stove", "washer", "lower cabinet", "counter"]
    order = sorted(range(len(room.plan.walls)), key=lambda number: -room.plan.walls[number].length)
    for number in order[:3]:
        wanted = _row(room, number, wanted)


def _row(room: Arrangement, number: int, wanted: list[str]) -> list[str]:
    """Stand things of the wanted roles one beside the other along a wall, and return those that found no place."""
    wall, along, left = room.plan.walls[number], 2 * GAP, list(wanted)
    while left and along < wall.length:
        furniture = room.pick(left[0], most=1.3)
        made_size = (float(room.random.uniform(0.6, 1.4)), 0.62, 0.88)
        size = size_of(furniture) if furniture else made_size
        if furniture is None and left[0] != "counter":
            left.pop(0)
            continue
        box = wall.box(along + size[0] / 2, WALL_GAP, size)
        if not room.fits(box, free=before(box, 0.6)):
            along += 0.1
            continue
        own = room.standing(furniture) if furniture else Thing(made.counter(size, room.random), "counter", "counter")
        room.add(box, left.pop(0), own, free=before(box, 0.6))
        along += size[0] + GAP + 0.002
        upper = room.pick("upper cabinet")
        if upper is not None and box.high < 1.2 and upper.width <= size[0] + 0.2:
            above = wall.box(along - size[0] / 2, WALL_GAP, size_of(upper), 1.45)
            if room.fits(above):
                room.add_furniture(upper, above)
    return left
