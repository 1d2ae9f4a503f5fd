"""What the loader hands to a task: one rank's part of one global cut of the order."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import Tensor


@dataclass(frozen=True)
class Packed:
    """A ragged column of a batch: all items one behind the other.

    values   (sum of counts, *item shape)
    offsets  int64 (B + 1): sample b owns values[offsets[b]:offsets[b + 1]]
    """

    values: Tensor
    offsets: Tensor


Field = Tensor | Packed | list[ndarray] | list[bytes]


@dataclass(frozen=True)
class Batch:
    """B samples of one rank, and what is needed to draw their augmentation again.

    columns   name -> Tensor (B, *shape) for fixed columns in their stored dtype, Packed for ragged, list of bytes for blobs;
              for ragged columns that the task cuts a list of read-only views of the shards, on the CPU whatever the device
    labels    int64 (B): class numbers, -1 where there is no label
    samples   int64 (B): which samples of the training set these are
    items     int64 (B): the item within the row where samples are items of a ragged column, else 0
    positions int64 (B): place of each sample in the epoch's global order; with seed and epoch it seeds the augmentation
    total     samples in the global cut over all ranks: what the summed loss is divided by
    """

    columns: dict[str, Field]
    labels: Tensor
    samples: Int[ndarray, "b"]
    items: Int[ndarray, "b"]
    positions: Int[ndarray, "b"]
    seed: int
    epoch: int
    total: int

    def __len__(self) -> int:
        """Samples in this rank's part."""
        return len(self.samples)

    def generator(self, number: int) -> np.random.Generator:
        """The random numbers of sample `number` of this batch: a function of (seed, epoch, position) alone."""
        return np.random.default_rng((self.seed, self.epoch, int(self.positions[number])))

    def fixed(self, name: str) -> Tensor:
        """A fixed column, (B, *shape); KeyError names what is there."""
        value = self.columns[name]
        if not isinstance(value, Tensor):
            raise TypeError(f"column {name} is not fixed")
        return value

    def views(self, name: str) -> list[ndarray]:
        """Of a ragged column that the task cuts the cell of each sample, (n, *item shape)."""
        value = self.columns[name]
        if not isinstance(value, list):
            raise TypeError(f"column {name} is not handed over as views")
        return cast(list[ndarray], value)

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on `device`: itself where they are there already."""
        if device == self.labels.device:
            return self
        moved = {name: _moved(value, device) for name, value in self.columns.items()}
        return replace(self, columns=moved, labels=self.labels.to(device))


def _moved(value: Field, device: torch.device) -> Field:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Packed):
        return Packed(value.values.to(device), value.offsets.to(device))
    return value
