"""Errors of ours as words: left in a run's folder (`error.json`) where the tracker sees them, or told by another process."""

import json
from contextlib import suppress
from pathlib import Path

from l9 import errors
from l9.errors import L9Error, StoreError, TrainingError
from l9.store.publish import atomic_write


def note_error(run_dir: Path, error: L9Error) -> None:
    """Leave an error of ours where the tracker sees it.

    A full disk takes no note and must not hide the error either: it goes on to the caller all the same.
    """
    facts = {"error": type(error).__name__, "message": str(error)}
    with suppress(StoreError):
        atomic_write(run_dir / "error.json", json.dumps(facts).encode())


def remade_error(kind: str, message: str) -> L9Error:
    """An error of ours that came as words from another process."""
    found = getattr(errors, kind, TrainingError)
    if found in (errors.RefusedObject, errors.SandboxError) or not (isinstance(found, type) and issubclass(found, L9Error)):
        found = TrainingError  # the first two take a reason and a detail, not one line
    return found(message)
