"""The parent's side of the sandbox: starts the child, opens files for it, bounds it, and takes its answers.

    with Sandbox(imports=("l9.stages.process",)) as sandbox:
        answer = sandbox.call("l9.stages.process:process_object", {"reader": ..., "found": ..., ...}, [path])

The child is a fresh interpreter started with `subprocess`, never a fork: Ray's and BLAS's threads do not survive one. One sandbox
serves one caller at a time.
"""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from l9.errors import L9Error, RefusedObject, SandboxError, UsageError
from l9.fingerprint import Json
from l9.readers.files import printable
from l9.sandbox import wire
from l9.sandbox.child import DETAIL, memory_of
from l9.sandbox.contract import OPEN, PART, Answer, Limits
from l9.sandbox.spool import Spool

START_SECONDS = 180.0  # a cold import of Open3D from a slow disk
REASON = re.compile(r"[a-z][a-z0-9-]{0,39}")  # what counts in a table of refusals, and stands in a file name
AT_ONCE = 32  # files that are opened before a call; of more, each when it is asked for
MAX_FILES = 200_000  # of one object; a recording of half an hour has 3 x 54,000 at 30 frames a second
TAIL_BYTES = 2048  # of the child's last words, from which one line is kept
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "NUMBA_CACHE_DIR")  # no tokens, no passwords
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

# The kernel's "die with your parent" means the *thread* that started the child, so all are started by one that lives as long as we do.
_starter = ThreadPoolExecutor(1, thread_name_prefix="l9-sandbox-starter")


class Sandbox:
    """A child process that reads foreign bytes under limits.

    imports  modules the child imports before its memory is measured: what they map is not counted against a call
    path     further folders from which the child may import
    deaths   how often a child broke a limit or died
    """

    def __init__(self, limits: Limits | None = None, imports: Sequence[str] = (), path: Sequence[Path] = ()) -> None:
        self.limits = limits or Limits()
        self.deaths = 0
        self._imports = tuple(imports)
        self._path = tuple(path)
        self._child: _Child | None = None
        self._ended = False

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child. The sandbox may be called again; it starts another."""
        child, self._child = self._child, None  # in one step: another thread may close as well
        if child is not None:
            child.end()

    def end(self) -> None:
        """Close for good, from another thread if need be: a call that waits fails with L9Error, and so does every later one."""
        self._ended = True
        self.close()

    @property
    def process_id(self) -> int | None:
        """The child's process id; None where none runs."""
        return None if self._child is None else self._child.process.pid

    def call(
        self,
        target: str,
        arguments: dict[str, Json],
        files: Sequence[Path] = (),
        *,
        wall_seconds: float | None = None,
        cpu_seconds: int | None = None,
        file_bytes: int | None = None,
    ) -> Answer:
        """Run `module:function` on files opened here, read-only; a broken limit or a death is tried once more in a fresh child.

        wall_seconds, cpu_seconds, file_bytes  instead of the limits', for a large object, or a call that is about more than one, or none
        raises  RefusedObject  as the function raised it; `failed` for its other exceptions; `missing-file`, `not-a-file`,
                               `too-large` or `too-many-files` before it is opened
                UsageError     as the function raised it
                SandboxError   `memory-limit`, `cpu-limit`, `time-limit` or `died`, the second time
                L9Error        where no object is to blame: the child does not start, a package is missing, a disk is full or gone
        """
        limits = self.limits if file_bytes is None else replace(self.limits, file_bytes=file_bytes)
        many = len(files) if len(files) > min(limits.descriptors // 2, AT_ONCE) else 0
        with opened(() if many else files, limits) as descriptors:
            cpu = self.limits.cpu_seconds if cpu_seconds is None else cpu_seconds
            request: dict[str, Json] = {"target": target, "arguments": arguments, "cpu_seconds": cpu, "many": many}
            seconds = self.limits.wall_seconds if wall_seconds is None else wall_seconds
            asked = AskedFor(files, limits)
            try:
                return self._call_once(request, descriptors, asked, seconds)
            except SandboxError:
                return self._call_once(request, descriptors, asked, seconds)

    def _call_once(self, request: dict[str, Json], descriptors: Sequence[int], asked: "AskedFor", seconds: float) -> Answer:
        try:
            return self._asked(request, descriptors, asked, seconds)
        except Exception as error:
            if self._ended:  # by another thread meanwhile: whatever broke, broke of that
                self.close()
                raise L9Error("the sandbox has ended") from error
            raise

    def _asked(self, request: dict[str, Json], descriptors: Sequence[int], asked: "AskedFor", seconds: float) -> Answer:
        if self._ended:
            raise L9Error("the sandbox has ended")
        for descriptor in descriptors:  # the child shares our place in the file
            os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            if self._child is None or self._child.process.poll() is not None:
                self.close()
                self._child = _Child(self.limits, self._imports, self._path)
            if self._ended:  # while the child started: whoever ended us did not see it
                raise L9Error("the sandbox has ended")
            answer = self._child.ask(request, descriptors, asked, seconds)
        except SandboxError:
            self.deaths += 1
            self.close()
            raise
        except BaseException as error:
            if not isinstance(error, RefusedObject | UsageError):  # interrupted half way: what the child would say next is for nobody
                self.close()
            raise
        finally:
            if self._child is not None and self._child.grown() > self.limits.recycle_bytes:
                self.close()
        return answer


class _Child:
    """One running child, from its start to its end."""

    def __init__(self, limits: Limits, imports: Sequence[str], path: Sequence[Path]) -> None:
        self._limits = limits
        self._resident = 0
        self._folder = tempfile.TemporaryDirectory(prefix="l9-sandbox-")
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.process = _starter.submit(self._start, theirs.fileno(), path).result()
        try:
            self._resident = self._greet(imports)
        except BaseException:
            self.end()
            raise

    def _start(self, descriptor: int, path: Sequence[Path]) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        importable = [str(folder) for folder in path] + [entry for entry in sys.path if entry]
        environment = {**kept, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": os.pathsep.join(importable), "PYTHONHASHSEED": "0"}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "l9.sandbox.child", str(descriptor), str(os.getpid())],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._words,
            cwd=self._folder.name,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which decides
        )

    def _greet(self, imports: Sequence[str]) -> int:
        limits = self._limits
        settings: dict[str, Json] = {
            "imports": list(imports),
            "memory_bytes": limits.memory_bytes,
            "descriptors": limits.descriptors,
        }
        try:
            body, _ = self._exchange(settings, (), None, START_SECONDS)
        except SandboxError as error:  # it has read nothing yet: no object may be blamed
            expected = f"expected `{sys.executable} -m l9.sandbox.child` to run here"
            raise L9Error(f"the sandbox did not start: {error.detail}; {expected}") from error
        if not isinstance(body, dict) or not isinstance(body.get("resident"), int):
            raise L9Error("the sandbox did not start: an answer that is none")
        return int(body["resident"])

    def ask(self, request: dict[str, Json], descriptors: Sequence[int], asked: "AskedFor", seconds: float) -> Answer:
        """The answer to one request, or the error it stands for."""
        body, buffers = self._exchange(request, descriptors, asked, seconds)
        said = body if isinstance(body, dict) else {}
        status, reason, detail = (said.get(name) for name in ("status", "reason", "detail"))
        if status == "done" and "value" in said:
            return Answer(said["value"], buffers)
        if status == "refused" and isinstance(reason, str) and isinstance(detail, str) and REASON.fullmatch(reason):
            raise RefusedObject(reason, _one_line(detail, DETAIL))
        if status == "usage" and isinstance(detail, str):
            raise UsageError(_one_line(detail, 2 * DETAIL))
        if status == "fault" and isinstance(detail, str):
            where = f"{request['target']} cannot work on this machine"
            raise L9Error(f"{where}: {_one_line(detail, DETAIL)}; mend that, then run the command again")
        if status == "memory-limit":
            raise SandboxError("memory-limit", f"more than {self._limits.memory_bytes >> 20:,} MiB")
        raise SandboxError("died", "an answer that is none")

    def _exchange(
        self, body: Json, descriptors: Sequence[int], asked: "AskedFor | None", seconds: float
    ) -> tuple[Any, Sequence[wire.Buffer]]:
        deadline = time.monotonic() + seconds
        os.lseek(self._words.fileno(), 0, os.SEEK_SET)  # the child writes at this shared place: cut alone, NULs would fill the gap
        self._words.truncate(0)
        try:
            wire.send(self._connection, wire.pack(body), deadline=deadline, descriptors=descriptors)
            return self._whole(asked, deadline)
        except TimeoutError as error:
            raise SandboxError("time-limit", f"more than {seconds:g} s") from error
        except wire.WireError as error:
            raise SandboxError("died", f"the child sent {error}") from error
        except (EOFError, ConnectionError) as error:
            raise self._obituary(body) from error

    def _whole(self, asked: "AskedFor | None", deadline: float) -> tuple[Any, Sequence[wire.Buffer]]:
        """The last message's body, and the buffers of all messages; files that are asked for meanwhile are handed over."""
        spool = Spool()
        while True:
            body, buffers, _ = wire.receive(self._connection, deadline=deadline, max_bytes=self._limits.memory_bytes)
            spool.take(buffers)
            if spool.bytes > self._limits.answer_bytes:
                self.end()  # it would go on sending
                raise RefusedObject("object-too-large", f"its rows pass {self._limits.answer_bytes:,} bytes")
            status = body.get("status") if isinstance(body, dict) else None
            if status == OPEN and asked is not None:
                asked.hand_over(self._connection, body.get("file"), deadline)
            elif status != PART:
                return body, spool

    def _obituary(self, asked: Json) -> SandboxError:
        """Why the child is gone; free of anything that differs between two runs."""
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return SandboxError("died", "the child closed its socket")
        words = self._last_words()
        if code == -signal.SIGXCPU:
            return SandboxError("cpu-limit", f"more than {cast(dict[str, Json], asked)['cpu_seconds']} s")
        if "bad_alloc" in words or "MemoryError" in words:
            return SandboxError("memory-limit", f"more than {self._limits.memory_bytes >> 20:,} MiB")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        return SandboxError("died", f"the child ended {how}" + (f": {words}" if words else ""))

    def _last_words(self) -> str:
        end = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, end - TAIL_BYTES))
        lines = self._words.read().decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return _one_line(re.sub(r"0x[0-9a-fA-F]{4,}", "0x...", said[-1]), 200) if said else ""

    def grown(self) -> int:
        """Resident bytes above those after the imports; 0 once the child is gone."""
        try:
            return memory_of(self.process.pid)[1] - self._resident
        except (OSError, IndexError):
            return 0

    def end(self) -> None:
        """Kill the child, wait for it, and take its folder away."""
        self._connection.close()
        self.process.kill()
        self.process.wait()
        self._words.close()
        self._folder.cleanup()


def _one_line(text: str, longest: int) -> str:
    """What the child said, as it can be stored and shown: it quotes foreign bytes, and terminals obey some of them."""
    return printable(" ".join(text.split()))[:longest]


class AskedFor:
    """The files of a call that has more of them than are opened at once."""

    def __init__(self, files: Sequence[Path], limits: Limits) -> None:
        if len(files) > MAX_FILES:
            raise RefusedObject("too-many-files", f"{len(files):,} files; expected at most {MAX_FILES:,}")
        self._files, self._limits = files, limits

    def hand_over(self, connection: socket.socket, number: Any, deadline: float) -> None:
        """Send the descriptor of a file, or why there is none. raises  WireError where the child asks for what is no file of the call"""
        if type(number) is not int or not 0 <= number < len(self._files):
            raise wire.WireError(f"a wish for file {str(number)[:20]} of {len(self._files):,}")
        try:
            with opened(self._files[number : number + 1], self._limits) as descriptors:
                wire.send(connection, wire.pack({"status": "opened"}), deadline=deadline, descriptors=descriptors)
        except RefusedObject as refusal:
            wire.send(connection, wire.pack({"status": "refused", "reason": refusal.reason, "detail": refusal.detail}), deadline=deadline)


@contextlib.contextmanager
def opened(files: Sequence[Path], limits: Limits) -> Iterator[list[int]]:
    """Read-only descriptors of a few regular files within the limits; RefusedObject says which is not one (links are followed)."""
    descriptors: list[int] = []
    try:
        for path in files:
            _check_regular(path, limits)
            descriptors.append(_open(path))
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _check_regular(path: Path, limits: Limits) -> None:
    try:
        about = path.stat()
    except OSError as error:
        raise RefusedObject("missing-file", f"{path.name}: {error.strerror}") from error
    if not stat.S_ISREG(about.st_mode):
        raise RefusedObject("not-a-file", f"{path.name} is no regular file")
    if about.st_size > limits.file_bytes:
        raise RefusedObject("too-large", f"{path.name} has {about.st_size:,} bytes; expected at most {limits.file_bytes:,}")


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a fifo put there meanwhile must not hang us
    except OSError as error:
        raise RefusedObject("missing-file", f"{path.name}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedObject("not-a-file", f"{path.name} is no regular file")
    return descriptor
