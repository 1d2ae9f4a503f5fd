"""Every step by which a process changes its files, counted, so that it can be made to die, or to find the disk full, at any of them.

Steps are: opening a file for writing, each write that reaches the system, fsync, rename, removal, making and removing a folder. They are
seen by Python's audit events and by wrapping `os.fsync` and `io.open`, in the process that is to die; nothing in l9 knows of it. A write is
torn when it is the one: half of its bytes are on the disk.
"""

import builtins
import errno
import io
import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Act = Literal["kill", "full"]
GROWS = ("open", "write", "fsync", "mkdir")  # steps that a full disk refuses; it still renames and removes
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
AUDITED = {"os.rename": "rename", "os.remove": "remove", "os.mkdir": "mkdir", "os.rmdir": "rmdir"}


@dataclass(frozen=True)
class Boundary:
    """What happens at which step: at the `number`-th (1-based) below `folder` the process is killed, or from it on the disk is full.

    number 0 does nothing but count; `log` takes one line for each step, "<number> <step> <path below folder>".
    """

    folder: Path
    number: int
    act: Act = "kill"
    log: Path | None = None


def watch(boundary: Boundary) -> None:
    """From now on, and for the rest of this process, count steps and act at the chosen one."""
    step = _stepper(boundary)
    real_fsync, real_open = os.fsync, io.open

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike) and arguments[2] & WRITING:
            step("open", os.fspath(arguments[0]))
        elif event in AUDITED:
            path = _full_path(arguments[0], arguments[-1])
            if event != "os.mkdir" or not Path(path).is_dir():  # asked for a folder that is there, nothing changes
                step(AUDITED[event], path)

    def fsync(handle: Any) -> None:
        descriptor = handle if isinstance(handle, int) else handle.fileno()
        step("fsync", _path_of(descriptor))
        real_fsync(descriptor)

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        """The same stream, its raw writes counted; what is read, updated in place or outside the folder is opened as ever."""
        plain = not isinstance(file, str | Path) or "+" in mode or not set(mode) & set("wax")
        if plain or buffering == 0 or not Path(os.path.abspath(file)).is_relative_to(boundary.folder):  # noqa: PTH100 - links stay links
            return real_open(file, mode, buffering, *rest, **named)
        buffer = io.BufferedWriter(_Raw(os.fspath(file), mode.translate({ord("b"): None, ord("t"): None}), step))
        return buffer if "b" in mode else io.TextIOWrapper(buffer, *rest, **named)

    sys.addaudithook(audit)
    os.fsync = fsync  # type: ignore[assignment]
    io.open = builtins.open = opened


def _stepper(boundary: Boundary) -> Callable[..., None]:
    """step(kind, path, torn): counts where the path is below the folder, and acts; `torn` is called before a kill."""
    count, place = itertools.count(1), os.open(boundary.log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def step(kind: str, path: str, torn: Callable[[], Any] = lambda: None) -> None:
        if not Path(path).is_relative_to(boundary.folder) or "mlflow" in path or ".sqlite" in path:  # sqlite keeps its own house
            return
        number = next(count)
        os.write(place, f"{number} {kind} {Path(path).relative_to(boundary.folder)}\n".encode())
        if boundary.act == "full" and 0 < boundary.number <= number and kind in GROWS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if boundary.act == "kill" and number == boundary.number:
            torn()
            os.kill(os.getpid(), signal.SIGKILL)

    return step


class _Raw(io.FileIO):
    """A file whose writes are steps."""

    def __init__(self, path: str, mode: str, step: Callable[..., None]) -> None:
        self._step = step
        super().__init__(path, mode)

    def write(self, content: Any, /) -> int:
        """Write, unless this is the step: then half of it."""
        view = memoryview(content).cast("B")
        self._step("write", os.path.abspath(str(self.name)), lambda: super(_Raw, self).write(view[: len(view) // 2]))  # noqa: PTH100
        return super().write(view)


def _path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _full_path(path: Any, folder: Any) -> str:
    name = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(name):  # noqa: PTH117 - relative to an open folder, as rmtree works
        return f"{_path_of(folder)}/{name}"
    return os.path.abspath(name)  # noqa: PTH100
