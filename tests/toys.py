"""Toy data, tasks and networks of the three forms (baseline, classifier, two-player game), importable on workers."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import torch
from torch import nn

from l9.data.loader import Loader
from l9.store.columns import Column
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import Store, shards_folder, write_store
from l9.tasks.contract import Glimpse, Picture, Player, Report, Task, Turn
from l9.train.board import Board

CLASSES = ("high", "low")
WIDTH = 6


def toy_store(home: Path, count: int = 40) -> Store:
    """`count` objects with a vector of 6 numbers, whose mean is above 0 for "high"; every fifth object in fold 0."""
    draw = np.random.default_rng(0)
    columns = (Column("vector", "float32", (WIDTH,)),)
    objects = tuple(PlannedObject(f"{n:04d}.obj", f"{n:04d}.obj", f"{n:064d}", CLASSES[n % 2], fold=n // 2 % 5) for n in range(count))
    folder = shards_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    with ShardWriter(folder, shard_key(objects, columns), columns) as writer:
        for number, planned in enumerate(objects):
            values = draw.normal(0.8 if number % 2 == 0 else -0.8, 1.0, WIDTH).astype(np.float32)
            writer.add(planned.id, [{"vector": values}])
    return write_store(home, "toys", PlanFacts("toys", "+Y", columns, objects), [writer.facts])


def published_toys(home):
    """A remote home with the toy store in it, which stands as its `store`."""
    home.store = toy_store(home.path)
    for line in home.store.manifest["shards"]:
        home.publish_shard(line["key"])
    home.publish_store(home.store.id)
    return home


def toy_facts(store: Store, home: Path, task: str, model: str | None, *, schedule: dict, workers=0, seed=3, **more) -> dict:
    """What stands in a toy training's `training.json`."""
    training = {"task": {"target": f"toys:{task}", "arguments": more.pop("arguments", {})}, "name": "", "schedule": schedule}
    training["model"] = None if model is None else {"target": f"toys:{model}", "arguments": {}}
    sets = {"toys": {"store": os.path.relpath(store.path, home), "manifest": store.digest, "classes": None, "fold": 0}}
    head = {"kind": "training", "recipe": "toys", "key": "0" * 64, "training": training, "seed": seed, "sets": sets, "up": "+Y"}
    return {**head, "train": {"workers": workers, "gpus": "auto", "precision": "float32"}, "overfit": 0, "init": None, **more}


def write_facts(run_dir: Path, facts: dict) -> Path:
    run_dir.mkdir(parents=True)
    (run_dir / "training.json").write_text(json.dumps(facts))
    return run_dir


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class BoardHere(Board):
    """A board in this process, spoken to as a worker does."""

    def say(self, line):
        self.add(line)

    def fail(self, error):
        super().fail(type(error).__name__, str(error))


class Mean(Task):
    """A baseline: the nearer of two means of the training set."""

    columns = ("vector",)

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def fit(self, samples):
        batches = list(Loader(samples, self.columns, seed=0).sequential())
        vectors, labels = torch.cat([b.fixed("vector") for b in batches]), torch.cat([b.labels for b in batches])
        self.means = torch.stack([vectors[labels == number].mean(0) for number in range(len(self.classes))])

    def evaluate(self, samples):
        return _accuracy(samples, lambda vectors: -torch.cdist(vectors, self.means))

    def state(self):
        return {"means": self.means.numpy()}


class Noisy(nn.Module):
    """A classifier with dropout and batch norm: its draws and running statistics must come back on resume."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, len(classes)))

    def forward(self, vectors):
        return self.layers(vectors)


class Plain(nn.Module):
    """A classifier without any draw or batch statistic: the loss is a sum over samples whatever the batch."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WIDTH, 16), nn.Tanh(), nn.Linear(16, len(classes)))

    def forward(self, vectors):
        return self.layers(vectors)


class Label(Task):
    """A classifier's task. `poison`: the loss is NaN at that step. `kill`: whoever sees that file first dies at step 7."""

    columns = ("vector",)

    def __init__(self, classes: tuple[str, ...], optimizer: str = "adam", poison: int = -1, kill: str = "", lr: float = 0.01) -> None:
        self.classes, self.optimizer, self.poison, self.kill, self.lr = classes, optimizer, poison, kill, lr
        self.augment = True
        self.moving = torch.zeros(1)

    def players(self):
        options = {"momentum": 0.9} if self.optimizer == "sgd" else {}
        return {"model": Player(list(self.model.parameters()), self.optimizer, self.lr, options)}

    def turns(self, step):
        self.step = step
        return [Turn("model")]

    def loss(self, turn, batch):
        if self.kill and self.step == 7 and Path(self.kill).exists():
            Path(self.kill).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        vectors = batch.fixed("vector")
        if self.augment:
            vectors = vectors + torch.stack([torch.from_numpy(batch.generator(n).normal(0, 0.1, WIDTH)).float() for n in range(len(batch))])
        found = nn.functional.cross_entropy(self.model(vectors), batch.labels, reduction="sum")
        return {"cross_entropy": found * (float("nan") if self.step == self.poison else 1.0)}

    def observe(self, turn, terms):
        self.moving.mul_(0.9).add_(0.1 * terms["cross_entropy"])

    def buffers(self):
        return {"moving": self.moving}

    def start_loss(self):
        return float(np.log(len(self.classes)))

    def evaluate(self, samples):
        return _accuracy(samples, self.model)

    def pictures(self, samples, report):
        yield Picture("answers", np.full((4, 5, 3), 200, np.uint8))

    def batch_picture(self, batch, samples):
        return Picture("first_batch", np.full((4, 5, 3), 100, np.uint8))


class Pair(nn.Module):
    """A generator of vectors and a critic of them."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, WIDTH))
        self.critic = nn.Sequential(nn.Linear(WIDTH, 8), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(8, 1))


class Game(Task):
    """Two players; the generator moves twice a step, and sits out while the critic's all-reduced loss is above its limit."""

    columns = ("vector",)

    def __init__(self, limit: float = 10.0) -> None:
        self.limit = limit
        self.last, self.average = torch.zeros(1), torch.zeros(WIDTH)

    def players(self):
        betas = {"betas": (0.5, 0.999)}
        return {
            "critic": Player(list(self.model.critic.parameters()), "adam", 2e-3, betas),
            "generator": Player(list(self.model.generator.parameters()), "adamw", 1e-3, betas),
        }

    def turns(self, step):
        moves = [Turn("generator", 0), Turn("generator", 1)] if float(self.last) < self.limit else []
        return [Turn("critic"), *moves]

    def loss(self, turn, batch):
        made = self.model.generator(torch.randn(len(batch), 2))
        score = nn.functional.binary_cross_entropy_with_logits
        false = self.model.critic(made)
        if turn.player == "generator":
            return {"fool": score(false, torch.ones_like(false), reduction="sum")}
        true = self.model.critic(batch.fixed("vector"))
        return {
            "real": score(true, torch.ones_like(true), reduction="sum"),
            "made": score(false, torch.zeros_like(false), reduction="sum"),
        }

    def observe(self, turn, terms):
        if turn.player == "critic":
            self.last.fill_(sum(terms.values()))
            with torch.no_grad():
                self.average.mul_(0.9).add_(0.1 * self.model.generator[2].bias)

    def buffers(self):
        return {"last": self.last, "average": self.average}

    def glimpse(self, step, ends_epoch):
        if not ends_epoch:
            return None
        return Glimpse({"last": float(self.last)}, [Picture("made", np.full((4, 5, 3), step % 256, np.uint8))], [f"seen after step {step}"])

    def evaluate(self, samples):
        return Report({"critic_loss": float(self.last)})


def _accuracy(samples, scores):
    rows = []
    for batch in Loader(samples, ("vector",), seed=0).sequential():
        rows += [
            {"label": int(label), "predicted": int(row.argmax())}
            for row, label in zip(scores(batch.fixed("vector")), batch.labels, strict=True)
        ]
    right = [row["label"] == row["predicted"] for row in rows]
    outcomes = [{"object": name, **row} for name, row in zip(samples.objects, rows, strict=True)]
    return Report({"accuracy": float(np.mean(right))}, {"classes": [{"class": "all", "count": len(rows)}]}, outcomes)
