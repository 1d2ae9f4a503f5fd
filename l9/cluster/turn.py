"""A queue on the head of a cluster: jobs that are sent at once begin in the order in which they came, a few at a time.

Ray starts whatever is sent at once, and each l9 job takes half a gibibyte on the head, so fifty of them would end it. Each job takes a
ticket, a file it holds a kernel's lock on; it begins when fewer than the limit of older tickets are still held. A lock ends with its
holder, however that ends, so no ticket is left behind.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

GIB_EACH = 4  # of the head's memory for each job at once: a driver takes half a GiB; the rest is Ray's and the page cache's
POLL = 0.5  # seconds between two looks at the queue
AT_ONCE = "L9_JOBS_AT_ONCE"


def jobs_at_once() -> int:
    """How many jobs run beside each other on this head: L9_JOBS_AT_ONCE, else one for every 4 GiB of its memory."""
    told = os.environ.get(AT_ONCE, "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, int(told) if told.isdigit() else memory // (GIB_EACH << 30))


def queue_folder() -> Path:
    """Where the tickets of this cluster lie: nobody else's folder, one for each cluster of this machine."""
    cluster = hashlib.sha256(os.environ.get("RAY_ADDRESS", "").encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"l9-turns-{os.getuid()}-{cluster}"


@contextlib.contextmanager
def turn(folder: Path, at_once: int, waiting: Callable[[int], None]) -> Iterator[None]:
    """The block runs when it is our turn. `waiting` hears our place in the queue, 1 for next, whenever it changes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder}: belongs to somebody else; remove it, or set TMPDIR for the cluster")
    with _ticket(folder) as mine:
        told = 0
        while (place := _place(folder, mine, at_once)) > 0:
            if place != told:
                waiting(told := place)
            time.sleep(POLL)
        yield


@contextlib.contextmanager
def _ticket(folder: Path) -> Iterator[Path]:
    """A file of our own, locked before it has the name by which others see it."""
    hidden = folder / f".{os.getpid()}"
    with hidden.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        mine = folder / f"{time.time_ns():020d}-{os.getpid()}"
        hidden.rename(mine)
        try:
            yield mine
        finally:
            mine.unlink(missing_ok=True)


def _place(folder: Path, mine: Path, at_once: int) -> int:
    """How many have to end before it is our turn; 0: now."""
    older = [path for path in sorted(folder.glob("[0-9]*")) if path.name < mine.name]
    return max(0, sum(map(_held, older)) + 1 - at_once)


def _held(path: Path) -> bool:
    """Whether its holder lives; the ticket of one that was killed is removed."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
