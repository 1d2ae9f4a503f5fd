"""What two posed depth frames see of the same surface: which points of one are visible in the other, and how much they share.

`occupied_cells` is made once a frame; frames are then compared by their cells.
"""

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import Pinhole, check_size, inverse_pose, moved, project

CELL = 0.05  # metres a side: Matterport3D's task of view overlap
FARTHEST = 1 << 20  # cells from the origin: three numbers then fit into one


def visible_in(
    points: Float[ndarray, "n 3"], depth: Float[ndarray, "h w"], camera: Pinhole, pose: Float[ndarray, "4 4"], tolerance: float
) -> tuple[Bool[ndarray, "n"], Float[ndarray, "n 2"]]:
    """Which points a frame sees, and where in its picture they lie.

    points     metres, the world's axes
    depth      of the frame, metres along the optical axis, 0 or non-finite where nothing was measured
    pose       camera-to-world of the frame
    tolerance  metres by which a point's depth may be off that of the nearest pixel: one farther behind is occluded, one farther before
               is not on what the frame saw
    returns    whether each is visible; columns and rows (pixels, float64), NaN of points behind the camera, and given too for points
               beside the picture or occluded
    raises     ShapeError if depth and camera disagree on height and width
    """
    check_size(depth, camera)
    seen = project(moved(points.astype(np.float64), inverse_pose(pose)), camera)
    with np.errstate(invalid="ignore"):
        column, row = np.floor(seen[:, 0] + 0.5), np.floor(seen[:, 1] + 0.5)
        visible = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    at = depth[row[visible].astype(np.int64), column[visible].astype(np.int64)]
    with np.errstate(invalid="ignore"):
        visible[visible] = (at > 0) & (np.abs(seen[visible, 2] - at) <= tolerance)
    return visible, seen[:, :2]


def occupied_cells(points: Float[ndarray, "n 3"], cell: float = CELL) -> Int64[ndarray, "cells"]:
    """The cells of a lattice over the world in which points lie: sorted numbers, each once.

    points  metres; cell (i, j, k) begins at (i, j, k) * `cell` metres and has the number ((i + 2^20) 2^21 + j + 2^20) 2^21 + k + 2^20
    raises  UsageError for a cell of no size; RefusedObject `not-finite`, and `too-far` beyond 2^20 cells from the origin
    """
    if not 0 < cell < np.inf:
        raise UsageError(f"cell is {cell}; expected metres, above 0")
    if not np.isfinite(points).all():
        raise RefusedObject("not-finite", "points of a frame")
    places = np.floor(points / cell)
    if len(places) and (places.min() < -FARTHEST or places.max() >= FARTHEST):
        raise RefusedObject("too-far", f"a point is {np.abs(points).max():,.0f} m from the origin, in cells of {cell} m")
    x, y, z = (places.astype(np.int64) + FARTHEST).T
    return np.unique((x << 42) | (y << 21) | z)


def view_overlap(one: Int64[ndarray, "a"], other: Int64[ndarray, "b"]) -> float:
    """Share of one frame's occupied cells that the other frame occupies too; 0 for a frame without any.

    source  Chang et al., Matterport3D, 3DV 2017, the task of view overlap; by cells rather than by pixels
    """
    return len(np.intersect1d(one, other, assume_unique=True)) / len(one) if len(one) else 0.0


def view_iou(one: Int64[ndarray, "a"], other: Int64[ndarray, "b"]) -> float:
    """Cells that both frames occupy over those that either does: the same for both; 0 where there are none. Source as `view_overlap`."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - shared
    return shared / either if either else 0.0
