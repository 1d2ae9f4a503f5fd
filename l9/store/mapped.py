"""One shard as it is read: mapped into memory, its columns seen as NumPy arrays without copying."""

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy import ndarray

from l9.errors import StoreError
from l9.fingerprint import file_digest
from l9.store.cells import RaggedView, columns_in, compression_in, view_of
from l9.store.columns import Cell, Column, Row
from l9.store.facts import REBUILD, arrow_path, mark_undone, read_facts

MADE_AGAIN = f"was made again with other rows since; {REBUILD}"
KEPT_BATCHES = 16  # unpacked batches of a compressed shard kept in memory, about 1 MiB each; mapped ones cost nothing

Views = dict[str, ndarray | RaggedView | pa.Array]
"""The columns of one record batch (l9/store/cells.py, view_of)."""


class DamagedShard(StoreError):
    """The bytes of a shard are not those that were written."""


class Shard:
    """A mapped shard. Arrays are read-only views of the file, valid for as long as anything holds them.

    columns    name -> Column, from the file's own metadata
    starts     first row of each record batch, and last the number of rows
    views      number of a record batch -> its columns
    mapped     whether they are views of the file, at one address for good; else (lz4) unpacked for a while
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            source = pa.memory_map(str(path))
            reader = pa.ipc.open_file(source)
            self.columns: dict[str, Column] = {column.name: column for column in columns_in(reader.schema)}
            self.mapped = compression_in(reader.schema) == "none"
            kept = None if self.mapped else KEPT_BATCHES
            self._batch: Callable[[int], pa.RecordBatch] = lru_cache(kept)(lambda number: _sound(reader, number))
            self.views: Callable[[int], Views] = lru_cache(kept)(self._views)
            numbers = range(reader.num_record_batches)
            if self.mapped:
                self.starts = [0, *accumulate(self._batch(number).num_rows for number in numbers)]
                for number in numbers:
                    self.views(number)
                source.close()  # gives back the descriptor; what is mapped stays for as long as a batch holds it
            else:  # counted without unpacking more than the rows' numbers
                short = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=[1]))
                self.starts = [0, *accumulate(short.get_batch(number).num_rows for number in numbers)]
        except FileNotFoundError:
            raise StoreError(f"{path}: missing; {REBUILD}") from None
        except (StoreError, OSError, ValueError, pa.ArrowException) as error:
            raise _broken(path, error) from error

    @classmethod
    def open(cls, folder: Path, key: str, sha256: str | None = None) -> "Shard":
        """The shard called `key`, no longer done if it is cut short or not what its sidecar says.

        sha256  the one a manifest names; the file itself is not hashed (see `verify`)
        raises  StoreError then, if it is missing, or if its sidecar names another sha256
        """
        facts = read_facts(folder, key)
        if sha256 is not None and facts.sha256 != sha256:
            raise StoreError(f"{arrow_path(folder, key)}: {MADE_AGAIN}")
        path = arrow_path(folder, key)
        if path.exists() and path.stat().st_size != facts.bytes:
            raise StoreError(f"{path}: {path.stat().st_size:,} bytes, its sidecar says {facts.bytes:,}; {REBUILD}")
        try:
            shard = cls(path)
            if len(shard) != facts.rows:
                raise DamagedShard(f"{path}: {len(shard)} rows, its sidecar says {facts.rows}; {REBUILD}")
        except DamagedShard:
            mark_undone(folder, key)
            raise
        return shard

    def __len__(self) -> int:
        """Rows."""
        return self.starts[-1]

    def fixed(self, name: str) -> list[ndarray]:
        """A fixed column as one view (rows, *shape) per record batch."""
        self._require("fixed", name)
        return [np.asarray(self.views(number)[name]) for number in range(len(self.starts) - 1)]

    def place(self, row: int) -> tuple[int, int]:
        """Record batch of a row, and the row's number in it."""
        if not 0 <= row < len(self):
            raise StoreError(f"{self.path}: row {row} of {len(self)} was asked for; {REBUILD}")
        batch = bisect_right(self.starts, row) - 1
        return batch, row - self.starts[batch]

    def cell(self, name: str, row: int) -> Cell:
        """One cell: (*shape) where fixed, (n, *shape) where ragged, bytes where blob."""
        batch, within = self.place(row)
        value = self.views(batch)[name][within]
        return value.as_py() if isinstance(value, pa.Scalar) else value

    def ragged(self, name: str, row: int) -> ndarray:
        """One ragged cell, (n, *shape)."""
        self._require("ragged", name)
        return np.asarray(self.cell(name, row))

    def blob(self, name: str, row: int) -> bytes:
        """One blob."""
        self._require("blob", name)
        cell = self.cell(name, row)
        return cell if isinstance(cell, bytes) else cell.tobytes()

    def row(self, row: int) -> Row:
        """Every column of one row."""
        return {name: self.cell(name, row) for name in self.columns}

    def identity(self, row: int) -> tuple[str, int]:
        """Object id of a row, and the row's number within the object."""
        batch, within = self.place(row)
        return self._batch(batch).column("object")[within].as_py(), self._batch(batch).column("row")[within].as_py()

    def _require(self, kind: str, name: str) -> None:
        if self.columns[name].kind != kind:
            raise StoreError(f"{self.path}: column {name} is {self.columns[name].kind}; expected {kind}")

    def _views(self, number: int) -> Views:
        try:
            batch = self._batch(number)
            return {name: view_of(column, batch) for name, column in self.columns.items()}
        except (StoreError, OSError, ValueError, pa.ArrowException) as error:
            raise _broken(self.path, error) from error


def _broken(path: Path, error: Exception) -> StoreError:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, OSError) and error.errno:  # the system could not read it; Arrow's own complaints have no number
        return StoreError(f"{path}: cannot be read: {first_line}")
    return DamagedShard(f"{path}: {first_line}; {REBUILD}")


def _sound(reader: pa.RecordBatchFileReader, number: int) -> pa.RecordBatch:
    batch = reader.get_batch(number)
    batch.validate(full=True)
    for column in batch.columns:
        if column.null_count:
            raise StoreError("it holds nulls, which l9 never writes")
    return batch


def verify(folder: Path, key: str, sha256: str | None = None) -> tuple[Column, ...]:
    """Read every byte of a shard, and give its columns: StoreError unless its sha256 is what its sidecar states and, where given, `sha256`.

    A shard that changed is no longer done, so that the next prep makes it again.
    """
    path = arrow_path(folder, key)
    if not path.exists():
        raise StoreError(f"{path}: missing; {REBUILD}")
    stated = read_facts(folder, key).sha256
    if file_digest(path) != stated:
        mark_undone(folder, key)
        raise DamagedShard(f"{path}: changed since it was written (its sha256 differs); {REBUILD}")
    if sha256 not in (None, stated):
        raise StoreError(f"{path}: {MADE_AGAIN}")
    try:
        with pa.OSFile(str(path)) as source:  # not mapped: nothing of it is held on to
            return tuple(columns_in(pa.ipc.open_file(source).schema))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _broken(path, error) from error
