"""Open polygon soups as games and simulators ship them: aircraft, cars and buildings, drawn from a seed.

Each is put together from shells that run through one another and are open where nobody looks: hulls without an end, bodies without a
floor, wheels without a back. Fins and inner walls are two-sided sheets, panes have one side and lie in front of no hole, some panels are
given twice a hair apart, some are turned over, neighbours do not share vertices and are cut unlike each other (T-junctions), and some
panels leave tiny cracks. Lengths are metres until `soup` brings everything into the cube.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from l9.geometry.damage import Arrays, cracked, inverted, joined, two_sided, unwelded
from l9.geometry.normalise import normalise_cube

SEEDS = 5  # of each kind
FLIPPED, TWICE, CRACKED = 0.06, 0.08, 0.15  # shares of the panels that are turned over, given twice, and shrunk
HAIR = 2e-3  # metres between two panels that should be one
CRACK = 0.004  # share of a face by which a cracked panel's faces are shrunk


def soup(kind: str, seed: int) -> Arrays:
    """One soup in the cube, longest side 1.8."""
    random = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    vertices, faces = joined(*(_worn(panel, random) for panel in KINDS[kind](random)))
    return normalise_cube(vertices, faces), faces


def _worn(panel: Arrays, random: Generator) -> Arrays:
    """A panel as it is shipped: no vertex shared, and now and then turned over, given twice or cracked."""
    drawn = random.random(3)
    if drawn[0] < FLIPPED:
        panel = inverted(*panel)
    if drawn[1] < TWICE:
        panel = joined(panel, (panel[0] + HAIR * random.normal(size=3), panel[1]))
    return cracked(*panel, share=CRACK) if drawn[2] < CRACKED else unwelded(*panel)


def _sheet(corners: Sequence[Sequence[float]], across: int, along: int) -> Arrays:
    """A four-cornered panel, counter-clockwise from the side it faces, cut into across x along quads."""
    a, b, c, d = (np.asarray(corner, dtype=np.float64) for corner in corners)
    u, v = (axis.reshape(-1, 1) for axis in np.meshgrid(np.linspace(0, 1, across + 1), np.linspace(0, 1, along + 1), indexing="ij"))
    return (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d, _quads(across + 1, along + 1, closed=False)


def _quads(rows: int, columns: int, *, closed: bool) -> ndarray:
    """Faces of a lattice of vertices, row by row; `closed` joins the last column to the first."""
    number = np.arange(rows * columns).reshape(rows, columns)
    here, beside = (number, np.roll(number, -1, axis=1)) if closed else (number[:, :-1], number[:, 1:])
    low, high, low_beside, high_beside = here[:-1], here[1:], beside[:-1], beside[1:]
    first, second = np.stack([low, high, high_beside], axis=-1), np.stack([low, high_beside, low_beside], axis=-1)
    return np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])


def _tube(rings: Sequence[ndarray]) -> Arrays:
    """A hull through closed rings (n, 3) of as many points, both ends open, facing away from its own axis."""
    vertices = np.concatenate(rings)
    faces = _quads(len(rings), len(rings[0]), closed=True)
    corners, middles = vertices[faces], np.repeat([ring.mean(axis=0) for ring in rings], len(rings[0]), axis=0)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = ((corners.mean(axis=1) - middles[faces].mean(axis=1)) * normals).sum()
    return vertices, faces if outwards > 0 else faces[:, ::-1]


def _ring(centre: Sequence[float], width: float, height: float, points: int, *, power: float = 2.0, axis: int = 0) -> ndarray:
    """A superellipse about `centre` across an axis; power 2 is an ellipse, more is a rounded rectangle."""
    angle = np.arange(points) * (2 * np.pi / points)
    cosine, sine = np.cos(angle), np.sin(angle)
    flat = [np.sign(one) * np.abs(one) ** (2 / power) * side / 2 for one, side in ((cosine, width), (sine, height))]
    return np.insert(np.stack(flat, axis=1), axis, 0.0, axis=1) + np.asarray(centre)


def _disc(ring: ndarray, facing: Sequence[float]) -> Arrays:
    """A ring filled by a fan, looking where it is told."""
    count = len(ring)
    faces = np.stack([np.full(count, count), np.arange(count), np.roll(np.arange(count), -1)], axis=1)
    normal = np.cross(ring[0] - ring.mean(axis=0), ring[1] - ring.mean(axis=0))
    return np.concatenate([ring, ring.mean(axis=0, keepdims=True)]), faces if normal @ np.asarray(facing) > 0 else faces[:, ::-1]


def _walls(low: Sequence[float], high: Sequence[float], without: str, random: Generator) -> list[Arrays]:
    """The sides of a box looking outwards, each cut at will; `without` names those missing: of "xXyYzZ", a capital for the high one."""
    found = []
    for axis, letter in enumerate("xyz"):
        for end, name in enumerate((letter, letter.upper())):
            if name not in without:
                found.append(_wall(low, high, axis, end, random))
    return found


def _wall(low: Sequence[float], high: Sequence[float], axis: int, end: int, random: Generator) -> Arrays:
    """One side of a box, looking outwards."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    corners = np.empty((4, 3))
    corners[:, axis] = (low, high)[end][axis]
    corners[:, first] = np.array([low[first], high[first], high[first], low[first]])
    corners[:, second] = np.array([low[second], low[second], high[second], high[second]])
    across, along = random.integers(1, 6, 2)
    return _sheet(corners if end else corners[::-1], int(across), int(along))


def _wheel(centre: Sequence[float], radius: float, width: float, out: float) -> list[Arrays]:
    """A tread and the outer disc; the side towards the car is missing. The axle lies along z."""
    x, y, z = centre
    inner, outer = (_ring((x, y, z + side * out * width / 2), 2 * radius, 2 * radius, 20, axis=2) for side in (-1, 1))
    return [_tube([inner, outer]), _disc(outer, (0, 0, out))]


def aircraft(random: Generator) -> list[Arrays]:
    """A fuselage open at its tail, wings open at their roots, nacelles open at both ends, fins that are sheets; it flies along +x."""
    length, girth, span = random.uniform(9, 14), random.uniform(1.2, 1.9), random.uniform(8, 15)
    along = np.array([0, 0.02, 0.08, 0.2, 0.45, 0.7, 0.88, 1.0])
    sizes = girth * np.array([0.02, 0.35, 0.7, 0.97, 1.0, 0.95, 0.55, 0.25])
    hull = [_ring((length * (0.5 - share), 0.15 * share, 0), size, size, 24) for share, size in zip(along, sizes, strict=True)]
    found = [_tube(hull[:5]), _tube(hull[4:])]  # two panels that meet at a seam
    for side in (-1, 1):
        found.append(_wing(random, side, span / 2, root=0.25 * girth, chord=0.18 * length, at=0.02 * length, height=-0.2 * girth))
        found.append(_wing(random, side, span / 6, root=0.05 * girth, chord=0.08 * length, at=-0.44 * length, height=0.15))
        found += _nacelle((0.07 * length, -0.45 * girth, side * span / 5), 0.38 * girth, 0.16 * length)
        found += [_pane((x, 0.24 * girth, side * 0.44 * girth), 0.35, 0.3, side) for x in np.linspace(0.15, -0.2, 6) * length]
    back, top = -0.5 * length, 0.9 * girth
    fin = [[back, 0.1, 0], [back + 0.16 * length, 0.1, 0], [back + 0.06 * length, top + 0.6, 0], [back - 0.03 * length, top + 0.6, 0]]
    wheel = _wheel((0.3 * length, -0.75 * girth, 0), 0.25, 0.2, 1.0)
    return [*found, two_sided(*_sheet(fin, 3, 4)), *wheel]


def _wing(random: Generator, side: int, half: float, *, root: float, chord: float, at: float, height: float) -> Arrays:
    """A wing from within the fuselage to a tip that is open too."""
    thick = chord * random.uniform(0.11, 0.16)
    rings = []
    for share in (0.0, 0.35, 0.7, 1.0):
        size = 1 - 0.6 * share
        middle = (at - 0.3 * chord * share, height + 0.05 * half * share, side * (root + (half - root) * share))
        rings.append(_ring(middle, size * chord, size * thick, 18, axis=2))
    return _tube(rings)


def _nacelle(middle: Sequence[float], across: float, length: float) -> list[Arrays]:
    """An engine: a duct of an outer and an inner skin, open at both ends, and a spinner with no back."""
    x, y, z = middle
    outer = _tube([_ring((x + length * s, y, z), across * w, across * w, 20) for s, w in ((0.5, 0.85), (0.3, 1.0), (-0.5, 0.7))])
    inner = inverted(*_tube([_ring((x + length * s, y, z), across * w, across * w, 20) for s, w in ((0.5, 0.82), (-0.5, 0.5))]))
    spinner = _tube([_ring((x + length * s, y, z), across * w, across * w, 12) for s, w in ((0.45, 0.02), (0.35, 0.2), (0.1, 0.3))])
    return [outer, inner, spinner]


def _pane(middle: Sequence[float], width: float, height: float, side: int) -> Arrays:
    """Glass with one side, looking along +-z."""
    x, y, z = middle
    left, right = (x - width / 2, x + width / 2) if side > 0 else (x + width / 2, x - width / 2)
    return _sheet([[left, y - height / 2, z], [right, y - height / 2, z], [right, y + height / 2, z], [left, y + height / 2, z]], 1, 1)


def car(random: Generator) -> list[Arrays]:
    """A body and a cabin without floors, wells for wheels that have no backs, glass, seats, a spoiler; it drives along +x."""
    length, width, waist = random.uniform(3.6, 4.9), random.uniform(1.6, 1.9), random.uniform(0.75, 0.95)
    roof, ground, radius = waist + random.uniform(0.4, 0.65), 0.18, random.uniform(0.28, 0.36)
    found = _walls((-length / 2, ground, -width / 2), (length / 2, waist, width / 2), "yzZ", random)
    axles = (-0.3 * length, 0.31 * length)
    for side in (-1, 1):
        found += [_flank(part, ground, waist, side * width / 2, random) for part in _between_wells(length, axles, radius * 1.15)]
        for axle in axles:
            found.append(_over_well(axle, radius * 1.15, waist, side * width / 2))
            found.append(_well(axle, radius * 1.15, ground, side * width / 2, random))
            found += _wheel((axle, radius, side * (width / 2 - 0.11)), radius, 0.2, side)
        found.append(_pane((-0.05 * length, (waist + roof) / 2, side * (0.43 * width + 0.01)), 0.3 * length, 0.7 * (roof - waist), side))
        found += _walls((-0.1, ground + 0.1, side * 0.22 * width - 0.2), (0.4, waist - 0.1, side * 0.22 * width + 0.2), "", random)
    lower, upper = (
        _ring((-0.06 * length, y, 0), size * length, 0.9 * width * share, 28, power=5.0, axis=1)
        for y, size, share in ((waist - 0.12, 0.56, 1.0), (roof, 0.36, 0.85))
    )
    back = -length / 2
    spoiler = [
        [back, waist + 0.15, -0.4 * width],
        [back, waist + 0.15, 0.4 * width],
        [back + 0.25, waist + 0.1, 0.4 * width],
        [back + 0.25, waist + 0.1, -0.4 * width],
    ]
    bumper = _walls((length / 2 - 0.1, ground, -0.45 * width), (length / 2 + 0.12, ground + 0.22, 0.45 * width), "x", random)
    return [*found, _tube([lower, upper]), _disc(upper, (0, 1, 0)), two_sided(*_sheet(spoiler, 4, 1)), *bumper]


def _between_wells(length: float, axles: Sequence[float], reach: float) -> list[tuple[float, float]]:
    """The stretches of a flank that no wheel well interrupts."""
    ends = [-length / 2, *(end for axle in axles for end in (axle - reach, axle + reach)), length / 2]
    return list(zip(ends[::2], ends[1::2], strict=True))


def _flank(stretch: tuple[float, float], bottom: float, top: float, z: float, random: Generator) -> Arrays:
    low, high = (min(z, 0.0), max(z, 0.0))
    return _wall((stretch[0], bottom, low), (stretch[1], top, high), 2, int(z > 0), random)


def _over_well(axle: float, reach: float, top: float, z: float) -> Arrays:
    """The flank above a well: between its arch and the waist."""
    angle = np.linspace(np.pi, 0, 13)
    arch = np.stack([axle + reach * np.cos(angle), 0.18 + (top - 0.22) * 0.75 * np.sin(angle), np.full(13, z)], axis=1)
    line = np.stack([arch[:, 0], np.full(13, top), np.full(13, z)], axis=1)
    vertices, faces = np.concatenate([arch, line]), _quads(2, 13, closed=False)
    return vertices, faces[:, ::-1] if z > 0 else faces


def _well(axle: float, reach: float, ground: float, z: float, random: Generator) -> Arrays:
    """The lining of a wheel well: half a tube that looks at the wheel, open below and towards the engine."""
    depth = np.sign(z) * random.uniform(0.22, 0.3)
    angle = np.linspace(np.pi, 0, 9)
    arches = [
        np.stack([axle + reach * np.cos(angle), ground + (reach + 0.1) * np.sin(angle), np.full(9, end)], axis=1) for end in (z, z - depth)
    ]
    vertices, faces = np.concatenate(arches), _quads(2, 9, closed=False)
    return vertices, faces if z > 0 else faces[:, ::-1]


def building(random: Generator) -> list[Arrays]:
    """Walls without a ground floor under a roof that overhangs them, panes before the walls, floors and inner walls that are sheets."""
    wide, deep, storeys = random.uniform(8, 16), random.uniform(6, 11), int(random.integers(2, 5))
    top = 3.0 * storeys
    low, high = (-wide / 2, 0.0, -deep / 2), (wide / 2, top, deep / 2)
    found = _walls(low, high, "yY", random)
    found += _roof(wide + 0.8, deep + 0.8, top - 0.15, random.uniform(1.5, 3.0))
    found += _walls((wide * 0.2, top - 1.0, -0.5), (wide * 0.2 + 1.0, top + 3.2, 0.5), "y", random)  # a chimney through the roof
    porch = random.uniform(1.5, 3.0)
    found += _walls((-wide * 0.35, 0.0, deep / 2 - 0.6), (wide * 0.1, 3.2, deep / 2 + porch), "yz", random)
    for storey in range(storeys):
        height = 3.0 * storey
        for side in (-1, 1):
            places = np.linspace(-0.38, 0.38, 5) * wide
            found += [_pane((x, height + 1.6, side * (deep / 2 + 0.03)), 1.0, 1.3, side) for x in places]
        if storey:
            corners = [
                [-wide / 2, height, deep / 2],
                [wide / 2, height, deep / 2],
                [wide / 2, height, -deep / 2],
                [-wide / 2, height, -deep / 2],
            ]
            found.append(two_sided(*_sheet(corners, 3, 2)))
        x = random.uniform(-0.3, 0.3) * wide
        across = [[x, height, -deep / 2], [x, height, deep / 2], [x, height + 3, deep / 2], [x, height + 3, -deep / 2]]
        found.append(two_sided(*_sheet(across, 2, 1)))
    fence = [[-wide * 0.7, 0, deep * 0.7], [wide * 0.7, 0, deep * 0.7], [wide * 0.7, 1.2, deep * 0.7], [-wide * 0.7, 1.2, deep * 0.7]]
    return [*found, two_sided(*_sheet(fence, 8, 1))]


def _roof(wide: float, deep: float, base: float, rise: float) -> list[Arrays]:
    """Two slopes and two gables; no underside."""
    x, z, peak = wide / 2, deep / 2, base + rise
    front = _sheet([[-x, base, z], [x, base, z], [x, peak, 0], [-x, peak, 0]], 5, 2)
    rear = _sheet([[x, base, -z], [-x, base, -z], [-x, peak, 0], [x, peak, 0]], 3, 2)
    gables = [(np.array([[s * x, base, s * z], [s * x, base, -s * z], [s * x, peak, 0]]), np.array([[0, 1, 2]])) for s in (-1, 1)]
    return [front, rear, *gables]


KINDS: dict[str, Callable[[Generator], list[Arrays]]] = {"aircraft": aircraft, "building": building, "car": car}
