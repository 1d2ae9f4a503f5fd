"""`l9 ...` as a process of its own that can be killed: forked from a server that has imported everything once, or started afresh.

The fork server is Python's own (`multiprocessing`): one thread, no file of l9 open, nothing done but imports. A command forked from it is
a whole process for the kernel and for l9, and costs a tenth of a fresh one.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
from chaos.boundaries import Boundary, watch

PRELOADED = ["chaos.world", "chaos.tasks", "l9.pipeline", "l9.track.tracker", "l9.train.worker", "mlflow.store.tracking.sqlalchemy_store"]
LONGEST = 300.0  # seconds any command here may take: 40 s are usual for the slowest, a group of workers
GONE = 30.0  # seconds within which what a killed process had started must be gone
POLL = 0.005  # seconds between two looks
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")  # look for their raylet now and then, go after a minute, and write nothing of ours


@dataclass
class Ended:
    """How a command ended: its exit code (negative: the signal), the last line of its stdout, and its stderr."""

    code: int
    answer: str
    said: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON it answered with."""
        return dict(json.loads(self.answer))

    @property
    def killed(self) -> bool:
        """Did it die of SIGKILL?"""
        return self.code == -signal.SIGKILL


class Command:
    """A running `l9` command.

    home      where it works
    place     the folder of its stdout and stderr
    boundary  where it shall die or find the disk full; forked commands alone
    fresh     a new interpreter, as a person starts it
    """

    def __init__(self, arguments: list[str], home: Path, place: Path, *, boundary: Boundary | None = None, fresh: bool = False) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self.home = home
        arguments = [*arguments, "--home", str(home), "--json"]
        self._out, self._err = place / "stdout", place / "stderr"
        self._fresh: subprocess.Popen[bytes] | None = None
        self._forked: BaseProcess | None = None
        if fresh:
            with self._out.open("wb") as out, self._err.open("wb") as err:
                self._fresh = subprocess.Popen(
                    [sys.executable, "-m", "l9.cli", *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err
                )
        else:
            self._forked = _fork_server().Process(target=_become, args=(arguments, self._out, self._err, boundary))
            self._forked.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        found = self._fresh.pid if self._fresh is not None else self._forked.pid if self._forked is not None else None
        assert found is not None
        return found

    @property
    def running(self) -> bool:
        """Is it still at work?"""
        return self._fresh.poll() is None if self._fresh is not None else self._forked is not None and self._forked.is_alive()

    def kill(self) -> None:
        """SIGKILL it, and wait until all it had started is gone too."""
        below = [one for one in psutil.Process(self.pid).children(recursive=True) if one.name() not in AGENTS]
        os.kill(self.pid, signal.SIGKILL)
        self.wait()
        wait_until(lambda: not any(alive(one) for one in below), GONE, f"what {self.pid} had started: {below}")

    def wait(self) -> Ended:
        """How it ended."""
        wait_until(lambda: not self.running, LONGEST, f"the end of l9 ({self._err})")
        code = self._fresh.returncode if self._fresh is not None else self._forked.exitcode if self._forked is not None else None
        assert code is not None
        lines = self._out.read_text().splitlines()
        return Ended(code, lines[-1] if lines else "", self._err.read_text())


def call(function: Callable[..., None], *arguments: Any) -> None:
    """Run a function in a forked process of its own and wait for it."""
    process = _fork_server().Process(target=function, args=arguments)
    process.start()
    process.join(LONGEST)
    assert process.exitcode == 0, f"{function.__name__} ended with {process.exitcode}"


def _fork_server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)  # heeded when the server starts, with the first process asked of it
    return context


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something; AssertionError naming it where it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(POLL)


def alive(process: psutil.Process) -> bool:
    """Does it still run? A zombie that nobody has buried does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _become(arguments: list[str], out: Path, err: Path, boundary: Boundary | None) -> None:
    for stream, path in ((1, out), (2, err)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    from l9.cli import main

    sys.argv = ["l9", *arguments]
    if boundary is not None:
        watch(boundary)
    main()
