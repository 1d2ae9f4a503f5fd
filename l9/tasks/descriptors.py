"""How well do descriptors tell the same place from another one: one home for the metric of all that describe key points.

M matches   3 roles: anchor, the same place, another place   V variants: key points' frames exact, and moved a little   F numbers

source  Brown, Hua, Winder, Discriminative learning of local image descriptors, PAMI 2011, section 5 (error at 95 % recall);
        Chang et al., Matterport3D, 3DV 2017, table 2
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch, Packed
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.contract import Report

FACTS = ("match_frames", "match_points")  # columns that tell which other key points are another place
RECALL = 0.95
NEGATIVES = 50  # other places that each anchor is compared with
APART = 0.02  # metres: farther away is another place
RESAMPLES = 400  # of the bootstrap
FEWEST_CLUSTERS = 8  # scenes, or pairs of frames, that are enough to draw from
INTERVAL = (2.5, 97.5)  # per cent
CURVE = 200  # points of the curve that is kept
BATCH = 64  # matches whose descriptors are computed at once


@dataclass(frozen=True)
class MatchFacts:
    """What is known of each match besides descriptors.

    scenes  int64 (M): number of the object it is of
    frames  int64 (M, 3)
    points  float64 (M, 3, 3): metres
    """

    scenes: Int[ndarray, "M"]
    frames: Int[ndarray, "M 3"]
    points: Float[ndarray, "M 3 3"]

    @staticmethod
    def of(samples: Samples) -> "MatchFacts":
        """Read from the store of `samples`, whose items are matches."""
        frames, points = [], []
        for batch in Loader(samples, FACTS, seed=0, training=False).sequential():
            frames.append(item_of(batch, "match_frames").numpy())
            points.append(item_of(batch, "match_points").numpy())
        numbers = {name: number for number, name in enumerate(sorted(set(samples.objects)))}
        scenes = np.array([numbers[name] for name in samples.objects], np.int64)
        return MatchFacts(scenes, np.concatenate(frames).astype(np.int64), np.concatenate(points).astype(np.float64))


def item_of(batch: Batch, column: str) -> Tensor:
    """Of a ragged column the one item that each sample of a batch is: (B, *item shape)."""
    packed = batch.columns[column]
    if not isinstance(packed, Packed):
        raise TypeError(f"column {column} is not ragged")
    return packed.values[packed.offsets[:-1] + torch.from_numpy(batch.items).to(packed.offsets.device)]


def checked_matches(samples: Samples, columns: Sequence[str], stage: str = "key_point_matches") -> Samples:
    """The samples, if they are matches with these columns, which `stage` gives; TrainingError in one line otherwise."""
    lacking = [name for store in samples.stores for name in columns if name not in {column.name for column in store.columns}]
    if lacking:
        raise TrainingError(f"the set has no column {lacking[0]}; expected the stage {stage} in its prep")
    if len(samples) == 0:
        raise TrainingError("no matches to look at; l9 quarantine lists the scans that were refused, and why")
    return samples


def other_places(facts: MatchFacts, count: int = NEGATIVES, seed: int = 0) -> Int[ndarray, "M count"]:
    """For each anchor `count` random key points that are another place, by number: 2m for the same place of match m, 2m + 1 for its other.

    They are of the same scene, of another frame, and more than 2 cm away; where a scene has fewer than `count` of them each stands
    more than once, and where it has none they are of all scenes together.
    """
    pool_scenes = np.repeat(facts.scenes, 2)
    pool_frames, pool_points = facts.frames[:, 1:].ravel(), facts.points[:, 1:].reshape(-1, 3)
    chosen = np.empty((len(facts.scenes), count), np.int64)
    random = np.random.default_rng(seed)
    of_scene = {scene: np.flatnonzero(pool_scenes == scene) for scene in np.unique(facts.scenes).tolist()}
    for match, scene in enumerate(facts.scenes.tolist()):
        near = of_scene[scene]
        far = np.linalg.norm(pool_points[near] - facts.points[match, 0], axis=1) > APART
        allowed = near[far & (pool_frames[near] != facts.frames[match, 0]) & (near != 2 * match)]
        if not len(allowed):
            allowed = np.flatnonzero(pool_scenes != scene)
        if not len(allowed):
            raise TrainingError("a match has no other place to be compared with; expected scans of several frames with several key points")
        chosen[match] = random.choice(allowed, count, replace=len(allowed) < count)
    return chosen


def error_at_recall(same: Float[ndarray, "P"], other: Float[ndarray, "N"], recall: float = RECALL) -> float:
    """Share of other places that lie as near as the given share of same places: false positives at that recall.

    same, other  distances; linearly interpolated between the points of the curve, so that it is defined for few and for tied distances
    """
    rates, recalls = roc(same, other)
    return float(np.interp(recall, recalls, rates))


def roc(same: Float[ndarray, "P"], other: Float[ndarray, "N"]) -> tuple[Float[ndarray, "T"], Float[ndarray, "T"]]:
    """False positive rate and recall at every distance that occurs among the same places, both from 0 to 1."""
    limits = np.unique(same)
    recalls = np.searchsorted(np.sort(same), limits, side="right") / len(same)
    rates = np.searchsorted(np.sort(other), limits, side="right") / len(other)
    return np.concatenate([[0.0], rates, [1.0]]), np.concatenate([[0.0], recalls, [1.0]])


def descriptor_report(samples: Samples, facts: MatchFacts, descriptors: Float[ndarray, "M 3 V F"], variants: Sequence[str]) -> Report:
    """Metrics, curves and one outcome a match.

    variants  what is added to the names of each variant's metrics: "" for the one that counts, such as "_exact"

    metrics   fpr95         error at 95 % recall: share of other places as near as 95 % of the same ones, 50 others a match
              fpr95_low     and fpr95_high: 95 % of 400 bootstrap samples lie between them. Drawn are scenes with all their matches, since
                            matches of one scene are alike; where there are fewer than 8, pairs of frames; where these are fewer, matches
              matches       how many
    tables    roc           recall and false positive rate of the variant without a name
    outcomes  object, frames and numbers of the pair, distance to the same place, and to the nearest of the others
    """
    others = other_places(facts)
    metrics: dict[str, float] = {}
    tables: dict[str, list[dict[str, Any]]] = {}
    outcomes: list[dict[str, Any]] = []
    for number, ending in enumerate(variants):
        same, other = _distances(descriptors[:, :, number], others)
        low, high = _interval(same, other, _clusters(facts))
        metrics |= {f"fpr95{ending}": error_at_recall(same, other.ravel()), f"fpr95{ending}_low": low, f"fpr95{ending}_high": high}
        if not ending:
            tables["roc"] = _curve_rows(same, other.ravel())
            outcomes = _outcomes(samples, facts, same, other)
    return Report(metrics | {"matches": float(len(samples))}, tables, outcomes)


def _distances(descriptors: Float[ndarray, "M 3 F"], others: Int[ndarray, "M N"]) -> tuple[Float[ndarray, "M"], Float[ndarray, "M N"]]:
    """L2 from each anchor to the same place, and to its other places."""
    anchors, pool = descriptors[:, 0], descriptors[:, 1:].reshape(-1, descriptors.shape[-1])
    same = np.linalg.norm(anchors - descriptors[:, 1], axis=1)
    other = np.stack([np.linalg.norm(pool[row] - anchor, axis=1) for row, anchor in zip(others, anchors, strict=True)])
    return same.astype(np.float64), other.astype(np.float64)


def _clusters(facts: MatchFacts) -> list[Int[ndarray, "n"]]:
    """Matches that are drawn together: of one scene, one pair of frames, or one alone."""
    pairs = np.column_stack([facts.scenes, facts.frames[:, :2]])
    for named in (facts.scenes, np.unique(pairs, axis=0, return_inverse=True)[1].ravel()):
        if len(np.unique(named)) >= FEWEST_CLUSTERS:
            return [np.flatnonzero(named == one) for one in np.unique(named)]
    return [np.array([number]) for number in range(len(facts.scenes))]


def _interval(same: Float[ndarray, "M"], other: Float[ndarray, "M N"], clusters: list[Int[ndarray, "n"]]) -> tuple[float, float]:
    random = np.random.default_rng(0)
    drawn = (np.concatenate([clusters[one] for one in random.integers(len(clusters), size=len(clusters))]) for _ in range(RESAMPLES))
    errors = [error_at_recall(same[rows], other[rows].ravel()) for rows in drawn]
    low, high = np.percentile(errors, INTERVAL)
    return float(low), float(high)


def _curve_rows(same: Float[ndarray, "P"], other: Float[ndarray, "N"]) -> list[dict[str, Any]]:
    rates, recalls = roc(same, other)
    at = np.linspace(0, 1, CURVE + 1)
    return [{"recall": float(recall), "rate": float(rate)} for recall, rate in zip(at, np.interp(at, recalls, rates), strict=True)]


def _outcomes(samples: Samples, facts: MatchFacts, same: Float[ndarray, "M"], other: Float[ndarray, "M N"]) -> list[dict[str, Any]]:
    nearest = other.min(axis=1)
    return [
        {"object": name, "frames": frames[:2], "item": item, "distance": float(distance), "nearest_other": float(near)}
        for name, frames, item, distance, near in zip(
            samples.objects, facts.frames.tolist(), samples.items.tolist(), same.tolist(), nearest.tolist(), strict=True
        )
    ]
