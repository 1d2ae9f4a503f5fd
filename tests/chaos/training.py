"""SIGKILL of `l9 run`: in the middle of steps, at the steps by which it changes its files, and, with two workers, of a worker too.

The store is there already. What must come out is every byte of metrics.jsonl, outcomes.jsonl and result.json, every tensor of the last
checkpoint, and in MLflow each step once, with the value that metrics.jsonl has.
"""

import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path
from random import Random

from chaos import tracked
from chaos.barrier import arm, arrived
from chaos.boundaries import Boundary
from chaos.command import Command, wait_until
from chaos.tally import Case, Outcome
from chaos.world import World, leftovers, look_old
from safetensors.numpy import load_file

from l9.train.checkpoints import PARTS, latest

STEPS, CHANGES = 20, 40  # cases: kills in the middle of a step, and at a change of a file that is none of a checkpoint's
SAME = ("metrics.jsonl", "outcomes.jsonl", "result.json", "training.json")
ALONE, TWO = ("--workers", "0"), ("--workers", "0", "--set", "train.workers=2")


def cases(world: World, seed: int, *, short: bool) -> list[Case]:
    """All of them, every change of a checkpoint's files; in short, three in a step and four at a change, and none with two workers."""
    random = Random(seed)
    total = len(_metrics(_folder(world.trained(ALONE))))
    found = []
    for place, step in enumerate(random.sample(range(1, total), 3 if short else STEPS)):
        name = f"train-step-{seed}-{place:02}"
        found.append(Case(name, partial(_in_step, world, name, step)))
    boundaries = world.training_steps()
    checkpoints = [number for number, path in boundaries if "checkpoints" in path]
    others = [number for number, path in boundaries if "checkpoints" not in path]
    chosen = random.sample(checkpoints, 2) + random.sample(others, 2) if short else [*checkpoints, *random.sample(others, CHANGES)]
    for number in sorted(chosen):
        name = f"train-change-{number:03}"
        found.append(Case(name, partial(_at_change, world, name, number)))
    if not short:
        name = f"train-group-{seed}"
        found.append(Case(name, partial(_group, world, name, sorted(random.sample(range(12, total), 2)))))
    return found


def _in_step(world: World, case: str, step: int) -> Outcome:
    home = world.prepared_home(case)
    _kill_in_step(world, world.train(home, *ALONE), step)
    return _continued(world, home, ALONE, training_kills=1)


def _at_change(world: World, case: str, number: int) -> Outcome:
    home = world.prepared_home(case)
    hit = world.train(home, *ALONE, boundary=Boundary(home, number)).wait().killed
    return _continued(world, home, ALONE, training_kills=int(hit), missed=int(not hit))


def _group(world: World, case: str, steps: list[int]) -> Outcome:
    """Two workers: one dies in a step and the group goes on by itself; the command dies in a later step and is given again."""
    home = world.prepared_home(case)
    arm(world.control, f"step-{steps[0]}", "wait0")
    command = world.train(home, *TWO, fresh=True)
    worker = _held(world, command, steps[0])
    arm(world.control, f"step-{steps[1]}", "wait0")
    os.kill(worker, signal.SIGKILL)
    _held(world, command, steps[1])
    command.kill()
    return _continued(world, home, TWO, training_kills=2, ray_kills=2)


def _kill_in_step(world: World, command: Command, step: int) -> None:
    arm(world.control, f"step-{step}", "wait0")
    assert _held(world, command, step) == command.pid
    command.kill()


def _held(world: World, command: Command, step: int) -> int:
    """Process id of whoever is held in a step."""
    point = f"step-{step}"
    wait_until(lambda: not command.running or arrived(world.control, point, "wait0") is not None, 280, point)
    found = arrived(world.control, point, "wait0")
    assert found is not None, f"it ended before step {step}: {command.wait().said[-500:]}"
    return found


def _continued(world: World, home: Path, how: tuple[str, ...], **counts: int) -> Outcome:
    """The same command again, and what is there then against the undisturbed training."""
    look_old(home)
    ended = world.train(home, *how).wait()
    wrong = [] if ended.code == 0 else [f"the same command ended with {ended.code}: {ended.said[-500:]}"]
    wrong += _differences(home, world.trained(how)) + [f"left behind: {path}" for path in leftovers(home)]
    shutil.rmtree(home.parent / "home-train", ignore_errors=True)
    return Outcome(**counts, wrong=wrong)


def _differences(home: Path, reference: Path) -> list[str]:
    folder, expected = _folder(home), _folder(reference)
    wrong = [f"differs: {name}" for name in SAME if (folder / name).read_bytes() != (expected / name).read_bytes()]
    found, right = latest(folder), latest(expected)
    assert right is not None
    if found is None or found.progress != right.progress:
        return [*wrong, f"the last checkpoint is {found and found.progress}; expected {right.progress}"]
    for part in PARTS:
        mine, theirs = load_file(found.folder / f"{part}.safetensors"), load_file(right.folder / f"{part}.safetensors")
        same = mine.keys() == theirs.keys() and all(mine[name].tobytes() == theirs[name].tobytes() for name in theirs)
        wrong += [] if same else [f"differs: a tensor of {part}"]
    return wrong + tracked.wrong_runs(home, ["run", "training"]) + _wrong_steps(home, folder)


def _wrong_steps(home: Path, folder: Path) -> list[str]:
    """MLflow has the loss of each step once, as metrics.jsonl has it."""
    expected = [(line["step"], line["loss"]) for line in _metrics(folder)]
    found = [tracked.points(home, run_id, "loss") for kind, run_id, _ in tracked.runs(home) if kind == "training"]
    return [] if found == [expected] else [f"MLflow's steps are not those of {folder.name}/metrics.jsonl"]


def _metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def _folder(home: Path) -> Path:
    """The folder of the one training of a home."""
    folders = [path.parent for path in home.glob("runs/*/metrics.jsonl")]
    assert len(folders) == 1, f"{home}: trainings {folders}; expected one"
    return folders[0]
