"""A rank's batch cut into smaller ones, whose gradients are summed before one step: large batches in little memory."""

from dataclasses import replace
from itertools import pairwise

from l9.data.batch import Batch, Field, Packed


def micro_batches(batch: Batch, count: int) -> list[Batch]:
    """The batch in at most `count` parts of nearly equal size, in order; each keeps the `total` of the global cut."""
    if count == 1 and len(batch) > 0:
        return [batch]
    ends = [len(batch) * number // count for number in range(count + 1)]
    return [_part(batch, start, stop) for start, stop in pairwise(ends) if stop > start]


def _part(batch: Batch, start: int, stop: int) -> Batch:
    return replace(
        batch,
        columns={name: _field_part(value, start, stop) for name, value in batch.columns.items()},
        labels=batch.labels[start:stop],
        samples=batch.samples[start:stop],
        items=batch.items[start:stop],
        positions=batch.positions[start:stop],
    )


def _field_part(value: Field, start: int, stop: int) -> Field:
    if isinstance(value, Packed):
        offsets = value.offsets[start : stop + 1]
        return Packed(value.values[int(offsets[0]) : int(offsets[-1])], offsets - offsets[0])
    return value[start:stop]
