"""A store's rows as Parquet: `object`, `row`, what the index says of the object, and every column, one file a shard.

fixed   a list of its values, in the order of its axes     ragged  a list of items, each a list where an item has more than one value
blob    bytes
Names, shapes, units and axes stand in the fields' metadata, as in the shards.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from l9.store.cells import numbers_of
from l9.store.columns import Column
from l9.store.publish import atomic_write
from l9.store.store import Store

TOLD = {"label": pa.string(), "split": pa.string(), "fold": pa.int8()}  # of an object, by the index


def parquet_files(store: Store, place: Path, advance: Callable[[], None]) -> tuple[int, int]:
    """One file a shard that has rows, in `place`; how many objects there are, and no matches.

    advance  called after each shard
    """
    taken = {column.name for column in store.columns}
    told = {name: kind for name, kind in TOLD.items() if name not in taken}
    fields = [("object", pa.string()), ("row", pa.int32()), *told.items()]
    schema = pa.schema([*(pa.field(name, kind, nullable=False) for name, kind in fields), *map(_field, store.columns)])
    for number, shard in enumerate(store.shards):  # opened, so that each is what the manifest names
        lines = store.index.filter(pc.equal(store.index["shard"], number)).sort_by("at").select(list(told)).combine_chunks()
        if len(lines):
            atomic_write(place / f"part-{number:05d}.parquet", partial(_write, shard.path, lines, schema, store.columns))
        advance()
    return int(store.manifest["counts"]["done"]), 0


def _write(path: Path, lines: pa.Table, schema: pa.Schema, columns: Sequence[Column], sink: BinaryIO) -> None:
    """One shard, a record batch at a time."""
    first = 0
    with pa.memory_map(str(path)) as source, pq.ParquetWriter(sink, schema) as writer:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            told = lines.slice(first, len(batch)).columns
            cells = [_nested(column, batch.column(column.name)) for column in columns]
            chunks = [pa.concat_arrays(one.chunks) if one.num_chunks != 1 else one.chunk(0) for one in told]
            arrays = [batch.column("object"), batch.column("row"), *chunks, *cells]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            first += len(batch)


def _field(column: Column) -> pa.Field:
    (stored, *_) = column.fields()
    if column.kind != "ragged" or not column.shape:
        return stored
    item = pa.list_(stored.type.value_field, column.size)
    return pa.field(column.name, pa.large_list(pa.field("item", item, nullable=False)), nullable=False, metadata=stored.metadata)


def _nested(column: Column, array: pa.Array) -> pa.Array:
    """A column's cells as `_field` has them, without copying values."""
    kind = _field(column).type
    if column.kind != "ragged" or not column.shape:
        return array
    offsets = numbers_of(array.offsets)
    items = pa.FixedSizeListArray.from_arrays(array.values, type=kind.value_type)
    return pa.LargeListArray.from_arrays(pa.array(offsets // column.size), items, type=kind)
