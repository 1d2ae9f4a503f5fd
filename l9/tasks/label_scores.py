"""How well places are labelled, voxels, vertices or points alike: intersection over union of each class, by ScanNet's rules,
and of a shape's parts, by ShapeNetPart's.

source  Dai et al., ScanNet, CVPR 2017, and its benchmark's evaluation of semantic labels: what has no label in truth is not counted at
        all; an answer that is none of the classes misses its true one, and is no false positive of any
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


def label_counts(labels: Int[ndarray, "n"], predicted: Int[ndarray, "n"], classes: int) -> Int[ndarray, "k more"]:
    """int64 (k, k + 1): places of each true class (row) by their answer (column); the last column is an answer that is none of them.

    labels     0 to k - 1; what is no class is left out
    predicted  likewise
    """
    known = (labels >= 0) & (labels < classes)
    answers = np.where((predicted >= 0) & (predicted < classes), predicted, classes)[known].astype(np.int64)
    pairs = labels[known].astype(np.int64) * (classes + 1) + answers
    return np.bincount(pairs, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def ious(counts: Int[ndarray, "k more"]) -> Float[ndarray, "k"]:
    """True positives over true and false positives and those missed, of each class; NaN for one that neither truth nor an answer has."""
    classes = len(counts)
    right = counts.diagonal()
    either = counts.sum(axis=1) + counts[:, :classes].sum(axis=0) - right
    return np.where(either > 0, right / np.maximum(either, 1), np.nan)


def label_metrics(counts: Int[ndarray, "k more"]) -> dict[str, float]:
    """`miou`, `class_accuracy`: of the classes that truth has the mean IoU and mean share of right answers; `accuracy`: that of all."""
    true = counts.sum(axis=1)
    there = true > 0
    if not there.any():
        return {"miou": float("nan"), "accuracy": float("nan"), "class_accuracy": float("nan")}
    right = counts.diagonal()
    return {
        "miou": float(ious(counts)[there].mean()),
        "accuracy": float(right.sum() / true.sum()),
        "class_accuracy": float((right[there] / true[there]).mean()),
    }


def shape_iou(labels: Int[ndarray, "n"], predicted: Int[ndarray, "n"], parts: Sequence[int]) -> float:
    """Mean intersection over union of the parts that a shape's category has: 1 for one that stands neither in truth nor in the answer.

    source  Yi et al., A scalable active framework for region annotation in 3D shape collections, SIGGRAPH Asia 2016, and PointNet's code
    """
    shares = []
    for part in parts:
        truth, answer = labels == part, predicted == part
        either = int((truth | answer).sum())
        shares.append(int((truth & answer).sum()) / either if either else 1.0)
    return float(np.mean(shares))


def label_rows(counts: Int[ndarray, "k more"], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each class: class, count, iou and accuracy (None without places in truth)."""
    true, shares = counts.sum(axis=1), ious(counts)
    return [
        {
            "class": name,
            "count": int(true[number]),
            "iou": float(shares[number]) if true[number] else None,
            "accuracy": float(counts[number, number] / true[number]) if true[number] else None,
        }
        for number, name in zip(range(len(counts)), classes, strict=True)
    ]
