"""What a training loop adds to each step: l9's against bare PyTorch, accelerate and Lightning; and what MLflow adds to l9's.

run     python bench/loop.py                        (make bench ONLY=loop)
peers   a bare PyTorch loop (the zero), the same with the fused optimizer that l9 takes, accelerate, Lightning without logger,
        checkpoints and bars
prints  milliseconds a step of each, and the median over rounds of the difference to bare; then the same training by l9 with and
        without MLflow (sqlite, its last step sent before the clock stops), per step

One small network, one optimizer, the same batches in memory, one thread: what is left is the loop. l9's own step also sums the
terms over ranks, checks that loss and gradients are finite, seeds its draws, and writes a line of metrics.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from records import store_of
from rounds import difference, medians, options, report, round_robin, say
from torch import Tensor, nn

from l9.config import Schedule
from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.progress import quiet
from l9.store.columns import Column
from l9.store.home import Home
from l9.tasks.contract import Player, Report, Task, Turn
from l9.track import Tracker
from l9.train.curve import Length
from l9.train.fit import fit
from l9.train.loop import Hooks, State, run_loop
from l9.train.optimizers import movers_of
from l9.train.precision import Precision
from l9.train.ranks import Ranks
from l9.train.records import Record, Records
from l9.train.watch import Watch

STEPS, WIDTH, BATCH, CLASSES = 2_000, 32, 16, 10
LR = 1e-3


def batches() -> list[tuple[Tensor, Tensor]]:
    """Eight batches, seen in turn by everyone."""
    torch.manual_seed(0)
    return [(torch.randn(BATCH, WIDTH), torch.randint(CLASSES, (BATCH,))) for _ in range(8)]


class Network(nn.Sequential):
    """Three small layers, so that the loop is what takes the time."""

    def __init__(self, classes: tuple[str, ...] = ()) -> None:
        super().__init__(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))


def bare(data: list[tuple[Tensor, Tensor]], *, fused: bool | None = None) -> float:
    """PyTorch alone; `fused`: its optimizer in one compiled pass, as l9 asks for, where torch's own choice is parameter by parameter."""
    network = Network().train()
    optimizer = torch.optim.Adam(network.parameters(), LR, fused=fused)
    start = time.perf_counter()
    for step in range(STEPS):
        x, y = data[step % len(data)]
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return 1e3 * (time.perf_counter() - start) / STEPS


def accelerated(data: list[tuple[Tensor, Tensor]]) -> float:
    """accelerate's loop."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    network = Network().train()
    prepared, optimizer = accelerator.prepare(network, torch.optim.Adam(network.parameters(), LR))
    start = time.perf_counter()
    for step in range(STEPS):
        x, y = data[step % len(data)]
        with accelerator.accumulate(prepared):
            loss = nn.functional.cross_entropy(prepared(x), y)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
    return 1e3 * (time.perf_counter() - start) / STEPS


def lightning(data: list[tuple[Tensor, Tensor]]) -> float:
    """Lightning's loop, everything optional off; timed from its first step to its last."""
    import logging
    import warnings

    import lightning as pl

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = Network()
            self.times: list[float] = []

        def training_step(self, batch: Any, number: int) -> Tensor:
            return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

        def on_train_batch_start(self, batch: Any, number: int) -> None:
            self.times.append(time.perf_counter())

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), LR)

    module = Module()
    trainer = pl.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, _Repeated(data))
    return 1e3 * (module.times[-1] - module.times[0]) / (STEPS - 1)


class _Repeated:
    """The batches in turn, as a loader of whole batches."""

    def __init__(self, data: list[tuple[Tensor, Tensor]]) -> None:
        self.data = data

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self.data[step % len(self.data)] for step in range(STEPS))


class Ten(Task):
    """A classifier of the toy batches."""

    columns = ("x",)

    def __init__(self, classes: tuple[str, ...] = ()) -> None:
        self.classes = classes

    def players(self) -> dict[str, Player]:
        """The whole network."""
        return {"model": Player(list(self.model.parameters()), "adam", LR)}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy, summed."""
        return {"cross_entropy": nn.functional.cross_entropy(self.model(batch.fixed("x")), batch.labels, reduction="sum")}

    def evaluate(self, samples: Samples) -> Report:
        """Nothing: the clock is on the steps."""
        return Report({})


class _InMemory:
    """The batches in turn, as l9's loop takes them."""

    def __init__(self, data: list[tuple[Tensor, Tensor]]) -> None:
        numbers = np.arange(BATCH)
        self.data = [Batch({"x": x}, y, numbers, numbers, numbers, seed=0, epoch=0, total=BATCH) for x, y in data]

    def steps_per_epoch(self, epoch: int) -> int:
        """One epoch is all there is."""
        return STEPS

    def order_digest(self, epoch: int) -> str:
        """The order is fixed."""
        return "0" * 16

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """All steps."""
        return (self.data[step % len(self.data)] for step in range(start_step, STEPS))


def ours(data: list[tuple[Tensor, Tensor]]) -> float:
    """l9's loop with its metrics file and its watch, as a training has them."""
    network, task = Network(), Ten()
    task.bind(network)
    state = State(0, movers_of(task.players(), network, None))
    with tempfile.TemporaryDirectory() as folder, Records(Path(folder), 0) as records:
        watch = Watch(lambda line: None, Path(folder), Length(STEPS, 1), None, 0)

        def finished(record: Record) -> None:
            records.add(record)
            watch.step(record)

        start = time.perf_counter()
        run_loop(task, network, _InMemory(data), Schedule(epochs=1, batch=BATCH), state, Ranks(), Precision(False), Hooks(step=finished))
        return 1e3 * (time.perf_counter() - start) / STEPS


VECTORS, EPOCHS = 8_000, 40  # 100 steps an epoch of the 6,400 not in fold 0


def mlflow_cost(folder: Path, rounds: int) -> dict[str, Any]:
    """The same training with and without MLflow, each from its start until its last metric is sent: ms a step that MLflow adds."""
    home = folder / "home"
    draw = np.random.default_rng(0).standard_normal((VECTORS, WIDTH), np.float32)
    store = store_of(home, "loop", (Column("x", "float32", (WIDTH,)),), VECTORS, lambda number: {"x": draw[number]})
    sets = {"loop": {"store": f"store/{store.path.name}", "manifest": store.digest, "classes": None, "fold": 0}}
    steps = EPOCHS * (VECTORS * 3 // 5 // BATCH)

    def train(number: int, *, tracked: bool) -> float:
        run = home / "runs" / f"loop-{'tracked' if tracked else 'alone'}-{number}"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        training = {"task": {"target": "loop:Ten", "arguments": {}}, "model": {"target": "loop:Network", "arguments": {}}, "name": ""}
        facts = {"kind": "training", "recipe": "loop", "key": "0" * 64, "seed": 0, "sets": sets, "up": "+Y", "overfit": 0, "init": None}
        facts |= {"training": {**training, "schedule": {"epochs": EPOCHS, "batch": BATCH}}, "train": {"workers": 0, "gpus": 0}}
        (run / "training.json").write_text(json.dumps(facts))
        tracker = Tracker(home) if tracked else None
        if tracker is not None:
            tracker.log_prep("loop", {}, {}, 0.0)  # its database is made before the clock starts
        start = time.perf_counter()
        with tracker.training(run) if tracker is not None else nullcontext():
            fit(run, place=Home(home), say=quiet, on_checkpoint=tracker.sync if tracker is not None else lambda run: None)
        return 1e3 * (time.perf_counter() - start) / steps

    figures = round_robin({"alone": partial(train, tracked=False), "tracked": partial(train, tracked=True)}, rounds)
    added = difference(figures, "tracked", "alone")
    say(f"MLflow {added:+.3f} ms a step")
    return {"ms_a_step": medians(figures), "added_ms": added, "steps": steps}


def main() -> None:
    """Measure and report."""
    given = options(__doc__.splitlines()[0])
    torch.set_num_threads(1)
    data = batches()
    peers: dict[str, Callable[[list[tuple[Tensor, Tensor]]], float]] = {
        "bare": bare,
        "bare, fused optimizer": partial(bare, fused=True),
        "l9": ours,
        "accelerate": accelerated,
        "lightning": lightning,
    }
    contestants = {name: (lambda number, loop=loop: loop(data)) for name, loop in peers.items()}
    say("milliseconds a step; one round each to warm up")
    round_robin(contestants, 1)
    figures = round_robin(contestants, given.rounds)
    added = {name: difference(figures, name, "bare") for name in figures if name != "bare"}
    for name, value in added.items():
        say(f"{name:12} {value:+.3f} ms a step over bare PyTorch")
    over_fused = difference(figures, "l9", "bare, fused optimizer")
    say(f"l9           {over_fused:+.3f} ms a step over bare PyTorch with the optimizer that l9 takes")
    found = {"ms_a_step": medians(figures), "added_ms": added, "l9_over_fused_ms": over_fused}
    report({"bench": "loop", **found, "mlflow": mlflow_cost(given.work / "loop", given.rounds)})


if __name__ == "__main__":
    main()
