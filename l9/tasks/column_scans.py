"""Whole scans of labelled columns, and how well answers for their voxels are: one home for networks and baselines."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, Int32, Int64, UInt8
from numpy import ndarray

from l9.data.batch import Batch, Packed
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.column_map import column_map, right_map
from l9.draw.confusion import confusion_picture
from l9.draw.grid import legend, sample_grid, stacked
from l9.draw.scan_sheet import label_colours
from l9.errors import TrainingError
from l9.geometry.scan_columns import EMPTY, HEIGHT, UNANNOTATED
from l9.readers.scannet_labels import BENCHMARK
from l9.tasks.contract import Picture, Report
from l9.tasks.label_scores import label_counts, label_metrics, label_rows

WHOLE = ("size", "column_labels", "column_known", "vertex_voxels", "vertex_labels")
SHOWN = 2  # scans on the page of pictures
ACROSS = 3  # truth, answers, and where they are wrong
IDS = tuple(BENCHMARK.values())


@dataclass(frozen=True)
class ColumnScan:
    """One scan as `scene_columns` stores it.

    labels           0 empty, NYU's ids, 41 not annotated
    known            1 seen
    vertex_voxels    number of the voxel of each vertex, -1 outside
    vertex_labels    NYU's ids, 0 none
    """

    name: str
    labels: UInt8[ndarray, "x y z"]
    known: UInt8[ndarray, "x y z"]
    vertex_voxels: Int32[ndarray, "v"]
    vertex_labels: UInt8[ndarray, "v"]

    def of_vertices(self, answers: UInt8[ndarray, "x y z"]) -> UInt8[ndarray, "v"]:
        """The answer for the voxel that each vertex is in, 0 for those outside."""
        return np.where(self.vertex_voxels >= 0, answers.ravel()[self.vertex_voxels], EMPTY).astype(np.uint8)


Answer = Callable[[ColumnScan], UInt8[ndarray, "x y z"]]
"""NYU's id for each occupied voxel, 0 for the others."""


def checked_columns(samples: Samples) -> Samples:
    """The samples, if they are of scans' columns; TrainingError in one line otherwise."""
    for store in samples.stores:
        there = {column.name for column in store.columns}
        if lacking := [name for name in ("shares", "centres", *WHOLE) if name not in there]:
            raise TrainingError(f"the set has no column {lacking[0]}; expected the stage scene_columns in its prep")
    if len(samples) == 0:
        raise TrainingError("no columns to learn from or to test; expected labelled scans: the index of the store notes why there are none")
    return samples


def any_labelled(samples: Samples, ids: Sequence[int]) -> bool:
    """Whether some vertex of the scans, and some voxel, is of one of the classes: else there is nothing to compare answers with."""
    columns = ("vertex_labels", "column_labels")
    lacking = set(columns)
    for batch in Loader(_once(checked_columns(samples)), columns, seed=0, training=False).sequential(1):
        lacking -= {name for name in lacking if np.isin(_values(batch, name), ids).any()}
        if not lacking:
            return True
    return False


def scans_of(samples: Samples) -> Iterator[ColumnScan]:
    """Each scan that the samples are of, once, in their order."""
    chosen = _once(samples)
    for name, batch in zip(chosen.objects, Loader(chosen, WHOLE, seed=0, training=False).sequential(1), strict=True):
        shape = (*batch.fixed("size")[0].tolist(), HEIGHT)
        labels, known = (_values(batch, column).reshape(shape) for column in ("column_labels", "column_known"))
        yield ColumnScan(name, labels, known, _values(batch, "vertex_voxels"), _values(batch, "vertex_labels"))


def kept_counts(samples: Samples) -> tuple[Int64[ndarray, "42"], int]:
    """Voxels of each label in the columns that can be learnt from, of all scans together, and how many columns these are."""
    counts, columns = np.zeros(UNANNOTATED + 1, np.int64), 0
    for scan, centres in zip(scans_of(samples), _centres(samples), strict=True):
        counts += np.bincount(scan.labels[centres[:, 0], centres[:, 1]].ravel(), minlength=len(counts))
        columns += len(centres)
    return counts, columns


def column_report(samples: Samples, ids: Sequence[int], answer: Answer) -> Report:
    """How well the labels of whole scans are told.

    ids      NYU's ids of the classes that count
    metrics  miou            over vertices, mean of the classes that truth has, by the benchmark's rules (l9/tasks/label_scores.py)
             vertex_accuracy, class_accuracy  over vertices
             voxel_accuracy  share of the occupied voxels with a class whose class is told: the paper's
             voxel_miou      as `miou`, over voxels
             scans           how many
    tables   classes, voxels  by vertices and by voxels: class, count, iou, accuracy;  confusion  of vertices: true, predicted, count
    outcomes  object, its own miou and voxel_accuracy, None where nothing of it has a class
    raises   TrainingError where no vertex has one of the classes
    """
    known = np.full(UNANNOTATED + 1, -1, np.int64)
    known[list(ids)] = np.arange(len(ids))
    vertices = voxels = np.zeros((len(ids), len(ids) + 1), np.int64)
    outcomes = []
    for scan in scans_of(samples):
        answers = answer(scan)
        of_vertices = label_counts(known[scan.vertex_labels], known[scan.of_vertices(answers)], len(ids))
        of_voxels = label_counts(known[scan.labels.ravel()], known[answers.ravel()], len(ids))
        vertices, voxels = vertices + of_vertices, voxels + of_voxels
        outcomes.append({"object": scan.name, "miou": _miou(of_vertices), "voxel_accuracy": _accuracy(of_voxels)})
    if not vertices.any() or not voxels.any():
        raise TrainingError("no vertex of the tested scans has a class that counts; expected labelled scans")
    names, found, by_voxels = class_names(ids), label_metrics(vertices), label_metrics(voxels)
    metrics = {
        "miou": found["miou"],
        "vertex_accuracy": found["accuracy"],
        "class_accuracy": found["class_accuracy"],
        "voxel_accuracy": by_voxels["accuracy"],
        "voxel_miou": by_voxels["miou"],
        "scans": float(len(outcomes)),
    }
    pairs: list[dict[str, Any]] = [
        {"true": names[row], "predicted": (*names, "none")[column], "count": int(vertices[row, column])}
        for row, column in np.argwhere(vertices)
    ]
    return Report(metrics, {"classes": label_rows(vertices, names), "voxels": label_rows(voxels, names), "confusion": pairs}, outcomes)


def column_pictures(samples: Samples, report: Report, ids: Sequence[int], answer: Answer) -> Iterator[Picture]:
    """`confusion` of the classes that are there, and `labels`: two scans from above, truth beside answers and where they are wrong."""
    there = tuple(row["class"] for row in report.tables["classes"] if row["count"])
    counts = np.zeros((len(there), len(there)), np.int64)
    for row in report.tables["confusion"]:
        if row["predicted"] in there:
            counts[there.index(row["true"]), there.index(row["predicted"])] = row["count"]
    yield Picture("confusion", confusion_picture(counts, there))
    tiles, captions = [], []
    for scan, outcome in zip(scans_of(samples), report.outcomes[:SHOWN], strict=False):
        answers = answer(scan)
        tiles += [column_map(scan.labels), column_map(answers), right_map(scan.labels, answers)]
        share = "no class" if outcome["voxel_accuracy"] is None else f"{100 * outcome['voxel_accuracy']:.0f} % of voxels right"
        captions += [f"{scan.name}: truth", f"answers: {share}", "right grey, wrong red"]
    maps = sample_grid(tiles, captions, ACROSS, "labels of voxels below 2 m, from above, darker the lower; white: nothing there")
    yield Picture("labels", stacked([maps, legend((*class_names(ids), "no class"), label_colours()[[*ids, EMPTY]])]))


def class_names(ids: Sequence[int]) -> tuple[str, ...]:
    """The benchmark's names; others by their ids."""
    names = {number: name for name, number in BENCHMARK.items()}
    return tuple(names.get(number, f"nyu {number}") for number in ids)


def _once(samples: Samples) -> Samples:
    """The first sample of each scan."""
    places = np.stack([samples.store_numbers, samples.rows], axis=1)
    _, first = np.unique(places, axis=0, return_index=True)
    return samples.subset(np.sort(first))


def _centres(samples: Samples) -> Iterator[Int32[ndarray, "n 2"]]:
    for batch in Loader(_once(samples), ("centres",), seed=0, training=False).sequential(1):
        yield _values(batch, "centres")


def _values(batch: Batch, column: str) -> ndarray:
    packed = batch.columns[column]
    assert isinstance(packed, Packed)
    return packed.values.numpy().copy()


def _miou(counts: Int[ndarray, "k more"]) -> float | None:
    return label_metrics(counts)["miou"] if counts.any() else None


def _accuracy(counts: Int[ndarray, "k more"]) -> float | None:
    return float(counts.diagonal().sum() / counts.sum()) if counts.any() else None
