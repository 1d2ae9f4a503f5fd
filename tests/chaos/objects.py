"""Objects that cost next to nothing: a reader and a stage for the kills, importable by sandbox children and Ray workers.

An object is a file of 72 bytes, three rows of six numbers; number n keeps n % 3 + 1 of them. Every sixteenth is refused, one always
kills the child that reads it, and each comes by a point of its own (chaos.barrier) in the middle of its work.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from chaos.barrier import pass_by

from l9.errors import RefusedObject
from l9.readers.contract import Found
from l9.stages.contract import yields
from l9.store.columns import Column, Row

VERSION = 1
COUNT = 64  # objects of the whole dataset
CLASSES = ("high", "low")
WIDTH = 6  # numbers in a row, as tests/toys.py has them
DEADLY = 40  # the number of the object that no child survives


def object_id(number: int) -> str:
    """`0007.bin`: the id and the file of an object."""
    return f"{number:04d}.bin"


def write_files(root: Path) -> None:
    """Write every object's file; the same bytes each time."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        draw = np.random.default_rng(number)
        rows = draw.normal(0.8 if number % 2 == 0 else -0.8, 1.0, (3, WIDTH)).astype("<f4")
        (root / object_id(number)).write_bytes(rows.tobytes())


def find(root: Path, control: str) -> Iterator[Found]:
    """Every file below `root`, labelled by the parity of its number."""
    for path in sorted(root.glob("*.bin")):
        yield Found(id=path.name, files=(path.name,), label=CLASSES[int(path.stem) % 2])


def read(files: Sequence[BinaryIO], found: Found, up: str, control: str) -> np.ndarray:
    """float32 (n, 6); RefusedObject `sixteenth` for numbers 5, 21, 37 and 53."""
    number = int(Path(found.id).stem)
    content = files[0].read()
    pass_by(Path(control), found.id)
    if number == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    if number % 16 == 5:
        raise RefusedObject("sixteenth", f"number {number}")
    return np.frombuffer(content, "<f4").reshape(3, WIDTH)[: number % 3 + 1]


def _columns() -> tuple[Column, ...]:
    return Column("vector", "float32", (WIDTH,)), Column("above", "float32", (), "ragged")


@yields(columns=_columns, version=1)
def vectors(rows: np.ndarray) -> Iterator[Row]:
    """Each row as it is, and its numbers above 0."""
    for row in rows:
        yield {"vector": row.copy(), "above": row[row > 0]}
