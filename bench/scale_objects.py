"""A reader of objects that are not there: ids, files and labels like ShapeNet's, any number of them, for measuring a driver alone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from l9.readers.contract import Found

VERSION = 1
SYNSETS = [f"{2_691_156 + 17_041 * number:08d}" for number in range(55)]


def find(root: Path, count: int) -> Iterator[Found]:
    """`count` objects in no order; `root` is not looked at."""
    for number in range(count):
        synset = SYNSETS[number % len(SYNSETS)]
        name = f"{synset}/{hashlib.md5(str(number).encode()).hexdigest()}/models/model_normalized.obj"
        yield Found(name, (name,), "", synset)


def read(files: object, found: Found, up: str, count: int) -> None:
    """Nothing: these objects are planned, not made."""
    raise NotImplementedError
