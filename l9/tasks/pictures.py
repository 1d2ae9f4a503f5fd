"""Pictures that tasks share: what a sample looks like, the confusion matrix, and a page of the worst mistakes."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy import ndarray

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.confusion import confusion_picture
from l9.draw.grid import sample_grid
from l9.draw.picture_tile import picture_tile
from l9.draw.splat import splat_points, splat_voxels
from l9.draw.tiles import grey_tile
from l9.geometry.mesh import Axis
from l9.tasks.contract import Picture, Report
from l9.tasks.scores import reported_counts

TILE = 128  # pixels of a sample's picture
PAGE = 24  # samples on a page
ACROSS = 6  # samples in a row of a page
SHOWN = ("image", "views", "occupancy", "points", "coarse_occupancy")  # columns a sample can be drawn from, the clearest first


def classification_pictures(samples: Samples, report: Report) -> list[Picture]:
    """`confusion`, and `worst_mistakes`: the 24 wrong answers of highest probability."""
    counts = reported_counts(report, samples.classes)
    return [Picture("confusion", confusion_picture(counts, samples.classes)), worst_mistakes(samples, report)]


def worst_mistakes(samples: Samples, report: Report) -> Picture:
    """At most 24 wrong answers, the most probable first, with what each is and what was answered; or a page that says there are none."""
    wrong = [number for number, outcome in enumerate(report.outcomes) if outcome["label"] != outcome["predicted"]]
    if not wrong:
        return Picture("worst_mistakes", sample_grid([], title=f"no mistakes among {len(report.outcomes):,} objects"))
    worst = sorted(wrong, key=lambda number: (-report.outcomes[number]["probability"], number))[:PAGE]
    captions = [_mistake(report.outcomes[number]) for number in worst]
    title = f"{len(worst):,} of {len(wrong):,} mistakes, the most certain first"
    return Picture("worst_mistakes", sample_grid(thumbnails(samples, worst), captions, ACROSS, title))


def thumbnails(samples: Samples, numbers: Sequence[int]) -> list[ndarray]:
    """A picture (128, 128, 3) of each of these samples, from the clearest column that every store has; blank if there is none."""
    held = set.intersection(*({column.name for column in store.columns if column.kind == "fixed"} for store in samples.stores))
    column = next((name for name in SHOWN if name in held), None)
    if column is None:
        return [np.full((TILE, TILE, 3), 255, np.uint8) for _ in numbers]
    chosen = samples.subset(np.asarray(numbers, np.int64))
    cells = [cell for batch in Loader(chosen, (column,), seed=0, training=False).sequential() for cell in batch.fixed(column).numpy()]
    return [_drawn(column, cell, cast(Axis, samples.up)) for cell in cells]


def input_page(tiles: Sequence[ndarray], batch: Batch, samples: Samples) -> Picture:
    """The first samples of a batch as the network sees them, each with its class and object."""
    captions = [
        f"{samples.classes[int(label)]}\n{samples.objects[int(number)]}"
        for label, number in zip(batch.labels[: len(tiles)], batch.samples, strict=False)
    ]
    title = f"what the network is fed: {len(tiles):,} of {batch.total:,} samples of a batch"
    return Picture("first_batch", sample_grid(tiles, captions, ACROSS, title))


def _drawn(column: str, cell: ndarray, up: Axis) -> ndarray:
    if column == "image":
        return picture_tile(np.ascontiguousarray(cell.transpose(1, 2, 0)), TILE)
    if column == "views":
        return grey_tile(cell[min(1, len(cell) - 1)], TILE)
    if column == "points":
        return splat_points(cell, TILE, up)
    return splat_voxels(cell[0] if cell.ndim == 4 else cell, TILE, up)


def _mistake(outcome: dict[str, Any]) -> str:
    return f"{outcome['label']}\n→ {outcome['predicted']} {100 * outcome['probability']:.0f} %"
