"""The index of a store: one line per row, in ascending order of (object, row), as an Arrow table.

object string, row int32     whose row it is, and which of the object's
shard int32, at int64        position of its shard in the manifest's list, and the row's place in that shard
label, split string; fold int8 (-1: none); key string      what the plan says of the object
notes string                 what its reader had to leave out, in one line, "" where there is nothing to say
<ragged>_items int64         items of each ragged column in this row
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from l9.errors import StoreError
from l9.store.columns import Column
from l9.store.facts import ShardFacts
from l9.store.planned import PlannedObject

CHUNK_ROWS = 65_536  # rows of one record batch of the index


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


def index_table(planned: Mapping[str, PlannedObject], columns: Sequence[Column], shards: Sequence[ShardFacts]) -> pa.Table:
    """The index over shards in the manifest's order."""
    places = sorted((name, number, start, rows) for number, facts in enumerate(shards) for name, start, rows in _starts(facts))
    repeat = np.array([rows for *_, rows in places], np.int64)
    number = np.arange(repeat.sum(), dtype=np.int64) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    shard = np.repeat(np.array([place[1] for place in places], np.int32), repeat)
    at = np.repeat(np.array([place[2] for place in places], np.int64), repeat) + number
    objects = [planned[name] for name, *_ in places]
    notes = {name: line for facts in shards for name, line in facts.notes.items()}
    arrays = {
        "object": _repeated([entry.id for entry in objects], repeat),
        "row": pa.array(number.astype(np.int32)),
        "shard": pa.array(shard),
        "at": pa.array(at),
        "label": _repeated([entry.label for entry in objects], repeat),
        "split": _repeated([entry.split for entry in objects], repeat),
        "fold": pa.array(np.repeat(np.array([entry.fold for entry in objects], np.int8), repeat)),
        "key": _repeated([entry.key for entry in objects], repeat),
        "notes": _repeated([notes.get(entry.id, "") for entry in objects], repeat),
    }
    offsets = np.concatenate([[0], np.cumsum([facts.rows for facts in shards])]).astype(np.int64)
    for column in columns:
        if column.kind == "ragged":
            counts = np.concatenate([np.zeros(0, np.int64), *(np.array(facts.items[column.name], np.int64) for facts in shards)])
            arrays[f"{column.name}_items"] = pa.array(counts[offsets[shard] + at])
    schema = index_schema(columns)
    return pa.table([arrays[name] for name in schema.names], schema=schema)


def index_bytes(table: pa.Table) -> bytes:
    """The index as it lies on the disk: an Arrow IPC file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=CHUNK_ROWS)
    return bytes(sink.getvalue())


def read_index(content: bytes, columns: Sequence[Column]) -> pa.Table:
    """Back from `index_bytes`, an index of format version 1 with empty notes; StoreError if it has other fields."""
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


def _starts(facts: ShardFacts) -> list[tuple[str, int, int]]:
    lines, start = [], 0
    for name, rows in facts.objects:
        lines.append((name, start, rows))
        start += rows
    return lines


def _repeated(values: list[str], repeat: np.ndarray) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(values), dtype=np.int64), repeat)))
