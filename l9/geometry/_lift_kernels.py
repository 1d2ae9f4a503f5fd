"""Compiled: pixels of a depth picture to the world, and points of the world to pixels.

A product of matrices three columns wide takes many times as long.
"""

import numpy as np
from numba import njit
from numpy import ndarray


@njit(cache=True)
def lift_picture(depth: ndarray, lens: ndarray, pose: ndarray) -> ndarray:
    """Points (float64, n x 3, metres) of the pixels with finite depth above 0, row by row; `lens` is fx, fy, cx, cy."""
    rows, columns = depth.shape
    count = 0
    for row in range(rows):
        for column in range(columns):
            z = depth[row, column]
            count += z > 0 and z < np.inf
    points = np.empty((count, 3), np.float64)
    at = 0
    for row in range(rows):
        y = (row - lens[3]) / lens[1]
        for column in range(columns):
            z = np.float64(depth[row, column])
            if z > 0 and z < np.inf:
                x = (column - lens[2]) / lens[0]
                for axis in range(3):
                    points[at, axis] = z * (pose[axis, 0] * x + pose[axis, 1] * y + pose[axis, 2]) + pose[axis, 3]
                at += 1
    return points


@njit(cache=True)
def project_points(points: ndarray, pose: ndarray, lens: ndarray) -> ndarray:
    """Column, row and depth (float64, n x 3) of points of the world as a camera at `pose` (camera-to-world) sees them; NaN behind it."""
    seen = np.empty((len(points), 3), np.float64)
    for i in range(len(points)):
        x, y, z = points[i, 0] - pose[0, 3], points[i, 1] - pose[1, 3], points[i, 2] - pose[2, 3]
        along = pose[0, 2] * x + pose[1, 2] * y + pose[2, 2] * z
        if along > 0:
            seen[i, 0] = lens[0] * (pose[0, 0] * x + pose[1, 0] * y + pose[2, 0] * z) / along + lens[2]
            seen[i, 1] = lens[1] * (pose[0, 1] * x + pose[1, 1] * y + pose[2, 1] * z) / along + lens[3]
            seen[i, 2] = along
        else:
            seen[i, :] = np.nan
    return seen


@njit(cache=True)
def see_points(points: ndarray, pose: ndarray, lens: ndarray, depth: ndarray, tolerance: float) -> ndarray:
    """Whether each point lies within `tolerance` (metres) of the depth measured at the nearest pixel."""
    seen = project_points(points, pose, lens)
    visible = np.zeros(len(points), np.bool_)
    for i in range(len(points)):
        column, row = np.floor(seen[i, 0] + 0.5), np.floor(seen[i, 1] + 0.5)
        if column >= 0 and row >= 0 and column < depth.shape[1] and row < depth.shape[0]:
            there = np.float64(depth[int(row), int(column)])
            visible[i] = there > 0 and abs(seen[i, 2] - there) <= tolerance
    return visible
