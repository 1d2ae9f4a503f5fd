"""Labelled voxels of a scan from above, as a map: what one would see with the ceiling taken off."""

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from l9.draw.scan_sheet import OTHER, label_colours

LOWER = 43  # voxels that are looked down on: 2 m above the floor where a voxel has 4.8 cm
SCALE = 4  # pixels of a column along each side
DARKEST = 0.55  # share of a colour's light at the floor; at the top all of it
RIGHT, WRONG = (205, 205, 205), (214, 60, 50)  # RGB


def column_map(labels: UInt8[ndarray, "x y z"]) -> UInt8[ndarray, "h w 3"]:
    """The highest occupied voxel of each column below 2 m, x to the right and y up, darker the lower; white where there is none.

    labels  0 empty, NYU's ids 1 to 40, above them without a class
    """
    tops, found = _tops(labels)
    table = label_colours()
    known = np.where(found < len(table), found, 0)
    light = DARKEST + (1 - DARKEST) * np.maximum(tops, 0) / (LOWER - 1)
    picture = np.rint(table[known] * light[..., None])
    picture[tops < 0] = 255
    return _upright(picture)


def right_map(labels: UInt8[ndarray, "x y z"], answers: UInt8[ndarray, "x y z"]) -> UInt8[ndarray, "h w 3"]:
    """Of the same voxels which are told right, grey, and which wrong, red; lighter where truth has no class, white where nothing is."""
    tops, found = _tops(labels)
    answered = np.take_along_axis(answers, np.maximum(tops, 0)[..., None], axis=2)[..., 0]
    picture = np.where((found == answered)[..., None], RIGHT, WRONG).astype(np.float64)
    picture[found >= len(label_colours())] = (OTHER + 255) / 2
    picture[tops < 0] = 255
    return _upright(picture)


def _tops(labels: UInt8[ndarray, "x y z"]) -> tuple[Int[ndarray, "x y"], UInt8[ndarray, "x y"]]:
    """Height of the highest occupied voxel that is looked down on, -1 for none, and its label."""
    lower = labels[..., :LOWER]
    tops = np.where(lower.any(axis=2), lower.shape[2] - 1 - (lower[..., ::-1] > 0).argmax(axis=2), -1)
    return tops, np.take_along_axis(lower, np.maximum(tops, 0)[..., None], axis=2)[..., 0]


def _upright(picture: ndarray) -> UInt8[ndarray, "h w 3"]:
    return np.kron(picture.transpose(1, 0, 2)[::-1].astype(np.uint8), np.ones((SCALE, SCALE, 1), np.uint8))
