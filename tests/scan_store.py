"""Small stores of partial scans, written by the real store room: balls and boxes seen from +z, by formula."""

from pathlib import Path

import numpy as np

from l9.data.samples import Samples
from l9.store.columns import Column
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store

CUT = 3.0
CLASSES = ("ball", "box")


def distance(kind, radius, side=32, middle=None):
    """Signed distance (voxels, negative inside) of a ball, or of a box that is half as high, from voxel centres."""
    places = np.indices((side,) * 3).transpose(1, 2, 3, 0) - ((side - 1) / 2 if middle is None else middle)
    if kind == "ball":
        return np.linalg.norm(places, axis=-1) - radius
    out = np.abs(places) - radius * np.array([1.0, 0.5, 1.0])
    return np.linalg.norm(np.maximum(out, 0), axis=-1) + np.minimum(out.max(axis=-1), 0)


def scanned(signed, depth=2.0):
    """What one sees from +z: from `depth` voxels behind the nearest surface of a column on, nothing is known."""
    hidden = np.maximum.accumulate((signed < 0)[..., ::-1], axis=2)[..., ::-1]
    first = np.where((signed < 0).any(axis=2), signed.shape[2] - (signed < 0)[..., ::-1].argmax(axis=2), 0)
    below = np.arange(signed.shape[2]) < (first - depth)[..., None]
    return np.clip(np.where(hidden & below, -CUT, np.where(hidden, np.maximum(signed, -1.0), signed)), -CUT, CUT)


def shapes(count=8, rows=2, side=32, seed=0):
    """partial (n, rows, side, side, side), complete (n, side, side, side), labels: even objects balls, odd ones boxes."""
    random = np.random.default_rng(seed)
    partial, complete = [], []
    for number in range(count):
        signed = distance(CLASSES[number % 2], random.uniform(0.2, 0.35) * side, side)
        partial.append([scanned(signed, 2.0 + row) for row in range(rows)])
        complete.append(np.minimum(np.abs(signed), CUT))
    return np.array(partial), np.array(complete), [CLASSES[number % 2] for number in range(count)]


def scan_store(home: Path, partial, complete, labels, name="toy", splits=None, columns=("partial", "complete")) -> Samples:
    """All samples of a store with a row for each scan; `splits` for each object."""
    kept = tuple(Column(column, "float16", partial.shape[2:], unit="voxel", axes="x y z") for column in columns)
    splits = splits or [""] * len(labels)
    ids = [f"toy/{number:04d}.obj" for number in range(len(labels))]
    objects = tuple(
        PlannedObject(one, one, f"key of {one} {name}", label, split=split) for one, label, split in zip(ids, labels, splits, strict=True)
    )
    key = shard_key(objects, kept)
    with ShardWriter(shards_folder(home), key, kept) as writer:
        for number, one in enumerate(ids):
            cells = [{"partial": scan, "complete": complete[number]} for scan in partial[number]]
            writer.add(one, [{column: np.ascontiguousarray(cell[column], np.float16) for column in columns} for cell in cells])
        facts = writer.close()
    return Samples.of(write_store(home, name, PlanFacts("toy", "+Y", kept, objects), [facts]), part="all")
