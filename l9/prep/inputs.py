"""Input files as they were when a plan was made: their digests, for the keys, and their states, by which a worker knows them again."""

import stat
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from l9.fingerprint import DigestCache

UNREADABLE = "unreadable"  # stands for the digest of a file that cannot be read; its object will be quarantined
TOO_LARGE = "too-large"  # likewise of a file that the sandbox will not open: 8 TiB of nothing are a moment's work to make
REMEMBERED = 65_536  # files whose digest is at hand: objects of one archive follow each other, and each looks for it
NO_STATE = (-1, -1)

State = tuple[int, int]
"""Size in bytes and time of change in ns; not the inode, which each mount may number its own way."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input file as it was when the plan was made: digest and state (None: it could not be read)."""

    sha256: str
    state: State | None = None


def inputs_below(root: Path, digests: DigestCache, file_bytes: int) -> Callable[[str], Input]:
    """What tells of a file below `root`; it is read once, to digest it, unless its digest is known, or it has more than `file_bytes`."""
    return lru_cache(REMEMBERED)(lambda name: _input(root / name, digests, file_bytes))


def _input(path: Path, digests: DigestCache, file_bytes: int) -> Input:
    """The file's state first, then its digest: a change in between is found when the object is read."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe or a device would never end
            return Input(UNREADABLE)
        if about.st_size > file_bytes:
            return Input(TOO_LARGE, (about.st_size, about.st_mtime_ns))
        return Input(digests.of(path), (about.st_size, about.st_mtime_ns))
    except OSError:
        return Input(UNREADABLE)


class States:
    """The states of the files of n objects, 16 bytes a file: added object by object, asked for by an object's place."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._numbers = array("q")  # size and time of one file after the other

    def add(self, inputs: Sequence[Input]) -> None:
        """Note the files of the next object."""
        self._starts.append(len(self._numbers))
        for one in inputs:
            self._numbers.extend(NO_STATE if one.state is None else one.state)

    def of(self, place: int, files: Sequence[str]) -> dict[str, State | None]:
        """File -> state of the object at `place`, which has these files; None where it could not be read."""
        start = self._starts[place]
        pairs = (self._numbers[start + 2 * number : start + 2 * number + 2] for number in range(len(files)))
        return {name: None if tuple(pair) == NO_STATE else (pair[0], pair[1]) for name, pair in zip(files, pairs, strict=True)}
