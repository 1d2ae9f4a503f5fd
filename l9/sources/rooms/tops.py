"""Small things on top of others: the height of what lies beneath, by rays from above, and places where it is level."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.sources.rooms.boxes import Box
from l9.sources.rooms.placing import Arrangement, pose_of
from l9.sources.rooms.thing import Model, Thing

LEVEL = 0.012  # metres between the highest and the lowest point beneath a thing that stands safely
RAYS = 5  # along each side of a footprint
EDGE = 0.03  # metres from the edge of what a thing stands on
TRIES = 12


def heights_below(model: Model, points: Float[ndarray, "n 2"]) -> Float[ndarray, "n"]:
    """Height of a model's highest surface at each point (x, y), metres, -inf beside it.

    source  the sign of three areas tells whether a point is in a triangle seen from above, and weighs the corners' heights
    """
    corners = model.vertices[model.faces]
    low, high = points.min(axis=0), points.max(axis=0)
    flat = corners[..., :2]
    corners = corners[((flat.min(axis=1) <= high) & (flat.max(axis=1) >= low)).all(axis=1)]
    a, b, c = corners[None, :, 0], corners[None, :, 1], corners[None, :, 2]
    place = points[:, None, :]
    areas = np.stack([_area(b, c, place), _area(c, a, place), _area(a, b, place)], axis=-1)
    whole = areas.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = areas / whole[..., None]
        height = (weights * corners[None, :, :, 2]).sum(axis=-1)
    inside = (np.abs(whole) > 1e-12) & (weights >= -1e-9).all(axis=-1)
    return np.where(inside, height, -np.inf).max(axis=1, initial=-np.inf)


def resting_height(model: Model, footprint: Box) -> float | None:
    """How high above a model's ground a thing of a footprint comes to rest, both in the model's axes; None where it is not level."""
    steps = np.linspace(-0.5, 0.5, RAYS)
    grid = np.stack(np.meshgrid(steps * footprint.width, steps * footprint.depth), axis=-1).reshape(-1, 2)
    heights = heights_below(model, np.array([footprint.x, footprint.y]) + grid @ footprint.axes)
    own = np.abs((model.vertices[:, :2] - [footprint.x, footprint.y]) @ footprint.axes.T)
    beneath = (own <= [footprint.width / 2, footprint.depth / 2]).all(axis=1)
    top = max(float(heights.max()), float(model.vertices[beneath, 2].max(initial=-np.inf)))
    return top if np.isfinite(top) and top - heights.min() <= LEVEL else None


def put_on(
    room: Arrangement, host: int, role: str, own: Thing, size: tuple[float, float, float], *, turn: float = 0.0, back: float = 0.0
) -> int | None:
    """Stand a thing somewhere on top of thing `host`, level and apart from what stands there; None where no place was found.

    size  width, depth and height, metres
    turn  radians, of its front against the host's
    back  0: anywhere; 1: near the host's back, as a screen stands on a desk
    """
    base = room.placed[host]
    reach = np.array([base.box.width, base.box.depth]) / 2 - _half_extent(size, turn) - EDGE
    if (reach < 0).any():
        return None
    for _ in range(TRIES):
        x, y = reach * room.random.uniform(-1, 1, 2)
        y = (1 - back) * y + back * abs(y)
        footprint = Box(float(x), float(y), size[0], size[1], 0.0, size[2], turn)
        height = resting_height(base.own.model, footprint)
        if height is None:
            continue
        place_x, place_y = (pose_of(base.box) @ [x, y, 0.0, 1.0])[:2]
        low = base.box.low + height
        box = Box(float(place_x), float(place_y), size[0], size[1], low, low + size[2], base.box.turn + turn)
        if room.plan.holds(box) and room.clear(box, host=host):
            return room.add(box, role, own, on=host)
    return None


def _half_extent(size: tuple[float, float, float], turn: float) -> Float[ndarray, "2"]:
    return np.abs(Box(0, 0, size[0], size[1], 0, 1, turn).corners()).max(axis=0)


def _area(a: Float[ndarray, "..."], b: Float[ndarray, "..."], c: Float[ndarray, "..."]) -> Float[ndarray, "..."]:
    """Twice the signed area of triangles seen from above."""
    return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
