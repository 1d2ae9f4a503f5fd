"""Upright boxes turned about z: what stands where in a room, what overlaps, and how far away it is."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray


@dataclass(frozen=True)
class Box:
    """A box that stands upright.

    x, y          metres, the middle of its footprint
    width, depth  metres, along its own x and y before it is turned
    low, high     metres above the floor
    turn          radians, counter-clockwise seen from above; unturned, its front looks to -y
    """

    x: float
    y: float
    width: float
    depth: float
    low: float
    high: float
    turn: float = 0.0

    @property
    def axes(self) -> Float[ndarray, "2 2"]:
        """Its own x and y directions, one a row."""
        cosine, sine = math.cos(self.turn), math.sin(self.turn)
        return np.array([[cosine, sine], [-sine, cosine]])

    @property
    def front(self) -> Float[ndarray, "2"]:
        """Where its front looks, a unit vector of the floor."""
        return -self.axes[1]

    @property
    def middle(self) -> Float[ndarray, "3"]:
        """Its centre, metres."""
        return np.array([self.x, self.y, (self.low + self.high) / 2])

    def corners(self) -> Float[ndarray, "4 2"]:
        """The footprint's corners, counter-clockwise, metres."""
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
        return np.array([self.x, self.y]) + (signs * [self.width, self.depth]) @ self.axes

    def grown(self, gap: float) -> "Box":
        """Larger by `gap` metres on its four sides; its height stays."""
        return replace(self, width=self.width + 2 * gap, depth=self.depth + 2 * gap)

    def at(self, right: float, forward: float) -> tuple[float, float]:
        """x and y of the place that is `right` metres along its own x and `forward` metres before its middle."""
        x, y = np.array([self.x, self.y]) + right * self.axes[0] + forward * self.front
        return float(x), float(y)


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have an inside in common; boxes that touch do not.

    source  separating axes: Gottschalk, Lin and Manocha, OBBTree, SIGGRAPH 1996
    """
    if one.low >= other.high or other.low >= one.high:
        return False
    reach = math.hypot(one.width, one.depth) + math.hypot(other.width, other.depth)
    if 2 * math.hypot(one.x - other.x, one.y - other.y) >= reach:
        return False
    first, second = one.corners(), other.corners()
    for axis in np.concatenate([one.axes, other.axes]):
        mine, theirs = first @ axis, second @ axis
        if mine.max() <= theirs.min() + 1e-9 or theirs.max() <= mine.min() + 1e-9:
            return False
    return True


def distances(points: Float[ndarray, "n 2"], box: Box) -> Float[ndarray, "n"]:
    """Metres from points of the floor to a box's footprint, 0 within it."""
    own = np.abs((points - [box.x, box.y]) @ box.axes.T)
    return np.linalg.norm(np.maximum(own - [box.width / 2, box.depth / 2], 0), axis=1)


def hits(eye: Float[ndarray, "3"], points: Float[ndarray, "n 3"], box: Box) -> Bool[ndarray, "n"]:
    """Whether the straight line from the eye to each point goes through the box, the line's last hundredth left out."""
    turned = np.eye(3)
    turned[:2, :2] = box.axes
    start, step = turned @ (eye - box.middle), (points - eye) @ turned.T
    half = np.array([box.width, box.depth, box.high - box.low]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (-half - start) / step, (half - start) / step
    enters, leaves = np.minimum(one, other), np.maximum(one, other)
    enters, leaves = np.nan_to_num(enters, nan=-np.inf), np.nan_to_num(leaves, nan=np.inf)
    return (enters.max(axis=1) < leaves.min(axis=1)) & (leaves.min(axis=1) > 0) & (enters.max(axis=1) < 0.99)
