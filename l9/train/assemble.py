"""From a job's plain JSON to living things: stores opened, samples picked, task and network built after seeding."""

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from l9.config import Schedule, Train, Training, build, with_defaults
from l9.data.samples import Part, Samples
from l9.errors import RecipeError, TrainingError
from l9.store.store import Store
from l9.tasks.contract import Task
from l9.typed import from_plain

Job = dict[str, Any]
"""What a worker is told, plain JSON that crosses to any machine:

training  a resolved `Training`      train  a resolved `Train`      seed  one whole number
sets      name -> {"store": path of a store, "classes": [...] or null, "fold": number or null, "whole": objects without fold or split are
          all tested}
run_dir   absolute folder of this training and seed      up  "+Y"      init  run folder, safetensors file or null
overfit   0, or how many samples to learn by heart, as a check that the network can learn at all
"""

OVERFIT_STEPS = 300
OVERFIT_LOSS = 1e-3  # below this the samples count as learnt by heart


@dataclass(frozen=True)
class Assembly:
    """Everything a training needs, before the first number is computed. `tests` is by set name, in the recipe's order.

    `held_out` is what a schedule that waits for a plateau looks at: the validation part of the sets to learn from; else None.
    """

    training: Training
    train: Train
    schedule: Schedule
    task: Task
    model: nn.Module | None
    classes: tuple[str, ...]
    up: str
    samples: Samples
    learnt: Samples
    tests: dict[str, Samples]
    held_out: Samples | None = None

    @property
    def frozen(self) -> bool:
        """Whether there is a network of which nothing moves: the task, which must be bound, has no players."""
        return self.model is not None and not self.task.players()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the loader maps for the task."""
        return self.task.columns


def seed_everything(seed: int) -> None:
    """Seed the three global generators that a task's or a network's constructor may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def assemble(job: Job, device: torch.device) -> Assembly:
    """Open, pick and build; the same on every rank.

    `samples` is what `fit` sees, `learnt` what the loader permutes: the same but in `overfit`, where the first samples are
    repeated to whole batches.
    """
    training = from_plain(Training, job["training"], "training")
    first = tuple(job["sets"])[:1]
    learn, test = training.sets or first, training.test or first
    taught, reported = parts_of(training)
    classes = Samples.concat([_pick(job, name, "train") for name in learn]).classes
    seed_everything(job["seed"])
    task, model = build_task(training, classes, job["up"], device)
    samples = Samples.concat([_pick(job, name, part, task.samples) for name in learn for part in taught])
    if len(samples) == 0:
        raise TrainingError(f"no training samples in {', '.join(learn)}; check fold, classes and labels with l9 data check")
    samples = task.learnt(samples, job["seed"])
    schedule = training.schedule or Schedule(epochs=1)
    learnt, tests = samples, {}
    if job["overfit"]:
        samples, learnt, schedule = _overfit(task, samples, job["overfit"], schedule)
        tests = {test[0]: samples}
    else:
        items = None if task.whole_tests else task.samples
        tests = {name: _labelled_as(_pick(job, name, reported, items), classes, name) for name in test}
    train = from_plain(Train, job["train"], "train")
    held_out = _held_out(job, learn, classes, task) if schedule.curve == "plateau" else None
    return Assembly(training, train, schedule, task, model, classes, job["up"], samples, learnt, tests, held_out)


def parts_of(training: Training) -> tuple[tuple[Part, ...], Part]:
    """The parts a training learns from, and the one it reports."""
    learnt, _, reported = training.parts.partition("/")
    return cast(tuple[Part, ...], tuple(learnt.split("+"))), cast(Part, reported)


def check_tests(assembly: Assembly, job: Job) -> None:
    """Before the first step, not after the last: TrainingError where a test set has no samples, or no labels to compare answers with."""
    _, part = parts_of(assembly.training)
    for name, samples in assembly.tests.items():
        if len(samples) == 0:
            raise TrainingError(_why_no_tests(name, samples.stores[0], part, job["sets"][name]["fold"]))
        if not job["overfit"] and not assembly.task.labelled(samples):
            tested = f"the {len(set(samples.objects)):,} objects of the part {part} of set {name}"
            raise TrainingError(f"none of {tested} has a label to compare answers with; {_other_part(part)}")


def _why_no_tests(name: str, store: Store, part: Part, fold: int | None) -> str:
    if store.index.num_rows == 0:
        return f"set {name} holds no object: all were refused; l9 quarantine {store.id} says why"
    splits = store.index.column("split").unique().to_pylist()
    if fold is not None or part in splits:
        return f"no {part} samples in set {name}; check fold, classes and labels with l9 data check"
    if "" not in splits:
        return f"set {name} has no object of the part {part}, all are of {' or '.join(sorted(splits))}; {_other_part(part)}"
    return (
        f"set {name} has no {part} samples: a hash of each id puts about 1 object in 10 into the {part} part, and none came there; "
        "add objects, or give its card a labels csv with the columns id, class, fold and the set a fold=0"
    )


def _other_part(part: Part) -> str:
    """What to do where a part cannot be tested."""
    if part == "test":
        return "--set trainings.*.parts=train/validation reports the validation part instead"
    return "check the card's labels and split with l9 data check"


def check_schedule(training: Training, classes: tuple[str, ...], up: str) -> None:
    """RecipeError where a training without a schedule has players. What fails to be built here fails, and is told, on the worker."""
    try:
        task, model = build_task(training, classes, up, torch.device("cpu"))
        task.bind(model)
        learns = bool(task.players())
    except Exception:  # classes may be stand-ins, which a task may refuse
        return
    if learns:
        raise no_schedule(training)


def no_schedule(training: Training) -> RecipeError:
    """What is said of a network that learns without a schedule."""
    return RecipeError(f"trainings.{training.name}: schedule is missing; expected Schedule(epochs=…, batch=…)")


def build_task(training: Training, classes: tuple[str, ...], up: str, device: torch.device) -> tuple[Task, nn.Module | None]:
    """The task and its network (None for a baseline), `classes` and `up` filled in where the recipe left them out."""
    fill = {"classes": list(classes), "up": up}
    task = build(with_defaults(training.task, fill=fill))
    model = None if training.model is None else build(with_defaults(training.model, fill=fill)).to(device)
    return task, model


def _pick(job: Job, name: str, part: Part, item_column: str | None = None) -> Samples:
    chosen = job["sets"][name]
    classes = None if chosen["classes"] is None else tuple(chosen["classes"])
    store, whole = Store.open(Path(chosen["store"])), part == "test" and chosen.get("whole", False)
    return Samples.of(store, classes=classes, part=part, fold=chosen["fold"], item_column=item_column, whole=whole)


def _held_out(job: Job, names: tuple[str, ...], classes: tuple[str, ...], task: Task) -> Samples:
    found = Samples.concat([_labelled_as(_pick(job, name, "validation", task.samples), classes, name) for name in names])
    if len(found) == 0:
        raise TrainingError(f'no validation samples in {", ".join(names)}, which curve="plateau" waits for; expected another curve')
    return found


def _labelled_as(samples: Samples, classes: tuple[str, ...], name: str) -> Samples:
    """The same samples with labels that are positions in the classes that were learnt."""
    if unknown := sorted(set(samples.classes) - set(classes)):
        raise TrainingError(f"set {name} tests classes that were not learnt: {', '.join(unknown)}; name its classes in the recipe")
    positions = np.array([*(classes.index(known) for known in samples.classes), -1], np.int64)
    return replace(samples, classes=classes, labels=positions[samples.labels])


def _overfit(task: Task, samples: Samples, count: int, schedule: Schedule) -> tuple[Samples, Samples, Schedule]:
    """The first `count` samples, the same repeated to whole batches, and a constant rate; augmentation is switched off."""
    if hasattr(task, "augment"):
        task.augment = False
    few = samples.take(count)
    whole = len(few) if schedule.batch is None else -(-len(few) // schedule.batch) * schedule.batch
    constant = replace(schedule, epochs=None, steps=OVERFIT_STEPS, curve="constant", warmup=0.0, checkpoint_every=OVERFIT_STEPS)
    return few, few.subset(np.arange(whole) % len(few)), constant
