"""Solids with an analytic inside, whole and damaged in eleven ways: the sign table of bench/sdf.py.

The solids are those of `l9.geometry.solids`, turned at random and brought into the cube. Their round walls are faceted, within 0.001 of the
formula: voxels nearer than that to the true surface are not judged. Flat faces are cut in four until a damaged face is small, so that a
share of the faces is a share of the area.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.spatial.transform import Rotation
from sdf_peers import points_of

from l9.geometry.damage import Arrays, cracked, double_walled, doubled, flipped, holed, inverted, overlapping, two_sided, unwelded
from l9.geometry.normalise import CUBE_SIDE
from l9.geometry.solids import SOLIDS, Distance

FACET_ERROR = 1e-3  # units of the box: how far a facet may lie from the formula (l9.geometry.solids)
CUTS = {"sphere": 0, "torus": 0, "box": 5, "chair": 4}  # solid -> how often its faces are cut in four: 12,288 and 18,432 faces
WALLS = {"sphere": 0.25, "torus": 0.08, "box": 0.15, "chair": 0.02}  # solid -> thickness of a double wall, units of the box
SMALLER = 0.7  # size of each of two overlapping copies
STEP = np.array([0.25, 0.15, 0.2])  # from the middle to either of them


@dataclass(frozen=True)
class Shape:
    """A closed mesh in the cube, its signed distance by formula, and the thickness of its wall where it gets a second one."""

    vertices: ndarray
    faces: ndarray
    sdf: Distance
    wall: float


@dataclass(frozen=True)
class Damage:
    """One column of the table.

    mesh     what is done to a shape
    sdf      the signed distance of the true inside afterwards; None: there is no inside
    least    the IoU that l9 should reach
    """

    mesh: Callable[[Shape], Arrays]
    sdf: Callable[[Shape], Distance] | None
    least: float


def shape(name: str) -> Shape:
    """One of CUTS."""
    solid = SOLIDS[name](np.random.default_rng(5))
    turn = Rotation.random(rng=np.random.default_rng(7)).as_matrix()
    vertices, faces = _cut(solid.vertices @ turn.T, solid.faces, CUTS[name])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    centre, scale = (low + high) / 2, CUBE_SIDE / float((high - low).max())

    def sdf(points: ndarray) -> ndarray:
        return scale * solid.sdf((points / scale + centre) @ turn)

    return Shape((vertices - centre) * scale, faces, sdf, WALLS[name])


def _cut(vertices: ndarray, faces: ndarray, times: int) -> Arrays:
    """Every face cut at the middles of its sides, `times` times; neighbours go on sharing their vertices."""
    for _ in range(times):
        sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
        unlike, number = np.unique(sides, axis=0, return_inverse=True)
        a, b, c = faces.T
        ab, bc, ca = number.reshape(-1, 3).T + len(vertices)
        vertices = np.concatenate([vertices, vertices[unlike].mean(axis=1)])
        faces = np.concatenate([np.stack(corners, axis=1) for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return vertices, faces


def _shell(whole: Shape) -> Distance:
    return lambda points: np.maximum(whole.sdf(points), -whole.wall - whole.sdf(points))


def _pair(whole: Shape) -> Distance:
    return lambda points: SMALLER * np.minimum(whole.sdf((points - STEP) / SMALLER), whole.sdf((points + STEP) / SMALLER))


def _lower_half(whole: Shape) -> Arrays:
    """The faces whose middle lies below the origin: an open surface."""
    return whole.vertices, whole.faces[whole.vertices[whole.faces].mean(axis=1)[:, 1] < 0]


def _same(whole: Shape) -> Distance:
    return whole.sdf


DAMAGES = {
    "clean": Damage(lambda s: (s.vertices, s.faces), _same, 1.0),
    "holes, 10 %": Damage(lambda s: holed(s.vertices, s.faces), _same, 0.99),
    "20 % flipped": Damage(lambda s: flipped(s.vertices, s.faces), _same, 0.98),
    "all inverted": Damage(lambda s: inverted(s.vertices, s.faces), _same, 1.0),
    "30 % twice": Damage(lambda s: doubled(s.vertices, s.faces), _same, 0.999),
    "double wall": Damage(lambda s: double_walled(s.vertices, s.faces, s.wall, same_way=False), _shell, 0.999),
    "nested walls": Damage(lambda s: double_walled(s.vertices, s.faces, s.wall, same_way=True), _same, 0.99),
    "overlapping": Damage(lambda s: overlapping(SMALLER * s.vertices - STEP, s.faces, 2 * STEP), _pair, 0.999),
    "unwelded": Damage(lambda s: unwelded(s.vertices, s.faces), _same, 1.0),
    "5 % cracks": Damage(lambda s: cracked(s.vertices, s.faces), _same, 0.999),
    "two-sided sheet": Damage(lambda s: two_sided(*_lower_half(s)), None, 0.0),
}


def damaged_truth(damage: Damage, whole: Shape, resolution: int) -> dict[str, ndarray]:
    """Which voxels are inside, and which are judged: those farther from the true surface than the facets."""
    size = (resolution,) * 3
    if damage.sdf is None:
        return {"inside": np.zeros(size, np.bool_), "judged": np.ones(size, np.bool_)}
    distance = damage.sdf(whole)(points_of(resolution, np.float64)).reshape(size)
    return {"inside": distance < 0, "judged": np.abs(distance) > FACET_ERROR}
