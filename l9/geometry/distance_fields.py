"""Partial and complete distance fields of one shape: what 3D-EPN learns from, whoever made them.

Grids of 32^3 voxels, indexed [x, y, z], in voxels, cut at 3. Of a partial field what is -1 or more is *known*: in front of a surface that
a camera saw, or within a voxel behind it. Below -1 a voxel is unknown: no camera saw it, or it lies hidden. A complete field is unsigned.
source  Dai, Qi, Niessner, Shape completion using 3D-encoder-predictor CNNs and shape synthesis, CVPR 2017; its code, angeladai/cnncomplete
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from l9.geometry.mesh import Axis

SIDE = 32  # voxels
TRUNCATION = 3.0  # voxels
KNOWN = -1.0  # voxels: from here on a voxel is known
UNKNOWN = -1.0 - 2.0**-10  # the nearest to KNOWN that an unknown voxel may be: float16 would round what lies between to -1


@dataclass(frozen=True)
class DistanceFields:
    """The scans of one shape as fields, as a reader of published ones gives them.

    partials  a grid for each scan, as `cut_partial` leaves it
    complete  the shape's, as `cut_complete` leaves it
    up        the axis that points away from the ground
    notes     what the reader had to leave out
    """

    partials: Float32[ndarray, "scans 32 32 32"]
    complete: Float32[ndarray, "32 32 32"]
    up: Axis = "+Y"
    notes: tuple[str, ...] = ()


def cut_partial(values: Float[ndarray, "*grid"]) -> Float32[ndarray, "*grid"]:
    """Signed distances (voxels; infinite ones too) within 3 on both sides, so that float16 tells known from unknown."""
    apart = np.where(values < KNOWN, np.minimum(values, UNKNOWN), values)
    return np.clip(apart, -TRUNCATION, TRUNCATION).astype(np.float32)


def cut_complete(values: Float[ndarray, "*grid"]) -> Float32[ndarray, "*grid"]:
    """Distances (voxels, 0 or more; infinite ones too), at most 3."""
    return np.minimum(values, TRUNCATION).astype(np.float32)
