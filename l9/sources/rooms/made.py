"""What l9 makes of boxes itself, since no furniture model brings it: door leaves, window panes, pictures, curtains, worktops, rugs.

Everything here stands in its own box: x to the right, -y to the front, z up, the middle of the footprint at the origin, z from 0.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from l9.sources.rooms.slabs import joined, slab
from l9.sources.rooms.surfaces import Colour, a_painting, drawn_colour
from l9.sources.rooms.thing import Material, Model

Corner = tuple[float, float, float]
Size = tuple[float, float, float]
"""Width, depth and height, metres."""
WHITE: Colour = (0.9, 0.9, 0.88)
STEEL: Colour = (0.6, 0.6, 0.62)
FOLDS = 10  # of a curtain
MADE_NAMES = {  # the name of everything that l9 makes itself, the room's own parts too -> its label among NYU's 40
    "bath mat": "floor mat",
    "books": "books",
    "ceiling": "ceiling",
    "ceiling lamp": "lamp",
    "counter": "counter",
    "curtain": "curtain",
    "door": "door",
    "floor": "floor",
    "mirror": "mirror",
    "picture": "picture",
    "rug": "floor mat",
    "shower curtain": "shower curtain",
    "wall": "wall",
    "window": "window",
}


def cuboid(low: Corner, high: Corner, material: Material, tile: float = 1.0) -> Model:
    """A closed box between two corners, metres; a texture covers `tile` metres."""
    return slab([low[0], high[0]], [low[1], high[1]], np.ones((1, 1), np.bool_), (low[2], high[2]), material, tile)


def door(size: Size, random: Generator) -> Model:
    """A frame, a leaf with two panels, and a handle on both sides."""
    width, depth, height = size
    frame, leaf = Material(drawn_colour(random, WHITE)), Material(drawn_colour(random, (0.55, 0.4, 0.28)))
    x, y, edge, thick = width / 2, depth / 2, 0.06, min(0.022, depth / 4)
    parts = [
        cuboid((-x, -y, 0), (-x + edge, y, height), frame),
        cuboid((x - edge, -y, 0), (x, y, height), frame),
        cuboid((-x + edge, -y, height - edge), (x - edge, y, height), frame),
        cuboid((-x + edge, -thick, 0), (x - edge, thick, height - edge), leaf),
    ]
    for low, high in ((0.15, 0.45), (0.52, 0.92)):
        parts.append(cuboid((-x + 0.18, -thick - 0.008, low * height), (x - 0.18, -thick, high * height), leaf))
    for side in (-1, 1):
        near, far = sorted((side * thick, side * min(thick + 0.045, y)))
        parts.append(cuboid((x - 0.22, near, 1.0), (x - 0.1, far, 1.025), Material(STEEL)))
    return joined(parts)


def window(size: Size, random: Generator) -> Model:
    """A frame with one or two bars and a pane as bright as the sky."""
    width, depth, height = size
    frame = Material(drawn_colour(random, WHITE))
    x, y, edge, thin = width / 2, depth / 2, 0.055, min(0.01, depth / 4)
    parts = [
        cuboid((-x, -y, 0), (-x + edge, y, height), frame),
        cuboid((x - edge, -y, 0), (x, y, height), frame),
        cuboid((-x + edge, -y, 0), (x - edge, y, edge), frame),
        cuboid((-x + edge, -y, height - edge), (x - edge, y, height), frame),
        cuboid((-x + edge, -thin, edge), (x - edge, thin, height - edge), Material((0.75, 0.85, 0.95))),
    ]
    for middle in np.linspace(-x, x, int(random.integers(3, 5)))[1:-1]:
        parts.append(cuboid((middle - 0.03, -y / 2, edge), (middle + 0.03, -thin, height - edge), frame))
    return joined(parts)


def picture(size: Size, random: Generator) -> Model:
    """A frame around an invented painting."""
    (width, depth, height), frame = size, Material(drawn_colour(random, (0.3, 0.25, 0.2)))
    x, y = width / 2, depth / 2
    canvas = cuboid((-x + 0.03, -y + 0.005, 0.03), (x - 0.03, y, height - 0.03), Material((1.0, 1.0, 1.0), a_painting(random)))
    front = canvas.vertices[canvas.faces][..., [0, 2]] - [-x + 0.03, 0.03]
    painted = Model(canvas.vertices, canvas.faces, canvas.materials, canvas.material_of, front / [width - 0.06, height - 0.06])
    return joined([painted, *_border(width, depth, height, 0.03, frame)])


def mirror(size: Size, random: Generator) -> Model:
    """A bright pane in a thin frame."""
    (width, depth, height), frame = size, Material(drawn_colour(random, STEEL))
    x, y = width / 2, depth / 2
    pane = cuboid((-x + 0.02, -y + 0.005, 0.02), (x - 0.02, y, height - 0.02), Material((0.8, 0.85, 0.87)))
    return joined([pane, *_border(width, depth, height, 0.02, frame)])


def curtain(size: Size, random: Generator) -> Model:
    """A sheet in folds, closed, of the box's full depth."""
    width, depth, height = size
    across = np.linspace(-width / 2, width / 2, 4 * FOLDS + 1)
    thin = min(0.008, depth / 4)
    middle = (depth / 2 - thin / 2) * np.cos(np.linspace(0, 2 * np.pi * FOLDS, len(across)))
    sheet = slab(across, [0.0, height], np.ones((len(across) - 1, 1), np.bool_), (-thin / 2, thin / 2), Material(drawn_colour(random)))
    vertices = sheet.vertices[:, [0, 2, 1]] * [1, -1, 1]  # lifted from lying to standing
    vertices[:, 1] += np.interp(vertices[:, 0], across, middle)
    return Model(vertices, sheet.faces, sheet.materials, sheet.material_of, sheet.uv)


def counter(size: Size, random: Generator) -> Model:
    """A kitchen counter: a worktop over cupboards with doors."""
    width, depth, height = size
    body, top = Material(drawn_colour(random, (0.8, 0.78, 0.72))), Material(drawn_colour(random, (0.35, 0.33, 0.32)))
    x, y, doors = width / 2, depth / 2, max(1, round(width / 0.5))
    parts = [
        cuboid((-x, -y, height - 0.04), (x, y, height), top),
        cuboid((-x, -y + 0.04, 0.1), (x, y, height - 0.04), body),
        cuboid((-x, -y + 0.09, 0), (x, y, 0.1), Material((0.25, 0.25, 0.25))),
    ]
    edges = np.linspace(-x, x, doors + 1)
    for left, right in pairwise(edges):
        parts.append(cuboid((left + 0.004, -y + 0.022, 0.104), (right - 0.004, -y + 0.04, height - 0.05), body))
        parts.append(cuboid((right - 0.07, -y + 0.003, height - 0.25), (right - 0.055, -y + 0.022, height - 0.1), Material(STEEL)))
    return joined(parts)


def plain(size: Size, material: Material) -> Model:
    """A box of one material: a rug, a mat, a lamp's glass, a book."""
    width, depth, height = size
    return cuboid((-width / 2, -depth / 2, 0), (width / 2, depth / 2, height), material)


def books(size: Size, random: Generator) -> Model:
    """A stack of books, each its own colour."""
    width, depth, height = size
    levels = np.linspace(0, height, max(2, round(height / 0.035)) + 1)
    stack: list[Model] = []
    for low, high in pairwise(levels):
        x, y = random.uniform(0.75, 1.0, 2) * [width / 2, depth / 2]
        stack.append(cuboid((-x, -y, low), (x, y, high), Material(drawn_colour(random))))
    return joined(stack)


def _border(width: float, depth: float, height: float, edge: float, material: Material) -> Sequence[Model]:
    x, y = width / 2, depth / 2
    return (
        cuboid((-x, -y, 0), (-x + edge, y, height), material),
        cuboid((x - edge, -y, 0), (x, y, height), material),
        cuboid((-x + edge, -y, 0), (x - edge, y, edge), material),
        cuboid((-x + edge, -y, height - edge), (x - edge, y, height), material),
    )
