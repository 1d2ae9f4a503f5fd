"""Which voxels a mesh touches, and which it fills.

Grids are those of `l9.geometry.grid`: r^3 voxels in the cube `box`, indexed [x, y, z].
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from l9.geometry.grid import Box, voxel_triangles
from l9.geometry.sdf import inside_grid


def surface_occupancy(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], resolution: int, *, box: Box = (-1.0, 1.0)
) -> Bool[ndarray, "r r r"]:
    """Voxels that share a point with a triangle.

    Exact: a voxel is a closed box, so that one which a triangle only touches counts (tolerance 1e-9 of a voxel); a triangle that
    lies in the wall between two layers marks both. Degenerate triangles mark the voxels of their segment or point; what lies
    outside the box is left out.
    source  Akenine-Moller, Fast 3D triangle-box overlap testing, 2001 (separating axes)
    """
    from l9.geometry._kernels import mark_triangles

    occupied = np.zeros((resolution,) * 3, dtype=np.bool_)
    mark_triangles(voxel_triangles(vertices, faces, resolution, box), occupied)
    return occupied


def solid_occupancy(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], resolution: int, *, box: Box = (-1.0, 1.0)
) -> Bool[ndarray, "r r r"]:
    """Voxels that share a point with a triangle, and those whose centre is inside (see `l9.geometry.sign`)."""
    return surface_occupancy(vertices, faces, resolution, box=box) | inside_grid(vertices, faces, resolution, box=box)
