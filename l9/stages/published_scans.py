"""Yield: partial and complete distance fields that others made, in the columns of `virtual_scans`, so that a task does not care."""

from collections.abc import Iterator

import numpy as np

from l9.geometry.distance_fields import SIDE, DistanceFields
from l9.stages.contract import yields
from l9.store.columns import Column, Row

FIELD_COLUMNS = tuple(Column(name, "float16", (SIDE, SIDE, SIDE), unit="voxel", axes="x y z") for name in ("partial", "complete"))


def _columns() -> tuple[Column, ...]:
    return FIELD_COLUMNS


@yields(columns=_columns, version=1)
def published_scans(fields: DistanceFields) -> Iterator[Row]:
    """A row for each scan of a shape, as its reader gives them: `partial` and `complete`, see `l9.geometry.distance_fields`."""
    complete = fields.complete.astype(np.float16)
    for partial in fields.partials:
        yield {"partial": partial.astype(np.float16), "complete": complete}
