"""Points drawn from a surface."""

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import check_faces


def sample_surface(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], count: int, *, seed: int
) -> tuple[Float32[ndarray, "n 3"], Float32[ndarray, "n 3"], Int64[ndarray, "n"]]:
    """`count` points drawn uniformly by area, in random order, the unit normals of their faces, and the numbers of the faces.

    Work is in float64, since the normals of slivers break in float32. A face without area is never drawn. One thread.
    seed    two calls with one seed give one result
    raises  RefusedObject `no-area` if no face has area, `index-out-of-range` if one names a vertex that is not there
    source  Osada et al., Shape distributions, 2002, eq. 1 (a uniform point of a triangle)
    """
    from l9.geometry._sample_kernels import draw_faces, place_points, running_areas

    check_faces(faces, len(vertices))
    corners, corner_numbers = np.ascontiguousarray(vertices, dtype=np.float64), np.ascontiguousarray(faces, dtype=np.int64)
    until, last = running_areas(corners, corner_numbers)
    if last < 0 or not np.isfinite(until[-1]):
        raise RefusedObject("no-area", f"{len(faces):,} faces have no area together; expected some to draw points from")
    shares, roots, alongs = np.random.default_rng(seed).random((3, count))
    buckets = max(1, min(len(faces), count))  # twice or half as many are no faster
    drawn = draw_faces(until, last, buckets, shares)
    return (*place_points(corners, corner_numbers, drawn, roots, alongs), drawn)
