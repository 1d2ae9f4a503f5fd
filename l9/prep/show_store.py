"""`l9 data show STORE`: the rows of a store as they are stored, with what its columns hold and how its objects are divided."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy import ndarray

from l9.draw.lines import line_sheet
from l9.draw.tiles import row_tiles
from l9.geometry.mesh import Axis
from l9.prep.chosen import chosen_ids
from l9.store.cells import cell_bytes
from l9.store.columns import Column, Row
from l9.store.numbers import column_numbers
from l9.store.store import Store

TILE = 128  # pixels


def show_store(store: Store, words: Sequence[str], *, count: int, seed: int) -> tuple[dict[str, Any], ndarray | None]:
    """Facts of the store as plain JSON, and a picture (h, w, 3) RGB uint8 of one row of each chosen object, one a line: of many
    rows the middle one, which of a scene's blocks shows more than the first.

    words    ids or unique prefixes; none: `count` objects spread over the classes (l9/prep/chosen.py)
    returns  no picture where no column can be drawn
    raises   UsageError where a word names no object; StoreError where the store is damaged
    """
    objects = _objects(store)
    ids = chosen_ids({name: str(about["label"]) for name, about in objects.items()}, words, count, seed, f"store {store.id}")
    rows = [_row(store, objects[name]) for name in ids]
    facts = {
        "store": store.id,
        "card": store.manifest["card"],
        "up": store.up,
        "counts": store.manifest["counts"],
        "columns": [column.describe() | {"row_bytes": _row_bytes(store, column, rows)} for column in store.columns],
        "labels": dict(sorted(Counter(about["label"] for about in objects.values()).items())),
        "splits": dict(sorted(Counter(_part(about) for about in objects.values()).items())),
        "numbers": column_numbers(store),
        "notes": sum(bool(about["notes"]) for about in objects.values()),
        "objects": [{name: value for name, value in objects[one].items() if name not in ("shard", "at")} for one in ids],
    }
    return facts, _picture(store, [objects[name] for name in ids], rows)


def _objects(store: Store) -> dict[str, dict[str, Any]]:
    """id -> what the index says of the object, its number of rows, and where the first of them is."""
    index = store.index
    counts = index.group_by("object").aggregate([("row", "count")]).to_pydict()
    rows_of = dict(zip(counts["object"], counts["row_count"], strict=True))
    first = index.filter(pc.equal(index["row"], pa.scalar(0, pa.int32())))
    wanted = ("object", "label", "split", "fold", "notes", "shard", "at")
    return {
        about["object"]: {"id": about.pop("object"), "rows": rows_of[name], **about}
        for name, about in zip(first["object"].to_pylist(), first.select(wanted).to_pylist(), strict=True)
    }


def _part(about: dict[str, Any]) -> str:
    """Where an object belongs, in words: "fold 3", its split, or "" where a hash of its id decides."""
    return f"fold {about['fold']}" if about["fold"] >= 0 else str(about["split"])


def _row(store: Store, about: dict[str, Any]) -> Row:
    return store.shards[about["shard"]].row(about["at"] + _shown(about))


def _shown(about: dict[str, Any]) -> int:
    """The middle one of an object's rows, which lie one after the other; of two the first."""
    return int(about["rows"] - 1) // 2


def _row_bytes(store: Store, column: Column, shown: Sequence[Row]) -> int:
    """Bytes of one row of a column: exact where fixed, the mean over all rows where ragged, over the rows shown where blobs."""
    if column.kind == "blob":
        return round(float(np.mean([cell_bytes(row[column.name]) for row in shown]))) if shown else 0
    one = column.size * np.dtype(column.dtype).itemsize
    if column.kind == "fixed":
        return one
    items = store.index[f"{column.name}_items"]
    return round(one * (pc.mean(items).as_py() or 0))


def _picture(store: Store, chosen: Sequence[dict[str, Any]], rows: Sequence[Row]) -> ndarray | None:
    lines = [row_tiles(store.columns, row, cast(Axis, store.up), TILE) for row in rows]
    if not lines or not lines[0]:
        return None
    headings = [heading for heading, _ in lines[0]]
    title = f"{store.id}: {len(chosen):,} of {store.manifest['counts']['done']:,} objects"
    return line_sheet([[tile for _, tile in line] for line in lines], [_caption(about) for about in chosen], headings, title)


def _caption(about: dict[str, Any]) -> str:
    lines = [about["id"], " · ".join(filter(None, [about["label"] or "no label", _part(about)]))]
    if about["rows"] > 1:
        lines.append(f"row {_shown(about):,} of {about['rows']:,}")
    if about["notes"]:
        lines.append(about["notes"])
    return "\n".join(lines)
