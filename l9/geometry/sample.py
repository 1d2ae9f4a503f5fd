"""Points drawn from a surface."""

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from numpy import ndarray

from l9.errors import RefusedObject


def sample_surface(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], count: int, *, seed: int
) -> tuple[Float32[ndarray, "n 3"], Float32[ndarray, "n 3"], Int64[ndarray, "n"]]:
    """`count` points drawn uniformly by area, the unit normals of their faces, and the numbers of the faces.

    Work is in float64, since the normals of slivers break in float32. A face without area is never drawn.
    seed    two calls with one seed give one result
    raises  RefusedObject `no-area` if no face has area
    source  Osada et al., Shape distributions, 2002, eq. 1 (a uniform point of a triangle)
    """
    corners = vertices[faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled_areas = np.linalg.norm(normals, axis=1)
    until = np.cumsum(doubled_areas)
    if len(faces) == 0 or not (np.isfinite(until[-1]) and until[-1] > 0):
        raise RefusedObject("no-area", f"{len(faces):,} faces have no area together; expected some to draw points from")
    random = np.random.default_rng(seed)
    last = int(np.flatnonzero(doubled_areas)[-1])  # rounding up to the whole sum must not draw a face without area
    drawn = np.minimum(np.searchsorted(until, random.random(count) * until[-1], side="right"), last)
    root, along = np.sqrt(random.random(count))[:, None], random.random(count)[:, None]
    first, second, third = (corners[drawn, k] for k in range(3))
    points = (1 - root) * first + root * (1 - along) * second + root * along * third
    unit = normals[drawn] / doubled_areas[drawn, None]
    return points.astype(np.float32), unit.astype(np.float32), drawn.astype(np.int64)
