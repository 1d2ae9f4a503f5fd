"""A reader's two functions, found by the name that a card gives."""

import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from l9.config import resolve_target
from l9.errors import CardError
from l9.readers.contract import Found


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
