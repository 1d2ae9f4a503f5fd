"""Files below a root, in one order, following links but never in circles."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from l9.errors import RefusedObject, UsageError


def files_below(root: Path, endings: tuple[str, ...]) -> list[PurePosixPath]:
    """Paths below `root` of files with one of the lower-case `endings`, sorted by their text; hidden ones are left out.

    A link to a folder is followed unless it leads back to a folder it stands in.
    raises  UsageError where the root is no folder, RefusedObject `file-name` where a name is not UTF-8
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; expected the dataset's root.  --root DIR")
    found = sorted(_walk(root, PurePosixPath(), (os.path.realpath(root),), endings), key=str)
    for path in found:
        if not _is_text(str(path)):
            raise RefusedObject("file-name", f"{str(path)!a} is not UTF-8; rename it")
    return found


def _walk(folder: Path, below: PurePosixPath, above: tuple[str, ...], endings: tuple[str, ...]) -> Iterator[PurePosixPath]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in above:
                    yield from _walk(Path(entry.path), below / entry.name, (*above, real), endings)
            elif entry.name.lower().endswith(endings):
                yield below / entry.name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
