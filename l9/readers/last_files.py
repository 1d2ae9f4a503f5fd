"""What was made of whole files, kept until others are asked for: a file of 10,000 pictures is unpacked once and not 10,000 times.

A child of the sandbox reads the objects of a shard in the order of their ids, and so file after file, and then those of the next shard:
where an object's shard is a hash every shard needs every file. A file is known by device, inode, size and times, which change when its
bytes do; a stream without a descriptor is never kept.
"""

import io
import os
from collections.abc import Callable
from typing import BinaryIO, Generic, TypeVar

Made = TypeVar("Made")
Identity = tuple[int, int, int, int, int]  # the first is the file's size

TOGETHER = 32 << 20  # bytes of files of which is kept together what was made: a large file is kept alone, the memory of a child is bounded


class LastFiles(Generic[Made]):
    """Keeps what `make` made of the last files; it must depend on nothing but the file's bytes.

    files  at most so many are kept, and more than one only where together they have no more than 32 MiB
    """

    def __init__(self, make: Callable[[BinaryIO], Made], files: int = 1) -> None:
        self._make, self._files = make, files
        self._kept: dict[Identity, Made] = {}  # the longest unused first

    def of(self, stream: BinaryIO) -> Made:
        """What is made of the file, read from its beginning; a refusal is as `make` says, and nothing is kept of that file then."""
        identity = _identity(stream)
        if identity is not None and identity in self._kept:
            made = self._kept[identity] = self._kept.pop(identity)
            return made
        self._make_room(identity[0] if identity else 0)
        stream.seek(0)
        made = self._make(stream)
        if identity is not None:
            self._kept[identity] = made
        return made

    def _make_room(self, size: int) -> None:
        """Let go of what does not fit beside a file of `size` bytes, before that takes as much."""
        while self._kept and (len(self._kept) >= self._files or sum(one[0] for one in self._kept) + size > TOGETHER):
            del self._kept[next(iter(self._kept))]


def _identity(stream: BinaryIO) -> Identity | None:
    try:
        state = os.fstat(stream.fileno())
    except io.UnsupportedOperation:
        return None
    return state.st_size, state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns
