"""What completes partial scans has in common: its columns, 3D-EPN's error on what was not seen, the pictures.

V voxels along each edge, 32 for 3D-EPN; distances are in voxels
partial   signed distance to what the camera saw, cut at 3 on both sides: from -1 on a voxel is *known*, below it is not
complete  distance to the whole surface, without sign, cut at 3

source  Dai, Qi, Niessner, Shape completion using 3D-encoder-predictor CNNs and shape synthesis, CVPR 2017, section 6, and its code
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.distance_fields import KNOWN, TRUNCATION
from l9.geometry.isosurface import isosurface
from l9.tasks.completion_pictures import completion_pages
from l9.tasks.contract import Picture, Report, Task

PARTIAL, COMPLETE = "partial", "complete"
SURFACE = 1.0  # voxels: the isosurface, as in the paper
NEAR = 2.5  # voxels: where truth and answer are both farther from a surface, they are not compared
RESAMPLES = 400  # of the bootstrap
INTERVAL = (2.5, 97.5)  # per cent


class CompletionTask(Task):
    """Completes scans in any way, and says how well. `answers` is the way."""

    columns = (PARTIAL, COMPLETE)
    at_once = 32  # scans that are completed together
    own_stages = ("l9.stages.seen_surface:seen_surface",)

    def answers(self, batch: Batch) -> Float[Tensor, "b v v v"]:
        """Distance to the whole surface in voxels, float32, of every scan of a batch."""
        raise NotImplementedError

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError where these are no partial scans."""
        checked_scans(samples)

    @torch.no_grad()
    def evaluate(self, samples: Samples) -> Report:
        """See `completion_report`."""
        found = [
            self._compared(batch) for batch in Loader(checked_scans(samples), self.columns, seed=0, training=False).sequential(self.at_once)
        ]
        errors, counts = (np.concatenate([one[place] for one in found]) for place in (0, 1))
        return completion_report(samples, errors, counts)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`completions`: scan, answer and truth of up to eight scans, from the best to the worst."""
        return completion_pages(samples, self.columns, [row["l1_unknown"] for row in report.outcomes], self.answers)

    @torch.no_grad()
    def surface(self, batch: Batch) -> tuple[Float64[ndarray, "v 3"], Int64[ndarray, "f 3"]]:
        """Where the completed scan is one voxel from a surface, in the units of the file it is of (column `placement`)."""
        field = self.answers(batch)[0].cpu().numpy()
        vertices, faces = isosurface(field, SURFACE)
        placement = batch.fixed("placement")[0].double().numpy()
        return placement[:3] + placement[3] * (vertices - (len(field) - 1) / 2), faces

    def _compared(self, batch: Batch) -> tuple[Float64[ndarray, "b"], Int64[ndarray, "b"]]:
        answer = self.answers(batch).cpu()
        return unknown_errors(answer, batch.fixed(PARTIAL).float().cpu(), batch.fixed(COMPLETE).float().cpu())


def checked_scans(samples: Samples) -> Samples:
    """The samples, if they are partial scans with the whole beside them, all of one size; TrainingError in one line otherwise."""
    for store in samples.stores:
        held = {column.name: column.shape for column in store.columns if column.kind == "fixed"}
        lacking = [name for name in (PARTIAL, COMPLETE) if name not in held]
        if lacking:
            raise TrainingError(f"store {store.id} has no column {lacking[0]}; expected the stage virtual_scans in its prep")
        if held[PARTIAL] != held[COMPLETE] or len(set(held[PARTIAL])) != 1 or len(held[PARTIAL]) != 3:
            raise TrainingError(f"store {store.id}: partial is {held[PARTIAL]} and complete {held[COMPLETE]}; expected one cube of voxels")
    if len(samples) == 0:
        raise TrainingError("no scans to complete; l9 quarantine lists the objects that were refused, and why")
    return samples


def known_voxels(partial: Float[Tensor, "b v v v"]) -> Bool[Tensor, "b v v v"]:
    """Whether a voxel was seen."""
    return partial >= KNOWN


def network_input(partial: Float[Tensor, "b v v v"]) -> Float[Tensor, "b 2 v v v"]:
    """min(|signed distance|, 3), and +1 where it is known and -1 where it is not."""
    signs = known_voxels(partial).float() * 2 - 1
    return torch.stack([partial.float().abs().clamp_max(TRUNCATION), signs], dim=1)


def unknown_errors(
    answer: Float[Tensor, "b v v v"], partial: Float[Tensor, "b v v v"], complete: Float[Tensor, "b v v v"]
) -> tuple[Float64[ndarray, "b"], Int64[ndarray, "b"]]:
    """Of each scan the mean of |answer - complete| over the voxels that count, and how many these are (the mean is 0 where none does).

    A voxel counts where it is unknown and the answer or the truth is below 2.5 voxels.
    """
    counted = ~known_voxels(partial) & ((complete < NEAR) | (answer < NEAR))
    sums = ((answer - complete).abs() * counted).flatten(1).sum(1, dtype=torch.float64)
    counts = counted.flatten(1).sum(1)
    return (sums / counts.clamp_min(1)).numpy(), counts.numpy()


def completion_report(samples: Samples, errors: Float64[ndarray, "n"], counts: Int64[ndarray, "n"]) -> Report:
    """Metrics, a table and one outcome a scan, from what `unknown_errors` found.

    metrics   l1_unknown       voxels: mean over the objects of the mean over their scans that count; a scan without a voxel that counts
                               does not, and neither does an object without such a scan
              l1_unknown_low   and l1_unknown_high: 95 % of 400 bootstrap samples of objects lie between them (seed 0)
              objects, scans   that count, and
              scans_left_out   those that do not
    tables    classes          class, objects and l1_unknown of each class that has any
    outcomes  object, row, label (None where there is none), l1_unknown (None where the scan does not count) and voxels that count
    raises    TrainingError where no scan counts
    """
    counting = counts > 0
    if not counting.any():
        raise TrainingError(f"none of {len(counts):,} scans leaves a voxel unknown near a surface: nothing is to be completed")
    names, of_scan = np.unique(np.array(samples.objects, object)[counting].astype(str), return_inverse=True)
    of_object = np.bincount(of_scan, errors[counting]) / np.bincount(of_scan)
    low, high = _interval(of_object)
    metrics = {
        "l1_unknown": float(of_object.mean()),
        "l1_unknown_low": low,
        "l1_unknown_high": high,
        "objects": float(len(names)),
        "scans": float(counting.sum()),
        "scans_left_out": float((~counting).sum()),
    }
    labels = np.full(len(names), -1, np.int64)
    labels[of_scan] = samples.labels[counting]
    return Report(metrics, {"classes": _class_rows(samples.classes, labels, of_object)}, _outcomes(samples, errors, counts))


def _interval(values: Float64[ndarray, "n"]) -> tuple[float, float]:
    random = np.random.default_rng(0)
    means = values[random.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, INTERVAL)
    return float(low), float(high)


def _class_rows(classes: Sequence[str], labels: Int64[ndarray, "n"], of_object: Float64[ndarray, "n"]) -> list[dict[str, Any]]:
    return [
        {"class": name, "objects": int((labels == number).sum()), "l1_unknown": float(of_object[labels == number].mean())}
        for number, name in enumerate(classes)
        if (labels == number).any()
    ]


def _outcomes(samples: Samples, errors: Float64[ndarray, "n"], counts: Int64[ndarray, "n"]) -> list[dict[str, Any]]:
    told = zip(samples.objects, samples.object_rows.tolist(), samples.labels.tolist(), errors.tolist(), counts.tolist(), strict=True)
    return [
        {
            "object": name,
            "row": row,
            "label": samples.classes[label] if label >= 0 else None,
            "l1_unknown": error if count else None,
            "voxels": count,
        }
        for name, row, label, error, count in told
    ]
