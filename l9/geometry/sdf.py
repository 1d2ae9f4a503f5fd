"""Signed distance of every voxel centre to a mesh."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from l9.geometry.grid import Box, grid_centres
from l9.geometry.sign import inside_grid
from l9.geometry.tree import Tree, triangle_tree

Sign = Literal["winding", "none"]


def sdf_grid(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    resolution: int,
    *,
    box: Box = (-1.0, 1.0),
    sign: Sign = "winding",
) -> Float32[ndarray, "r r r"]:
    """Distance from each voxel centre to the nearest point of the surface, indexed [x, y, z], in the units of the box.

    sign  "winding": negative inside, where |winding number| > 0.5 (see `l9.geometry.sign`); "none": unsigned
    The distance is exact (float64 within, float32 as a result) and is that to every face, walls inside included.
    One thread: one process per core makes grids faster than threads do.
    """
    from l9.geometry._tree_kernels import node_boxes

    tree, centres = triangle_tree(vertices, faces), grid_centres(resolution, box)
    boxes = node_boxes(tree.triangles, tree.start, tree.stop)
    distance = np.empty((resolution,) * 3, dtype=np.float32)
    for x, centre in enumerate(centres):  # layer by layer, to keep memory flat
        distance[x] = _nearest(tree, boxes, np.stack(np.meshgrid(centre, centres, centres, indexing="ij"), axis=-1)[0])
    if sign == "none":
        return distance
    return np.where(inside_grid(vertices, faces, resolution, box=box), -distance, distance)


def distance_to_surface(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], points: Float[ndarray, "*shape 3"]
) -> Float[ndarray, "*shape"]:
    """Unsigned distance (float64, the points' unit) from each point to the nearest point of a mesh.

    Fastest where points that are near in space are near in order: each begins with the nearest triangle of the one before.
    """
    from l9.geometry._tree_kernels import node_boxes

    tree = triangle_tree(vertices, faces)
    return _nearest(tree, node_boxes(tree.triangles, tree.start, tree.stop), points)


def _nearest(tree: Tree, boxes: Float[ndarray, "nodes 6"], points: Float[ndarray, "*shape 3"]) -> Float[ndarray, "*shape"]:
    from l9.geometry._tree_kernels import nearest_in_tree

    flat = np.ascontiguousarray(points.reshape(-1, 3), dtype=np.float64)
    return nearest_in_tree(*tree, boxes, flat).reshape(points.shape[:-1])
