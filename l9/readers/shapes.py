"""The shapes l9 makes: no files, no download; a mesh is a function of its id and the card's seed.

Ten classes of solids with exact distance functions (`l9.geometry.solids`), so that quickstart, tests and golden numbers need nothing.
"""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.contract import Found

VERSION = 1


def find(root: Path, count_per_class: int = 40, seed: int = 0) -> Iterator[Found]:
    """`count_per_class` objects of every solid: ids `sphere/0007`, labels the solids' names; `root` is not looked at."""
    from l9.geometry.solids import SOLIDS

    for name in sorted(SOLIDS):
        for number in range(count_per_class):
            yield Found(id=f"{name}/{number:04d}", files=(), label=name)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, count_per_class: int = 40, seed: int = 0) -> Mesh:
    """The solid of one id, drawn from (seed, class, number): neither other classes nor the count change it. Its parts are counted through
    all classes (`l9.geometry.solids.PARTS`).
    """
    from l9.geometry.solids import PARTS, SOLIDS

    name, _, number = found.id.partition("/")
    if name not in SOLIDS or not number.isdigit():
        raise RefusedObject("unknown-shape", f"'{found.id}'; expected one of {' '.join(sorted(SOLIDS))} and a number")
    solid = SOLIDS[name](np.random.default_rng((seed, zlib.crc32(name.encode()), int(number))))
    parts = solid.parts + sum(count for other, count in PARTS.items() if other < name)
    return checked_mesh(Mesh(np.asarray(solid.vertices, np.float64), np.asarray(solid.faces, np.int64), up, parts=parts))
