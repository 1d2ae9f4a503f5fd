"""Rows out of mapped shards into arrays of a batch, and the memory that batches are gathered into."""

import math
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray

from l9.data._kernels import copy_cells
from l9.data.batch import Field, Packed
from l9.data.samples import Samples
from l9.errors import StoreError, UsageError
from l9.store.cells import numbers_of
from l9.store.columns import Column
from l9.store.mapped import Shard

KEPT_BUFFERS = 4  # idle buffers kept per column: one being read by the task, one being filled, two to spare
SHARED_BYTES = 1 << 20  # a batch larger than this is copied by two threads: waking the second costs about 100 us, copying this as much
OWN_SHARE = 0.58  # of the cells, for the thread that is awake already

_second = ThreadPoolExecutor(1, thread_name_prefix="l9-gather")


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
        size = math.prod(shape) * np.dtype(dtype).itemsize
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
    """Reads columns of any samples.

    views  ragged ones of them that are not copied
    """

    def __init__(self, samples: Samples, columns: Sequence[str], views: Sequence[str] = ()) -> None:
        self._columns, self._views = _common_columns(samples, columns), frozenset(views)
        self._shards: list[Shard] = [shard for store in samples.stores for shard in store.shards]
        first = np.cumsum([0, *(len(store.shards) for store in samples.stores[:-1])])
        shard, at = np.zeros(len(samples), np.int64), np.zeros(len(samples), np.int64)
        for number, store in enumerate(samples.stores):
            mine = samples.store_numbers == number
            shard[mine] = numbers_of(store.index.column("shard"))[samples.rows[mine]] + first[number]
            at[mine] = numbers_of(store.index.column("at"))[samples.rows[mine]]
        self._shard, self._at = shard, at
        self._check_places()
        self._check_cells()
        self._buffers = {column.name: Buffers() for column in self._columns}

    def columns(self, chosen: ndarray) -> dict[str, Field]:
        """The columns of samples `chosen` (int64 numbers), as a batch holds them."""
        mapped = {column.name: self._empty(column, len(chosen)) for column in self._columns if column.name in self._addresses}
        _fill([(filled, self._addresses[name][chosen]) for name, filled in mapped.items()])
        fields = {name: torch.from_numpy(filled) for name, filled in mapped.items()}
        return {column.name: fields[column.name] if column.name in fields else self._field(column, chosen) for column in self._columns}

    def _check_places(self) -> None:
        """StoreError where the index names a row that its shard has not: what is copied below is not checked again."""
        lengths = np.array([len(shard) for shard in self._shards], np.int64)
        wrong = np.flatnonzero((self._at < 0) | (self._at >= lengths[self._shard])) if len(self._at) else self._at
        if len(wrong):
            self._shards[self._shard[wrong[0]]].place(int(self._at[wrong[0]]))

    def _check_cells(self) -> None:
        """StoreError where a shard's own columns are not the manifest's, which say how many bytes are copied from an address."""
        for shard in self._shards:
            for column in self._columns:
                if len(shard) and shard.columns.get(column.name) != column:
                    raise StoreError(
                        f"{shard.path}: column {column.name} is not as the manifest says; l9 prep with its recipe makes the store again"
                    )

    @cached_property
    def _addresses(self) -> dict[str, ndarray]:
        """Fixed column -> where in memory each sample's cell is mapped, int64; none for shards that are unpacked as they are read.

        The shards keep what they have mapped for as long as this gatherer keeps them.
        """
        if not all(shard.mapped for shard in self._shards):
            return {}
        rows_before = np.array([0, *accumulate(len(shard) for shard in self._shards)], np.int64)
        rows = rows_before[self._shard] + self._at
        places = [(shard, batch) for shard in self._shards for batch in range(len(shard.starts) - 1)]
        starts = np.array([before + start for before, shard in zip(rows_before, self._shards, strict=False) for start in shard.starts[:-1]])
        batch = np.searchsorted(starts, rows, side="right") - 1
        found = {}
        for column in self._columns:
            if column.kind == "fixed":
                firsts = np.array([np.asarray(shard.views(number)[column.name]).ctypes.data for shard, number in places], np.int64)
                found[column.name] = firsts[batch] + (rows - starts[batch]) * _cell_bytes(column)
        return found

    def _empty(self, column: Column, count: int) -> ndarray:
        """Memory for `count` items or cells of a column, used again once nobody looks at it."""
        return self._buffers[column.name].array((count, *column.shape), column.dtype)

    def _field(self, column: Column, chosen: ndarray) -> Field:
        """A column whose cells have no address, or none that stays: ragged, blob, or fixed in compressed shards."""
        cells = self._cells(column, chosen)
        if column.name in self._views:
            return [_read_only(cell) for cell in cells]
        if column.kind == "blob":
            return [bytes(cell.as_buffer()) for cell in cells]
        if column.kind == "fixed":
            filled = self._empty(column, len(cells))
            for number, cell in enumerate(cells):
                filled[number] = cell
            return torch.from_numpy(filled)
        offsets = np.cumsum([0, *(len(cell) for cell in cells)], dtype=np.int64)
        values = self._empty(column, int(offsets[-1]))
        for cell, (start, stop) in zip(cells, pairwise(offsets.tolist()), strict=True):
            values[start:stop] = cell
        return Packed(torch.from_numpy(values), torch.from_numpy(offsets))

    def _cells(self, column: Column, chosen: ndarray) -> list[Any]:
        cells = []
        for shard_number, row in zip(self._shard[chosen].tolist(), self._at[chosen].tolist(), strict=True):
            shard = self._shards[shard_number]
            batch, within = shard.place(row)
            cells.append(shard.views(batch)[column.name][within])
        return cells


def _read_only(cell: ndarray) -> ndarray:
    view = cell.view()
    view.flags.writeable = False  # mapped cells are so anyway, unpacked ones would stay changed for who reads them next
    return view


def _fill(columns: Sequence[tuple[ndarray, Int64[ndarray, "_"]]]) -> None:
    """Copy the cells at some addresses into an array (addresses, *shape), for each such pair; a second thread helps where there is one."""
    shared = torch.get_num_threads() > 1 and sum(filled.nbytes for filled, _ in columns) >= SHARED_BYTES
    if not shared:
        _fill_part(columns, 0.0, 1.0)
        return
    other = _second.submit(_fill_part, columns, OWN_SHARE, 1.0)
    _fill_part(columns, 0.0, OWN_SHARE)
    if other.cancel():  # no processor was free for it
        _fill_part(columns, OWN_SHARE, 1.0)
    else:
        other.result()


def _fill_part(columns: Sequence[tuple[ndarray, Int64[ndarray, "_"]]], start: float, stop: float) -> None:
    """The cells from one share of each array to another."""
    for filled, sources in columns:
        first, last = round(len(sources) * start), round(len(sources) * stop)
        size = filled.nbytes // max(len(sources), 1)
        copy_cells(filled.ctypes.data + first * size, sources[first:last], size)


def _cell_bytes(column: Column) -> int:
    return column.size * np.dtype(column.dtype).itemsize


def _common_columns(samples: Samples, names: Sequence[str]) -> list[Column]:
    columns = [samples.stores[0].column(name) for name in names]
    for store in samples.stores[1:]:
        for column in columns:
            other = store.column(column.name)
            if (other.dtype, other.shape, other.kind) != (column.dtype, column.shape, column.kind):
                raise UsageError(
                    f"column {column.name} is {column.kind} {column.dtype} {column.shape} in one set, "
                    f"{other.kind} {other.dtype} {other.shape} in store {store.id}"
                )
    return columns
