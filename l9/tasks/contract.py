"""What a network is asked to do, in one form: classifiers, two-player games, autoregressive models and baselines alike.

A task is built on the worker from plain values, after seeding. The loop owns steps, ranks, optimizers and checkpoints; the task
owns meaning. A baseline is a task with `fit` and `evaluate`, no players, and no model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy import ndarray
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.samples import Samples


@dataclass(frozen=True)
class Player:
    """Parameters that move together under one optimizer with its own rate."""

    parameters: Sequence[nn.Parameter]
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 1e-3
    options: Mapping[str, Any] = field(default_factory=dict)  # betas, weight_decay, momentum, nesterov


@dataclass(frozen=True)
class Turn:
    """One move of one player: `number` counts the moves within the step."""

    player: str
    number: int = 0


@dataclass(frozen=True)
class Picture:
    """One picture for people: RGB uint8 (h, w, 3), and the name of its file without ending ("confusion")."""

    name: str
    pixels: ndarray


@dataclass(frozen=True)
class Glimpse:
    """What a task shows of itself while it trains.

    metrics   join the step's line in metrics.jsonl
    pictures  replace those of the same names in the run's pictures/
    said      lines for people: what goes wrong, and what to try
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    said: Sequence[str] = ()


@dataclass
class Report:
    """What an evaluation found.

    metrics  flat: "accuracy" -> 0.71; tables  name -> rows of plain values; outcomes  one plain row per object, in index order
    """

    metrics: dict[str, float]
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    outcomes: list[dict[str, Any]] = field(default_factory=list)


class Task:
    """The form. Subclasses override what they need; the defaults are those of a task with nothing to say there.

    columns  the columns the loader must map for this task
    samples  name of a ragged column whose items are the samples; None: a sample is a row
    whole_tests  what is tested are rows, whatever `samples` says: no row is left out because it has no item
    cut      those ragged columns of `columns` of which the task cuts what it needs: it is handed views of the shards instead of copies
    version  part of the training's key: raise it whenever the same settings would train differently
    own_stages  what a file of a person's own is put through for `l9 predict` instead of the set's stages; none: through those
    """

    version: int = 1
    own_stages: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    samples: str | None = None
    whole_tests: bool = False
    cut: tuple[str, ...] = ()

    def bind(self, model: nn.Module | None) -> None:
        """Take the network (None for a baseline); called once, before `fit`."""
        self.model = model

    def learnt(self, samples: Samples, seed: int) -> Samples:
        """Those of the training samples that the task learns from, by the run's seed; all, unless a task says otherwise. Before `fit`."""
        return samples

    def fit(self, samples: Samples) -> None:
        """Once over the training samples in fixed order before step 0: class weights, means, retrieval tables."""

    def players(self) -> dict[str, Player]:
        """Name -> player. None at all for a baseline, or a frozen network. Asked after `bind`, and also before `fit`."""
        return {}

    def turns(self, step: int) -> Sequence[Turn]:
        """Who moves at this step, in order. May depend on the step and on all-reduced numbers (see `observe`) only."""
        return self._one_turn_each

    @cached_property
    def _one_turn_each(self) -> list[Turn]:
        return [Turn(name) for name in self.players()]

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """Named terms, each a *sum over the samples of this rank's batch*: the loop divides by `batch.total`.

        Their sum is what the turn's player descends. A term that is already a mean or a sum over the whole batch is multiplied
        by `batch.total` so that dividing restores it. The loop takes gradients for the turn's player only.
        """
        raise NotImplementedError

    def observe(self, turn: Turn, terms: Mapping[str, float]) -> None:
        """The turn's terms, all-reduced and divided by the total: equal on every rank, so `turns` may decline on them."""

    def glimpse(self, step: int, ends_epoch: bool) -> Glimpse | None:
        """What is to be seen after this step, on rank 0 alone: a function of the network, the buffers and the step, which it leaves as
        they are (its mode too), so that a resumed training shows the same.
        """
        return None

    def buffers(self) -> dict[str, Tensor]:
        """Tensors besides the model's that are checkpointed and restored in place: EMA, image pools, class weights."""
        return {}

    def initialise(self, batch: Batch) -> None:
        """Data-dependent initialisation from the first batch (rank 0's is broadcast afterwards)."""

    def start_loss(self) -> float | None:
        """What the first loss should be if nothing is known, such as ln K for a classifier of K classes; None: no expectation."""
        return None

    def labelled(self, samples: Samples) -> bool:
        """Whether what is to be tested has labels to compare answers with. Before `bind`, so that no training ends without metrics."""
        return True

    def check_test(self, samples: Samples) -> None:
        """After `fit` and before the first step: TrainingError where these samples could not be evaluated after the last one."""

    def evaluate(self, samples: Samples) -> Report:
        """Metrics over all samples, deterministic."""
        raise NotImplementedError

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """Pictures of an evaluation: confusion matrix, worst mistakes."""
        return ()

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture | None:
        """The exact tensors the network is fed, with labels, as a picture: is the data read right?"""
        return None

    def predict(self, batch: Batch) -> list[list[dict[str, Any]]]:
        """For each sample, answers from best to worst as plain values (`{"class": "chair", "probability": 0.93}`)."""
        raise NotImplementedError

    def surface(self, batch: Batch) -> tuple[ndarray, ndarray]:
        """Of a batch of one file the surface that the task makes of it: vertices (v, 3), in the file's units and axes, and faces (f, 3)."""
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """Arrays a baseline needs to be stored and restored; networks are stored by their own state dict."""
        return {}
