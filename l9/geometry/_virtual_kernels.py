"""One depth picture into a dense field that keeps, for each voxel, the distance nearest to 0; compiled by Numba."""

import numpy as np
from numba import njit
from numpy import ndarray

scalar = njit(cache=True, nogil=True, error_model="numpy")


@scalar
def _is_nearer(one: float, other: float, known: float) -> bool:
    """Whether the second counts: of two known ones the nearer to 0 (the one in front where they are equal), else the greater."""
    if one >= known and other >= known:
        return bool(abs(other) < abs(one) or (abs(other) == abs(one) and other > one))
    return bool(other > one)


@scalar
def keep_nearest(
    kept: ndarray, depth: ndarray, lens: ndarray, turn: ndarray, place: ndarray, centres: ndarray, known: float, misses: bool
) -> None:
    """Change `kept` (float64 [x, y, z], voxels, -infinity where nothing was said) by what one picture says.

    depth    float32 (h, w), along the optical axis; infinite where nothing was met
    lens     fx, fy, cx, cy
    turn     world-to-camera rotation, place the camera's, in the unit of depth
    centres  float64 (n): of voxels along one axis
    known    voxels, from which on a distance is known
    misses   whether a pixel that met nothing says that all along its ray is free
    """
    height, width = depth.shape
    size = centres[1] - centres[0]
    for i in range(len(centres)):
        for j in range(len(centres)):
            dx, dy = centres[i] - place[0], centres[j] - place[1]
            for k in range(len(centres)):
                dz = centres[k] - place[2]
                z = turn[2, 0] * dx + turn[2, 1] * dy + turn[2, 2] * dz
                if z <= 0:
                    continue
                column = np.rint(lens[0] * (turn[0, 0] * dx + turn[0, 1] * dy + turn[0, 2] * dz) / z + lens[2])
                row = np.rint(lens[1] * (turn[1, 0] * dx + turn[1, 1] * dy + turn[1, 2] * dz) / z + lens[3])
                if not (0 <= column < width and 0 <= row < height):
                    continue
                met = depth[int(row), int(column)]
                if met == np.inf and not misses:
                    continue
                found = (met - z) / size
                if _is_nearer(kept[i, j, k], found, known):
                    kept[i, j, k] = found
