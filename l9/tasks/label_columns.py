"""Label the voxels of scans column by column, as ScanNet's paper does.

In training a sample is one of a scan's shares, runs of columns that can be learnt from; each epoch one column of each is drawn anew, so
that an epoch is as many columns a scan as the stage's `per_scan` says. In tests the network slides over every column of a scan that is
not empty, and the labels of voxels come back to the vertices of its mesh.
source  Dai et al., ScanNet, CVPR 2017, section 5.2, and the authors' code
"""

import math
from collections.abc import Iterable
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.column_map import column_map
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.geometry.scan_columns import EMPTY, SIDE, UNANNOTATED
from l9.tasks.column_scans import IDS, ColumnScan, any_labelled, checked_columns, class_names, column_pictures, column_report, kept_counts
from l9.tasks.column_windows import CUT, FED, column_windows
from l9.tasks.contract import Picture, Player, Report, Task, Turn

MOMENTUM = 0.9  # of stochastic gradient descent
CERTAIN = 1.2  # the weight of a class is 1 / ln(1.2 + its share)
TILE = 64  # columns along a side that are answered at once: 160 MB of numbers between layers
PAGE, ACROSS = 12, 6  # samples on the page of a batch, and in a row of it


@runtime_checkable
class Sliding(Protocol):
    """A network of columns that can be asked for all columns of a scene at once, such as ColumnNet."""

    channels: int
    labels: int
    learnt: Tensor

    def slide(self, x_CZXY: Tensor) -> Tensor:
        """Scores (K, Z, N, M) of the columns whose neighbourhoods lie within."""
        ...


class LabelColumns(Task):
    """One player, one turn: cross-entropy over the 62 voxels of a column.

    A voxel counts 1 / ln(1.2 + share of its class among the voxels with a class of the columns to learn from); empty voxels, those not
    annotated and other classes count 0. What a batch's voxels count together is divided by what a column counts in the mean.

    ids         NYU's ids of the classes that count: the benchmark's 20
    jitter      largest random move of a neighbourhood along each axis, voxels
    turned      whether neighbourhoods are mirrored and turned by quarters about the vertical at random, which the paper has not
    optimizer   "sgd" has momentum 0.9; `lr` is its rate, `weight_decay` its decay: the paper's
    augment     False: of each share the column in its middle as it stands
    """

    version = 2
    samples, whole_tests = "shares", True
    columns, cut = FED, CUT

    def __init__(
        self,
        ids: tuple[int, ...] = IDS,
        jitter: int = 2,
        turned: bool = False,
        optimizer: Literal["adam", "adamw", "sgd"] = "sgd",
        lr: float = 0.01,
        weight_decay: float = 1e-3,
        augment: bool = True,
    ) -> None:
        if not ids or len(set(ids)) != len(ids) or not all(EMPTY < number < UNANNOTATED for number in ids):
            raise TrainingError(f"LabelColumns: ids are {list(ids)[:8]}; expected different ones of NYU's, 1 to 40")
        self.ids, self.jitter, self.turned, self.augment = ids, jitter, turned, augment
        self.optimizer, self.lr, self.weight_decay = optimizer, lr, weight_decay

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError unless it is one of columns that has all the ids."""
        if not isinstance(model, nn.Module) or not isinstance(model, Sliding):
            raise TrainingError("LabelColumns needs a network of columns; give its training a model, such as Use(ColumnNet)")
        if model.labels <= max(self.ids):
            raise TrainingError(f"LabelColumns: the network has {model.labels} labels; expected more than the greatest id, {max(self.ids)}")
        self._network: Any = model
        device = model.learnt.device
        self._weights = torch.zeros(model.labels, device=device)
        self._weight_of_column = torch.ones((), device=device)
        model.learnt.copy_(self._mask())
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Weights of the classes; one that is not there to learn from is as rare as can be. TrainingError where samples are no columns."""
        counts, columns = kept_counts(checked_columns(samples))
        there = counts[list(self.ids)].astype(np.float64)
        if not there.sum():
            names = ", ".join(class_names(self.ids)[:5])
            raise TrainingError(f"no voxel to learn from has one of the {len(self.ids)} classes, {names}, ...; check the task's ids")
        weights = 1 / np.log(CERTAIN + there / there.sum())
        self._weights[list(self.ids)] = torch.from_numpy(weights).to(self._weights)
        self._weight_of_column.fill_(float((there * weights).sum() / columns))

    def players(self) -> dict[str, Player]:
        """The whole network."""
        options: dict[str, Any] = {"weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            options["momentum"] = MOMENTUM
        return {"model": Player(list(self._network.parameters()), self.optimizer, self.lr, options)}

    def initialise(self, batch: Batch) -> None:
        """Nothing, but weights that were learnt for other classes are refused."""
        self._check_classes()

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`cross_entropy`, weighted; a sum over the samples."""
        x, labels = self._fed(batch)
        losses = nn.functional.cross_entropy(self._network(x).float(), self._known(labels), self._weights, reduction="sum")
        return {"cross_entropy": losses / self._weight_of_column}

    def start_loss(self) -> float:
        """ln K: every class equally likely, empty and not annotated too."""
        return math.log(self._network.labels)

    def buffers(self) -> dict[str, Tensor]:
        """Weights of the classes, and of a column in the mean."""
        return {"class_weights": self._weights, "weight_of_column": self._weight_of_column}

    def labelled(self, samples: Samples) -> bool:
        """Whether any vertex and voxel has a class that counts."""
        return any_labelled(samples, self.ids)

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.column_scans.column_report`."""
        return column_report(checked_columns(samples), self.ids, self.answers)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`confusion` and `labels`."""
        return column_pictures(samples, report, self.ids, self.answers)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """Occupancy of the first 12 neighbourhoods of the batch from above, after augmentation, in the shades of height."""
        x, labels = self._fed(batch)
        tiles = [column_map(grid) for grid in x[:PAGE, 0].permute(0, 2, 3, 1).byte().cpu().numpy()]
        counted = [int((self._weights[self._known(column)] > 0).sum()) for column in labels[:PAGE]]
        captions = [f"{samples.objects[int(number)]}\n{count} voxels count" for number, count in zip(batch.samples, counted, strict=False)]
        return Picture(
            "first_batch", sample_grid(tiles, captions, ACROSS, "what the network is fed: occupied voxels below 2 m, from above")
        )

    @torch.no_grad()
    def answers(self, scan: ColumnScan) -> UInt8[ndarray, "x y z"]:
        """The likeliest of `ids` for each occupied voxel, 0 elsewhere, by the network in evaluation mode; its mode is put back after."""
        self._check_classes()
        network, was_training = self._network, self._network.training
        network.eval()
        occupied = scan.labels != EMPTY
        found = np.zeros(scan.labels.shape, np.uint8)
        try:
            for x in range(0, occupied.shape[0], TILE):
                for y in range(0, occupied.shape[1], TILE):
                    place = (slice(x, x + TILE), slice(y, y + TILE))
                    if occupied[place].any():
                        found[place] = self._tile(scan, x, y)[: found[place].shape[0], : found[place].shape[1]]
        finally:
            network.train(was_training)
        return np.where(occupied, found, EMPTY).astype(np.uint8)

    def _tile(self, scan: ColumnScan, x: int, y: int) -> UInt8[ndarray, "n m z"]:
        """Answers of the columns from (x, y) on, occupied or not."""
        fed = self._surrounded(scan, x, y).to(self._network.learnt.device)
        scores = self._network.slide(fed)[list(self.ids)]
        best = scores.argmax(dim=0).cpu().numpy()
        return np.array(self.ids, np.uint8)[best].transpose(1, 2, 0)

    def _surrounded(self, scan: ColumnScan, x: int, y: int) -> Float[Tensor, "c z x y"]:
        """The voxels around a tile, empty and unknown beyond the scan; only as large as needed, in steps of 8 columns."""
        sides = [-(-min(TILE, size - start) // 8) * 8 + SIDE - 1 for size, start in zip(scan.labels.shape, (x, y), strict=False)]
        channels = [(scan.labels != EMPTY), scan.known][: self._network.channels]
        fed = np.zeros((len(channels), *sides, scan.labels.shape[2]), np.float32)
        half = SIDE // 2
        for channel, grid in zip(fed, channels, strict=True):
            part = grid[max(x - half, 0) : x - half + sides[0], max(y - half, 0) : y - half + sides[1]]
            left, near = max(half - x, 0), max(half - y, 0)
            channel[left : left + part.shape[0], near : near + part.shape[1]] = part
        return torch.from_numpy(fed).permute(0, 3, 1, 2).contiguous()

    def _fed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return column_windows(batch, self._network.channels, jitter=self.jitter, turned=self.turned, augment=self.augment)

    def _known(self, labels: Tensor) -> Tensor:
        """Labels that the network has; what it has not counts nothing, as what is empty."""
        return labels.masked_fill(labels >= self._network.labels, EMPTY)

    def _mask(self) -> Tensor:
        mask = torch.zeros_like(self._network.learnt)
        mask[list(self.ids)] = 1
        return mask

    def _check_classes(self) -> None:
        """TrainingError where the network's weights were learnt for other classes."""
        learnt = tuple(torch.nonzero(self._network.learnt).flatten().tolist())
        if learnt != tuple(sorted(self.ids)):
            told = f"{', '.join(class_names(learnt)[:5])}, ... ({len(learnt)})"
            raise TrainingError(f"the weights were learnt for the classes {told}; expected the {len(self.ids)} of the task's ids")
