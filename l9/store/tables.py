"""Rows of a few fields as Arrow columns, sorted by the first: ten million of them cost their bytes, not a Python object each."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

BATCH_ROWS = 16_384  # rows that are Python objects at a time

Columns = dict[str, pa.Array]
"""Name -> one contiguous array; all are of one length."""


def columns_of_rows(rows: Iterable[tuple[Any, ...]], schema: pa.Schema, first: pa.Array | None = None) -> Columns:
    """The rows, in ascending order of their first field (UTF-8's order of bytes is Python's order of text).

    first  the first field of all rows, ascending, where it is a column already: it is taken as it is, not stored once more
    Columns are joined one after the other, so that none but the one at hand is there twice.
    """
    kept = 0 if first is None else 1
    parts: list[list[pa.Array]] = [[] for _ in schema]
    for some in batched(rows, BATCH_ROWS):
        for gathered, field, values in [*zip(parts, schema, zip(*some, strict=True), strict=True)][kept:]:
            gathered.append(pa.array(values, field.type))
    ids = _joined(parts[0], schema[0].type) if first is None else first
    order = None if _ascending(ids) else pc.sort_indices(ids)
    columns = {schema[0].name: ids}
    for gathered, field in [*zip(parts, schema, strict=True)][1:]:
        joined = _joined(gathered, field.type)
        columns[field.name] = joined if order is None else joined.take(order)
    return columns if order is None else {**columns, schema[0].name: ids.take(order)}


def rows_of_columns(columns: Columns) -> Iterator[tuple[Any, ...]]:
    """The rows again, made batch by batch."""
    arrays = list(columns.values())
    for start in range(0, len(arrays[0]), BATCH_ROWS):
        yield from zip(*(_values(array.slice(start, BATCH_ROWS)) for array in arrays), strict=True)


def batched(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """Tuples of `size` items, the last one shorter."""
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch


def _values(array: pa.Array) -> list[Any]:
    """As `to_pylist`, which takes 3 us for a value of a dictionary, and 0.1 for a text."""
    plain: list[Any] = (array.dictionary_decode() if pa.types.is_dictionary(array.type) else array).to_pylist()
    return plain


def _joined(parts: list[pa.Array], kind: pa.DataType) -> pa.Array:
    """The parts as one array; they are let go of."""
    chunks = pa.chunked_array(parts, kind)
    parts.clear()
    return (chunks.unify_dictionaries() if pa.types.is_dictionary(kind) else chunks).combine_chunks()


def _ascending(ids: pa.Array) -> bool:
    return len(ids) < 2 or bool(pc.all(pc.less_equal(ids[:-1], ids[1:])).as_py())
