"""A scene's points seen from straight above, what is higher before what is lower: a plan of a room without its ceiling."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.draw.surface_view import view_axes
from l9.geometry.mesh import Axis

BORDER = 0.02  # share of the picture left free on every side
ABOVE = 90.0  # degrees


def plan_view(
    points: Float[ndarray, "n 3"], colours: UInt8[ndarray, "n 3"], up: Axis, size: int, dot: int = 1
) -> UInt8[ndarray, "size size 3"]:
    """Points as squares of 2 * dot + 1 pixels, on white, in a frame that fits them; the axis after `up` to the right (+X over +Z)."""
    picture = np.full((size, size, 3), 255, np.uint8)
    if not len(points):
        return picture
    placed = points.astype(np.float64) @ view_axes(up, ABOVE).T
    low, high = placed.min(axis=0), placed.max(axis=0)
    step = max(float((high - low)[:2].max()), 1e-9) / (size * (1 - 2 * BORDER))
    at = np.floor((placed[:, :2] - (low + high)[:2] / 2) / step * [1, -1] + size / 2).astype(np.int64)
    order = np.argsort(placed[:, 2], kind="stable")
    reach = np.arange(-dot, dot + 1)
    offsets = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    columns, rows = np.clip(at[order][:, None] + offsets, 0, size - 1).transpose(2, 0, 1)
    picture[rows, columns] = colours[order][:, None]  # numpy keeps the last of repeated places: the highest
    return picture
