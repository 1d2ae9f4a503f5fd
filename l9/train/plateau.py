"""When a training stalls: its loss on what it does not learn from, at the end of each epoch, and how often the rates fell for it."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from l9.data.batch import Batch
from l9.errors import TrainingError
from l9.tasks.contract import Task


@dataclass
class Plateau:
    """PyTorch's ReduceLROnPlateau with threshold 0: the least loss so far, epochs since, and how often these were too many."""

    least: float | None = None
    waited: int = 0
    drops: int = 0

    def tell(self, loss: float, patience: int) -> None:
        """The loss at an epoch's end; the `patience`-th in a row that is not below the least is a drop. TrainingError where it is odd."""
        if not math.isfinite(loss):
            raise TrainingError(f"the loss on the validation part is {loss}; the last checkpoint is kept.  Try a lower rate")
        if self.least is None or loss < self.least:
            self.least, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited == patience:
            self.waited, self.drops = 0, self.drops + 1


@torch.no_grad()
def held_out_sums(task: Task, model: nn.Module, batches: Iterable[Batch]) -> tuple[float, int]:
    """Sum of the loss over this rank's samples of some batches, and how many samples the batches have on all ranks together.

    In evaluation mode and without augmentation; mode and augmentation are put back after. TrainingError for a game of several players.
    """
    turns = task.turns(0)
    if len(turns) != 1:
        raise TrainingError(f'curve="plateau" follows one loss, and a step of {type(task).__name__} has {len(turns)}; take another curve')
    loss, samples = 0.0, 0
    with _as_tested(task, model):
        for batch in batches:
            loss += sum(float(term) for term in task.loss(turns[0], batch).values())
            samples += batch.total
    return loss, samples


@contextmanager
def _as_tested(task: Task, model: nn.Module) -> Iterator[None]:
    was_training, augments = model.training, getattr(task, "augment", None)
    model.eval()
    if augments is not None:
        task.augment = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        model.train(was_training)
        if augments is not None:
            task.augment = augments  # type: ignore[attr-defined]
