"""A point cloud: what a scanner or a benchmark gives where there are no faces."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis


@dataclass(frozen=True)
class PointCloud:
    """Points, as a reader gives them and as stages change them.

    points   float64, metres (or the box's units after `normalise`), in the card's axes
    normals  unit vectors out of the surface, in the same axes; None where the file has none
    labels   a class of each point, such as its part; None where the file has none
    up       the axis that points away from the ground
    notes    what the reader had to leave out, one line each
    """

    points: Float[ndarray, "n 3"]
    normals: Float[ndarray, "normals 3"] | None = None  # as many as points: `checked_cloud` refuses other numbers
    labels: Int[ndarray, "labels"] | None = None
    up: Axis = "+Y"
    notes: tuple[str, ...] = ()

    def moved(self, points: Float[ndarray, "n 3"]) -> "PointCloud":
        """The same normals and labels on points that were moved and scaled alike, never turned."""
        return replace(self, points=points)


def checked_cloud(cloud: PointCloud) -> PointCloud:
    """`cloud` if it can be used, else RefusedObject: `no-points`, `uneven` or `not-finite`.

    Every reader's cloud passes here before any stage sees it.
    """
    count = len(cloud.points)
    if count == 0:
        raise RefusedObject("no-points", "0 points")
    for name, values in (("normals", cloud.normals), ("labels", cloud.labels)):
        if values is not None and len(values) != count:
            raise RefusedObject("uneven", f"{count:,} points and {len(values):,} {name}; expected as many")
    for name, coordinates in (("points", cloud.points), ("normals", cloud.normals)):
        if coordinates is not None and not np.isfinite(coordinates).all():
            raise RefusedObject("not-finite", f"{int((~np.isfinite(coordinates)).any(axis=1).sum()):,} of {count:,} {name}")
    return cloud


def drawn_points(points: int, count: int, *, seed: int, repeat: bool = False) -> Int[ndarray, "count"]:
    """Numbers of `count` of the points in random order, int64, each at most once.

    seed    two calls with one seed give one result
    repeat  where there are fewer than `count`, the order begins again from its start, so that all stand about equally often
    raises  RefusedObject `too-few-points` where there are fewer and `repeat` is False
    """
    if points < count and not repeat:
        raise RefusedObject("too-few-points", f"{points:,} points; expected at least {count:,}")
    return np.resize(np.random.default_rng(seed).permutation(points), count)


def unit_normals(cloud: PointCloud, numbers: Int[ndarray, "count"]) -> Float32[ndarray, "count 3"]:
    """The normals of these points; RefusedObject `no-normals` where the cloud has none."""
    if cloud.normals is None:
        raise RefusedObject("no-normals", f"a cloud of {len(cloud.points):,} points alone; ask the stage for normals=False")
    return cloud.normals[numbers].astype(np.float32)
