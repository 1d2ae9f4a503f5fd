"""Label the points of scans: blocks are answered one by one, and every vertex by all the blocks it stands in.

A vertex's probabilities are summed over the rows that hold it; its answer is the greatest. Rows that repeat a vertex count it once; so do
the weights of the classes, whatever the number of rows and blocks it stands in.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.class_colours import class_colours
from l9.draw.grid import legend, sample_grid, stacked
from l9.draw.plan_view import plan_view
from l9.draw.splat import splat_points
from l9.errors import TrainingError
from l9.geometry.mesh import Axis
from l9.tasks.contract import Picture, Report
from l9.tasks.label_scores import label_counts, label_metrics, label_rows
from l9.tasks.pictures import ACROSS, PAGE, TILE
from l9.tasks.point_sets import Turn
from l9.tasks.segment_points import AT_ONCE, IGNORED, SegmentPoints

PLACES = "room"  # the size that makes places within the room metres
VERTICES = "vertices"  # which of the scan's vertices each point is
IDS = range(1, 256)  # that the stage stores
SHOWN = 4  # scans on the page of predictions
PLAN = 300  # pixels of a plan's sides
NOTHING, RIGHT, WRONG = (225, 225, 225), (205, 222, 205), (200, 40, 40)  # RGB: without a label, and how answers compare with truth


@dataclass(frozen=True)
class ScanAnswers:
    """Every vertex of one scan that its rows hold.

    places     metres from the room's least corner
    labels     number of its class in the order of the task's, IGNORED without one
    predicted  likewise
    """

    places: Float[ndarray, "v 3"]
    labels: Int[ndarray, "v"]
    predicted: Int[ndarray, "v"]


class SegmentScenes(SegmentPoints):
    """Columns of `scene_points`, for networks of 9 channels. Other options are those of `SegmentPoints`.

    labels  name -> id of each class, such as `l9.readers.scannet_labels.BENCHMARK`; other ids are no class, and carry no loss
    raises  TrainingError for no class, an id that is not 1 to 255, or one of two classes
    """

    version = 2
    more_columns = (VERTICES, PLACES)

    def __init__(
        self,
        labels: dict[str, int],
        up: Axis = "+Z",
        points: int = 4096,
        class_weights: bool = False,
        turn: Turn = "none",
        jitter: float = 0.0,
        drop: float = 0.0,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        augment: bool = True,
    ) -> None:
        ids = list(labels.values())
        if not ids or len(set(ids)) != len(ids) or not all(number in IDS for number in ids):
            raise TrainingError(f"{type(self).__name__}: labels are {dict(list(labels.items())[:8])}; expected different ids, 1 to 255")
        self.names = tuple(labels)
        outputs = {number: place for place, number in enumerate(ids)}
        super().__init__(outputs, up, points, class_weights, turn, jitter, drop, optimizer, lr, weight_decay, augment)

    def labelled(self, samples: Samples) -> bool:
        """Whether any point has a label that is a class."""
        self._check_columns(samples)
        batches = Loader(samples, (self.labels_column,), seed=0, training=False).sequential()
        return any(bool((self._output_of[batch.fixed(self.labels_column).long()] != IGNORED).any()) for batch in batches)

    def once(self, samples: Samples, columns: tuple[str, ...]) -> Iterator[tuple[Batch, Bool[Tensor, "b n"]]]:
        """Scan by scan, so that one mask of vertices is held at a time; of each scan of each store, where a vertex stands first."""
        _, scans = np.unique(np.array(samples.objects, np.str_), return_inverse=True)
        order = np.lexsort((scans, samples.store_numbers))
        scan, seen = (-1, -1), np.zeros(0, np.bool_)
        for read, _ in super().once(samples.subset(order), (*columns, VERTICES)):
            batch = replace(read, samples=order[read.samples])
            vertices = batch.fixed(VERTICES).numpy()
            first = np.zeros(vertices.shape, np.bool_)
            for row, number in enumerate(batch.samples.tolist()):
                mine = (int(samples.store_numbers[number]), int(scans[number]))
                if mine != scan:
                    scan, seen = mine, np.zeros(0, np.bool_)
                seen = np.pad(seen, (0, max(0, int(vertices[row].max()) + 1 - len(seen))))
                unique, places = np.unique(vertices[row], return_index=True)
                first[row, places[~seen[unique]]] = True
                seen[unique] = True
            yield batch, torch.from_numpy(first)

    def evaluate(self, samples: Samples) -> Report:
        """Metrics `miou`, `accuracy` and `class_accuracy` over all vertices of all scans that have a label (l9/tasks/label_scores.py).

        tables    classes    class, count, iou, accuracy
        outcomes  object, vertices, miou, accuracy of each scan
        raises    TrainingError where no vertex has a label
        """
        counts = np.zeros((len(self.names), len(self.names) + 1), np.int64)
        outcomes = []
        for name, answers in self.scans(samples):
            mine = label_counts(answers.labels, answers.predicted, len(self.names))
            counts += mine
            found = label_metrics(mine) if mine.any() else {"miou": None, "accuracy": None}
            outcomes.append({"object": name, "vertices": len(answers.labels), "miou": found["miou"], "accuracy": found["accuracy"]})
        if not counts.any():
            raise TrainingError(f"none of the {len(outcomes):,} scans to be tested has a labelled vertex; check the card's split")
        return Report(label_metrics(counts), {"classes": label_rows(counts, self.names)}, outcomes)

    def scans(self, samples: Samples) -> Iterator[tuple[str, ScanAnswers]]:
        """Each scan with the answers of its vertices, one at a time, in the order of the samples."""
        objects = np.array(samples.objects, object)
        for name in dict.fromkeys(samples.objects):
            yield name, self._answers(samples.subset(np.flatnonzero(objects == name)))

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`predictions`: of the first four scans, from above, truth, answers, and where they differ."""
        first = list(dict.fromkeys(samples.objects))[:SHOWN]
        chosen = samples.subset(np.flatnonzero(np.isin(np.array(samples.objects), first)))
        colours = self._colours()
        tiles, captions = [], []
        for (name, answers), outcome in zip(self.scans(chosen), report.outcomes, strict=False):
            miou = outcome["miou"]
            compared = np.where((answers.labels == answers.predicted)[:, None], RIGHT, WRONG).astype(np.uint8)
            compared[answers.labels == IGNORED] = NOTHING
            shades = (colours[answers.labels], colours[answers.predicted], compared)
            tiles += [plan_view(answers.places, shade, cast(Axis, samples.up), PLAN) for shade in shades]
            captions += [f"{name}: truth", "answers", "wrong" if miou is None else f"wrong (mIoU {miou:.3f})"]
        pages = [sample_grid(tiles, captions, 3, "vertices from above"), legend((*self.names, "no class"), self._colours())]
        return [Picture("predictions", stacked(pages))]

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 24 sets of the batch, after augmentation, coloured by label."""
        fed = self.fed(batch)
        table = self._colours()
        shades = table[self.targets(batch, fed)[:PAGE].cpu().numpy()]
        clouds = fed.x[:PAGE, :, :3].float().cpu().numpy()
        tiles = [splat_points(xyz, TILE, self.up, colours=shade) for xyz, shade in zip(clouds, shades, strict=True)]
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        title = f"what the network is fed: {len(tiles):,} of {batch.total:,} blocks of a batch"
        key = legend((*self.names, "no class"), self._colours())
        return Picture("first_batch", stacked([sample_grid(tiles, captions, ACROSS, title), key]))

    def _colours(self) -> UInt8[ndarray, "k_and_1 3"]:
        """RGB of the classes in their order, and of what has none."""
        return np.vstack([class_colours(len(self.names)), NOTHING]).astype(np.uint8)

    def _answers(self, samples: Samples) -> ScanAnswers:
        columns = (*self.columns, *self.more_columns)
        votes, places, labels = np.zeros((0, len(self.names)), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
        for batch in Loader(samples, columns, seed=0, training=False).sequential(AT_ONCE):
            probabilities = self.answered(batch).softmax(dim=2).numpy()
            targets = self._output_of[batch.fixed(self.labels_column).long()].numpy()
            shares = batch.fixed(self.points_column)[..., 6:9] * batch.fixed(PLACES)[:, None]
            vertices = batch.fixed(VERTICES).numpy()
            more = int(vertices.max()) + 1 - len(votes)
            if more > 0:
                votes, places = (np.pad(array, ((0, more), (0, 0))) for array in (votes, places))
                labels = np.pad(labels, (0, more), constant_values=IGNORED)
            for row, numbers in enumerate(vertices):
                unique, first = np.unique(numbers, return_index=True)
                votes[unique] += probabilities[row, first]
                places[unique], labels[unique] = shares[row].numpy()[first], targets[row, first]
        held = votes.any(axis=1)
        return ScanAnswers(places[held], labels[held], votes[held].argmax(axis=1))
