"""`metrics.jsonl`: the truth of a training's metrics, one line for each step, cut back to the checkpoint on resume.

    {"step": 0, "epoch": 0, "order": "9f2c…", "loss": 2.94, "lr_factor": 0.01, "samples": 32}

`step` is 0-based: its loss was computed with the weights after `step` steps. `order` stands in each epoch's first line.
There are no times in it: two runs with one seed write the same bytes.
"""

import json
import os
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from l9.errors import StoreError, TrainingError
from l9.store.publish import atomic_write, disk_full_named

Record = dict[str, float | int | str]
"""One line: a step's number, epoch and metrics."""


class Records:
    """The open file, cut back to the first `steps` steps."""

    def __init__(self, run_dir: Path, steps: int) -> None:
        self.path = run_dir / "metrics.jsonl"
        cut_back(self.path, steps)
        self._stream: TextIO = self.path.open("a", encoding="utf-8")

    def add(self, record: Record) -> None:
        """Append one step's line; it reaches the disk with the next `flush`."""
        line = json.dumps(record, allow_nan=False) + "\n"
        with disk_full_named(self.path.parent):
            self._stream.write(line)

    def flush(self) -> None:
        """Bring every line to the disk: called before a checkpoint, so that no checkpoint is ahead of its metrics."""
        with disk_full_named(self.path.parent):
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Flush and let go of the file."""
        with disk_full_named(self.path.parent):
            try:
                self.flush()
            finally:
                self._stream.close()

    def __enter__(self) -> Self:
        """The records, closed at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close; where the block ended by an error already, that one is raised and not what closing finds (the same full disk)."""
        with nullcontext() if error is None else suppress(StoreError, OSError):
            self.close()


def last_loss(run_dir: Path) -> float:
    """The loss of the last step in `metrics.jsonl`; NaN where there is none."""
    lines = (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return float(json.loads(lines[-1]).get("loss", "nan")) if lines else float("nan")


def cut_back(path: Path, steps: int) -> None:
    """Leave the lines of steps 0 to `steps` - 1; TrainingError if one of them is missing."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = lines[:steps]
    if [_step(line) for line in kept] != list(range(steps)):
        raise TrainingError(f"{path}: does not hold the first {steps} steps of the checkpoint, one a line; start over with --fresh")
    if len(kept) != len(lines) or not path.exists():
        atomic_write(path, "".join(f"{line}\n" for line in kept).encode())


def _step(line: str) -> Any:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return None
