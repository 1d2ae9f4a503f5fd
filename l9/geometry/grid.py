"""The lattice all grids share: r^3 voxels in a cube, samples at voxel centres, indexed [x, y, z].

Everything is computed about the middle of the box, so that a mesh turned by 90 degrees or mirrored meets exactly the same numbers.
"""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import UsageError

Box = tuple[float, float]
"""Lower and upper bound of a cube, the same on x, y and z."""


def voxel_size(resolution: int, box: Box) -> float:
    """Side of one voxel, in the units of the box; UsageError where there is no such grid."""
    if resolution < 1:
        raise UsageError(f"resolution is {resolution}; expected 1 or more")
    if not box[0] < box[1]:
        raise UsageError(f"box is {box}; expected a lower and a higher bound")
    return (box[1] - box[0]) / resolution


def grid_centres(resolution: int, box: Box = (-1.0, 1.0)) -> Float[ndarray, "r"]:
    """Coordinates (float64, units of the box) of the voxel centres along one axis."""
    return (np.arange(resolution) - (resolution - 1) / 2) * voxel_size(resolution, box) + (box[0] + box[1]) / 2


def voxel_triangles(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], resolution: int, box: Box = (-1.0, 1.0)
) -> Float[ndarray, "f 3 3"]:
    """Corners of every triangle (float64) in voxels from the middle of the box: voxel i has its centre at i - (r - 1) / 2."""
    corners = vertices[faces].astype(np.float64)
    return np.ascontiguousarray((corners - (box[0] + box[1]) / 2) / voxel_size(resolution, box))
