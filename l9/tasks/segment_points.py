"""What all that label points share: a network of point sets, cross-entropy of every labelled point, and answers for whole rows.

sources  Qi, Su, Mo, Guibas, PointNet, CVPR 2017 (the regulariser of l9/models/pointnet.py for a network with T-Nets)
         Qi, Yi, Su, Guibas, PointNet++, NIPS 2017, and its code (weights of classes, points dropped)
"""

from collections.abc import Iterator
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.mesh import Axis
from l9.models.pointnet import PENALTY_WEIGHT, transform_penalty
from l9.tasks.contract import Player, Task, Turn
from l9.tasks.point_sets import PointSet, PointSets
from l9.tasks.point_sets import Turn as Turning

MOMENTUM = 0.9  # of stochastic gradient descent
IGNORED = -1  # the target of a point that has no label
LEAST_SHARE = 1.2  # in 1 / ln(1.2 + share): a class that never occurs weighs 5.5, one that is everything 1.3
IDS = 256  # of a column of labels
AT_ONCE = 8  # rows that are answered together


@runtime_checkable
class Transforming(Protocol):
    """A network that may learn a transform, which the loss then holds near a rotation."""

    def forward_with_transform(self, *inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Scores (B, n, K), and the transform (B, J, J) or None."""
        ...


class SegmentPoints(Task):
    """One player, one turn, cross-entropy.

    points         of a set that is fed; in training drawn anew each time. In tests a row's points are cut into such sets
    class_weights  whether a class weighs 1 / ln(1.2 + its share of the training points), as in PointNet++
    turn, jitter, drop  augmentation: see `l9.tasks.point_sets`; the authors of PointNet label points without any
    optimizer      "sgd" has momentum 0.9; `lr` is its rate, `weight_decay` its decay
    augment        False: a row's first points exactly as they stand

    Subclasses say which column holds the labels, which numbers these are, and what is reported.
    """

    points_column, labels_column = "points", "labels"
    stage = "scene_points"  # which gives both
    more_columns: tuple[str, ...] = ()  # of the stage, that are read to count and to test, and not in training

    def __init__(
        self,
        outputs: dict[int, int],
        up: Axis,
        points: int,
        class_weights: bool,
        turn: Turning,
        jitter: float,
        drop: float,
        optimizer: Literal["adam", "adamw", "sgd"],
        lr: float,
        weight_decay: float,
        augment: bool,
    ) -> None:
        self.outputs, self.up, self.class_weights, self.augment = outputs, up, class_weights, augment
        self.sets = PointSets(up, points, turn, jitter, drop)
        self.optimizer, self.lr, self.weight_decay = optimizer, lr, weight_decay
        self.columns = (self.points_column, self.labels_column)
        self._weights = torch.ones(len(outputs))
        self._output_of = torch.full((IDS,), IGNORED)
        for number, output in outputs.items():
            self._output_of[number] = output

    def bind(self, model: nn.Module | None) -> None:
        """Take the network, whose device the weights of the classes live on; TrainingError if there is none."""
        if model is None:
            raise TrainingError(f"{type(self).__name__} needs a network; give its training a model, such as Use(PointNetSeg)")
        self._network = model
        self._weights = self._weights.to(next(model.parameters()).device)
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Weights of the classes. TrainingError before any step where columns, points or labels lack, or the network gives other scores."""
        self._check_columns(samples)
        counts = np.zeros(len(self.outputs), np.int64)
        for batch, once in self.once(samples, (self.labels_column,)):
            targets = self.stored_targets(batch, samples)
            counts += torch.bincount(targets[once & (targets != IGNORED)], minlength=len(counts)).numpy()
        if not counts.sum():
            raise TrainingError(f"none of {len(samples):,} rows to learn from has a labelled point; check the card's labels and split")
        if self.class_weights:
            self._weights.copy_(torch.from_numpy(1 / np.log(LEAST_SHARE + counts / counts.sum())))
        self.begin(samples)

    def once(self, samples: Samples, columns: tuple[str, ...]) -> Iterator[tuple[Batch, Bool[Tensor, "b n"]]]:
        """All rows, and which of their points are counted: all, unless a subclass knows which are the same, and orders the rows by it."""
        for batch in Loader(samples, columns, seed=0, training=False).sequential():
            yield batch, torch.ones(batch.fixed(self.labels_column).shape, dtype=torch.bool)

    def stored_targets(self, batch: Batch, samples: Samples) -> Int64[Tensor, "b n"]:
        """Of every point of the rows, which are of `samples`, the network's output that should be greatest; IGNORED without a label."""
        return self._output_of[batch.fixed(self.labels_column).long()]

    def begin(self, samples: Samples) -> None:
        """What `fit` does last, when labels are known to be there: see that the network fits them."""
        first = next(Loader(samples.take(1), self.columns, seed=0, training=False).sequential())
        self.sets.plain(first, self.points_column)
        given = self.answered(first).shape[-1]
        if given != len(self.outputs):
            raise TrainingError(f"the network gives {given} scores a point, and there are {len(self.outputs)}: labels={len(self.outputs)}")

    def players(self) -> dict[str, Player]:
        """The whole network."""
        options: dict[str, Any] = {"weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            options["momentum"] = MOMENTUM
        return {"model": Player(list(self._network.parameters()), self.optimizer, self.lr, options)}

    def buffers(self) -> dict[str, Tensor]:
        """The weights of the classes."""
        return {"class_weights": self._weights}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`cross_entropy`, each sample's mean over its points, those without a label counted as 0; `transform` where one is learnt."""
        fed = self.fed(batch)
        scores, transform = self._scored(fed.x, batch.labels)
        targets = self.targets(batch, fed)
        weights = self._weights.to(scores.device)
        entropy = nn.functional.cross_entropy(
            scores.flatten(0, 1).float(), targets.flatten(), weights, ignore_index=IGNORED, reduction="sum"
        )
        terms = {"cross_entropy": entropy / targets.shape[1]}
        if transform is not None:  # a sum over the whole batch, so it is multiplied by `batch.total`, which the loop divides by
            terms["transform"] = PENALTY_WEIGHT * transform_penalty(transform).sum() * batch.total
        return terms

    def fed(self, batch: Batch) -> PointSet:
        """A set of each sample, in a random pose where there is augmentation."""
        return self.sets.augmented(batch, self.points_column) if self.augment else self.sets.plain(batch, self.points_column)

    def targets(self, batch: Batch, fed: PointSet) -> Int64[Tensor, "b n"]:
        """The network's output that each point should have the greatest score of; IGNORED without a label, and for repeated points."""
        stored = self._output_of.to(fed.x.device)[batch.fixed(self.labels_column).long()]
        chosen = stored.gather(1, fed.numbers)
        return chosen if fed.dropped is None else chosen.masked_fill(fed.dropped, IGNORED)

    @torch.no_grad()
    def answered(self, batch: Batch) -> Float[Tensor, "b n k"]:
        """Scores of every point of every row, by the network in evaluation mode; its mode is put back after."""
        was_training = self._network.training
        self._network.eval()
        try:
            moved = batch.to(next(self._network.parameters()).device)
            sets = self.sets.cut(moved, self.points_column)
            rows, cuts, points, _ = sets.shape
            scores, _ = self._scored(sets.flatten(0, 1), moved.labels.repeat_interleave(cuts))
            stored = moved.fixed(self.points_column).shape[1]
            return scores.float().reshape(rows, cuts * points, -1)[:, :stored].cpu()
        finally:
            self._network.train(was_training)

    def _scored(self, x: Tensor, categories: Tensor) -> tuple[Tensor, Tensor | None]:
        inputs = (x, categories) if getattr(self._network, "takes_category", False) else (x,)
        if isinstance(self._network, Transforming):
            return self._network.forward_with_transform(*inputs)
        return self._network(*inputs), None

    def _check_columns(self, samples: Samples) -> None:
        for store in samples.stores:
            held = {column.name for column in store.columns}
            if lacking := [name for name in (*self.columns, *self.more_columns) if name not in held]:
                raise TrainingError(f"store {store.id} has no column {lacking[0]}; expected the stage {self.stage} in the preparation")
