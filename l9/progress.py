"""Progress for people: a bar with rate and time left on a terminal, a plain line now and then elsewhere. Always on stderr.

In a job on a cluster also for whoever follows it from outside: `note` writes facts as JSON among the lines.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

Say = Callable[[str], None]
"""Takes one line for the person who watches."""

PLAIN_SECONDS = 5.0  # between lines where stderr is no terminal


def say(line: str) -> None:
    """One line on stderr."""
    print(line, file=sys.stderr, flush=True)


NOTE = "l9-job "  # what a line with facts of a job starts with; JSON follows
IN_A_JOB = "L9_JOB"  # set in the environment of what runs as a job


def note(**facts: Any) -> None:
    """One line of facts for whoever follows this job; nothing where this is no job."""
    if os.environ.get(IN_A_JOB):
        print(NOTE + json.dumps(facts), file=sys.stderr, flush=True)


def quiet(line: str) -> None:
    """Says nothing: for callers that only want the answer."""


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts `total` things; use as a context manager and call `advance`."""

    def __init__(self, what: str, total: int, unit: str, *, to: Say = say) -> None:
        self.what, self.total, self.unit, self.to = what, total, unit, to
        self.done, self.note, self._told = 0, "", -1
        self._start = self._last = time.monotonic()
        self._terminal = sys.stderr.isatty() and to is say

    def __enter__(self) -> "Progress":
        return self

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more are done; `note` is added to the line ("3 quarantined")."""
        self.done += count
        self.note = note or self.note
        now = time.monotonic()
        wait = 0.1 if self._terminal else PLAIN_SECONDS
        if now - self._last >= wait:
            self._last = now
            self._show(end="\r")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._terminal or self.done != self._told:
            self._show(end="\n")

    def _show(self, end: str) -> None:
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = self.done / seconds
        left = f", {duration((self.total - self.done) / rate)} left" if 0 < self.done < self.total else f" in {duration(seconds)}"
        note = f", {self.note}" if self.note else ""
        line = f"{self.what}: {self.done:,} of {self.total:,} {self.unit}, {rate:,.1f}/s{left}{note}"
        if self._terminal:
            print(f"\x1b[2K{line}", end=end, file=sys.stderr, flush=True)
        else:
            self._told = self.done
            self.to(line)
