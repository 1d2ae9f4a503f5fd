"""Small stores of arrays, written by the real store room, for tests of what reads them."""

from pathlib import Path

import numpy as np

from l9.data.samples import Samples
from l9.store.columns import Column
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store


def store_of(home: Path, cells: dict[str, np.ndarray], labels: list[str], ids: list[str] | None = None) -> Samples:
    """All samples of a store with one row per object; cells maps column -> (n, *shape)."""
    ids = ids or [f"toy/{number:04d}.obj" for number in range(len(labels))]
    columns = tuple(Column(name, str(values.dtype), values.shape[1:]) for name, values in cells.items())
    objects = tuple(PlannedObject(name, name, f"key of {name}", label) for name, label in zip(ids, labels, strict=True))
    key = shard_key(objects, columns)
    with ShardWriter(shards_folder(home), key, columns) as writer:
        for number, name in enumerate(ids):
            writer.add(name, [{column: np.ascontiguousarray(values[number]) for column, values in cells.items()}])
        facts = writer.close()
    return Samples.of(write_store(home, "toy", PlanFacts("toy", "+Y", columns, objects), [facts]), part="all")
