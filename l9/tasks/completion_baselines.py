"""What a network that completes scans must beat: the scan as it is, the mean of its class, the nearest object that was learnt from."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.distance_fields import TRUNCATION
from l9.tasks.completion import COMPLETE, PARTIAL, CompletionTask, checked_scans, known_voxels
from l9.tasks.contract import Report
from l9.tasks.scores import labelled

AT_ONCE = 512  # objects that scans are compared with at once: 64 MB of float32


class ScanItself(CompletionTask):
    """The answer is the scan's own |signed distance|, cut at 3: nothing is completed."""

    def answers(self, batch: Batch) -> Float[Tensor, "b v v v"]:
        """See the class."""
        return batch.fixed(PARTIAL).float().abs().clamp_max(TRUNCATION)


class ClassMean(CompletionTask):
    """The answer is the mean of `complete` over all scans of its class that were learnt from. It is told the class: the scan's label.

    Of a class without any it is the mean over all scans.
    """

    def fit(self, samples: Samples) -> None:
        """Keep the means; TrainingError where a scan has no label."""
        shape = checked_scans(labelled(samples, samples.classes)).stores[0].column(COMPLETE).shape
        sums = torch.zeros(len(samples.classes), *shape, dtype=torch.float64)
        for batch in Loader(samples, (COMPLETE,), seed=0, training=False).sequential():
            sums.index_add_(0, batch.labels, batch.fixed(COMPLETE).double())
        counts = torch.from_numpy(np.bincount(samples.labels, minlength=len(samples.classes)))[:, None, None, None]
        self._means = torch.where(counts > 0, sums / counts.clamp_min(1), sums.sum(0) / len(samples)).float()

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.completion.completion_report`; TrainingError where a scan has no label."""
        return super().evaluate(labelled(samples, samples.classes))

    def answers(self, batch: Batch) -> Float[Tensor, "b v v v"]:
        """See the class."""
        return self._means[batch.labels.cpu()]


class NearestObject(CompletionTask):
    """The answer is `complete` of the object that was learnt from and fits what is known best, or the mean of several.

    That is the one with the least sum of squared differences from the scan's |signed distance| over the voxels the scan knows; the
    first of several, and so of all where a scan knows nothing.

    objects  how many are averaged, from 1 on; fewer where fewer were learnt from
    """

    at_once = 256  # each time all objects are gone through

    def __init__(self, objects: int = 1) -> None:
        if objects < 1:
            raise TrainingError(f"NearestObject: objects is {objects}; expected a number from 1 on")
        self.objects = objects

    def fit(self, samples: Samples) -> None:
        """Keep one field of each object, 64 KB at 32^3."""
        _, first = np.unique(np.array(checked_scans(samples).objects).astype(str), return_index=True)
        batches = Loader(samples.subset(np.sort(first)), (COMPLETE,), seed=0, training=False).sequential()
        self._fields = torch.cat([batch.fixed(COMPLETE).half() for batch in batches])

    def answers(self, batch: Batch) -> Float[Tensor, "b v v v"]:
        """See the class; TrainingError where what was learnt from has another size."""
        partial = batch.fixed(PARTIAL).float().cpu()
        if partial.shape[1:] != self._fields.shape[1:]:
            sizes = f"{tuple(partial.shape[1:])}, those learnt from {tuple(self._fields.shape[1:])}"
            raise TrainingError(f"NearestObject: scans have the size {sizes}; expected the same stages for every set")
        return torch.stack([self._fields[chosen].float().mean(0) for chosen in self.nearest(partial)])

    def nearest(self, partial: Float[Tensor, "b v v v"]) -> Int64[Tensor, "b n"]:
        """Numbers of each scan's objects, the nearest first, in the order in which they were learnt."""
        known = known_voxels(partial).float().flatten(1)
        seen = known * partial.abs().clamp_max(TRUNCATION).flatten(1)
        starts = range(0, len(self._fields), AT_ONCE)
        blocks = (self._fields[start : start + AT_ONCE].flatten(1).float() for start in starts)
        costs = torch.cat([known @ block.square().T - 2 * (seen @ block.T) for block in blocks], dim=1)
        return costs.sort(dim=1, stable=True).indices[:, : self.objects]
