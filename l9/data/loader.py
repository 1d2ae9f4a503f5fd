"""The loader: batches of samples, gathered from mapped shards in the epoch's order, in the training process or one thread beside it."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy import ndarray

from l9.data.ahead import ahead
from l9.data.batch import Batch
from l9.data.gather import Gatherer
from l9.data.order import cuts, greedy_cuts, permutation, rank_slice
from l9.data.samples import Samples
from l9.errors import TrainingError, UsageError


class Loader:
    """Batches of one training's samples for one rank.

    columns     which columns to read
    views       ragged ones of these of which the task cuts what it needs: views of the mapped shards, instead of copies
    seed        of the order and of augmentation
    batch       samples in a global cut; or
    elements    items in one: of the first ragged column in `columns`, or samples themselves where they are items. Needed for
                `epoch` alone
    training    a last short cut is dropped; in evaluation it is kept
    background  gather the next batch in one thread while the task works on this one

    Tensors keep the stored dtype. Their memory is used again once nothing refers to it, so a batch may be kept as long as wanted.
    Where samples are items of a ragged column, each carries its whole row, and `Batch.items` says which item it is.
    """

    def __init__(
        self,
        samples: Samples,
        columns: Sequence[str],
        *,
        seed: int,
        batch: int | None = None,
        elements: int | None = None,
        rank: int = 0,
        world: int = 1,
        training: bool = True,
        background: bool = False,
        views: Sequence[str] = (),
    ) -> None:
        if batch is not None and elements is not None:
            raise UsageError("a loader has a batch or elements, not both")
        self.samples, self.seed, self.rank, self.world, self.training = samples, seed, rank, world, training
        self._columns, self._batch, self._elements, self._background = tuple(columns), batch, elements, background
        self._views = tuple(views)
        self._plan = lru_cache(2)(self._planned)

    def steps_per_epoch(self, epoch: int = 0) -> int:
        """Global cuts of an epoch; TrainingError if there is none. Every rank has as many."""
        return len(self._plan(epoch)[1])

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """This rank's part of each global cut, from step `start_step` of the epoch on. A part may be empty; its `total` is not."""
        batches = self._epoch(epoch, start_step)
        return ahead(batches) if self._background else batches

    def order_digest(self, epoch: int) -> str:
        """16 hex digits of sha256 over the epoch's global order of sample identities: equal for equal orders, on any number of ranks."""
        order, found = self._plan(epoch)
        used = order[: found[-1][1]]
        return hashlib.sha256(np.ascontiguousarray(self.samples.identities[used], "<i8").tobytes()).hexdigest()[:16]

    def sequential(self, batch: int = 64) -> Iterator[Batch]:
        """All samples in their own order, whole, whatever the rank: for `fit` and `evaluate`."""
        numbers = np.arange(len(self.samples), dtype=np.int64)
        batches = self._batches(numbers, cuts(len(numbers), batch, keep_short=True), epoch=0, rank=0, world=1)
        return ahead(batches) if self._background else batches

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(self.samples, self._columns, self._views)

    def _planned(self, epoch: int) -> tuple[ndarray, list[tuple[int, int]]]:
        """The epoch's permutation, and its cuts."""
        order = permutation(self.seed, epoch, len(self.samples))
        if self._elements is not None:
            found = greedy_cuts(self._items()[order], self._elements, keep_short=not self.training)
        elif self._batch is not None:
            found = cuts(len(order), self._batch, keep_short=not self.training)
        else:
            raise UsageError("an epoch needs a batch or elements; this loader reads in sequence only")
        if not found:
            wanted, name = (f"{self._elements} elements", "elements") if self._elements else (str(self._batch), "batch")
            raise TrainingError(
                f"{len(order)} samples do not fill one batch of {wanted}; give a smaller one: --set trainings.*.schedule.{name}=N"
            )
        return order, found

    def _items(self) -> ndarray:
        """What `elements` counts, for each sample."""
        if self.samples.item_column is not None:
            return np.ones(len(self.samples), np.int64)
        for name in self._columns:
            if self.samples.stores[0].column(name).kind == "ragged":
                return self.samples.counts(name)
        raise UsageError(f"elements counts items of a ragged column, and {', '.join(self._columns)} has none; give batch instead")

    def _epoch(self, epoch: int, start_step: int) -> Iterator[Batch]:
        order, found = self._plan(epoch)
        return self._batches(order, found[start_step:], epoch=epoch, rank=self.rank, world=self.world)

    def _batches(self, order: ndarray, found: list[tuple[int, int]], *, epoch: int, rank: int, world: int) -> Iterator[Batch]:
        for start, stop in found:
            positions = rank_slice(np.arange(start, stop, dtype=np.int64), rank, world)
            chosen = order[positions]
            yield Batch(
                columns=self._gatherer.columns(chosen),
                labels=torch.from_numpy(self.samples.labels[chosen]),
                samples=chosen,
                items=self.samples.items[chosen],
                positions=positions,
                seed=self.seed,
                epoch=epoch,
                total=stop - start,
            )
