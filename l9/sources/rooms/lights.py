"""What lights a room: lamps that hang from the ceiling, daylight at the windows, and a little light from everywhere."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.sources.rooms import made
from l9.sources.rooms.boxes import Box
from l9.sources.rooms.placing import Arrangement, size_of
from l9.sources.rooms.thing import Light, Material, Thing

CEILING, DAYLIGHT, FILL = 4.0, 0.5, 0.4  # brightness, 1 metre away, of all ceiling lamps together, of a window, of the fill


def ceiling_lamps(room: Arrangement, count: int) -> list[Box]:
    """Hang lamps from the ceiling, one over the first dining table where there is one, and return their boxes."""
    tables = [room.placed[number].box for number in room.numbers("dining table")]
    lamps: list[Box] = []
    for number in range(40):
        if len(lamps) == count:
            break
        lamp = room.pick("ceiling lamp") if room.chance(0.6) else None
        width, depth, height = size_of(lamp) if lamp else (0.36, 0.36, 0.07)
        x, y = room.random.uniform([0.8, 0.8], [room.plan.width - 0.8, room.plan.depth - 0.8])
        if number == 0 and tables:
            x, y = tables[0].x, tables[0].y
        low, high = room.plan.height - height - 0.002, room.plan.height - 0.002
        box = Box(float(x), float(y), width, depth, low, high)
        if (low < 1.95 and not (number == 0 and tables and low > 1.5)) or not room.fits(box.grown(0.2)):
            continue
        if any(np.hypot(box.x - other.x, box.y - other.y) < 1.2 for other in lamps):
            continue
        glass = made.plain((width, depth, height), Material((0.97, 0.96, 0.9)))
        room.add(box, "ceiling lamp", room.standing(lamp) if lamp else Thing(glass, "lamp", "ceiling lamp"))
        lamps.append(box)
    return lamps


def lights_of(room: Arrangement, lamps: Sequence[Box]) -> tuple[Light, ...]:
    """A light below every ceiling lamp, a weak one inside every window, and one in the middle of the room that fills the shadows."""
    warm = np.array([1.0, 0.94, 0.84]) * room.random.uniform(0.75, 1.25) * CEILING / max(1, len(lamps))
    lights = [_light(box.x, box.y, box.low - 0.08, warm) for box in lamps]
    for number in room.numbers("window"):
        box = room.placed[number].box
        x, y = box.at(0.0, box.depth / 2 + 0.3)
        lights.append(_light(x, y, (box.low + box.high) / 2, np.array([0.85, 0.93, 1.0]) * DAYLIGHT))
    x, y = (room.plan.width - room.plan.cut[0]) / 2, (room.plan.depth - room.plan.cut[1]) / 2
    return (*lights, _light(x, y, 0.75 * room.plan.height, np.full(3, FILL)))


def _light(x: float, y: float, z: float, power: Float[ndarray, "3"]) -> Light:
    red, green, blue = (float(value) for value in power)
    return Light(np.array([x, y, z]), (red, green, blue))
