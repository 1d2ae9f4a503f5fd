"""Errors of ours, left in a run's folder (`error.json`) where the parent, later attempts and the tracker see them."""

import json
from contextlib import suppress
from pathlib import Path

from l9 import errors
from l9.errors import L9Error, StoreError, TrainingError
from l9.store.publish import atomic_write


def note_error(run_dir: Path, error: L9Error) -> None:
    """Leave an error of ours where the parent, later attempts and the tracker see it: it would come again, so it is not retried.

    A full disk takes no note and must not hide the error either: it goes on to the caller all the same.
    """
    facts = {"error": type(error).__name__, "message": str(error)}
    with suppress(StoreError):
        atomic_write(run_dir / "error.json", json.dumps(facts).encode())


def raise_noted(run_dir: Path) -> None:
    """Raise the error that a worker noted, if one did."""
    path = run_dir / "error.json"
    if not path.is_file():
        return
    facts = json.loads(path.read_text(encoding="utf-8"))
    kind = getattr(errors, str(facts.get("error")), TrainingError)
    if kind in (errors.RefusedObject, errors.SandboxError) or not (isinstance(kind, type) and issubclass(kind, L9Error)):
        kind = TrainingError  # the first two take a reason and a detail, not one line
    raise kind(str(facts.get("message")))
