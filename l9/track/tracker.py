"""Tracking as a pipeline sees it: blocks around runs and trainings, and one line when the server is away."""

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from l9.auth import refuse_secrets
from l9.errors import TrackingError, UsageError
from l9.fingerprint import digest
from l9.progress import Say, quiet
from l9.store.publish import remove_leftovers
from l9.track.cursor import new_state, read_state, save_state
from l9.track.facts import datasets
from l9.track.lock import LONGEST_WAIT, SEND_LOCK, WORK_LOCK, held_elsewhere, locked
from l9.track.sender import ENVIRONMENT, Sender
from l9.track.tags import PENDING

AWAY_SECONDS = 60.0  # a server that did not answer is not asked again so soon: each question costs its whole time-out
Reports = Mapping[str, Mapping[str, Any]]
"""set -> what was prepared: "store", "manifest" (its path or sha256), and counts."""


def default_uri(home: Path, uri: str | None) -> str:
    """Where to track: the given server, else MLFLOW_TRACKING_URI, else sqlite in `home`. UsageError for an address with a secret in it."""
    given = uri or os.environ.get("MLFLOW_TRACKING_URI")
    refuse_secrets(given or "")
    return given or f"sqlite:///{home.resolve() / 'mlflow.db'}"


class Tracker:
    """Sends the runs of one home to one MLflow; whatever goes wrong there never stops the work here.

    uri  "http://host:port" of a server; None: MLFLOW_TRACKING_URI, else sqlite in home
    say  takes the one line that a server is away
    """

    def __init__(self, home: Path, uri: str | None = None, say: Say = quiet) -> None:
        self.home, self.say = home.resolve(), say
        self.uri = default_uri(home, uri)
        self._sender = Sender(self.home, self.uri)
        self._lock = threading.RLock()  # the thread of a training and the caller may both send
        self._waiting: queue.Queue[Path | None] | None = None
        self._parent: str | None = None
        self._warned = False
        self._away_until = 0.0

    @contextmanager
    def run(self, folder: Path, name: str, resolved: Mapping[str, Any], reports: Reports) -> Iterator[str | None]:
        """A parent run around the block; yields its MLflow id, or None where no server answers.

        name     of the pipeline: the experiment
        reports  the data it stands on

        Where another process is at work on the same run, that one tracks it and nothing is done here.
        """
        with locked(folder / WORK_LOCK) as mine:
            if not mine:
                yield None
                return
            with self._run(folder, name, resolved, reports) as run_id:
                yield run_id

    @contextmanager
    def _run(self, folder: Path, name: str, resolved: Mapping[str, Any], reports: Reports) -> Iterator[str | None]:
        facts = {"kind": "run", "experiment": name, "name": folder.name, "params": dict(resolved), "datasets": datasets(reports)}

        def begin() -> None:
            earlier = read_state(folder, self.uri)
            kept = {} if earlier.get("finished") else earlier  # a finished run done again is another run
            save_state(folder, {**new_state(self.uri), **kept, **facts, "status": "RUNNING"})

        self._attempt(folder, begin)
        self._parent = folder.name
        try:
            with self._status(folder):
                self.send(folder)
                yield read_state(folder, self.uri).get("run_id")
        finally:
            self._parent = None

    @contextmanager
    def training(self, folder: Path) -> Iterator[None]:
        """A training around the block: `sync` inside it only wakes a thread; at the end everything is sent.

        Where another process is at work on the folder, that one tracks it and nothing is done here.
        """
        if held_elsewhere(folder / WORK_LOCK):
            yield
            return
        self._attempt(folder, lambda: self._resume(folder))
        self._waiting = queue.Queue()
        thread = threading.Thread(target=self._send_waiting, args=(self._waiting,), name="l9-track", daemon=True)
        thread.start()
        with self._status(folder, before=lambda: self._join(thread)):
            yield

    def log_metrics(self, folder: Path, metrics: Mapping[str, float]) -> None:
        """A parent run's metrics over all its trainings and seeds; sent when its block ends."""
        self._attempt(folder, lambda: save_state(folder, {**read_state(folder, self.uri), "metrics": dict(metrics)}))

    def log_prep(
        self,
        name: str,
        resolved: Mapping[str, Any],
        reports: Reports,
        seconds: float,
        *,
        machines: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        made: bool = True,
    ) -> None:
        """One finished preparation, as a run of its own: counts of each set and the seconds it took.

        machines  of each set, what every machine did of it (l9/prep/tally.py)
        made      something was made now; if not, only what an earlier command was stopped from noting or sending is done
        """
        known = datasets(reports)
        folder = self.home / "runs" / ".prep" / f"{name}-{digest(known)[:12]}"
        counts: dict[str, float] = {
            f"{what}/{one}": value for one, report in reports.items() for what, value in report.items() if isinstance(value, int)
        }
        facts = {"kind": "prep", "experiment": name, "name": f"prep-{folder.name}", "params": dict(resolved), "datasets": known}
        for one, shares in (machines or {}).items():
            for share in shares:
                where = re.sub(r"[^\w.-]+", "_", f"{share['node']}").strip("_")
                counts |= {f"{what}/{one}/{where}": float(share[what]) for what in ("done", "quarantined", "objects_per_second")}
        facts |= {"metrics": counts | {"seconds": seconds}, "status": "FINISHED"}

        def note() -> None:
            earlier = read_state(folder, self.uri)
            if made or not earlier:
                kept = {} if earlier.get("finished") else earlier
                save_state(folder, {**new_state(self.uri), **kept, **facts})

        if self._attempt(folder, note):
            self.send(folder)

    def sync(self, folder: Path) -> None:
        """Send what is new and durable in a run's folder: at once, or soon by the thread of the `training` block."""
        if self._waiting is not None:
            self._waiting.put(folder)
        else:
            self.send(folder)

    def send(self, folder: Path) -> bool:
        """Send now; false where MLflow does not take it."""
        return self._attempt(folder, lambda: self._send(folder))

    def _send(self, folder: Path) -> None:
        if time.monotonic() < self._away_until:
            raise TrackingError("it did not answer a moment ago")
        try:
            self._sender.send(folder, self._parent)
        except Exception:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise
        (folder / PENDING).unlink(missing_ok=True)

    def _attempt(self, folder: Path, work: Callable[[], None]) -> bool:
        """Do something to a folder's state or its MLflow run, alone; false, one line said and the folder marked pending where it fails."""
        try:
            with self._lock, locked(folder / SEND_LOCK, LONGEST_WAIT) as mine:
                if not mine:
                    raise TrackingError(f"another process has been sending {folder.name} for {LONGEST_WAIT:.0f} s")
                for place in (folder, folder / "pictures"):  # nobody else comes by a run's folder regularly
                    remove_leftovers(place)
                work()
        except Exception as error:  # MLflow raises of every kind, and the disk may be full: the work goes on, and the folder is marked
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                (folder / PENDING).touch()
            if not self._warned:
                self._warned = True
                self.say(f"tracking: {self.uri} does not take it ({_one_line(error)}); work goes on, the next l9 run sends it")
            return False
        return True

    def catch_up(self) -> int:
        """Send every folder marked pending, oldest first, but those another process is sending; returns how many went through."""
        runs = self.home / "runs"
        places = sorted([*runs.glob(f"*/{PENDING}"), *runs.glob(f".prep/*/{PENDING}")], key=_age)
        sent = 0
        for marker in places:
            if held_elsewhere(marker.parent / SEND_LOCK):
                continue
            if not self.send(marker.parent):
                break
            sent += 1
        return sent

    def _send_waiting(self, waiting: "queue.Queue[Path | None]") -> None:
        while (folder := waiting.get()) is not None:
            if waiting.empty():  # several checkpoints in a row need one sending
                self.send(folder)

    def _join(self, thread: threading.Thread) -> None:
        assert self._waiting is not None
        self._waiting.put(None)
        thread.join()
        self._waiting = None

    @contextmanager
    def _status(self, folder: Path, before: Callable[[], None] = lambda: None) -> Iterator[None]:
        """FINISHED, FAILED or (by Ctrl-C) KILLED, as the block ends; sent with all that is left."""
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            before()
            self._end(folder, status)

    def _resume(self, folder: Path) -> None:
        state = read_state(folder, self.uri)
        if state and not state["finished"]:
            save_state(folder, {**state, "status": "RUNNING"})

    def _end(self, folder: Path, status: str) -> None:
        def end() -> None:
            state = read_state(folder, self.uri) or new_state(self.uri, kind="training", parent=self._parent)
            if state["finished"] and status == "FINISHED":
                return
            save_state(folder, {**state, "status": status, "finished": False})
            self._send(folder)

        self._attempt(folder, end)


def catch_up(home: Path, uri: str | None = None, say: Say = quiet) -> int:
    """Send everything pending below `home`; returns how many folders went through."""
    return Tracker(home, uri, say).catch_up()


def serve(home: Path, uri: str | None, port: int) -> None:
    """Serve MLflow's pages of this home on loopback until Ctrl-C; UsageError where tracking is on a server of its own."""
    place = default_uri(home, uri)
    if place.startswith("http"):
        raise UsageError(f"tracking is on a server already; open {place}")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", place, "--host", "127.0.0.1", "--port", str(port)]
    subprocess.run(command, check=False, cwd=home, env={**ENVIRONMENT, **os.environ})


def _age(marker: Path) -> int:
    """When it was made, in ns; 0 where another process has just removed it."""
    try:
        return marker.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
