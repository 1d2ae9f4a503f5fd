"""What a person wants to know while a training runs: is the first loss sane, how fast is it, when will it be done.

Times go to `start.json` and to the lines said, never to metrics.jsonl.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from l9.progress import Say, duration
from l9.store.publish import atomic_write
from l9.train.curve import Length
from l9.train.records import Record

WARM = 1  # steps left out of the first estimate: they pay for allocation and compiled kernels
MEASURED = 5  # steps the first estimate is made from
QUIET = 2.0  # seconds between two lines at least


@dataclass
class Watch:
    """Called with each step's record; says how it goes.

    expected  the loss of a network that knows nothing, or None
    done      steps finished before this process began
    """

    say: Say
    run_dir: Path
    length: Length
    expected: float | None
    done: int
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _spoke: float = field(init=False)
    _count: int = field(init=False, default=0)
    _samples: int = field(init=False, default=0)
    _first_loss: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._began = self._spoke = self.clock()

    def step(self, record: Record) -> None:
        """One more step is finished."""
        self._count += 1
        if self._count == 1:
            self._first_loss = float(record["loss"]) if self.done == 0 and "loss" in record else None
            self._say_first_loss()
        if self._count <= WARM:
            self._began = self.clock()
            return
        self._samples += int(record["samples"])
        if self._count == WARM + MEASURED:
            self._estimate()
        last = int(record["step"]) + 1 == self.length.steps
        if last or (self._count > WARM + MEASURED and self.clock() - self._spoke >= QUIET):
            self._spoke = self.clock()
            self.say(self._line(record))

    def _say_first_loss(self) -> None:
        if self._first_loss is not None:
            known = "" if self.expected is None else f"; {self.expected:.4g} is expected of a network that knows nothing"
            self.say(f"loss at the start {self._first_loss:.4g}{known}")

    @property
    def _pace(self) -> float:
        """Seconds a step."""
        return (self.clock() - self._began) / (self._count - WARM)

    def _estimate(self) -> None:
        per_epoch = self.length.steps / self.length.epochs
        left = (self.length.steps - self.done - self._count) * self._pace
        facts = {
            "loss_at_start": self._first_loss,
            "expected_loss": self.expected,
            "seconds_per_step": self._pace,
            "seconds_per_epoch": self._pace * per_epoch,
            "samples_per_second": self._samples / max(self.clock() - self._began, 1e-9),
            "steps": self.length.steps,
            "seconds_left": left,
        }
        atomic_write(self.run_dir / "start.json", json.dumps(facts, indent=1).encode())
        pace = f"{self._pace:.3g} s a step, {self._pace * per_epoch:.3g} s an epoch"
        self.say(f"{pace}; {self.length.steps:,} steps: {duration(left)} to the end")

    def _line(self, record: Record) -> str:
        rate = self._samples / max(self.clock() - self._began, 1e-9)
        left = (self.length.steps - int(record["step"]) - 1) * self._pace
        loss = f"  loss {record['loss']:.4g}" if "loss" in record else ""
        where = f"epoch {int(record['epoch']) + 1}/{self.length.epochs}  step {int(record['step']) + 1:,}/{self.length.steps:,}"
        return f"{where}{loss}  {rate:,.0f} samples/s  {duration(left)} left"
