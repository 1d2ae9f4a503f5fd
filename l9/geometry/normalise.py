"""Bring a shape into the box in which grids are made, and turn it about an axis."""

import math

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, axis_vector

CUBE_SIDE = 1.8  # longest side after normalise_cube: a tenth of [-1, 1]^3 stays empty, so that a grid sees the outside all round


def normalise_cube(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"] | None) -> Float[ndarray, "v 3"]:
    """Vertices (float64) with their bounding box centred on the origin and its longest side 1.8.

    Only vertices that a face uses are measured; the others are moved along. `faces` None: a cloud, whose points are all measured.
    raises  RefusedObject `no-area` where the box has no size that floating point can divide by
    """
    used = _used(vertices, faces)
    low, high = used.min(axis=0), used.max(axis=0)
    return _moved(vertices, (low + high) / 2, CUBE_SIDE, float((high - low).max()))


def normalise_sphere(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"] | None) -> Float[ndarray, "v 3"]:
    """Vertices (float64) with their bounding box centred on the origin and the farthest used vertex at distance 1.

    `faces` None: a cloud, all of whose points are used.
    raises  RefusedObject `no-area` where the box has no size that floating point can divide by
    """
    used = _used(vertices, faces)
    centre = (used.min(axis=0) + used.max(axis=0)) / 2
    farthest = float(np.linalg.norm(used - centre, axis=1).max())
    return _moved(vertices, centre, 1.0, farthest)


def rotation_about(axis: Axis, radians: float) -> Float[ndarray, "3 3"]:
    """Rotation matrix, right-handed about `axis`; turns points as `points @ matrix.T`.

    Quarter turns are exact: their entries are 0, 1 and -1.
    source  Rodrigues' formula
    """
    quarters = radians / (math.pi / 2)
    if math.isclose(quarters, round(quarters), abs_tol=1e-12):
        sine, cosine = ((0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0))[round(quarters) % 4]
    else:
        sine, cosine = math.sin(radians), math.cos(radians)
    x, y, z = axis_vector(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)


def _used(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"] | None) -> Float[ndarray, "u 3"]:
    used = (vertices if faces is None else vertices[faces.reshape(-1)]).astype(np.float64)
    if len(used) == 0:
        raise RefusedObject("no-points" if faces is None else "no-faces", f"{len(vertices):,} vertices, 0 faces")
    return used


def _moved(vertices: Float[ndarray, "v 3"], centre: Float[ndarray, "3"], wanted: float, found: float) -> Float[ndarray, "v 3"]:
    scale = wanted / found if found > 0 else math.inf
    if not (math.isfinite(scale) and scale > 0 and np.isfinite(centre).all()):
        raise RefusedObject("no-area", f"size {found:g}; expected one that can be scaled to {wanted:g}")
    with np.errstate(over="ignore", invalid="ignore"):  # a vertex that no face uses may be anything
        return (vertices.astype(np.float64) - centre) * scale
