"""One process at a time, by a lock of the kernel on a file: it is free again when its holder dies, however that is."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL = 0.05  # seconds between two attempts


@contextmanager
def locked(path: Path, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock on the file `path` (made where missing) during the block: true, or false where another held it for `wait` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        end = time.monotonic() + wait
        mine = taken(stream.fileno())
        while not mine and time.monotonic() < end:
            time.sleep(POLL)
            mine = taken(stream.fileno())
        yield mine


def held_elsewhere(path: Path) -> bool:
    """Whether the lock on `path` is held at this moment; makes no file."""
    if not path.exists():
        return False
    with locked(path) as mine:
        return not mine


def taken(descriptor: int) -> bool:
    """Take the lock on an open file, if it is free; it is held until the file is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
