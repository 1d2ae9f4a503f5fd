"""Stores of small drawn pictures, two classes of them, for the tests of tasks: importable on workers."""

from pathlib import Path

import numpy as np

from l9.store.columns import Column
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import Store, shards_folder, write_store

CLASSES = ("bar", "disc")


def drawn_picture(number: int, size: int, channels: int) -> np.ndarray:
    """uint8 (channels, size, size): a bright disc (odd numbers) or an upright bar (even), somewhere near the middle."""
    draw = np.random.default_rng(number)
    rows, columns = np.mgrid[:size, :size]
    y, x = size / 2 + draw.uniform(-size / 8, size / 8, 2)
    width = size * draw.uniform(0.15, 0.25)
    inside = (
        (rows - y) ** 2 + (columns - x) ** 2 < width**2 * 1.4 if number % 2 else (abs(columns - x) < width / 2) & (abs(rows - y) < size / 3)
    )
    colours = draw.integers(180, 256, channels) if channels > 1 else np.array([255])
    return (inside[None] * colours[:, None, None]).astype(np.uint8)


def picture_store(home: Path, count: int = 60, size: int = 8, channels: int = 1, name: str = "drawn") -> Store:
    """`count` drawn pictures in column `image`; of five in a row the first is tested, the second for validation."""
    columns = (Column("image", "uint8", (channels, size, size), axes="channel row column"),)
    parts = ("test", "validation", "train", "train", "train")
    objects = tuple(
        PlannedObject(f"{n:04d}.png", f"{n:04d}.png", f"{n:064d}", CLASSES[n % 2], split=parts[n // 2 % 5]) for n in range(count)
    )
    folder = shards_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    with ShardWriter(folder, shard_key(objects, columns), columns) as writer:
        for number, planned in enumerate(objects):
            writer.add(planned.id, [{"image": drawn_picture(number, size, channels)}])
    return write_store(home, name, PlanFacts(name, "+Y", columns, objects), [writer.facts])
