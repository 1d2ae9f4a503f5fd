"""What labelling points by their height alone gives: a baseline without a network, for scenes and for parts.

A point has the label that was most often right among training points of its height and, for parts, of its object's category. Where none
was at that height, the most frequent label of all. With one bin of any height it is the most frequent label everywhere. A scan's vertex
is counted once, in however many rows it stands.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.mesh import Axis
from l9.tasks.contract import Player
from l9.tasks.segment_parts import SegmentParts
from l9.tasks.segment_points import IGNORED, SegmentPoints
from l9.tasks.segment_scenes import SegmentScenes

ANYWHERE = 1e-6  # what a label's share of all points adds to its count at a height
AXES = "XYZ"


class ByHeight(SegmentPoints):
    """The table, and how it answers. A subclass says where heights begin and how high a bin is, in the unit of the points."""

    lowest, step, bins = 0.0, 1.0, 1
    groups = 1

    def bind(self, model: nn.Module | None) -> None:
        """TrainingError for a network: there is none."""
        if model is not None:
            raise TrainingError(f"{type(self).__name__} is a baseline; leave its training's model out (None)")

    def players(self) -> dict[str, Player]:
        """None."""
        return {}

    def buffers(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def begin(self, samples: Samples) -> None:
        """Count the labels of all points at each height."""
        counts = np.zeros((self.groups, self.bins, len(self.outputs)), np.int64)
        for batch, once in self.once(samples, self.columns):
            targets = self.stored_targets(batch, samples).numpy()
            group, bins = np.broadcast_arrays(self._group(batch)[:, None], self._bins(batch))
            known = once.numpy() & (targets != IGNORED)
            np.add.at(counts, (group[known], bins[known], targets[known]), 1)
        self.restore({"counts": counts})

    def state(self) -> dict[str, ndarray]:
        """`counts` int64 (groups, bins, K)."""
        return {"counts": self._counts}

    def restore(self, state: Mapping[str, ndarray]) -> None:
        """The table of `state`."""
        self._counts: Int64[ndarray, "g h k"] = np.ascontiguousarray(state["counts"], np.int64)
        everywhere = self._counts.sum(axis=1, keepdims=True)
        self._table: Float[ndarray, "g h k"] = self._counts + ANYWHERE * everywhere / np.maximum(everywhere.sum(axis=2, keepdims=True), 1)

    def answered(self, batch: Batch) -> Float[Tensor, "b n k"]:
        """Logarithms of the counts at each point's height."""
        counts = self._table[self._group(batch)[:, None], self._bins(batch)]
        return torch.from_numpy(np.log(np.maximum(counts, ANYWHERE * ANYWHERE))).float()

    def _bins(self, batch: Batch) -> Int64[ndarray, "b n"]:
        heights = batch.fixed(self.points_column)[..., AXES.index(self.up[1])].numpy() * (1 if self.up[0] == "+" else -1)
        return np.clip(np.floor((heights - self.lowest) / self.step), 0, self.bins - 1).astype(np.int64)

    def _group(self, batch: Batch) -> Int64[ndarray, "b"]:
        return np.zeros(len(batch), np.int64)


class ScenesByHeight(ByHeight, SegmentScenes):
    """Of scenes, whose lowest point is at 0.

    labels  as of `SegmentScenes`
    step    metres of a bin; the last one takes what is higher
    bins    how many; 1: the most frequent label of all, whatever the height
    """

    def __init__(self, labels: dict[str, int], up: Axis = "+Z", step: float = 0.1, bins: int = 40) -> None:
        SegmentScenes.__init__(self, labels, up)
        self.step, self.bins = step, bins


class PartsByHeight(ByHeight, SegmentParts):
    """Of parts, category by category, of objects within the unit sphere.

    classes, parts  as of `SegmentParts`
    bins            of equal height, from -1 to 1
    """

    def __init__(self, classes: tuple[str, ...], parts: dict[str, int], up: Axis = "+Y", bins: int = 40) -> None:
        SegmentParts.__init__(self, classes, parts, up)
        self.lowest, self.step, self.bins, self.groups = -1.0, 2 / bins, bins, len(classes)

    def _group(self, batch: Batch) -> Int64[ndarray, "b"]:
        return batch.labels.numpy()
