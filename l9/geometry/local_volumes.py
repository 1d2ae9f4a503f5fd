"""Volumes around points of a surface: truncated distances to it, 1 where it is and 0 from the end of the band on.

source  Zeng et al., 3DMatch, CVPR 2017, section 3: truncated distances, turned round so that what is far away, or was never seen, is 0
"""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from scipy.spatial import cKDTree

from l9.errors import UsageError

BAND = 5  # voxels from the surface on which a distance is 0
FULL = 255  # what 1 is stored as


def local_volumes(
    vertices: Float[ndarray, "v 3"], centres: Float[ndarray, "n 3"], side: int, voxel: float, band: int = BAND
) -> UInt8[ndarray, "n side side side"]:
    """255 (1 - min(d, band) / band) at each voxel, rounded, where d is the distance to the nearest vertex in voxels, indexed [x, y, z].

    It is the distance to a vertex rather than to a face: on a surface whose vertices lie a voxel apart it is at most 0.71 voxels, where
    it should be 0. Both sides of the surface look alike. What was never seen has no vertices, and so looks like what is empty.

    vertices  metres
    centres   metres, in the same axes: voxel i has its centre at centre + (i - (side - 1) / 2) * voxel on each axis
    raises    UsageError for no voxels
    """
    from l9.geometry._volume_kernels import nearest_squares

    if side < 1 or band < 1 or not 0 < voxel < np.inf:
        raise UsageError(f"side {side}, voxel {voxel} m, band {band}; expected each above 0")
    volumes = np.zeros((len(centres), side, side, side), np.uint8)
    if not len(vertices) or not len(centres):
        return volumes
    middle = (side - 1) / 2
    around = cKDTree(vertices).query_ball_point(centres, (middle + band) * voxel, p=np.inf, return_sorted=True)
    squares = np.empty(volumes.shape[1:], np.float32)
    for number, near in enumerate(around):
        squares.fill(band**2)
        nearest_squares(((vertices[near] - centres[number]) / voxel + middle).astype(np.float32), float(band), squares)
        volumes[number] = np.rint(FULL * (1 - np.sqrt(squares) / band))
    return volumes
