"""Files below a root, in one order, following links but never in circles."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath

from l9.errors import UsageError

MOST_FOLDERS = 1_000_000  # folders walked, half a minute; 25 folders with two links each to the next are 2^25 ways


def files_below(root: Path, endings: tuple[str, ...]) -> list[PurePosixPath]:
    """Paths below `root` of files with one of the lower-case `endings`, sorted by their text; hidden ones are left out.

    A link to a folder is followed unless it leads back to a folder it stands in.
    raises  UsageError where the root is no folder, or has more ways through it than MOST_FOLDERS
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; expected the dataset's root.  --root DIR")
    return sorted(_walk(root, PurePosixPath(), (os.path.realpath(root),), endings, count(1)), key=str)


def _walk(
    folder: Path, below: PurePosixPath, above: tuple[str, ...], endings: tuple[str, ...], walked: Iterator[int]
) -> Iterator[PurePosixPath]:
    if next(walked) > MOST_FOLDERS:
        raise UsageError(f"{folder}: the {MOST_FOLDERS:,}th folder below the root; expected fewer: do links lead there by many ways?")
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if is_folder(entry):
                real = os.path.realpath(entry.path)
                if real not in above:
                    yield from _walk(Path(entry.path), below / entry.name, (*above, real), endings, walked)
            elif entry.name.lower().endswith(endings):
                yield below / entry.name


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """A link that leads to itself is no folder: it stays in the list as a file, to be refused by name."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def printable(name: str) -> str:
    """`name` as it can be printed, stored and sent: what is no printable UTF-8 becomes a backslash escape."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
