"""A tree over the triangles of a mesh: what makes distance and winding number fast."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64
from numpy import ndarray

from l9.errors import RefusedObject


class Tree(NamedTuple):
    """Triangles (float64) in the order of a binary tree over them; nodes stand parent, left, right (depth first).

    Node i owns triangles[start[i]:stop[i]]; `skip[i]` is the first node that is no descendant of i.
    """

    triangles: Float[ndarray, "f 3 3"]
    start: Int64[ndarray, "nodes"]
    stop: Int64[ndarray, "nodes"]
    skip: Int64[ndarray, "nodes"]


def triangle_tree(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Tree:
    """The tree of a mesh, split at the median of the longest axis; only vertices that faces use are looked at.

    raises  RefusedObject `no-faces`
    """
    from l9.geometry._tree_kernels import grow_tree

    if len(faces) == 0:
        raise RefusedObject("no-faces", f"{len(vertices):,} vertices, 0 faces")
    triangles = vertices[faces].astype(np.float64)
    order, start, stop, skip = grow_tree(triangles.mean(axis=1))
    return Tree(np.ascontiguousarray(triangles[order]), start, stop, skip)
