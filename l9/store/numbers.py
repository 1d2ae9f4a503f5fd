"""What the columns of one number a row hold over a whole store: how often each value, or the middle, the ends and who stands there."""

from typing import Any

import numpy as np

from l9.store.columns import Column
from l9.store.store import Store

FEW_VALUES = 16  # a column of whole numbers with no more distinct ones is counted value by value
HIGHEST = 3  # objects that are named


def column_numbers(store: Store) -> dict[str, dict[str, Any]]:
    """column -> its numbers as plain JSON, for each column of one number a row; none for a compressed store, which would be unpacked.

    whole numbers, few   {"unit", "values": {value: rows}}
    others               {"unit", "least", "median", "p95" (which 5 % of rows exceed), "most", "highest": [[object, value], ...]}
                         of what is finite, and "not_finite": rows, where there are some
    """
    columns = [column for column in store.columns if column.kind == "fixed" and column.shape == ()]
    if not columns or not all(shard.mapped for shard in store.shards):
        return {}
    return {column.name: _numbers(store, column) for column in columns}


def _numbers(store: Store, column: Column) -> dict[str, Any]:
    values = np.concatenate([part for shard in store.shards for part in shard.fixed(column.name)] or [np.empty(0, column.dtype)])
    about: dict[str, Any] = {"unit": column.unit}
    if values.dtype.kind in "biu":
        distinct, counts = np.unique(values, return_counts=True)
        if len(distinct) <= FEW_VALUES:
            return about | {"values": {str(int(value)): int(count) for value, count in zip(distinct, counts, strict=True)}}
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) < len(values):
        about["not_finite"] = len(values) - len(rows)
    if not len(rows):
        return about
    finite = values[rows].astype(np.float64)
    about |= {"least": float(finite.min()), "median": float(np.median(finite)), "p95": float(np.quantile(finite, 0.95))}
    highest = rows[np.argsort(-finite, kind="stable")[:HIGHEST]]  # of equal ones the first
    return about | {"most": float(finite.max()), "highest": [[_object_at(store, int(row)), float(values[row])] for row in highest]}


def _object_at(store: Store, row: int) -> str:
    """Object of a row, counted over all shards."""
    for shard in store.shards:
        if row < len(shard):
            return shard.identity(row)[0]
        row -= len(shard)
    raise IndexError(row)


def number_lines(numbers: dict[str, dict[str, Any]]) -> list[str]:
    """One line a column, for people."""
    return [f"{name}{_unit(about)}: {_said(about)}" for name, about in numbers.items()]


def _unit(about: dict[str, Any]) -> str:
    return f" ({about['unit']})" if about["unit"] else ""


def _said(about: dict[str, Any]) -> str:
    if "values" in about:
        return ", ".join(f"{value} in {count:,} rows" for value, count in about["values"].items()) or "no rows"
    said = [f"{about['not_finite']:,} rows not finite"] if "not_finite" in about else []
    if "most" in about:
        said += [f"least {about['least']:.3g}", f"median {about['median']:.3g}", f"5 % above {about['p95']:.3g}"]
        said.append("highest " + ", ".join(f"{name} {value:.3g}" for name, value in about["highest"]))
    return ", ".join(said) or "no rows"
