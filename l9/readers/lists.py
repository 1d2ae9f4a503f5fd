"""What datasets keep beside their objects: lists of names, lists of splits, and a root that is recognised by one of its parts."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from l9.errors import RefusedObject, UsageError

LIST_BYTES = 64 << 20  # of one list; the largest, all.csv of ShapeNet, has 5 MB


def check_root(root: Path, is_root: Callable[[Path], bool], expected: str) -> None:
    """UsageError where `root` is no root of the dataset, naming the folder below it that is one.

    expected  what such a root holds: "train_files.txt and test_files.txt"
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; expected the dataset's root.  --root DIR")
    if is_root(root):
        return
    below = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".") and is_root(path))
    cure = f"give --root {below[0]}" if below else "give the dataset's own folder with --root DIR"
    raise UsageError(f"{root}: no {expected} there; {cure}.  See docs/add-a-dataset.md")


def read_text(root: Path, name: str) -> str:
    """A whole list below `root` as UTF-8 text; RefusedObject `missing-file` or `bad-catalog` naming it."""
    path = root / name
    if not path.is_file():
        raise RefusedObject("missing-file", f"{name} is not there")
    with path.open("rb") as stream:
        data = stream.read(LIST_BYTES + 1)
    if len(data) > LIST_BYTES:
        raise RefusedObject("bad-catalog", f"{name} has more than {LIST_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedObject("bad-catalog", f"{name} is no UTF-8 text (byte {error.start:,})") from error


def read_lines(root: Path, name: str) -> list[str]:
    """The lines of a list that are not empty, white space as single blanks; RefusedObject where it is missing, empty or no text."""
    lines = [" ".join(line.split()) for line in read_text(root, name).splitlines() if line.strip()]
    if not lines:
        raise RefusedObject("bad-catalog", f"{name} is empty")
    for line in lines:
        if not line.isprintable():
            raise RefusedObject("bad-catalog", f"{name} holds a character that cannot be printed")
    return lines


def read_json(root: Path, name: str, is_entry: Callable[[Any], bool], expected: str) -> list[Any]:
    """A JSON list, each entry of which is checked; RefusedObject `bad-catalog` says which is not `expected`."""
    try:
        value = json.loads(read_text(root, name))
    except (ValueError, RecursionError) as error:
        raise RefusedObject("bad-catalog", f"{name} is no JSON: {' '.join(str(error).split())[:100]}") from error
    if not isinstance(value, list):
        raise RefusedObject("bad-catalog", f"{name} is a {type(value).__name__}; expected a list of {expected}")
    for number, entry in enumerate(value):
        if not is_entry(entry):
            raise RefusedObject("bad-catalog", f"{name}: entry {number + 1:,} is {str(entry)[:60]!r}; expected {expected}")
    return value


@contextlib.contextmanager
def named(what: str) -> Iterator[None]:
    """Refusals from within say what they are about: `what`, such as a file's name, goes before their detail."""
    try:
        yield
    except RefusedObject as error:
        raise RefusedObject(error.reason, f"{what}: {error.detail}") from error


def safe_name(name: str) -> bool:
    """Whether a name from a list is one plain part of a path, so that it cannot lead out of the root."""
    return name.isprintable() and name not in ("", ".", "..") and PurePosixPath(name).name == name


def safe_path(path: str) -> bool:
    """Whether a path from a list is one of plain parts, so that it cannot lead out of the folder it is below."""
    return len(path) < 4096 and all(map(safe_name, path.split("/")))


def hashed_split(name: str) -> str:
    """The split of what shares a name, where no list says one: 80 % "train", 10 % "validation", 10 % "test"."""
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.8 else "validation" if share < 0.9 else "test"
