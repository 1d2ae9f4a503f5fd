"""One process at a time in a run's folder, by a lock of the kernel: it is free again when its holder dies, however that is.

lock         held while an `l9 run` is at work on the folder
track.lock   held while the folder is being sent to MLflow
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORK_LOCK, SEND_LOCK = "lock", "track.lock"
LONGEST_WAIT = 30.0  # seconds for track.lock: longer than a server that is away takes to be given up
POLL = 0.05  # seconds between two attempts


@contextmanager
def locked(path: Path, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock on the file `path` (made where missing) during the block: true, or false where another held it for `wait` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        end = time.monotonic() + wait
        mine = _taken(stream.fileno())
        while not mine and time.monotonic() < end:
            time.sleep(POLL)
            mine = _taken(stream.fileno())
        yield mine


def held_elsewhere(path: Path) -> bool:
    """Whether the lock on `path` is held at this moment; makes no file."""
    if not path.exists():
        return False
    with locked(path) as mine:
        return not mine


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
