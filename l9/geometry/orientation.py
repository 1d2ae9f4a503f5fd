"""Faces of closed parts that look the wrong way: a converter that shuffles them leaves the surface, and so its inside, where it was."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64
from numpy import ndarray

from l9.geometry.mesh import check_faces


def welded(vertices: Float[ndarray, "v 3"]) -> Int64[ndarray, "v"]:
    """For each vertex the number of the first one at its very place."""
    from l9.geometry._orientation_kernels import weld

    return weld(_places(vertices)[1])


def turned_faces(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Bool[ndarray, "f"]:
    """Which faces are to be turned over, so that those of each closed part agree which side is out.

    A part is what hangs together by edges; it is closed where each of them has two faces. Edges are told by their vertices' numbers,
    and where that leaves one alone, by their places.
    Faces follow most of their part's area; where neither way has 75 % of it, they look outwards. Parts that agree, open parts, and
    such as have an edge with more than two faces stay as they are.

    raises  RefusedObject `index-out-of-range`
    """
    from l9.geometry._orientation_kernels import faces_to_turn

    check_faces(faces, len(vertices))
    placed, places = _places(vertices)
    return faces_to_turn(placed, places, np.ascontiguousarray(faces, dtype=np.int64)).astype(np.bool_)


def agreeing_faces(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> tuple[Int[ndarray, "f 3"], float]:
    """The faces, with those of `turned_faces` turned over, and their share."""
    turned = turned_faces(vertices, faces)
    if not turned.any():
        return faces, 0.0
    return np.where(turned[:, None], faces[:, ::-1], faces), float(turned.mean())


def _places(vertices: Float[ndarray, "v 3"]) -> tuple[Float64[ndarray, "v 3"], Int64[ndarray, "v 3"]]:
    """The vertices as float64, and their bits, which are the same where the numbers are: there are no negative zeros."""
    placed = np.ascontiguousarray(vertices, dtype=np.float64) + 0.0
    return placed, placed.view(np.int64)
