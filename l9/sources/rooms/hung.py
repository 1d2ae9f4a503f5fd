"""What hangs on walls and before things: pictures, mirrors, curtains, a television, lamps."""

from dataclasses import replace

import numpy as np

from l9.sources.rooms import made
from l9.sources.rooms.boxes import Box
from l9.sources.rooms.placing import WALL_GAP, Arrangement, size_of, wall_boxes
from l9.sources.rooms.thing import Thing


def hang_all(room: Arrangement, kind: str, pictures: int) -> None:
    """Mirrors and shower curtains where one washes, else a television and lamps; curtains and some pictures."""
    if kind == "bathroom":
        _wet_things(room)
    _curtains(room)
    if kind in ("living room", "bedroom") and not room.numbers("television") and (screen := room.pick("wall television")):
        _furniture_on_wall(room, screen.role, 1.1)
    if room.chance(0.4):
        _furniture_on_wall(room, "wall lamp", 1.6)
    for _ in range(max(1, pictures // 2) if kind in ("bathroom", "kitchen") else pictures):
        width, height = room.random.uniform([0.3, 0.3], [0.9, 0.75])
        size = (float(width), 0.025, float(height))
        low = 1.55 - size[2] / 2 + float(room.random.uniform(-0.1, 0.15))
        for _, box in wall_boxes(room, size, low=low):
            if room.fits(replace(box, width=box.width + 0.16)):
                room.add(box, "picture", Thing(made.picture(size, room.random), "picture", "picture"))
                break


def _furniture_on_wall(room: Arrangement, role: str, low: float) -> None:
    furniture = room.pick(role)
    if furniture is None:
        return
    for _, box in wall_boxes(room, size_of(furniture), low=low):
        if room.fits(box):
            room.add_furniture(furniture, box)
            return


def _wet_things(room: Arrangement) -> None:
    """A basin that hangs where none stands, mirrors above, and curtains before baths and showers."""
    basin = room.pick("hung washbasin")
    if basin is not None and not room.numbers("washbasin", "vanity"):
        for _, box in wall_boxes(room, size_of(basin), low=0.87 - basin.height):
            if room.fits(box):
                room.add_furniture(basin, box)
                break
    for number in room.numbers("washbasin", "hung washbasin"):
        _mirror_above(room, room.placed[number].box)
    for number in room.numbers("bathtub", "shower"):
        _shower_curtain(room, number)


def _mirror_above(room: Arrangement, basin: Box) -> None:
    size = (min(0.6, basin.width), 0.02, 0.7)
    x, y = basin.at(0.0, (size[1] - basin.depth) / 2)
    hung = Box(x, y, size[0], size[1], 1.2, 1.2 + size[2], basin.turn)
    if room.fits(hung):
        room.add(hung, "mirror", Thing(made.mirror(size, room.random), "mirror", "mirror"))


def _shower_curtain(room: Arrangement, number: int) -> None:
    """A curtain before one half of a bath's or a shower's front."""
    box = room.placed[number].box
    size = (0.48 * box.width, 0.07, 1.75)
    x, y = box.at((0.25 if room.chance(0.5) else -0.25) * box.width, (box.depth + size[1]) / 2 + 0.02)
    hung = Box(x, y, size[0], size[1], 0.2, 0.2 + size[2], box.turn)
    if room.fits(hung, within=number):
        room.add(hung, "shower curtain", Thing(made.curtain(size, room.random), "shower curtain", "shower curtain"))


def _curtains(room: Arrangement) -> None:
    """Curtains on both sides of some windows; what stands there already keeps its place."""
    for number in room.numbers("window"):
        if not room.chance(0.6):
            continue
        box = room.placed[number].box
        wall = min(
            room.plan.walls, key=lambda one: abs((np.array([box.x, box.y]) - one.start) @ one.inward) + 9 * abs(np.sin(one.turn - box.turn))
        )
        along = float((np.array([box.x, box.y]) - wall.start) @ wall.direction)
        width = float(room.random.uniform(0.3, 0.5))
        low = 0.05 if room.chance(0.7) else max(0.05, box.low - 0.15)
        size = (width, 0.09, min(box.high + 0.15, room.plan.height - 0.03) - low)
        state = room.random.bit_generator.state
        for side in (-1, 1):
            hung = wall.box(along + side * (box.width + width + 0.04) / 2, WALL_GAP, size, low)
            if room.fits(hung):
                room.random.bit_generator.state = state  # both sides of one cloth
                room.add(hung, "curtain", Thing(made.curtain(size, room.random), "curtain", "curtain"))
