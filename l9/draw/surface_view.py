"""A scene's surface from outside, with the near walls taken away: only faces that look at the viewer are drawn, so one sees into rooms."""

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from l9.geometry.mesh import Axis, axis_vector
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene

FINER = 2  # rays per pixel and direction, averaged: smooth edges
AMBIENT = 0.55  # share of the light that comes from everywhere
MOSTLY = 0.6  # length of the mean of level directions from which on they agree
BORDER = 0.02  # share of the picture left free on every side
AZIMUTH = float(np.radians(30.0))  # from the front to the right, of a view that is not from above


def surface_view(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    colours: UInt8[ndarray, "v 3"],
    *,
    up: Axis,
    elevation_degrees: float,
    size: tuple[int, int],
    azimuth: float = AZIMUTH,
    frame: Float[ndarray, "n 3"] | None = None,
) -> UInt8[ndarray, "h w 3"]:
    """An orthographic picture that fits the surface, on white.

    colours            RGB of each vertex; a ray takes that of the nearest corner of the face it meets
    elevation_degrees  90: from above, with the axis after `up` (x y z x; +X where +Z is up) to the right
    size               (width, height) of the picture, pixels
    azimuth            radians counter-clockwise about `up`, of a view that is not from above; see `view_axes`
    frame              points that the picture fits instead, so that surfaces in one frame are drawn to one scale
    """
    width, height = size
    view = view_axes(up, elevation_degrees, azimuth)
    corners = vertices[faces].astype(np.float64)
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) @ view[2] > 0
    if not facing.any():
        return np.full((height, width, 3), 255, np.uint8)
    placed = vertices.astype(np.float64) @ view.T
    fitted = placed[faces[facing]].reshape(-1, 3) if frame is None else np.concatenate([frame @ view.T, placed])
    low, high = fitted.min(axis=0), fitted.max(axis=0)
    step = max((high[0] - low[0]) / width, (high[1] - low[1]) / height, 1e-9) / (1 - 2 * BORDER) / FINER
    rays = _rays((low + high) / 2, high[2] + 1.0, step, (width * FINER, height * FINER))
    picture = _cast(placed, faces[facing], colours, rays)
    return np.rint(picture.reshape(height, FINER, width, FINER, 3).mean(axis=(1, 3))).astype(np.uint8)


def view_axes(up: Axis, elevation_degrees: float, azimuth: float = AZIMUTH) -> Float[ndarray, "3 3"]:
    """Rows: the picture's right, the picture's up, towards the viewer; unit vectors in the surface's axes.

    azimuth  radians about `up` from the axis after it to the picture's right, so that at 0 the viewer looks along the axis after that
    """
    upward = axis_vector(up)
    right = np.roll(np.abs(upward), 1)  # the axis after `up`
    back = np.cross(upward, right)
    turn = 0.0 if elevation_degrees >= 90 else azimuth
    right, back = np.cos(turn) * right + np.sin(turn) * back, np.cos(turn) * back - np.sin(turn) * right
    lift = np.radians(elevation_degrees)
    toward = np.sin(lift) * upward - np.cos(lift) * back
    return np.stack([right, np.cross(toward, right), toward])


def behind(looks: Float[ndarray, "n 3"], up: Axis) -> float | None:
    """The azimuth from which a viewer looks as most of these unit vectors do; None where they look all around.

    A recording from one place shows surfaces that are seen from there alone.
    """
    level = axis_vector(up)
    right = np.roll(np.abs(level), 1)
    back = np.cross(level, right)
    mean = np.array([looks @ right, looks @ back]).mean(axis=1) if len(looks) else np.zeros(2)
    return float(np.arctan2(-mean[0], mean[1])) if np.linalg.norm(mean) > MOSTLY else None


def _rays(middle: Float[ndarray, "3"], start: float, step: float, size: tuple[int, int]) -> Float[ndarray, "h w 6"]:
    width, height = size
    rays = np.zeros((height, width, 6), np.float32)
    rays[..., 0] = middle[0] + (np.arange(width) + 0.5 - width / 2) * step
    rays[..., 1] = (middle[1] - (np.arange(height) + 0.5 - height / 2) * step)[:, None]
    rays[..., 2], rays[..., 5] = start, -1
    return rays


def _cast(
    placed: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], colours: UInt8[ndarray, "v 3"], rays: Float[ndarray, "h w 6"]
) -> Float[ndarray, "h w 3"]:
    """Brightness 0..255 of each ray."""
    seen = raycasting_scene(placed, faces).cast_rays(open3d().core.Tensor(rays), nthreads=1)
    hit = np.isfinite(seen["t_hit"].numpy())
    across = seen["primitive_uvs"].numpy()[hit]
    weights = np.stack([1 - across.sum(axis=1), across[:, 0], across[:, 1]], axis=1)
    struck = faces[seen["primitive_ids"].numpy()[hit].astype(np.int64)]
    nearest = struck[np.arange(len(struck)), weights.argmax(axis=1)]
    shade = AMBIENT + (1 - AMBIENT) * np.abs(seen["primitive_normals"].numpy()[hit][:, 2])
    picture = np.full((*hit.shape, 3), 255.0)
    picture[hit] = colours[nearest] * shade[:, None]
    return picture
