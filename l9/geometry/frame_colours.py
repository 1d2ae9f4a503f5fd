"""The colour of points that recorded frames see: the mean over the frames in which each is visible."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.geometry.camera import inverse_pose, moved, project
from l9.geometry.overlap import visible_in
from l9.geometry.scan import Frame

UNSEEN = (200, 200, 200)  # RGB of a point that no frame sees


def colours_from_frames(points: Float[ndarray, "n 3"], frames: Iterable[Frame], tolerance: int | float) -> UInt8[ndarray, "n 3"]:
    """RGB of each point; `UNSEEN` where no frame sees it. Frames are looked at one at a time, those without colour or depth not at all.

    points     metres, the world of the poses
    tolerance  metres by which a point may be off the depth that a frame measured there
    """
    total, seen = np.zeros((len(points), 3)), np.zeros(len(points), np.int64)
    for frame in frames:
        if frame.colour is None or frame.depth is None:
            continue
        visible = np.flatnonzero(visible_in(points, frame.depth, frame.depth_camera, frame.pose, tolerance)[0])
        places = project(moved(points[visible].astype(np.float64), inverse_pose(frame.colour_pose)), frame.colour_camera)
        height, width = frame.colour.shape[:2]
        with np.errstate(invalid="ignore"):
            column, row = np.floor(places[:, 0] + 0.5), np.floor(places[:, 1] + 0.5)
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        visible = visible[inside]
        total[visible] += frame.colour[row[inside].astype(np.int64), column[inside].astype(np.int64)]
        seen[visible] += 1
    colours = np.full((len(points), 3), UNSEEN, np.uint8)
    found = seen > 0
    colours[found] = np.rint(total[found] / seen[found, None]).astype(np.uint8)
    return colours
