"""Label the points of objects whose category is known with the parts that this category has.

A point's answer is the part of its object's category that has the greatest score, as in PointNet's evaluation.
"""

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.draw.splat import splat_points
from l9.errors import TrainingError
from l9.geometry.mesh import Axis
from l9.tasks.contract import Picture, Report
from l9.tasks.label_scores import shape_iou
from l9.tasks.pictures import PAGE, TILE, input_page
from l9.tasks.point_sets import Turn
from l9.tasks.scores import labelled
from l9.tasks.segment_points import AT_ONCE, IGNORED, SegmentPoints

SHOWN, PAIRS = 12, 3  # objects on the page of the worst, and in a row of it


class SegmentParts(SegmentPoints):
    """Columns of `labelled_points`, for networks of 3 channels. Other options are those of `SegmentPoints`.

    classes  names of the categories, in the order of the labels
    parts    category -> how many parts it has, counted through in this order, such as `l9.readers.shapenetpart.PARTS`
    """

    labels_column, stage = "parts", "labelled_points"

    def __init__(
        self,
        classes: tuple[str, ...],
        parts: dict[str, int],
        up: Axis = "+Y",
        points: int = 2048,
        class_weights: bool = False,
        turn: Turn = "none",
        jitter: float = 0.0,
        drop: float = 0.0,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        augment: bool = True,
    ) -> None:
        self.classes = classes
        ends = dict(zip(parts, accumulate(parts.values()), strict=True))
        self.parts_of = {name: range(ends[name] - count, ends[name]) for name, count in parts.items()}
        outputs = {number: number for number in range(sum(parts.values()))}
        super().__init__(outputs, up, points, class_weights, turn, jitter, drop, optimizer, lr, weight_decay, augment)

    def fit(self, samples: Samples) -> None:
        """As `SegmentPoints`; TrainingError also for a category whose parts are not known, or a point of a part that it does not have."""
        labelled(samples, self.classes)
        if unknown := [name for name in self.classes if name not in self.parts_of]:
            raise TrainingError(f"parts says nothing of {unknown[0]}; it has {', '.join(list(self.parts_of)[:8])}")
        super().fit(samples)

    def stored_targets(self, batch: Batch, samples: Samples) -> Int64[Tensor, "b n"]:
        """The part of every point; TrainingError where it is none of its object's category."""
        stored = super().stored_targets(batch, samples)
        for row, number in enumerate(batch.samples.tolist()):
            parts = self.parts_of[self.classes[int(samples.labels[number])]]
            odd = stored[row][(stored[row] < parts.start) | (stored[row] >= parts.stop)]
            if len(odd):
                what = "none" if odd[0] == IGNORED else str(int(odd[0]))
                raise TrainingError(f"{samples.objects[number]}: a point of part {what}; expected {parts.start} to {parts.stop - 1}")
        return stored

    def evaluate(self, samples: Samples) -> Report:
        """Metrics over the objects, by ShapeNetPart's rules (`l9.tasks.label_scores.shape_iou`).

        metrics   instance_miou  mean over the objects of their parts' mean intersection over union
                  class_miou     mean over the categories of the mean over their objects
                  accuracy       share of points
        tables    classes   class, count, iou (None without objects)
        outcomes  object, label, iou, accuracy
        raises    TrainingError for a point without a part of its object's category
        """
        outcomes: list[dict[str, Any]] = []
        for batch in Loader(labelled(samples, self.classes), self.columns, seed=0, training=False).sequential(AT_ONCE):
            for number, truth, answers in self._answers(batch, samples):
                name = self.classes[int(samples.labels[number])]
                found = {"iou": shape_iou(truth, answers, self.parts_of[name]), "accuracy": float((truth == answers).mean())}
                outcomes.append({"object": samples.objects[number], "label": name, **found})
        rows = [_class_row(name, [one["iou"] for one in outcomes if one["label"] == name]) for name in self.classes]
        metrics = {
            "instance_miou": float(np.mean([one["iou"] for one in outcomes])),
            "class_miou": float(np.mean([row["iou"] for row in rows if row["count"]])),
            "accuracy": float(np.mean([one["accuracy"] for one in outcomes])),
        }
        return Report(metrics, {"classes": rows}, outcomes)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`worst_parts`: the 12 objects of least intersection over union, truth beside answers."""
        worst = sorted(range(len(report.outcomes)), key=lambda number: (report.outcomes[number]["iou"], number))[:SHOWN]
        chosen = samples.subset(np.array(worst, np.int64))
        tiles = []
        for batch in Loader(chosen, self.columns, seed=0, training=False).sequential(AT_ONCE):
            for (_, truth, answers), points in zip(self._answers(batch, chosen), batch.fixed("points").numpy(), strict=True):
                both = [splat_points(points, TILE, cast(Axis, samples.up), labels=labels) for labels in (truth, answers)]
                tiles.append(np.concatenate(both, axis=1))
        captions = [f"{report.outcomes[number]['object']}\nIoU {report.outcomes[number]['iou']:.3f}" for number in worst]
        title = f"the worst {len(tiles):,} of {len(report.outcomes):,}: truth beside answers"
        return [Picture("worst_parts", sample_grid(tiles, captions, PAIRS, title))]

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 24 sets of the batch, after augmentation, coloured by part."""
        fed = self.fed(batch)
        targets = self.targets(batch, fed)[:PAGE].cpu().numpy()
        clouds = fed.x[:PAGE].float().cpu().numpy()
        return input_page([splat_points(xyz, TILE, self.up, labels=one) for xyz, one in zip(clouds, targets, strict=True)], batch, samples)

    def _answers(self, batch: Batch, samples: Samples) -> Iterable[tuple[int, ndarray, ndarray]]:
        """Number of each sample, the parts of its points, and the answers."""
        scores = self.answered(batch).numpy()
        stored = self.stored_targets(batch, samples).numpy()
        for row, number in enumerate(batch.samples.tolist()):
            parts = self.parts_of[self.classes[int(samples.labels[number])]]
            yield number, stored[row], parts.start + scores[row][:, parts.start : parts.stop].argmax(axis=1)


def _class_row(name: str, ious: list[float]) -> dict[str, Any]:
    return {"class": name, "count": len(ious), "iou": float(np.mean(ious)) if ious else None}
