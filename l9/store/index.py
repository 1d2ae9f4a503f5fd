"""The index of a store: one line per row, in ascending order of (object, row), as an Arrow table.

object string, row int32     whose row it is, and which of the object's
shard int32, at int64        position of its shard in the manifest's list, and the row's place in that shard
label, split string; fold int8 (-1: none); key string      what the plan says of the object
notes string                 what its reader had to leave out, in one line, "" where there is nothing to say
<ragged>_items int64         items of each ragged column in this row
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy import ndarray

from l9.errors import StoreError
from l9.store.columns import Column
from l9.store.ended import Ended

CHUNK_ROWS = 65_536  # rows of one record batch of the index
ALIGNED = 64  # bytes to a multiple of which Arrow fills up
TEXTS = {"object": "id", "label": "label", "split": "split", "key": "key", "notes": ""}  # field -> column of the plan


def index_schema(columns: Sequence[Column]) -> pa.Schema:
    """The fields of the index of a store with these columns."""
    fields = [
        ("object", pa.string()),
        ("row", pa.int32()),
        ("shard", pa.int32()),
        ("at", pa.int64()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int8()),
        ("key", pa.string()),
        ("notes", pa.string()),
        *((f"{column.name}_items", pa.int64()) for column in columns if column.kind == "ragged"),
    ]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


def write_index(sink: Any, ended: Ended, columns: Sequence[Column]) -> None:
    """The index as it lies on the disk, an Arrow IPC file, written batch by batch: byte for byte as if it had been one table."""
    lines, schema = _Lines(ended, columns), index_schema(columns)
    with pa.ipc.new_file(sink, schema) as writer:
        for first in range(0, lines.count, CHUNK_ROWS):
            arrays = lines.arrays(first, min(first + CHUNK_ROWS, lines.count))
            writer.write_batch(pa.record_batch([arrays[name] for name in schema.names], schema=schema))


class _Lines:
    """The lines of an index, made of what is known of each object when they are written."""

    def __init__(self, ended: Ended, columns: Sequence[Column]) -> None:
        self._ended = ended
        self._ends = np.cumsum(ended.rows)
        self._items = {f"{column.name}_items": ended.items(column.name) for column in columns if column.kind == "ragged"}
        self.count = int(self._ends[-1]) if len(self._ends) else 0

    def arrays(self, first: int, last: int) -> dict[str, pa.Array]:
        """Fields of the lines from `first` to before `last`."""
        rows = np.arange(first, last, dtype=np.int64)
        places = self._places(rows)
        numbers = rows - (self._ends[places] - self._ended.rows[places])
        shard, at = self._ended.shard[places], self._ended.start[places] + numbers
        return {
            **{name: self._padded(name, self._texts(name, places), last) for name in TEXTS},
            "row": pa.array(numbers.astype(np.int32)),
            "shard": pa.array(self._ended.manifest_place[shard]),
            "at": pa.array(at),
            "fold": self._ended.planned.columns["fold"].take(pa.array(places)),
            **{name: pa.array(counts[self._ended.offsets[shard] + at]) for name, counts in self._items.items()},
        }

    def _places(self, rows: ndarray) -> ndarray:
        """Place of the object of each line."""
        return np.searchsorted(self._ends, rows, side="right")

    def _texts(self, name: str, places: ndarray) -> pa.Array:
        if name == "notes":
            return pa.array([self._ended.notes.get(place, "") for place in places.tolist()], pa.string())
        return self._ended.planned.columns[TEXTS[name]].take(pa.array(places)).cast(pa.string())

    def _padded(self, name: str, texts: pa.Array, last: int) -> pa.Array:
        """The same texts; behind them in memory, up to a multiple of 64 bytes, the texts of the lines that follow.

        Arrow writes these, where it cuts a batch from a table: the digests of indexes that were written so hold them.
        """
        _, offsets, data = texts.buffers()
        size = int(np.frombuffer(offsets, np.int32, 1, 4 * len(texts))[0])
        following = self._following(name, last, -size % ALIGNED)
        if not following:
            return texts
        return pa.StringArray.from_buffers(len(texts), offsets, pa.py_buffer(data[:size].to_pybytes() + following))

    def _following(self, name: str, line: int, size: int) -> bytes:
        """The first `size` bytes of the texts from this line on, fewer where there are no more."""
        found, step = b"", ALIGNED
        while len(found) < size and line < self.count:
            rows = np.arange(line, min(line + step, self.count), dtype=np.int64)
            found += "".join(self._texts(name, self._places(rows)).to_pylist()).encode()
            line, step = line + step, min(2 * step, CHUNK_ROWS)
        return found[:size]


def labels_in(path: Path) -> set[str]:
    """Every label that a row of an index on the disk has, read batch by batch."""
    place = index_schema(()).get_field_index("label")
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=[place])) as reader:
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        return {label for batch in batches for label in batch.column("label").unique().to_pylist()}


def read_index(content: bytes, columns: Sequence[Column]) -> pa.Table:
    """Back from what `write_index` wrote, an index of format version 1 with empty notes; StoreError if it has other fields."""
    try:
        table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"index.arrow: {str(error).splitlines()[0]}; l9 prep with the same recipe makes it again") from error
    schema = index_schema(columns)
    place = schema.get_field_index("notes")
    if table.schema.equals(schema.remove(place)):
        table = table.add_column(place, schema.field(place), pa.repeat("", table.num_rows))
    if not table.schema.equals(schema):
        raise StoreError(f"index.arrow: its fields are not {schema.names}; l9 prep with the same recipe makes it again")
    return table
