"""Where a camera looks on its way, so that all of the room is seen and no frame turns far from the one before."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from numpy.random import Generator
from scipy.interpolate import PchipInterpolator

from l9.geometry.camera import looking_at
from l9.sources.rooms.boxes import Box, hits
from l9.sources.rooms.plan import Plan

LOWEST, HIGHEST = 1.2, 1.7  # metres of the camera above the floor
LEAST_DOWN, MOST_DOWN = 10.0, 35.0  # degrees below the horizon
SIDEWAYS, UPWARDS = 29.0, 22.0  # degrees, half of what a camera sees at least
FRAME_TURNS = (8.5, 7.0, 5.5)  # degrees from frame to frame on the mean between two looks: the first with which none turns too far
MOST_TURN = 14.5  # degrees between two frames
UNSEEN_AHEAD = 0.15  # what a thing outside the picture counts, when it lies where the camera turns to, of one within it
LOOK_FRAMES = 8  # between two looks that are chosen
MOST_REACH = math.radians(100)  # between two looks
FARTHEST = 6.0  # metres: what is beyond counts as not seen
SPACING = 0.5  # metres between the points of walls that are to be seen


def poses_along(path: Float[ndarray, "frames 2"], plan: Plan, boxes: Sequence[Box], random: Generator) -> Float[ndarray, "frames 4 4"]:
    """Camera-to-world of each frame: at every eighth frame a look is chosen that shows most of what was not seen yet."""
    frames = len(path)
    phase = random.uniform(0, 2 * math.pi)
    rise = np.sin(np.linspace(phase, phase + 2.5 * math.pi, frames))
    eyes = np.column_stack([path, (LOWEST + HIGHEST) / 2 + (HIGHEST - LOWEST) / 2 * 0.98 * rise])
    knots = np.unique(np.linspace(0, frames - 1, max(2, 1 + math.ceil((frames - 1) / LOOK_FRAMES))).round().astype(int))
    points = sights(plan, boxes)
    visible = [in_sight(eye, points, [*boxes, *plan.blocks]) for eye in eyes[knots]]
    for turn in FRAME_TURNS:
        yaws, downs = _looks(eyes[knots], np.diff(knots, prepend=0) * math.radians(turn), points, visible, random)
        if frames > 1:
            yaws, downs = (PchipInterpolator(knots, values)(np.arange(frames)) for values in (yaws, downs))
        poses = np.stack([_pose(eye, yaw, down) for eye, yaw, down in zip(eyes, yaws, downs, strict=True)])
        if turns(poses).max(initial=0.0) < MOST_TURN:
            break
    return poses


def turns(poses: Float[ndarray, "frames 4 4"]) -> Float[ndarray, "frames-1"]:
    """Degrees that each pose but the first is turned against the one before."""
    traces = np.einsum("fij,fij->f", poses[1:, :3, :3], poses[:-1, :3, :3])
    return np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1)))


def sights(plan: Plan, boxes: Sequence[Box]) -> Float[ndarray, "n 4"]:
    """Points that should be seen, metres, and the number of the box each is the middle of: -1 for those of walls and floor."""
    points = [(*box.middle, float(number)) for number, box in enumerate(boxes) if box.low < 1.9]
    for wall in plan.walls:
        for along in np.arange(SPACING / 2, wall.length, SPACING):
            x, y = np.array(wall.start) + along * wall.direction + 0.03 * wall.inward
            points += [(x, y, z, -1.0) for z in (0.3, 1.0, 1.7)]
    for x in np.arange(SPACING, plan.width, SPACING):
        for y in np.arange(SPACING, plan.depth, SPACING):
            if plan.far_from_walls(np.array([[x, y]]), 0.1)[0]:
                points.append((x, y, 0.01, -1.0))
    return np.array(points)


def in_sight(eye: Float[ndarray, "3"], points: Float[ndarray, "n 4"], boxes: Sequence[Box]) -> Bool[ndarray, "n"]:
    """Whether no box lies between an eye and each of the points of `sights`, in whatever direction."""
    seen = np.linalg.norm(points[:, :3] - eye, axis=1) < FARTHEST
    for number, box in enumerate(boxes):
        seen &= ~hits(eye, points[:, :3], box) | (points[:, 3] == number)
    return seen


def in_view(eye: Float[ndarray, "3"], yaw: float, down: float, points: Float[ndarray, "n 4"]) -> Bool[ndarray, "n"]:
    """Whether points lie within the picture of a camera that looks along a yaw, `down` below the horizon, both in radians."""
    local = (points[:, :3] - eye) @ _pose(eye, yaw, down)[:3, :3]
    ahead = local[:, 2] > 0.2
    with np.errstate(divide="ignore", invalid="ignore"):
        across, along = np.abs(local[:, 0] / local[:, 2]), np.abs(local[:, 1] / local[:, 2])
    return ahead & (across < math.tan(math.radians(SIDEWAYS))) & (along < math.tan(math.radians(UPWARDS)))


def _looks(
    eyes: Float[ndarray, "k 3"],
    reach: Float[ndarray, "k"],
    points: Float[ndarray, "n 4"],
    visible: Sequence[Bool[ndarray, "n"]],
    random: Generator,
) -> tuple[Float[ndarray, "k"], Float[ndarray, "k"]]:
    """Yaw and pitch below the horizon, radians, at each chosen frame: of those within reach, the look that shows most that is new."""
    unseen, shown = np.ones(len(points), np.bool_), np.zeros(len(points), np.bool_)
    yaws, downs = np.zeros(len(eyes)), np.zeros(len(eyes))
    for number, eye in enumerate(eyes):
        turn, best, before = min(reach[number], MOST_REACH) if number else math.pi, -math.inf, yaws[number - 1]
        away = points[visible[number] & unseen, :2] - eye[:2]
        for yaw in before + np.linspace(-turn, turn, 17 if number else 33):
            down = math.radians(float(random.uniform(LEAST_DOWN, MOST_DOWN)))
            shows = visible[number] & in_view(eye, float(yaw), down, points)
            ahead = (away @ [math.cos(yaw), math.sin(yaw)] / np.linalg.norm(away, axis=1)).sum()
            worth = (shows & unseen).sum() + UNSEEN_AHEAD * ahead + 0.05 * shows.sum() + float(random.uniform(0, 0.5))
            if worth > best:
                best, yaws[number], downs[number], shown = worth, yaw, down, shows
        unseen &= ~shown
    return yaws, downs


def _pose(eye: Float[ndarray, "3"], yaw: float, down: float) -> Float[ndarray, "4 4"]:
    ahead = np.array([math.cos(yaw) * math.cos(down), math.sin(yaw) * math.cos(down), -math.sin(down)])
    return looking_at(eye, eye + ahead, np.array([0.0, 0.0, 1.0]))
