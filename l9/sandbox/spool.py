"""Where the buffers of an answer wait until the whole of it is there: in memory while they are few, then in a file without a name."""

import os
import tempfile
import weakref
from collections.abc import Sequence
from typing import IO, overload

import numpy as np

from l9.sandbox.wire import Buffer

IN_MEMORY = 64 << 20  # bytes; nearly every mesh has fewer


class Spool(Sequence[Buffer]):
    """Buffers in the order in which they came; what lies in the file is read anew each time it is asked for.

    The file goes with the last reference to it.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.bytes = 0
        self._in_memory = in_memory
        self._held: list[Buffer] = []
        self._places: list[tuple[int, int, np.dtype | None, tuple[int, ...]]] = []  # offset, bytes, dtype and shape of an array
        self._file: IO[bytes] | None = None

    def take(self, buffers: Sequence[Buffer]) -> None:
        """Keep some more. raises  OSError where the disk is full"""
        self.bytes += sum(len(one) if isinstance(one, bytes) else one.nbytes for one in {id(one): one for one in buffers}.values())
        if self._file is None and self.bytes <= self._in_memory:
            self._held.extend(buffers)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="l9-spool-")  # noqa: SIM115 - closed with the last reference to the spool
            weakref.finalize(self, self._file.close)
            held, self._held = self._held, []
            self._write(held)
        self._write(buffers)

    def _write(self, buffers: Sequence[Buffer]) -> None:
        assert self._file is not None
        written: dict[int, int] = {}  # a cell that rows share is written once
        for one in buffers:
            if id(one) not in written:
                written[id(one)] = len(self._places)
                offset = self._file.tell()
                self._file.write(one if isinstance(one, bytes) else np.ascontiguousarray(one).data)
                about = (None, ()) if isinstance(one, bytes) else (one.dtype, one.shape)
                self._places.append((offset, self._file.tell() - offset, *about))
            else:
                self._places.append(self._places[written[id(one)]])
        self._file.flush()

    def __len__(self) -> int:
        return len(self._held) + len(self._places)

    @overload
    def __getitem__(self, number: int) -> Buffer: ...
    @overload
    def __getitem__(self, number: slice) -> list[Buffer]: ...
    def __getitem__(self, number: int | slice) -> Buffer | list[Buffer]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return self._held[number] if self._file is None else self._read(self._file, number)

    def _read(self, file: IO[bytes], number: int) -> Buffer:
        offset, size, dtype, shape = self._places[number]
        data = os.pread(file.fileno(), size, offset)
        return data if dtype is None else np.frombuffer(data, dtype).reshape(shape)
