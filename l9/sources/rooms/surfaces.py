"""Colours and small invented textures of what l9 makes itself: floors of planks, tiles or carpet, walls, paintings."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from l9.sources.rooms.thing import Material

Colour = tuple[float, float, float]
SIDE = 128  # pixels of a texture
FLOOR_TILE = 1.2  # metres that a floor's texture covers
WALLS: tuple[Colour, ...] = (
    (0.92, 0.9, 0.85),
    (0.85, 0.87, 0.9),
    (0.9, 0.84, 0.74),
    (0.78, 0.84, 0.76),
    (0.93, 0.93, 0.92),
    (0.83, 0.76, 0.72),
)
WOODS: tuple[Colour, ...] = ((0.62, 0.45, 0.3), (0.75, 0.6, 0.42), (0.42, 0.29, 0.2), (0.66, 0.58, 0.5))


def drawn_colour(random: Generator, near: Colour | None = None) -> Colour:
    """A colour within 0.12 of another one, or any that is neither black nor white."""
    values = random.uniform(0.12, 0.9, 3) if near is None else np.clip(np.array(near) + random.uniform(-0.12, 0.12, 3), 0.04, 0.97)
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def wall_material(random: Generator) -> Material:
    """Paint of one colour."""
    return Material(drawn_colour(random, WALLS[int(random.integers(len(WALLS)))]))


def floor_material(random: Generator, *, wet: bool) -> Material:
    """Planks, tiles or carpet, the tiles alone in a wet room."""
    kind = 1 if wet else int(random.choice(3, p=[0.55, 0.2, 0.25]))
    wood = drawn_colour(random, WOODS[int(random.integers(len(WOODS)))])
    if kind == 0:
        return Material((1.0, 1.0, 1.0), _planks(random, wood))
    if kind == 1:
        return Material((1.0, 1.0, 1.0), _tiles(random, drawn_colour(random, (0.75, 0.73, 0.7))))
    return Material((1.0, 1.0, 1.0), carpet(random))


def carpet(random: Generator) -> UInt8[ndarray, "h w 3"]:
    """Speckles of one colour."""
    return _picture(np.array(drawn_colour(random)) + random.normal(0, 0.03, (SIDE, SIDE, 1)))


def a_painting(random: Generator) -> UInt8[ndarray, "h w 3"]:
    """Some coloured discs over a sky that fades."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    above, below = np.array(drawn_colour(random)), np.array(drawn_colour(random))
    picture = above + (below - above) * rows[..., None]
    for _ in range(int(random.integers(3, 9))):
        (row, column), radius = random.uniform(0, 1, 2), random.uniform(0.05, 0.3)
        picture[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = drawn_colour(random)
    return _picture(picture)


def _planks(random: Generator, wood: Colour) -> UInt8[ndarray, "h w 3"]:
    """Eight boards, each its own shade, with grain along it and a dark joint beside it."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    board = rows // (SIDE // 8)
    shade = random.uniform(0.85, 1.1, 8)[board] + random.normal(0, 0.025, (SIDE, 1))
    joints = (columns + random.integers(0, SIDE, 8)[board]) % SIDE
    shade[(rows % (SIDE // 8) == 0) | (joints == 0)] *= 0.6
    return _picture(shade[..., None] * np.array(wood))


def _tiles(random: Generator, colour: Colour) -> UInt8[ndarray, "h w 3"]:
    """Four by four tiles with grey joints."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    side = SIDE // 4
    shade = random.uniform(0.93, 1.05, (4, 4))[rows // side, columns // side]
    picture = shade[..., None] * np.array(colour)
    picture[(rows % side < 2) | (columns % side < 2)] = (0.55, 0.54, 0.52)
    return _picture(picture)


def _picture(values: Float[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
