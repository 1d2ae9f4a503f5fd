"""A reader that needs no files: dotted rooms with what may be wrong with a scan, each by its name."""

from dataclasses import replace
from functools import cache

import numpy as np
from dotted_room import CAMERA, CORNER, SIDES, depth_of, frame, picture_of, scan_of, walk

from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.scan import Scan, Surface
from l9.readers.contract import Found

VERSION = 1
COUNT = 12
OTHER = Pinhole.of_field(300, 240, 55.0)


def find(root):
    return iter([Found(name, ()) for name in sorted(SCANS)])


def read(files, found, up):
    return SCANS[found.id]()


@cache
def frames():
    return [frame(number, pose) for number, pose in enumerate(walk(COUNT, step=0.05, towards=CORNER))]


def moved_by(one, by):
    pose = one.pose.copy()
    pose[:3, 3] += by
    return replace(one, pose=pose, colour_pose=pose)


def _holed():
    """Depth on every third pixel alone: never there for 4 pixels around."""
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[::3, ::3] = True
    return scan_of(replace(one, depth=np.where(mask, one.depth, 0).astype(np.float32)) for one in frames())


def _apart():
    """Back to back: nothing is seen twice."""
    eye = SIDES / 2
    poses = [looking_at(eye, eye + np.array(way), np.array([0.0, 0, 1])) for way in ([1.0, 0, 0], [-1.0, 0, 0])]
    return scan_of(frame(number, pose) for number, pose in enumerate(poses))


def _lens(one):
    camera = replace(CAMERA, fx=1.7 * CAMERA.fx, fy=1.7 * CAMERA.fy)
    return replace(one, colour_camera=camera, depth_camera=camera)


@cache
def _other_pictures(number):
    pose = frames()[number].pose
    return picture_of(OTHER, pose), depth_of(OTHER, pose)


def _other(one):
    colour, depth = _other_pictures(one.number)
    return replace(one, colour=colour, depth=depth, colour_camera=OTHER, depth_camera=OTHER)


def _all_off():
    draw = np.random.default_rng(1)
    ways = draw.standard_normal((COUNT, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return scan_of(moved_by(one, way) for one, way in zip(frames(), ways, strict=True))


def _with(change, place=5):
    return scan_of(change(one) if one.number == place else one for one in frames())


def _nowhere(one):
    return moved_by(one, np.nan)


SCANS = {
    "all-off": _all_off,
    "apart": _apart,
    "colourless": lambda: scan_of(replace(one, colour=None) for one in frames()),
    "dark": lambda: scan_of(replace(one, depth=np.zeros_like(one.depth)) for one in frames()),
    "empty": lambda: scan_of([]),
    "good": lambda: scan_of(frames()),
    "grey": lambda: scan_of(replace(one, colour=np.full_like(one.colour, 90)) for one in frames()),
    "holed": _holed,
    "lens": lambda: _with(_lens),
    "nowhere": lambda: _with(_nowhere),
    "one-off": lambda: _with(lambda one: moved_by(one, [-0.6, -0.6, 0.5])),
    "single": lambda: scan_of(frames()[:1]),
    "surface": lambda: Scan(None, Surface(np.eye(3), np.array([[0, 1, 2]]))),
    "two-cameras": lambda: scan_of(_other(one) if one.number % 2 else one for one in frames()),
}
