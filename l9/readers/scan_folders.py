"""What `find` of a dataset of recordings needs: folders that are one, the files of a folder by the form of their names."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from l9.errors import RefusedObject, UsageError
from l9.readers.contract import REFUSE, Found
from l9.readers.files import is_folder, printable
from l9.readers.lists import named, read_text

T = TypeVar("T")
MOST_FRAMES = 60_000  # of one recording: the sandbox opens 200,000 files of one object


def entries(folder: Path, pattern: re.Pattern[str]) -> tuple[list[re.Match[str]], int]:
    """Names in a folder that match as a whole, sorted, and how many others there are; folders and the system's own files are neither."""
    if not folder.is_dir():
        return [], 0
    with os.scandir(folder) as found:
        names = sorted(entry.name for entry in found if not _is_furniture(entry.name) and not is_folder(entry))
    matches = [match for name in names if (match := pattern.fullmatch(name))]
    return matches, len(names) - len(matches)


def _is_furniture(name: str) -> bool:
    """Whether a file is the operating system's own."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")


def folders_with(root: Path, levels: int, is_one: Callable[[Path], bool], expected: str) -> list[str]:
    """Paths below `root`, at most so many folders deep, of the folders for which `is_one` holds, sorted; "" is the root itself.

    raises  UsageError where the root is no folder, or there is none: `expected` says what would be one
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; expected the dataset's root.  --root DIR")
    found = [""] if is_one(root) else []
    above = [] if found else [""]
    for _ in range(levels):
        names = [below(folder, name) for folder in above for name in folders_in(root / folder)]
        is_found = [is_one(root / name) for name in names]
        found += [name for name, yes in zip(names, is_found, strict=True) if yes]
        above = [name for name, yes in zip(names, is_found, strict=True) if not yes]
    if not found:
        raise UsageError(f"{root}: no {expected} there; give the dataset's own folder with --root DIR.  See docs/add-a-dataset.md")
    return sorted(found)


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones and those that cannot be printed are left out."""
    with os.scandir(folder) as found:
        return sorted(entry.name for entry in found if entry.name.isprintable() and not entry.name.startswith(".") and is_folder(entry))


def below(folder: str, name: str) -> str:
    """The path of a file in a folder below the root, where "" is the root itself."""
    return f"{folder}/{name}" if folder else name


def refused_in_find(name: str, file: str, error: RefusedObject, split: str) -> Found:
    """An object of which it is known already that it cannot be used."""
    return Found(name, (file,), split=split, facts={REFUSE: [error.reason, error.detail]})


def read_list(root: Path, name: str, decoded: Callable[[bytes], T]) -> T:
    """What `decoded` makes of a list below `root`; its refusals name the list."""
    data = read_text(root, name).encode()
    with named(name):
        return decoded(data)


def check_count(count: int) -> None:
    """RefusedObject `too-many-frames` or, for 0, `no-frames`."""
    if not count:
        raise RefusedObject("no-frames", "no frame whose files are all there")
    if count > MOST_FRAMES:
        raise RefusedObject("too-many-frames", f"{count:,} frames; expected at most {MOST_FRAMES:,}")


def check_there(root: Path, names: Iterable[str]) -> None:
    """RefusedObject `missing-file` for the first of these files below `root` that is not there."""
    for name in names:
        if not (root / name).is_file():
            raise RefusedObject("missing-file", f"{name} is not there")


def name_of(root: Path, folder: str) -> str:
    """The path of a folder below the root, or the root's own name where it is the root."""
    return folder or printable(root.resolve().name)
