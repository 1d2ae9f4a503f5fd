"""Tags that a person gives a run: `tags.json` in its folder, a sorted list of names; MLflow is told with the next sending."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from l9.errors import TrackingError, UsageError
from l9.store.publish import atomic_write
from l9.track.lock import LONGEST_WAIT, SEND_LOCK, locked

TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PENDING = "track.pending"  # a marker in a folder of which something is still to be sent


def read_tags(folder: Path) -> list[str]:
    """The tags of a run, sorted; UsageError where its file holds something else."""
    path = folder / "tags.json"
    try:
        tags = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON ({error}); remove it, then l9 runs tag again") from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise UsageError(f"{path}: expected a list of names; remove it, then l9 runs tag again")
    return sorted(tags)


def change_tags(folder: Path, add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """Add and take away tags, all at once or not at all; returns those the run has now, and marks the folder to be sent.

    raises  UsageError for a name that is no tag, or for taking away a tag that is not there; TrackingError where another process has been
            sending the folder for 30 s
    """
    added, removed = set(add), set(remove)
    for name in sorted(added):
        if not TAG.fullmatch(name):
            raise UsageError(f"'{name}' is no tag; expected at most 64 letters, digits, '.', '_' and '-', the first a letter or digit")
    with locked(folder / SEND_LOCK, LONGEST_WAIT) as mine:  # a sending under way would take the marker away
        if not mine:
            raise TrackingError(f"another process has been sending {folder.name} for {LONGEST_WAIT:.0f} s; try again")
        there = set(read_tags(folder))
        if missing := sorted(removed - there):
            raise UsageError(f"{folder.name} has no tag '{missing[0]}'; it has {', '.join(sorted(there)) or 'none'}")
        tags = sorted((there | added) - removed)
        atomic_write(folder / "tags.json", json.dumps(tags).encode())
        (folder / PENDING).touch()
    return tags
