"""A grid beside its truth: what bench/sdf.py keeps of it. Apart from sdf_truth.py, since nothing slow need be imported for this."""

from typing import Any

import numpy as np
from numpy import ndarray

BAND = 3  # voxels from the surface in which a distance should be exact
BOX_SIDE = 2.0


def judged(found: ndarray, truth: dict[str, ndarray]) -> dict[str, Any]:
    """A grid beside the truth.

    iou           of the negative voxels with the inside, both of the voxels that are judged; `inverted_iou` with w < -0.5 counted in
    inside        voxels inside by the truth, and `backwards` those where it says w < -0.5; `negative` those of the grid
    band_error    worst error of the distance within BAND voxels of the surface, over the box's side; `far_error` worst relative beyond
    """
    counted, negative = truth["judged"], found < 0
    row: dict[str, Any] = {
        "iou": intersection_over_union(negative[counted], truth["inside"][counted]),
        "inside": int(truth["inside"][counted].sum()),
        "negative": int(negative.sum()),
    }
    if "backwards" in truth:
        row["backwards"] = int(truth["backwards"].sum())
        row["inverted_iou"] = intersection_over_union(negative, truth["inside"] | truth["backwards"])
    if "distance" in truth:
        distance = truth["distance"]
        error = np.abs(np.abs(found.astype(np.float64)) - distance)
        near = distance <= BAND * BOX_SIDE / len(found)
        row["band_error"] = float(error[near].max() / BOX_SIDE)
        row["far_error"] = float((error[~near] / distance[~near]).max(initial=0.0))
    return row


def intersection_over_union(one: ndarray, other: ndarray) -> float:
    """Of two sets of voxels; 1 where both are empty."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0
