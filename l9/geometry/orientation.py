"""Faces of closed parts that look the wrong way: a converter that shuffles them leaves the surface, and so its inside, where it was."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from l9.errors import UsageError


def turned_faces(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Bool[ndarray, "f"]:
    """Which faces are to be turned over, so that those of each closed part agree which side is out.

    A part is what hangs together by edges, vertices at one place taken for one; it is closed where each of its edges has two faces.
    Faces follow most of their part's area; where neither way has 75 % of it, they look outwards. Parts that agree, open parts, and
    such as have an edge with more than two faces stay as they are.

    raises  UsageError for a face with a vertex that is not there
    """
    from l9.geometry._orientation_kernels import faces_to_turn

    if faces.size and not (faces.min() >= 0 and faces.max() < len(vertices)):
        raise UsageError(f"faces name vertices {faces.min()} to {faces.max()}; expected 0 to {len(vertices) - 1}")
    placed = np.ascontiguousarray(vertices, dtype=np.float64) + 0.0  # which makes zeros of negative zeros
    return faces_to_turn(placed, placed.view(np.int64), np.ascontiguousarray(faces, dtype=np.int64)).astype(np.bool_)


def agreeing_faces(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Int[ndarray, "f 3"]:
    """The faces, with those of `turned_faces` turned over."""
    turned = turned_faces(vertices, faces)
    return np.where(turned[:, None], faces[:, ::-1], faces) if turned.any() else faces
