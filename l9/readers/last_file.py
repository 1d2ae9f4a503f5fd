"""What was made of a whole file, kept until another file is asked for: a file of 10,000 pictures is unpacked once and not 10,000 times.

A child of the sandbox reads the objects of a shard in the order of their ids, and so file after file. A file is known by device, inode,
size and times, which change when its bytes do; a stream without a descriptor is never kept.
"""

import io
import os
from collections.abc import Callable
from typing import BinaryIO, Generic, TypeVar

Made = TypeVar("Made")
Identity = tuple[int, ...]


class LastFile(Generic[Made]):
    """Keeps what `make` made of the last file; it must depend on nothing but the file's bytes."""

    def __init__(self, make: Callable[[BinaryIO], Made]) -> None:
        self._make = make
        self._kept: tuple[Identity, Made] | None = None

    def of(self, stream: BinaryIO) -> Made:
        """What is made of the file, read from its beginning; a refusal is as `make` says, and nothing is kept then."""
        identity = _identity(stream)
        if self._kept is not None and identity is not None and self._kept[0] == identity:
            return self._kept[1]
        self._kept = None  # let go before the next takes as much
        stream.seek(0)
        made = self._make(stream)
        if identity is not None:
            self._kept = (identity, made)
        return made


def _identity(stream: BinaryIO) -> Identity | None:
    try:
        state = os.fstat(stream.fileno())
    except io.UnsupportedOperation:
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
