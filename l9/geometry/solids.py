"""Ten kinds of closed solids of random proportions, with their parts and their exact distance: data whose truth is known.

Every solid stands upright (+Y), centred, longest side 1.8 in [-1, 1]^3, as `normalise_cube` would leave it. Round walls are
faceted: the mesh lies within 0.001 of the box of the true shape at the default number of segments. Parts touch and do not
overlap (but for the mug's handle, whose ends sink less than 0.01 into the round wall).
source of the distances  Quilez, Distance functions, iquilezles.org
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray
from numpy.random import Generator

from l9.geometry.normalise import CUBE_SIDE

Distance = Callable[[ndarray], ndarray]
"""Points (n, 3) -> signed distances (n), negative inside."""

OFF_AXIS = 1e-12  # a point on the axis counts as this far beside it: there the profile's last edge would be a wall
SEGMENTS = 128  # facets of a full turn: a circle of radius 0.9 is missed by 0.9 * (1 - cos(pi / 128)) = 0.0003


@dataclass(frozen=True)
class Piece:
    """One closed part of a solid, counter-clockwise faces seen from outside, with its exact signed distance."""

    vertices: Float[ndarray, "v 3"]
    faces: Int64[ndarray, "f 3"]
    sdf: Distance


@dataclass(frozen=True)
class Solid:
    """A closed solid whose truth is known.

    parts       for each face, the number of its part; `part_names` says what that is
    sdf         points (n, 3) -> signed distance (n, float64), negative inside: the least of the parts' distances. Outside it is
                exact; inside, the walls where parts touch count as surface, as they do in the mesh
    """

    vertices: Float[ndarray, "v 3"]
    faces: Int64[ndarray, "f 3"]
    parts: Int64[ndarray, "f"]
    sdf: Distance
    part_names: tuple[str, ...]


def sphere(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """A ball. Its size is fixed by the box, so that all of them are equal."""
    del random
    return _solid([("ball", _capsule(1.0, 0.0, segments))])


def box(random: Generator) -> Solid:
    """A box; sides between 0.3 and 1."""
    return _solid([("box", _box((0.0, 0.0, 0.0), random.uniform(0.3, 1.0, 3)))])


def cylinder(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """An upright cylinder, diameter 0.4 to 1.6 of its height."""
    radius = random.uniform(0.2, 0.8)
    return _solid([("cylinder", _revolved([(0, 0), (radius, 0), (radius, 1), (0, 1)], segments))])


def cone(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """An upright pointed cone, diameter 0.5 to 1.6 of its height."""
    return _solid([("cone", _revolved([(0, 0), (random.uniform(0.25, 0.8), 0), (0, 1)], segments))])


def torus(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """A ring lying flat, its tube 0.15 to 0.5 of its radius."""
    return _solid([("ring", _torus(1.0, random.uniform(0.15, 0.5), segments))])


def capsule(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """An upright cylinder with half balls at its ends, its straight part 0.5 to 2 of its diameter."""
    return _solid([("capsule", _capsule(1.0, random.uniform(1.0, 4.0), segments))])


def table(random: Generator) -> Solid:
    """A box for a top on four square legs."""
    width, depth, height = random.uniform(0.8, 1.6), random.uniform(0.6, 1.0), random.uniform(0.5, 0.9)
    thick, leg = random.uniform(0.05, 0.12), random.uniform(0.05, 0.12)
    top = _box((0.0, height + thick / 2, 0.0), (width, thick, depth))
    return _solid([("top", top), *(("leg", piece) for piece in _legs(width, depth, height, leg))])


def chair(random: Generator) -> Solid:
    """A seat on four square legs with an upright back; it faces +Z."""
    width, depth, height = random.uniform(0.4, 0.6), random.uniform(0.4, 0.6), random.uniform(0.35, 0.55)
    thick, leg, rise = random.uniform(0.04, 0.09), random.uniform(0.04, 0.08), random.uniform(0.35, 0.7)
    seat = _box((0.0, height + thick / 2, 0.0), (width, thick, depth))
    back = _box((0.0, height + thick + rise / 2, -depth / 2 + thick / 2), (width, rise, thick))
    return _solid([("seat", seat), ("back", back), *(("leg", piece) for piece in _legs(width, depth, height, leg))])


def lamp(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """A round foot, a pole, and a shade: a solid cut-off cone, wider below."""
    foot, thick, pole = random.uniform(0.2, 0.4), random.uniform(0.03, 0.08), random.uniform(0.02, 0.05)
    height, wide, shade = random.uniform(0.5, 1.0), random.uniform(0.25, 0.5), random.uniform(0.2, 0.5)
    narrow, bottom = wide * random.uniform(0.3, 0.8), thick + height
    profiles = {
        "foot": [(0, 0), (foot, 0), (foot, thick), (0, thick)],
        "pole": [(0, thick), (pole, thick), (pole, bottom), (0, bottom)],
        "shade": [(0, bottom), (wide, bottom), (narrow, bottom + shade), (0, bottom + shade)],
    }
    return _solid([(name, _revolved(profile, segments)) for name, profile in profiles.items()])


def mug(random: Generator, *, segments: int = SEGMENTS) -> Solid:
    """A cup open at the top, with a square handle of three bars on its +X side."""
    radius, height, wall = random.uniform(0.3, 0.5), random.uniform(0.7, 1.1), random.uniform(0.05, 0.08)
    reach, bar = random.uniform(0.2, 0.35), random.uniform(0.05, 0.08)
    low, high = random.uniform(0.15, 0.3) * height, random.uniform(0.7, 0.85) * height
    within = radius - wall
    cup = _revolved([(0, 0), (radius, 0), (radius, height), (within, height), (within, wall), (0, wall)], segments)
    chord = math.sqrt(radius**2 - bar**2 / 4)  # where a bar's corners meet the round wall: its middle sinks in by radius - chord
    across = chord + (reach - bar) / 2
    bars = (
        _box((across, low, 0.0), (reach - bar, bar, bar)),
        _box((across, high, 0.0), (reach - bar, bar, bar)),
        _box((chord + reach - bar / 2, (low + high) / 2, 0.0), (bar, high - low + bar, bar)),
    )
    return _solid([("cup", cup), *(("handle", piece) for piece in bars)])


SOLIDS: dict[str, Callable[[Generator], Solid]] = {
    "box": box,
    "capsule": capsule,
    "chair": chair,
    "cone": cone,
    "cylinder": cylinder,
    "lamp": lamp,
    "mug": mug,
    "sphere": sphere,
    "table": table,
    "torus": torus,
}
"""Class name -> maker of one solid; the generator decides its proportions."""

PARTS = {"box": 1, "capsule": 1, "chair": 3, "cone": 1, "cylinder": 1, "lamp": 3, "mug": 2, "sphere": 1, "table": 2, "torus": 1}
"""Class name -> how many parts its solids have. Counted through all classes they are 0 to 15: 2 to 4 are those of a chair."""


def _solid(named: Sequence[tuple[str, Piece]]) -> Solid:
    """Pieces as one solid, centred, longest side 1.8; pieces of one name are one part."""
    names = tuple(dict.fromkeys(name for name, _ in named))
    starts = np.cumsum([0, *(len(piece.vertices) for _, piece in named)])
    vertices = np.concatenate([piece.vertices for _, piece in named])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    centre, scale = (low + high) / 2, CUBE_SIDE / float((high - low).max())

    def distance(points: ndarray) -> ndarray:
        here = np.asarray(points, dtype=np.float64) / scale + centre
        return scale * np.min([piece.sdf(here) for _, piece in named], axis=0)

    return Solid(
        vertices=(vertices - centre) * scale,
        faces=np.concatenate([piece.faces + start for start, (_, piece) in zip(starts, named, strict=False)]),
        parts=np.concatenate([np.full(len(piece.faces), names.index(name), dtype=np.int64) for name, piece in named]),
        sdf=distance,
        part_names=names,
    )


def _legs(width: float, depth: float, height: float, side: float) -> list[Piece]:
    """Four square legs, flush with the corners of a width x depth plate whose underside is at `height`."""
    x, z = (width - side) / 2, (depth - side) / 2
    return [_box((sx * x, height / 2, sz * z), (side, height, side)) for sx in (-1, 1) for sz in (-1, 1)]


def _box(centre: Sequence[float], sides: Sequence[float] | Float[ndarray, "3"]) -> Piece:
    middle, half = np.asarray(centre, dtype=np.float64), np.asarray(sides, dtype=np.float64) / 2
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half + middle
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], dtype=np.int64)

    def distance(points: ndarray) -> ndarray:
        beyond = np.abs(points - middle) - half
        return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)

    return Piece(corners, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), distance)


def _capsule(radius: float, length: float, segments: int) -> Piece:
    """A ball of `radius` drawn out along y by `length`; length 0 is a ball."""
    angles = np.linspace(-math.pi / 2, math.pi / 2, segments // 2 + 1)
    profile = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
    profile[[0, -1], 0] = 0.0
    if length > 0:
        profile = np.concatenate([profile[angles < 1e-9], profile[angles > -1e-9]])
        profile[:, 1] += np.repeat([-length / 2, length / 2], len(profile) // 2)

    def distance(points: ndarray) -> ndarray:
        beyond = np.maximum(np.abs(points[:, 1]) - length / 2, 0)
        return np.sqrt(points[:, 0] ** 2 + beyond**2 + points[:, 2] ** 2) - radius

    return Piece(*_turned(profile, segments, closed=False), distance)


def _torus(radius: float, tube: float, segments: int) -> Piece:
    angles = np.arange(segments // 2) * (2 * math.pi / (segments // 2))
    profile = np.stack([radius + tube * np.cos(angles), tube * np.sin(angles)], axis=1)

    def distance(points: ndarray) -> ndarray:
        return np.hypot(np.hypot(points[:, 0], points[:, 2]) - radius, points[:, 1]) - tube

    return Piece(*_turned(profile, segments, closed=True), distance)


def _revolved(profile: Sequence[Sequence[float | int]], segments: int) -> Piece:
    """A polygon of (radius, y), from axis to axis, turned about y; its inside is on the left going along it."""
    corners = np.array(profile, dtype=np.float64)

    def distance(points: ndarray) -> ndarray:
        radius = np.maximum(np.hypot(points[:, 0], points[:, 2]), OFF_AXIS)
        return _polygon_distance(np.stack([radius, points[:, 1]], axis=1), corners)

    return Piece(*_turned(corners, segments, closed=False), distance)


def _polygon_distance(points: Float[ndarray, "n 2"], corners: Float[ndarray, "c 2"]) -> Float[ndarray, "n"]:
    """Signed distance to a polygon whose last edge lies on the axis and is no wall: distance to the others, parity for the sign."""
    square = np.full(len(points), np.inf)
    filled = np.zeros(len(points), dtype=np.bool_)
    for number, (start, end) in enumerate(zip(corners, np.roll(corners, -1, axis=0), strict=True)):
        edge, away = end - start, points - start
        if number < len(corners) - 1:
            along = np.clip(away @ edge / (edge @ edge), 0, 1)
            square = np.minimum(square, ((away - along[:, None] * edge) ** 2).sum(axis=1))
        between = (start[1] <= points[:, 1]) != (end[1] <= points[:, 1])
        cross = edge[0] * away[:, 1] - edge[1] * away[:, 0]
        filled ^= between & ((cross > 0) == (edge[1] > 0))
    return np.where(filled, -1.0, 1.0) * np.sqrt(square)


def _turned(profile: Float[ndarray, "k 2"], segments: int, *, closed: bool) -> tuple[Float[ndarray, "v 3"], Int64[ndarray, "f 3"]]:
    """The surface of a profile (radius, y) turned about y; points on the axis become one vertex each."""
    angles = np.arange(segments) * (2 * math.pi / segments)
    on_axis = profile[:, 0] == 0
    widths = np.where(on_axis, 1, segments)
    starts = np.cumsum(widths) - widths
    ring = starts[:, None] + np.where(on_axis[:, None], 0, np.arange(segments))
    radius, height = np.repeat(profile[:, 0], widths), np.repeat(profile[:, 1], widths)
    angle = np.concatenate([angles[:width] for width in widths])
    vertices = np.stack([radius * np.cos(angle), height, -radius * np.sin(angle)], axis=1)
    lower, upper = (ring, np.roll(ring, -1, axis=0)) if closed else (ring[:-1], ring[1:])
    beside_lower, beside_upper = np.roll(lower, -1, axis=1), np.roll(upper, -1, axis=1)
    first = np.stack([lower, beside_lower, beside_upper], axis=-1).reshape(-1, 3)
    second = np.stack([lower, beside_upper, upper], axis=-1).reshape(-1, 3)
    faces = np.concatenate([first, second]).astype(np.int64)
    proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return vertices, faces[proper]
