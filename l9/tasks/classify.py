"""Classify objects, from occupancy grids (VoxNet) or point sets (PointNet): one random pose each in training, votes of many in tests;
or pictures, warped at random in training, as they stand in tests.

The scores of an object are the sum of the network's linear outputs over `votes` rotations about the vertical, as in the code of both
papers (Maturana & Scherer, IROS 2015; Qi, Su, Mo, Guibas, CVPR 2017); its answer is their argmax. Probabilities are the softmax of
their mean.
"""

import math
from collections.abc import Iterable
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.mesh import Axis
from l9.models.pointnet import PENALTY_WEIGHT, transform_penalty
from l9.tasks.contract import Picture, Player, Report, Task, Turn
from l9.tasks.few_labels import few_labelled
from l9.tasks.image_inputs import ImageInputs
from l9.tasks.inputs import BOX_SIZE, Inputs, OccupancyInputs, PointInputs, log_box_size
from l9.tasks.pictures import PAGE, TILE, classification_pictures, input_page
from l9.tasks.scores import best_answers, classification_report, labelled

MOMENTUM = 0.9  # of stochastic gradient descent, as VoxNet was trained
VOTES = 12  # of grids and points, as in both papers


@runtime_checkable
class Transforming(Protocol):
    """A network that learns a transform which the loss holds near a rotation, such as PointNet."""

    def forward_with_transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, K) and the transform (B, J, J)."""
        ...


class Classify(Task):
    """One player, one turn, cross-entropy.

    classes          names of the K classes, in the order of the labels
    up               the axis that points up
    inputs           "occupancy": column of that name, to networks of (B, 1, R, R, R) with +1 occupied and -1 empty; "points": the
                     column of that name, to networks of (B, points, 3); "image": the column of that name, to networks of (B, C, H, W),
                     0 to 1
    votes            rotations whose scores are summed in evaluation; for occupancy a divisor of the rotations stored; None: 12, and of
                     pictures 1, as they stand
    points           points fed; in training drawn anew each time
    shift            largest random shift along each axis: of a grid whole voxels, of a picture pixels and parts of them
    mirror           whether grids are mirrored at random along the two axes that are not up, and pictures left to right; None: grids are
                     and pictures are not, since the mirror image of a digit is none
    jitter           standard deviation of the noise on points, clipped at five of them; 0.01 and so 0.05 in the paper
    turn             largest random turn of a picture either way, degrees
    stretch          largest random change of a picture's width, height and shear, a share
    elastic          standard deviation of a picture's elastic displacements, pixels; 0: none
    label_smoothing  share of the target spread over all classes
    optimizer        "sgd" has momentum 0.9; `lr` is its rate, `weight_decay` its decay
    box_size         whether the network is also given the logarithms of the box's sides (column `box_size`), which no pose changes:
                     VoxNet(extra=3)
    augment          False: every object exactly as it stands, in training and in evaluation, which then has one vote
    labels           how many training samples are learnt from, as if no other had a label (see l9/tasks/few_labels.py); None: all
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        up: Axis = "+Y",
        inputs: Literal["occupancy", "points", "image"] = "occupancy",
        votes: int | None = None,
        points: int = 1024,
        shift: int = 2,
        mirror: bool | None = None,
        jitter: float = 0.01,
        turn: int | float = 15.0,
        stretch: int | float = 0.15,
        elastic: int | float = 0.0,
        label_smoothing: float = 0.0,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        box_size: bool = False,
        augment: bool = True,
        labels: int | None = None,
    ) -> None:
        self.classes, self.augment, self.labels = classes, augment, labels
        self.votes = votes if votes is not None else 1 if inputs == "image" else VOTES
        self.label_smoothing, self.optimizer, self.lr, self.weight_decay = label_smoothing, optimizer, lr, weight_decay
        self.inputs: Inputs
        if inputs == "image":
            self.inputs = ImageInputs(shift, bool(mirror), turn, stretch, elastic)
        else:
            grids = OccupancyInputs(up, shift, mirror is not False)
            self.inputs = grids if inputs == "occupancy" else PointInputs(up, points, jitter)
        self.box_size = box_size
        self.columns = (self.inputs.column, BOX_SIZE) if box_size else (self.inputs.column,)

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if there is none."""
        if model is None:
            raise TrainingError("Classify needs a network; give its training a model, such as Use(VoxNet)")
        self._network = model
        super().bind(model)

    def learnt(self, samples: Samples, seed: int) -> Samples:
        """As many as `labels` says; TrainingError where there are fewer."""
        return samples if self.labels is None else few_labelled(samples, self.labels, seed)

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError before any step is made if a sample has no label, or points or votes do not fit what is stored."""
        first = labelled(samples, self.classes).take(1)
        for batch in Loader(first, self.columns, seed=0, training=False).sequential():
            self.inputs.turned(batch, 0, self._voting)

    def players(self) -> dict[str, Player]:
        """The whole network."""
        options: dict[str, Any] = {"weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            options["momentum"] = MOMENTUM
        return {"model": Player(list(self._network.parameters()), self.optimizer, self.lr, options)}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """`cross_entropy`, summed over the samples; `transform` too for a network that learns one (see l9/models/pointnet.py).

        The regulariser is a sum over the whole batch, so it is multiplied by `batch.total`, which the loop divides by.
        """
        x = self._fed(batch)
        if not isinstance(self._network, Transforming):
            return {"cross_entropy": self._cross_entropy(self._network(x, *self._beside(batch)), batch.labels)}
        logits, transform = self._network.forward_with_transform(x, *self._beside(batch))
        penalty = PENALTY_WEIGHT * transform_penalty(transform).sum() * batch.total
        return {"cross_entropy": self._cross_entropy(logits, batch.labels), "transform": penalty}

    def start_loss(self) -> float:
        """ln K: every class equally likely."""
        return math.log(len(self.classes))

    def check_test(self, samples: Samples) -> None:
        """TrainingError if a sample to be tested has no label."""
        labelled(samples, self.classes)

    def evaluate(self, samples: Samples) -> Report:
        """Accuracy, class accuracy and loss of the summed votes (l9/tasks/scores.py); outcomes add how many votes agree, of how many."""
        batches = Loader(labelled(samples, self.classes), self.columns, seed=0, training=False).sequential()
        scores = np.concatenate([self._votes(batch) for batch in batches], axis=1)
        probabilities = _probabilities(scores)
        agreeing = (scores.argmax(axis=2) == probabilities.argmax(axis=1)).sum(axis=0)
        return classification_report(samples, probabilities, [{"votes_agreeing": int(count), "votes": len(scores)} for count in agreeing])

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`confusion` and `worst_mistakes`."""
        return classification_pictures(samples, report)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first 24 samples of the batch, after augmentation."""
        return input_page([self.inputs.tile(x, TILE) for x in self._fed(batch)[:PAGE]], batch, samples)

    def predict(self, batch: Batch) -> list[list[dict[str, Any]]]:
        """The five best classes of each sample with their probabilities, by the same votes as in evaluation."""
        return best_answers(_probabilities(self._votes(batch)), self.classes)

    def _beside(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the network is given besides the input."""
        return (log_box_size(batch),) if self.box_size else ()

    @property
    def _voting(self) -> int:
        return self.votes if self.augment else 1

    def _fed(self, batch: Batch) -> Tensor:
        return self.inputs.augmented(batch) if self.augment else self.inputs.plain(batch)

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=self.label_smoothing)

    @torch.no_grad()
    def _votes(self, batch: Batch) -> ndarray:
        """Linear outputs for each rotation, float64 (votes, B, K), by the network in evaluation mode; its mode is put back after."""
        network, votes = self._network, self._voting
        was_training = network.training
        network.eval()
        try:
            moved = batch.to(next(network.parameters()).device)
            poses = (self.inputs.turned(moved, vote, votes) for vote in range(votes))
            beside = self._beside(moved)
            return np.stack([network(pose, *beside).double().cpu().numpy() for pose in poses])
        finally:
            network.train(was_training)


def _probabilities(scores: ndarray) -> ndarray:
    """Softmax of the mean over the first axis, float64 (B, K)."""
    mean = scores.mean(axis=0)
    powers = np.exp(mean - mean.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
