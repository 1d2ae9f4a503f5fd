"""Poses as text: 4x4 and 3x4 matrices, quaternions, intrinsics. What is not finite is no pose; what is no rotation and shift is refused."""

import re

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole

RIGID = 1e-2  # how far a pose's rotation may be from one: float32 and a registration's rounding
FARTHEST = 1e6  # metres
WINDOWS = re.compile(r"[-+]?1\.#(?:IND|QNAN|SNAN|INF)\d*")  # how C on Windows writes numbers that are none


def is_pose(matrix: Float[ndarray, "4 4"]) -> bool:
    """Whether a 4x4 matrix is a rotation and a shift, within what float32 rounds."""
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > FARTHEST:
        return False
    rotation = matrix[:3, :3]
    orthogonal = np.abs(rotation @ rotation.T - np.eye(3)).max() < RIGID
    return bool(orthogonal and np.linalg.det(rotation) > 0 and np.abs(matrix[3] - [0, 0, 0, 1]).max() < RIGID)


def numbers_of(data: bytes, most: int, reason: str) -> Float[ndarray, "n"]:
    """The numbers of a text that holds nothing else, float64; NaN and infinities stay.

    most    how many there may be
    raises  RefusedObject `reason` where there are more, or where a word is no number
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise RefusedObject(reason, f"no text of numbers (byte {error.start:,})") from error
    words = text.split(None, most)
    if len(words) > most:
        raise RefusedObject(reason, f"more than {most:,} numbers")
    return np.array([_number(word, reason) for word in words], np.float64)


def _number(word: str, reason: str) -> float:
    try:
        if "_" in word:  # Python's own way to write 1_000
            raise ValueError
        return float(word)
    except ValueError as error:
        if WINDOWS.fullmatch(word):
            return float("nan")
        raise RefusedObject(reason, f"{word[:40]!r}; expected a number") from error


def matrix_pose(data: bytes) -> Float[ndarray, "4 4"] | None:
    """A pose written as 4x4 numbers, row by row; None where one of them is not finite.

    raises  RefusedObject `bad-pose` where there are not 16 numbers, or they are no rotation and shift
    """
    values = numbers_of(data, 16, "bad-pose")
    if len(values) != 16:
        raise RefusedObject("bad-pose", f"{len(values):,} numbers; expected 4x4")
    return checked_pose(values.reshape(4, 4))


def checked_pose(matrix: Float[ndarray, "4 4"]) -> Float[ndarray, "4 4"] | None:
    """The matrix itself where it is a pose, None where it is not finite; RefusedObject `bad-pose` where it is anything else."""
    if not np.isfinite(matrix).all():
        return None
    if not is_pose(matrix):
        raise RefusedObject("bad-pose", "a matrix that is no rotation and shift")
    return matrix


def quaternion_pose(values: Float[ndarray, "7"]) -> Float[ndarray, "4 4"] | None:
    """The pose of tx ty tz qx qy qz qw, the quaternion made unit; None where one of them is not finite.

    raises  RefusedObject `bad-pose` where the quaternion is no rotation (its length is not 1, within RIGID)
    source  Shepperd, Quaternion from rotation matrix, 1978, eq. 1
    """
    if not np.isfinite(values).all():
        return None
    x, y, z, w = values[3:]
    length = float(np.sqrt(np.square(values[3:].clip(-2, 2)).sum()))
    if abs(length - 1) > RIGID or np.abs(values[:3]).max() > FARTHEST:
        raise RefusedObject("bad-pose", f"a quaternion of length {length:.3g}, or a place beyond {FARTHEST:,.0f} m")
    x, y, z, w = (float(value) / length for value in (x, y, z, w))
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = values[:3]
    return pose


def matrix_camera(data: bytes, size: tuple[int, int]) -> Pinhole:
    """The camera of a text of 3x3 intrinsics, whose pictures have this width and height; RefusedObject `bad-camera`."""
    values = numbers_of(data, 9, "bad-camera")
    if len(values) != 9:
        raise RefusedObject("bad-camera", f"{len(values):,} numbers; expected 3x3")
    return checked_camera(*size, values.reshape(3, 3))


def checked_camera(width: int, height: int, matrix: Float[ndarray, "3 3"]) -> Pinhole:
    """A pinhole of 3x3 intrinsics in pixels; RefusedObject `bad-camera` where they are those of none."""
    fx, fy, cx, cy = map(float, (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    sound = bool(np.isfinite(matrix).all()) and np.abs(matrix).max() < FARTHEST and min(fx, fy) > 0
    if not sound or np.abs(matrix - [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]).max() > RIGID:
        raise RefusedObject("bad-camera", f"focal lengths {fx:g} and {fy:g}, centre {cx:g}, {cy:g}; expected intrinsics without skew")
    return Pinhole(width, height, fx, fy, cx, cy)
