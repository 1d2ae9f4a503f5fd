"""Shards: many objects' rows in one Arrow IPC file, written as a stream; `Shard` (l9/store/mapped.py) reads one by mapping it into memory.

<home>/store/shards/<key>.arrow   rows in ascending order of (object, row); uncompressed, or lz4
<home>/store/shards/<key>.json    the facts (l9/store/facts.py), written last
Any Arrow reader opens one; the columns' shapes, units and axes are in the fields' metadata.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa

from l9.errors import RefusedObject, ShapeError, StoreError
from l9.store.cells import arrow_arrays, cell_bytes, schema_of
from l9.store.columns import MAX_ROW_BYTES, Column, Row
from l9.store.facts import Refusal, ShardFacts, arrow_path, read_facts, shard_done, write_facts
from l9.store.mapped import Shard, verify
from l9.store.planned import Compression
from l9.store.publish import HashedSink, disk_full_named, publish, temporary_name

__all__ = ["Refusal", "Shard", "ShardFacts", "ShardWriter", "read_facts", "shard_done", "verify"]

BATCH_BYTES: dict[str, int] = {
    "none": 16 << 20,  # rows gathered before a record batch is written; reading maps single rows whatever the batch
    "lz4": 1 << 20,  # a compressed batch is unpacked whole to read one row, so it is small
}
MAX_OBJECT_BYTES = 2 << 30  # rows of one object wait until all are there, so that it is stored whole or not at all


class _RowFile:
    """The stream of rows into a temporary file: gathers record batches, hashes what it writes."""

    def __init__(self, final: Path, columns: Sequence[Column], compression: Compression) -> None:
        self.final, self.columns, self.compression = final, tuple(columns), compression
        self.schema = schema_of(columns, compression)
        self.rows = 0
        self._waiting: list[tuple[str, int, Row]] = []
        self._waiting_bytes = 0
        final.parent.mkdir(parents=True, exist_ok=True)
        self.temporary = temporary_name(final)
        self._sink = HashedSink(self.temporary.open("xb"))
        codec = None if compression == "none" else compression
        self._writer = pa.ipc.new_file(self._sink, self.schema, options=pa.ipc.IpcWriteOptions(compression=codec))

    def write(self, name: str, number: int, row: Row) -> None:
        """Take one row of checked cells."""
        self._waiting.append((name, number, row))
        self._waiting_bytes += sum(cell_bytes(cell) for cell in row.values())
        self.rows += 1
        if self._waiting_bytes >= BATCH_BYTES[self.compression]:
            self._flush()

    def finish(self) -> tuple[str, int]:
        """Write what waits and the footer: sha256 and bytes of the file, which keeps its temporary name."""
        self._flush()
        with disk_full_named(self.final.parent):
            self._writer.close()
            self._sink.stream.close()
        return self._sink.state.hexdigest(), self._sink.count

    def discard(self) -> None:
        """Let go of the file and remove it."""
        with contextlib.suppress(OSError):  # a full disk refuses the bytes that still wait in the stream; they are not wanted
            self._sink.stream.close()
        self.temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._waiting:
            return
        arrays = [
            pa.array([name for name, _, _ in self._waiting], pa.string()),
            pa.array([number for _, number, _ in self._waiting], pa.int32()),
        ]
        for column in self.columns:
            arrays.extend(arrow_arrays(column, [row[column.name] for _, _, row in self._waiting]))
        with disk_full_named(self.final.parent, self._waiting_bytes):
            self._writer.write_batch(pa.record_batch(arrays, schema=self.schema))
        self._waiting, self._waiting_bytes = [], 0


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """So that no other writer's file comes under this one's sidecar; on a share without locks, no more than likely."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class ShardWriter:
    """Writes one shard; as a context manager it closes when the block ends well, else removes what it wrote.

    Objects come in any order: the file holds them in ascending order of id, so the bytes do not depend on it. Ascending order is
    streamed; another order costs one rewrite at the end. Of two writers of one key at once the later one's file and sidecar stay, both:
    equal bytes, unless a limit refused an object to one of them alone.
    """

    def __init__(self, folder: Path, key: str, columns: Sequence[Column], compression: Compression = "none") -> None:
        self.folder, self.key, self.columns, self.compression = folder, key, tuple(columns), compression
        self.facts: ShardFacts | None = None
        self._file = _RowFile(arrow_path(folder, key), self.columns, compression)
        self._objects: list[tuple[str, int]] = []
        self._items: dict[str, list[list[int]]] = {column.name: [] for column in columns if column.kind == "ragged"}
        self._notes: dict[str, str] = {}
        self._quarantined: list[Refusal] = []
        self._seen: set[str] = set()

    def add(self, object_id: str, rows: Iterable[Row], notes: str = "") -> int:
        """Store all rows of one object, or none of them; returns how many.

        rows    a sequence is gone through twice, to look and to write, so that one which reads its rows from a file is never held whole
        notes   what its reader had to leave out, in one line
        raises  RefusedObject from the iterator itself, or `row-too-large`, `object-too-large`, `no-rows`; ShapeError where a cell is
                not what its column says; StoreError for an id that is already here
        """
        self._once(object_id)
        whole = rows if isinstance(rows, Sequence) else list(rows)
        if not whole:
            raise RefusedObject("no-rows", "its stages yielded no row")
        self._look(whole)
        self._seen.add(object_id)
        items: dict[str, list[int]] = {name: [] for name in self._items}
        for number, row in enumerate(whole):
            checked, _ = self._checked(row)
            self._file.write(object_id, number, checked)
            for name, counts in items.items():
                counts.append(len(checked[name]))
        for name, counts in items.items():
            self._items[name].append(counts)
        self._objects.append((object_id, len(whole)))
        if notes:
            self._notes[object_id] = notes
        return len(whole)

    def _look(self, rows: Sequence[Row]) -> None:
        """Refuse what cannot be stored before a byte of it is."""
        total = 0
        for row in rows:
            total += self._checked(row)[1]
            if total > MAX_OBJECT_BYTES:
                raise RefusedObject("object-too-large", f"its rows pass {MAX_OBJECT_BYTES:,} bytes")

    def refuse(self, object_id: str, path: str, reason: str, detail: str = "") -> None:
        """Note that an object cannot be used, and why."""
        self._once(object_id)
        self._seen.add(object_id)
        self._quarantined.append(Refusal(object_id, path, reason, detail))

    def close(self) -> ShardFacts:
        """Finish the file, give it its name, then write the sidecar: the shard is done."""
        if self.facts is not None:
            return self.facts
        try:
            self.facts = self._close()
        except BaseException:
            self.abort()
            raise
        return self.facts

    def abort(self) -> None:
        """Remove what was written; nothing of this writer stays."""
        self._file.discard()

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _once(self, object_id: str) -> None:
        if object_id in self._seen:
            raise StoreError(f"object '{object_id}' stands twice in shard {self.key}; expected each object once")

    def _checked(self, row: Row) -> tuple[Row, int]:
        if set(row) != {column.name for column in self.columns}:
            raise ShapeError(f"a row of shard {self.key} holds {sorted(row)}; expected {[column.name for column in self.columns]}")
        checked = {column.name: column.checked(row[column.name]) for column in self.columns}
        size = sum(cell_bytes(cell) for cell in checked.values())
        if size > MAX_ROW_BYTES:
            raise RefusedObject("row-too-large", f"a row of {size:,} bytes; at most {MAX_ROW_BYTES:,}")
        return checked, size

    def _close(self) -> ShardFacts:
        sha256, size = self._file.finish()
        order = sorted(range(len(self._objects)), key=lambda number: self._objects[number][0])
        if order != list(range(len(order))):
            sha256, size = self._rewrite()
        facts = ShardFacts(
            key=self.key,
            rows=self._file.rows,
            objects=tuple(self._objects[number] for number in order),
            quarantined=tuple(sorted(self._quarantined, key=lambda refusal: refusal.id)),
            sha256=sha256,
            bytes=size,
            items={name: [count for number in order for count in counts[number]] for name, counts in self._items.items()},
            notes=self._notes,
        )
        with _alone_in(self.folder):
            publish(self._file.temporary, self._file.final)
            write_facts(self.folder, facts)
        return facts

    def _rewrite(self) -> tuple[str, int]:
        """Write the rows once more, objects in ascending order of id, and take that file instead."""
        unsorted, self._file = self._file, _RowFile(self._file.final, self.columns, self.compression)
        try:
            source = Shard(unsorted.temporary)
            starts = np.concatenate([[0], np.cumsum([rows for _, rows in self._objects])])
            for number in sorted(range(len(self._objects)), key=lambda number: self._objects[number][0]):
                name, rows = self._objects[number]
                for row in range(rows):
                    self._file.write(name, row, source.row(int(starts[number]) + row))
            return self._file.finish()
        finally:
            unsorted.discard()
