"""The child in which foreign bytes are read: `python -m l9.sandbox.child SOCKET PARENT`.

Started by `l9.sandbox.parent.Sandbox` alone. It takes one request after the other from its socket, runs the named function under
limits, answers, and ends with its parent: by a signal of the kernel, and on the socket's end. Where input is hostile, assume this
process is: it holds no secrets in its environment, and the parent checks every answer.
"""

import contextlib
import ctypes
import errno
import importlib
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

from l9.config import resolve_target
from l9.errors import L9Error, RefusedObject, UsageError
from l9.sandbox import wire
from l9.sandbox.contract import OPEN, PART, Answer, Stream, machine_fault

FILE_SIZE = 64 << 20  # bytes a child may write to one file: enough for Numba's cache, too little to fill a disk
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
DETAIL = 300  # characters of an error that are kept
MAX_DESCRIPTORS = 64  # that come with a request; the kernel passes at most 253 at once


def one_line(error: BaseException) -> str:
    """`TypeName: message` in one line of at most 300 characters; memory addresses, which differ between runs, are masked."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return re.sub(r"0x[0-9a-fA-F]{4,}", "0x...", text)[:DETAIL]


def main() -> None:
    """Serve requests until the parent goes."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    with socket.socket(fileno=descriptor) as connection, contextlib.suppress(EOFError, ConnectionError):
        settings, _, _ = wire.receive(connection)
        for name in settings["imports"]:
            importlib.import_module(name)
        _limit(settings)
        wire.send(connection, wire.pack({"resident": memory_of("self")[1]}))
        while True:
            _serve(connection)


def memory_of(process: int | str) -> tuple[int, int]:
    """Address space and resident set of a process, bytes."""
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
    return int(pages[0]) * resource.getpagesize(), int(pages[1]) * resource.getpagesize()


def _die_with(parent: int) -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in ((PR_SET_PDEATHSIG, int(signal.SIGKILL)), (PR_SET_NO_NEW_PRIVS, 1)):
        if prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before the kernel was asked to tell
        os._exit(1)


def _limit(settings: dict[str, Any]) -> None:
    _lower(resource.RLIMIT_AS, memory_of("self")[0] + settings["memory_bytes"])
    _lower(resource.RLIMIT_NOFILE, sum(1 for _ in Path("/proc/self/fd").iterdir()) + settings["descriptors"])
    _lower(resource.RLIMIT_FSIZE, FILE_SIZE)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _serve(connection: socket.socket) -> None:
    request, _, descriptors = wire.receive(connection, max_descriptors=MAX_DESCRIPTORS)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(spent.ru_utime + spent.ru_stime) + 1 + int(request["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    with _opened(descriptors) as opened:
        files = AskedFiles(connection, request["many"]) if request.get("many") else opened
        for message in _messages(request, files):
            wire.send(connection, message)


class AskedFiles(Sequence[BinaryIO]):
    """Files that the parent opens one at a time; each is closed by who asked for it."""

    def __init__(self, connection: socket.socket, count: int) -> None:
        self._connection, self._count = connection, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> BinaryIO: ...
    @overload
    def __getitem__(self, number: slice) -> list[BinaryIO]: ...
    def __getitem__(self, number: int | slice) -> BinaryIO | list[BinaryIO]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._count))]
        wire.send(self._connection, wire.pack({"status": OPEN, "file": range(self._count)[number]}))
        said, _, descriptors = wire.receive(self._connection, max_descriptors=1)
        if not descriptors:
            raise RefusedObject(said["reason"], said["detail"])
        return os.fdopen(descriptors[0], "rb")


@contextlib.contextmanager
def _opened(descriptors: list[int]) -> Iterator[list[BinaryIO]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(os.fdopen(descriptor, "rb")) for descriptor in descriptors]


def _messages(request: dict[str, Any], files: Sequence[BinaryIO]) -> Iterator[list[memoryview]]:
    """The packed answer to one request: the parts of a stream, then the end. Ordinary exceptions become ends too."""
    try:
        given = resolve_target(request["target"])(files, **request["arguments"])
        if isinstance(given, Stream):
            for part in given.parts:
                yield wire.pack({"status": PART}, part)
            given = given.value()
        answer = given if isinstance(given, Answer) else Answer(given)
        yield wire.pack({"status": "done", "value": answer.value}, answer.buffers)
    except Exception as error:
        yield _ending(error)


def _ending(error: Exception) -> list[memoryview]:
    """What is answered instead of a value."""
    if isinstance(error, RefusedObject):
        return wire.pack({"status": "refused", "reason": error.reason, "detail": error.detail})
    if isinstance(error, UsageError):
        return wire.pack({"status": "usage", "detail": str(error)})
    if isinstance(error, L9Error):  # our own code is wrong, such as a stage that breaks its column: no object is to blame
        return wire.pack({"status": "fault", "detail": one_line(error)})
    if _out_of_memory(error):
        return wire.pack({"status": "memory-limit"})
    if machine_fault(error):  # it must not empty a dataset into quarantine
        return wire.pack({"status": "fault", "detail": one_line(error)})
    # whatever a parser may raise on foreign bytes is that object's refusal, never the end of the work
    return wire.pack({"status": "refused", "reason": "failed", "detail": one_line(error)})


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if isinstance(error, ImportError) and "failed to map segment" in str(error):  # the loader's words for no memory left
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
