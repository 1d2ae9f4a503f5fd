"""Rows out of mapped shards into arrays of a batch, and the memory that batches are gathered into."""

import sys
import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from l9.data.batch import Field, Packed
from l9.data.samples import Samples
from l9.errors import UsageError
from l9.store.columns import Column
from l9.store.mapped import Shard

KEPT_BUFFERS = 4  # idle buffers kept per column: one being read by the task, one being filled, two to spare


class Buffers:
    """Memory for batches, used again once no tensor looks at it any more.

    A fresh array of some MB costs a page fault every 4 KiB, more than the copy itself. A buffer is handed out again only when this
    pool alone refers to it: a tensor, a view of one or a graph that saved one keeps it away, so no batch ever changes under its owner.
    """

    def __init__(self) -> None:
        self._buffers: list[ndarray] = []
        self._lock = threading.Lock()  # two epochs may be read at once, each in its thread

    def array(self, shape: tuple[int, ...], dtype: str) -> ndarray:
        """An uninitialised array that nobody else sees."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        with self._lock:
            return self._idle(size)[:size].view(dtype).reshape(shape)

    def _idle(self, size: int) -> ndarray:
        for number in range(len(self._buffers)):
            if sys.getrefcount(self._buffers[number]) <= 2 and size <= len(self._buffers[number]):  # 2: this list, and the call
                return self._buffers[number]
        fresh = np.empty(size + size // 4, np.uint8)  # a quarter more, so that ragged batches of varying size fit too
        self._buffers = [*self._buffers[1 - KEPT_BUFFERS :], fresh]
        return fresh


class Gatherer:
    """Reads columns of any samples."""

    def __init__(self, samples: Samples, columns: Sequence[str]) -> None:
        self._columns = _common_columns(samples, columns)
        self._shards: list[Shard] = [shard for store in samples.stores for shard in store.shards]
        first = np.cumsum([0, *(len(store.shards) for store in samples.stores[:-1])])
        shard, at = np.zeros(len(samples), np.int64), np.zeros(len(samples), np.int64)
        for number, store in enumerate(samples.stores):
            mine = samples.store_numbers == number
            shard[mine] = store.index.column("shard").to_numpy()[samples.rows[mine]] + first[number]
            at[mine] = store.index.column("at").to_numpy()[samples.rows[mine]]
        self._shard, self._at = shard, at
        self._buffers = {column.name: Buffers() for column in self._columns}

    def columns(self, chosen: ndarray) -> dict[str, Field]:
        """The columns of samples `chosen` (int64 numbers), as a batch holds them."""
        places = []
        for shard_number, row in zip(self._shard[chosen].tolist(), self._at[chosen].tolist(), strict=True):
            shard = self._shards[shard_number]
            places.append((shard, *shard.place(row)))
        return {column.name: self._field(column, places) for column in self._columns}

    def _field(self, column: Column, places: list[tuple[Shard, int, int]]) -> Field:
        name, buffers = column.name, self._buffers[column.name]
        if column.kind == "fixed":
            filled = buffers.array((len(places), *column.shape), column.dtype)
            to = filled.reshape(len(places), column.size).view(np.uint8)  # as bytes: NumPy copies float16 by a slower road
            for number, (shard, batch, within) in enumerate(places):
                to[number] = shard.byte_rows(batch)[name][within]
            return torch.from_numpy(filled)
        cells: list[Any] = [shard.views(batch)[name][within] for shard, batch, within in places]
        if column.kind == "blob":
            return [bytes(cell.as_buffer()) for cell in cells]
        offsets = np.cumsum([0, *(len(cell) for cell in cells)], dtype=np.int64)
        values = buffers.array((int(offsets[-1]), *column.shape), column.dtype)
        for cell, (start, stop) in zip(cells, pairwise(offsets.tolist()), strict=True):
            values[start:stop] = cell
        return Packed(torch.from_numpy(values), torch.from_numpy(offsets))


def _common_columns(samples: Samples, names: Sequence[str]) -> list[Column]:
    columns = [samples.stores[0].column(name) for name in names]
    for store in samples.stores[1:]:
        for column in columns:
            other = store.column(column.name)
            if (other.dtype, other.shape, other.kind) != (column.dtype, column.shape, column.kind):
                raise UsageError(
                    f"column {column.name} is {column.dtype} {column.shape} in one set, {other.dtype} {other.shape} in store {store.id}"
                )
    return columns
