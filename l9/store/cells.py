"""Cells of columns as Arrow arrays, and Arrow arrays as NumPy views: nothing is copied on the way back."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy import ndarray

from l9.errors import StoreError, UsageError
from l9.store.columns import Cell, Column
from l9.store.planned import FORMAT, READABLE, Compression

OBJECT = pa.field("object", pa.string(), nullable=False)
ROW = pa.field("row", pa.int32(), nullable=False)
NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
NUMPY_TYPES = {pa.from_numpy_dtype(name): np.dtype(name) for name in NUMBERS}


def schema_of(columns: Sequence[Column], compression: Compression) -> pa.Schema:
    """The Arrow schema of a shard: `object`, `row`, then the fields of each column; the file's own metadata states format and compression.

    raises  UsageError for a name used twice, or a column that cannot be mapped: empty, bool (Arrow packs bits), or of no Arrow type
    """
    for column in columns:
        if column.kind != "blob" and (column.size < 1 or np.dtype(column.dtype).kind not in "iuf"):
            raise UsageError(
                f"column {column.name} is {column.dtype} {column.shape}; expected integers or floats (bool: store uint8), not empty"
            )
    fields = [OBJECT, ROW, *(field for column in columns for field in column.fields())]
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"column {twice} stands twice; expected each name once")
    return pa.schema(fields, metadata={"l9.format": str(FORMAT), "l9.compression": compression})


def compression_in(schema: pa.Schema) -> Compression:
    """How a shard is compressed; StoreError where its metadata is of another format version or does not say."""
    told = schema.metadata or {}
    if told.get(b"l9.format") not in [str(version).encode() for version in READABLE]:
        raise StoreError(f"expected a shard of format version {' or '.join(map(str, READABLE))}")
    if told.get(b"l9.compression") not in (b"none", b"lz4"):
        raise StoreError("expected compression none or lz4")
    return "lz4" if told[b"l9.compression"] == b"lz4" else "none"


def columns_in(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns that a schema's metadata describes, in order; StoreError if its fields are not exactly those of l9."""
    columns = []
    compression = compression_in(schema)
    try:
        for field in schema:
            if field.metadata:
                told = {key.decode(): value.decode() for key, value in field.metadata.items()}
                columns.append(Column.from_plain({**told, "shape": json.loads(told["shape"])}))
        expected, found = schema_of(columns, compression), schema.names
    except (KeyError, TypeError, ValueError, UsageError, pa.ArrowException) as error:
        raise StoreError(f"a field's name or metadata does not describe a column: {error}") from error
    if not expected.equals(schema):
        raise StoreError(f"its fields are {found}; expected {expected.names} of the types their metadata state")
    return tuple(columns)


def numbers_of(array: pa.Array | pa.ChunkedArray) -> ndarray:
    """Arrow numbers without nulls as a read-only NumPy view, copied only where they lie in several chunks.

    Arrow's own `to_numpy` imports pandas, where there is one, for nothing: half a second at the start of every training.
    """
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if whole.null_count:
        raise StoreError("it holds nulls, which l9 never writes")
    dtype = NUMPY_TYPES[whole.type]
    return np.frombuffer(whole.buffers()[1] or b"", dtype, len(whole), whole.offset * dtype.itemsize)


def cell_bytes(cell: Cell) -> int:
    """Bytes that a cell takes."""
    return len(cell) if isinstance(cell, bytes) else cell.nbytes


def arrow_arrays(column: Column, cells: Sequence[Any]) -> list[pa.Array]:
    """The Arrow arrays of one column, for rows whose cells were `checked`."""
    if column.kind == "blob":
        return [pa.array(cells, pa.large_binary())]
    kinds = [field.type for field in column.fields()]
    values = pa.array(np.concatenate([cell.reshape(-1) for cell in cells]) if cells else np.zeros(0, column.dtype))
    if column.kind == "fixed":
        return [pa.FixedSizeListArray.from_arrays(values, type=kinds[0])]
    offsets = np.concatenate([[0], np.cumsum([cell.size for cell in cells])]).astype(np.int64)
    shapes = np.array([cell.shape for cell in cells], np.int64).reshape(-1)
    return [
        pa.LargeListArray.from_arrays(pa.array(offsets), values, type=kinds[0]),
        pa.FixedSizeListArray.from_arrays(pa.array(shapes), type=kinds[1]),
    ]


class RaggedView:
    """A ragged column of one record batch: `view[row]` is (n, *shape), mapped; `counts` is n for each row."""

    def __init__(self, column: Column, array: pa.Array) -> None:
        offsets = numbers_of(array.offsets)
        if len(offsets) and np.any((offsets - offsets[0]) % column.size):
            raise StoreError(f"column {column.name}: a row is no whole number of items of {column.size} values")
        first = int(offsets[0]) if len(offsets) else 0
        values = numbers_of(array.values)[first:]
        whole = len(values) // column.size * column.size
        self.items = values[:whole].reshape(-1, *column.shape)
        self.starts = (offsets - first) // column.size
        self.counts = np.diff(self.starts)

    def __getitem__(self, row: int) -> ndarray:
        """The items of one row."""
        return self.items[self.starts[row] : self.starts[row + 1]]


def view_of(column: Column, batch: pa.RecordBatch) -> ndarray | RaggedView | pa.Array:
    """One column of a record batch without copying: (rows, *shape), a `RaggedView`, or for blobs the Arrow array itself."""
    array = batch.column(column.name)
    if column.kind == "blob":
        return array
    if column.kind == "ragged":
        return RaggedView(column, array)
    return numbers_of(array.flatten()).reshape(-1, *column.shape)
