"""Frames of an empty room whose six walls are strewn with soft dots: key points to find, and every depth and place known by formula."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.scan import Frame, Scan

SIDES = np.array([3.0, 2.5, 2.0])  # metres: the room reaches from 0 to these
CAMERA = Pinhole.of_field(320, 240, 70.0)
STEP = 0.01  # metres between the texture's samples
DOT = 2.5  # samples: deviation of a dot
CORNER = (1.0, 0.9, -0.7)  # where a camera looks that sees two walls and the floor: it cannot move unnoticed in any direction
UP = np.array([0.0, 0.0, 1.0])


@cache
def texture(seed):
    """RGB of the six walls, low and high of each axis: float64 (6, 320, 320, 3), 0 to 255."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((6, 320, 320, 3)), (0, DOT, DOT, 0))
    return np.clip(128 + 60 * noise / noise.std(), 0, 255)


def cast(origin, directions):
    """Lengths (of the directions) to the walls, and which wall each ray meets, of rays from inside."""
    with np.errstate(divide="ignore", invalid="ignore"):
        lengths = np.where(directions > 0, SIDES - origin, -origin) / directions
    lengths = np.where(np.abs(directions) < 1e-12, np.inf, lengths)
    axis = lengths.argmin(axis=-1)
    length = np.take_along_axis(lengths, axis[..., None], axis=-1)[..., 0]
    return length, 2 * axis + (np.take_along_axis(directions, axis[..., None], axis=-1)[..., 0] > 0)


def depth_of(camera, pose, scale=1.0):
    """Exact depth, float32."""
    return (scale * cast(pose[:3, 3], camera.directions() @ pose[:3, :3].T)[0]).astype(np.float32)


def picture_of(camera, pose, seed=0):
    """What a camera sees of the dots."""
    directions = camera.directions() @ pose[:3, :3].T
    length, wall = cast(pose[:3, 3], directions)
    points = pose[:3, 3] + length[..., None] * directions
    colour = np.zeros((*length.shape, 3))
    for number in range(6):
        on = wall == number
        places = np.delete(points[on], number // 2, axis=1).T / STEP
        for channel in range(3):
            colour[on, channel] = map_coordinates(texture(seed)[number, :, :, channel], places, order=1, mode="nearest")
    return np.rint(colour).astype(np.uint8)


def true_points(pixels, camera, pose):
    """Points of the world that pixels show, and the normals there, towards the camera."""
    directions = np.stack([(pixels[:, 0] - camera.cx) / camera.fx, (pixels[:, 1] - camera.cy) / camera.fy, np.ones(len(pixels))], axis=1)
    directions = directions @ pose[:3, :3].T
    length, wall = cast(pose[:3, 3], directions)
    normals = np.zeros((len(pixels), 3))
    normals[np.arange(len(pixels)), wall // 2] = np.where(wall % 2, -1.0, 1.0)
    return pose[:3, 3] + length[:, None] * directions, normals


def walk(count, step=0.12, towards=(0.25, 1.0, -0.1)):
    """Poses that go along a wall and look at it, or elsewhere."""
    eyes = np.array([1.0, 0.9, 1.1]) + np.arange(count)[:, None] * [step, 0.02, 0.0]
    return [looking_at(eye, eye + np.array(towards), UP) for eye in eyes]


def frame(number, pose, camera=CAMERA, colour=True, depth=True, noise=0.0):
    """One frame with registered depth; `noise` is a deviation over the square of depth, metres."""
    seen = depth_of(camera, pose)
    seen = seen + (noise * seen**2 * np.random.default_rng(number).standard_normal(seen.shape)).astype(np.float32)
    return Frame(number, picture_of(camera, pose) if colour else None, seen if depth else None, camera, camera, pose, pose)


def apart(number, pose, camera, depth_camera, away):
    """A frame whose two cameras differ; `away` takes points of the colour camera to the depth camera."""
    depth_pose = pose @ np.linalg.inv(away)
    depth = depth_of(depth_camera, depth_pose)
    return Frame(number, picture_of(camera, pose), depth, camera, depth_camera, depth_pose, pose)


def scan_of(frames):
    """A scan of these frames; what is not asked for is not given."""
    kept = list(frames)

    def read(colour, depth):
        for one in kept:
            yield Frame(
                one.number, one.colour if colour else None, one.depth if depth else None,
                one.colour_camera, one.depth_camera, one.pose, one.colour_pose, one.seconds,
            )  # fmt: skip

    return Scan(read)


def turned_world(one, turn):
    """The same frame in a world that was moved as one piece."""
    return Frame(one.number, one.colour, one.depth, one.colour_camera, one.depth_camera, turn @ one.pose, turn @ one.colour_pose)
