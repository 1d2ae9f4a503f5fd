"""The hot loop of volumes around key points, compiled by Numba."""

import numpy as np
from numba import njit
from numpy import ndarray


@njit(cache=True, nogil=True)
def nearest_squares(points: ndarray, band: float, squares: ndarray) -> None:
    """Lower each voxel's squared distance to that of the nearest point, where it is below what stands there.

    points   float32 (n, 3): voxels, where voxel (i, j, k) has its centre at exactly (i, j, k)
    band     voxels: farther away nothing is looked at
    squares  float32 (V, V, V): voxels squared, the square of `band` where no point was yet
    """
    side = squares.shape[0]
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for n in range(len(points)):
        for axis in range(3):
            low[axis] = max(0, int(np.ceil(points[n, axis] - band)))
            high[axis] = min(side, int(np.floor(points[n, axis] + band)) + 1)
        for i in range(low[0], high[0]):
            x = (np.float32(i) - points[n, 0]) ** 2
            for j in range(low[1], high[1]):
                xy = x + (np.float32(j) - points[n, 1]) ** 2
                for k in range(low[2], high[2]):
                    square = xy + (np.float32(k) - points[n, 2]) ** 2
                    squares[i, j, k] = min(squares[i, j, k], square)
