"""Colours that tell classes apart: as many as are asked for, the same in every picture."""

import colorsys

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

GOLDEN = 0.381966  # of a turn: the golden angle, which parts hues as far as any number of them allows
VALUES, STRENGTHS = (0.95, 0.75, 0.85), (0.45, 0.6, 0.75)  # brightness and saturation, in turn


def class_colours(count: int) -> UInt8[ndarray, "count 3"]:
    """RGB of `count` classes in their order."""
    turns = ((place * GOLDEN % 1, STRENGTHS[place % 3], VALUES[place % 3]) for place in range(count))
    return np.rint([[255 * part for part in colorsys.hsv_to_rgb(*turn)] for turn in turns]).astype(np.uint8).reshape(count, 3)
