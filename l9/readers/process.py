"""What the sandbox runs to list a dataset: a reader's `find`, checked, as plain JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from l9.config import resolve_target
from l9.errors import CardError, RefusedObject
from l9.fingerprint import Json
from l9.readers.contract import Found


def find_objects(files: Sequence[BinaryIO], *, reader: str, root: str, parameters: dict[str, Any]) -> list[Json]:
    """Every object below `root` as a list of `Found.describe()`, in the reader's order.

    reader  "module:read", as a card names it; the module's `find` is called
    raises  UsageError where the root is not there, RefusedObject `duplicate-id` naming it, or the reader's own
    """
    found: list[Json] = []
    seen: set[str] = set()
    for one in find_of(reader)(Path(root), **parameters):
        if one.id in seen:
            raise RefusedObject("duplicate-id", f"'{one.id}' stands for two objects; expected each id once")
        seen.add(one.id)
        found.append(one.describe())
    return found


def find_of(reader: str) -> Any:
    """The `find` beside a reader's `read`; CardError where the module has none."""
    read = resolve_target(reader)
    find = getattr(sys.modules[read.__module__], "find", None)
    if not callable(find):
        raise CardError(f"reader {reader}: {read.__module__} has no `find`; see l9/readers/contract.py")
    return find


def read_object(files: Sequence[BinaryIO], found: dict[str, Any], *, reader: str, up: str, parameters: dict[str, Any]) -> Any:
    """One object as its reader gives it (a Mesh); the reader's own RefusedObject otherwise."""
    return resolve_target(reader)(files, Found.from_plain(found), up, **parameters)
