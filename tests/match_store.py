"""Small stores of key point matches, written by the real store room: textures that can be told apart, with a little noise."""

from pathlib import Path

import numpy as np

from l9.data.samples import Samples
from l9.stages.match_cells import SHOWN, match_columns
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store

ROWS = 3  # pairs of frames of a scan, with 0, 3 and 6 matches, and so on


def matches_store(home: Path, scans: int = 2, noise: float = 8.0, seed: int = 0, rows: int = ROWS, split: str = "") -> Samples:
    """Samples of `scans` scans; each place has its own texture, points 1 m apart, and SIFT and ORB bytes that follow it."""
    columns, random = match_columns(72), np.random.default_rng(seed)
    ids = [f"scene{number:04d}_00" for number in range(scans)]
    objects = tuple(PlannedObject(name, name, f"key of {name} {seed} {noise}", "", split=split) for name in ids)
    key = shard_key(objects, columns)
    with ShardWriter(shards_folder(home), key, columns) as writer:
        for number, name in enumerate(ids):
            writer.add(name, [_row(columns, random, number, place, noise) for place in range(rows)])
        facts = writer.close()
    store = write_store(home, "toy", PlanFacts("toy", "+Z", columns, objects), [facts])
    return Samples.of(store, part="all", item_column="match_frames")


def _row(columns, random, scan, place, noise):
    """One pair of frames: frame 2 place against 2 place + 1; the other place is of frame 2 place + 1000."""
    count = 3 * place
    spots = random.integers(0, 256, (count, 2, 9, 9, 3)).astype(np.float64)  # of each match: the place, and another one
    textures = np.kron(spots, np.ones((1, 1, 8, 8, 1)))[:, [0, 0, 1]]
    patches = np.clip(textures + noise * random.standard_normal(textures.shape), 0, 255).astype(np.uint8)
    means = patches[:, :, 4::8, 4::8].reshape(count, 3, 243)[..., :128]
    origin = np.array([100.0 * scan, 10.0 * place, 0.0])
    points = origin + np.arange(count)[:, None, None] * [[[1.0, 0, 0]]] + [[[0, 0, 0], [0, 0, 0.005], [0, 5.0, 0]]]
    frames = np.tile([2 * place, 2 * place + 1, 2 * place + 1000], (count, 1))
    cells = {
        "pair": np.array([2 * place, 2 * place + 1]),
        "picture_sizes": np.full((2, 2), (640, 480)),
        "match_frames": frames,
        "match_points": points,
        "match_pixels": np.tile(60.0 + 20 * np.arange(count)[:, None, None], (1, 3, 2)),
        "jitters": random.standard_normal((count, 3, 4)) * (1.5, 1.5, 0.1, 8.0),
        "patches": patches,
        "sift": np.repeat(means[:, :, None], 4, axis=2),
        "orb": np.repeat(means[:, :, None, :32], 4, axis=2),
        "shown": random.integers(0, 256, (1 if place == ROWS - 1 else 0, 2, *SHOWN, 3)),
    }
    return {
        column.name: np.asarray(
            cells.get(column.name, np.zeros((count, *column.shape) if column.kind == "ragged" else column.shape)), column.dtype
        )
        for column in columns
    }
