"""What one process does for one training and seed, alone or as one of several ranks: the same function in both cases.

Seed, open stores, build, fit, resume from the newest checkpoint, train, evaluate, write the result. A job is plain JSON.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.progress import Say, quiet
from l9.tasks.contract import Task
from l9.train.assemble import OVERFIT_LOSS, Assembly, Job, assemble, check_tests, no_schedule
from l9.train.checkpoints import (
    Checkpoint,
    Progress,
    checkpoint_at,
    copy_by_name,
    latest,
    load_tensors,
    restore,
    write_checkpoint,
)
from l9.train.curve import length_of
from l9.train.interrupt import deferred_interrupt
from l9.train.loop import Hooks, State, mixed_seed, run_loop, seed_draws
from l9.train.optimizers import movers_of
from l9.train.plateau import held_out_sums
from l9.train.precision import Precision, choose_precision, lay_out
from l9.train.ranks import Ranks
from l9.train.records import Record, Records, last_loss
from l9.train.result import write_pictures, write_result
from l9.train.watch import Watch

SAVED_SECONDS = 30.0  # between two checkpoints at most, whatever the schedule says: what a death costs
SAVING_SHARE = 0.05  # of the time that such checkpoints may take


def train_worker(job: Job, *, say: Say = quiet, ranks: Ranks | None = None, durable: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Train and evaluate as `job` says; rank 0 returns the result it has written, the others {}.

    say      takes progress lines (rank 0 only)
    durable  called on rank 0 after each checkpoint is on disk: metrics up to it will never be taken back
    raises   L9Error; KeyboardInterrupt after the checkpoint of the last finished step
    """
    ranks = ranks or Ranks()
    run_dir = Path(job["run_dir"])
    run_dir.mkdir(parents=True, exist_ok=True)
    assembly = assemble(job, ranks.device)
    check_tests(assembly, job)
    assembly.task.bind(assembly.model)
    frozen = assembly.frozen
    if assembly.model is not None and not frozen and assembly.training.schedule is None:
        raise no_schedule(assembly.training)
    if assembly.model is not None and frozen and job["init"]:  # before `fit`, which may look at what the network answers
        start_from(assembly.model, Path(job["init"]), say)
    assembly.task.fit(assembly.samples)
    for samples in assembly.tests.values():
        assembly.task.check_test(samples)
    found: dict[str, float] = {}
    steps, precision = 0, None
    if assembly.model is not None and not frozen:
        learning = _Learning(job, assembly, assembly.model, ranks, say, durable)
        steps, loss = learning.run()
        precision = learning.precision.name
        found = {"overfit_loss": loss} if job["overfit"] else {}
    if ranks.rank != 0:
        return {}
    if assembly.model is not None and frozen:
        write_checkpoint(run_dir, Progress(), assembly.model, {}, assembly.task)  # of step 0: what `eval`, `predict` and `init` start from
    say(f"evaluating on {', '.join(f'{name} ({len(samples):,} samples)' for name, samples in assembly.tests.items())}")
    return write_result(assembly, run_dir, found, steps, precision)


class _Learning:
    """The part of a job that has players: batches, optimizers, checkpoints and metrics around the one loop."""

    def __init__(self, job: Job, assembly: Assembly, model: nn.Module, ranks: Ranks, say: Say, durable: Callable[[], None]) -> None:
        self.job, self.assembly, self.model, self.ranks, self.say, self.durable = job, assembly, model, ranks, say, durable
        self.run_dir = Path(job["run_dir"])
        self.task: Task = assembly.task
        self.loader = self._loader(assembly.learnt, ranks)
        self.held_out = None if assembly.held_out is None else self._loader(assembly.held_out, ranks, training=False)
        self.checkpoint = self._agreed_checkpoint()
        self.precision = self._agreed_precision()
        lay_out(model, self.precision)
        self.state = State(job["seed"], movers_of(self.task.players(), model, assembly.schedule.lr))
        self.loss = float("nan")
        self._saved, self._saving = time.monotonic(), 0.0  # when the last checkpoint was written, and how long that took

    def _loader(self, samples: Samples, ranks: Ranks, training: bool = True) -> Loader:
        schedule = self.assembly.schedule
        return Loader(
            samples,
            self.assembly.columns,
            seed=self.job["seed"],
            batch=schedule.batch,
            elements=schedule.elements,
            rank=ranks.rank,
            world=ranks.world,
            training=training,
            views=self.task.cut,
        )

    def run(self) -> tuple[int, float]:
        """Train to the end of the schedule; returns the steps made and the last loss."""
        self._begin()
        length = length_of(self.assembly.schedule, self.loader)
        watch = Watch(self.say, self.run_dir, length, self.task.start_loss(), self.state.progress.step)
        with self._records() as records:
            self._recall_loss()
            if not self._learnt_by_heart():
                self._steps(records, watch)
        return self.state.progress.step, self.loss

    def _records(self) -> AbstractContextManager[Records | None]:
        return Records(self.run_dir, self.state.progress.step) if self.ranks.rank == 0 else nullcontext()

    def _steps(self, records: Records | None, watch: Watch) -> None:
        with deferred_interrupt() as interrupted:
            hooks = Hooks(
                step=lambda record: self._finished_step(record, records, watch),
                checkpoint=lambda progress: self._checkpoint(progress, records),
                # a rank cannot leave alone: Ctrl-C is deferred where there is one, Ray ends them all where there are more
                stop=lambda record: (interrupted() and self.ranks.world == 1) or self._learnt_by_heart(),
                held_out=self._held_out_loss,
            )
            run_loop(self.task, self.model, self.loader, self.assembly.schedule, self.state, self.ranks, self.precision, hooks)
            if interrupted():
                raise KeyboardInterrupt

    def _held_out_loss(self) -> float:
        """Mean over all samples of the validation part, over all ranks; the same draws each time."""
        assert self.held_out is not None
        device = self.ranks.device
        seed_draws(mixed_seed(self.job["seed"], self.ranks.rank), device)
        with self.precision.autocast():
            loss, samples = held_out_sums(self.task, self.model, (batch.to(device) for batch in self.held_out.epoch(0)))
        total = torch.tensor([loss], dtype=torch.float64, device=device)
        self.ranks.all_reduce_sum([total])
        return float(total) / samples

    def _recall_loss(self) -> None:
        """The last loss of what is resumed: perhaps no step is left to be made."""
        self.loss = float(self.ranks.broadcast_text(str(last_loss(self.run_dir)) if self.ranks.rank == 0 else ""))

    def _begin(self) -> None:
        """Resume, or start: weights of `init`, the task's own initialisation, the picture of the first batch."""
        if self.checkpoint is not None:
            self.state.progress = restore(self.checkpoint, self.model, self.state.movers, self.task)
            self.say(f"resuming after step {self.state.progress.step:,}")
        else:
            self._start()
        self.ranks.broadcast([*self.model.state_dict().values(), *self.task.buffers().values()])

    def _agreed_checkpoint(self) -> Checkpoint | None:
        """Rank 0 chooses, so that a checkpoint that appears or breaks meanwhile cannot split the ranks."""
        found = latest(self.run_dir) if self.ranks.rank == 0 else None
        step = self.ranks.broadcast_text("" if found is None else str(found.progress.step))
        if self.ranks.rank == 0 or not step:
            return found
        same = checkpoint_at(self.run_dir, int(step))
        if same is None:
            raise TrainingError(
                f"{self.run_dir}: rank {self.ranks.rank} cannot read the checkpoint of step {step}; expected the --home of rank 0"
            )
        return same

    def _agreed_precision(self) -> Precision:
        """What the training began in, whichever machine it began on; else the setting, in which rank 0 decides on "auto"."""
        began = None if self.checkpoint is None else self.checkpoint.precision
        wanted = began or self.assembly.train.precision
        first = choose_precision(wanted, self.ranks.device, self.model).name if self.ranks.rank == 0 else ""
        return choose_precision(self.ranks.broadcast_text(first), self.ranks.device, self.model)

    def _start(self) -> None:
        if self.job["init"]:
            start_from(self.model, Path(self.job["init"]), self.say)
        first: Batch | None = next(self._loader(self.assembly.learnt, Ranks(device=self.ranks.device)).epoch(0), None)
        if first is None:
            return  # no full batch: the loop's own error says so
        self.task.initialise(first.to(self.ranks.device))
        if self.ranks.rank == 0:
            picture = self.task.batch_picture(first, self.assembly.learnt)
            if picture is not None:
                write_pictures(self.run_dir, [picture])

    def _finished_step(self, record: Record, records: Records | None, watch: Watch) -> None:
        self.loss = float(record.get("loss", self.loss))
        if records is not None:
            records.add({**record, **self._glimpse(int(record["step"]))})
            watch.step(record)
            if time.monotonic() - self._saved > max(SAVED_SECONDS, self._saving / SAVING_SHARE):
                self._checkpoint(self.state.progress, records)

    def _glimpse(self, step: int) -> Mapping[str, float]:
        """Show what the task has to show after a step; returns its metrics."""
        with torch.no_grad():
            seen = self.task.glimpse(step, ends_epoch=self.state.progress.step_in_epoch == 0)
        if seen is None:
            return {}
        write_pictures(self.run_dir, seen.pictures)
        for line in seen.said:
            self.say(line)
        return seen.metrics

    def _checkpoint(self, progress: Progress, records: Records | None) -> None:
        if records is not None:
            start = time.monotonic()
            records.flush()
            write_checkpoint(self.run_dir, progress, self.model, self.state.movers, self.task, self.precision.name)
            self.durable()
            self._saved = time.monotonic()
            self._saving = self._saved - start

    def _learnt_by_heart(self) -> bool:
        return bool(self.job["overfit"]) and self.loss < OVERFIT_LOSS


def start_from(model: nn.Module, source: Path, say: Say) -> None:
    """Copy the first weights of `init` into a network, and say what received none."""
    missed = copy_by_name(model, initial_tensors(source))
    say(f"init: copied from {source}; not copied: {', '.join(missed) or 'nothing'}")


def initial_tensors(source: Path) -> dict[str, torch.Tensor]:
    """Weights to start from: those of a run folder's newest checkpoint, or of a safetensors file."""
    if source.is_dir():
        checkpoint = latest(source)
        if checkpoint is None:
            raise TrainingError(f"init: {source} holds no whole checkpoint; expected a finished run or a .safetensors file")
        return checkpoint.tensors("model")
    if not source.is_file():
        raise TrainingError(f"init: {source} is not there; expected a run folder or a .safetensors file")
    return load_tensors(source)
