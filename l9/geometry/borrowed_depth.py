"""Depth for a frame that has none, from one that saw the same: of a stereo pair often only the left picture's disparity is known."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from l9.geometry.camera import Pinhole, back_project, inverse_pose, moved, project
from l9.geometry.scan import Frame


def with_depth(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames; one without depth takes what the last frame that had some saw, as that falls on its own picture."""
    last: Frame | None = None
    for frame in frames:
        if frame.depth is None and last is not None and last.depth is not None:
            points = moved(back_project(last.depth, last.depth_camera), last.pose)
            depth = depth_from(points, frame.colour_camera, frame.colour_pose)
            yield replace(frame, depth=depth, depth_camera=frame.colour_camera, pose=frame.colour_pose)
            continue
        last = frame
        yield frame


def depth_from(points: Float[ndarray, "n 3"], camera: Pinhole, pose: Float[ndarray, "4 4"]) -> Float32[ndarray, "h w"]:
    """Metres along a camera's axis of the nearest of these points at each pixel, 0 where none falls.

    A point covers the four pixels around it: those of one picture lie about a pixel apart in another one, which so has no gaps.

    points  in the world, metres; pose  camera-to-world
    """
    seen = project(moved(points, inverse_pose(pose)), camera)
    seen = seen[np.isfinite(seen).all(axis=1)]
    depth = np.full((camera.height, camera.width), np.inf, np.float32)
    left, top = np.floor(seen[:, 0]), np.floor(seen[:, 1])
    for across in (0, 1):
        for down in (0, 1):
            column, row = left + across, top + down
            inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
            places = row[inside].astype(np.int64), column[inside].astype(np.int64)
            np.minimum.at(depth, places, seen[inside, 2].astype(np.float32))
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)
