"""Furniture by forest, VoxNet and PointNet over the card's five folds, object by object on the same data.

run     python bench/classify.py --json             (make bench ONLY=classify)
data    furniture19 of the card `furniture`: 505 objects, 19 classes, families of near repeats never straddle folds
learns  from the four folds that are not the test fold: the forest and every network exactly the same objects. An epoch shows each object
        once, in a random pose; a test sums 12 votes
chosen  schedules beforehand: for VoxNet 80 epochs, on validation fold 1 as good as 150. VoxNet's label smoothing, 0 or 0.1, for each
        test fold by accuracy on the fold after it, learning from the three folds that are neither
prints  a row for every (contestant, fold, seed) as it ends, kept in rows.jsonl, so that the command goes on where it was stopped; then
        mean and deviation over folds and seeds, and the difference to the forest object by object, seeds averaged, with its 95 % interval
"""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rounds import options, report, say

from l9 import __version__
from l9.config import FOLDS, Pipeline, Prep, Schedule, Set, Training, Use
from l9.evaluate.paired import paired_difference
from l9.fingerprint import digest
from l9.models.pointnet import PointNet
from l9.models.voxnet import VoxNet
from l9.pipeline import run_pipeline
from l9.prep.sets import Options
from l9.progress import quiet
from l9.stages import box_size, coarse_occupancy, normalise, occupancy, surface_points
from l9.tasks.classify import Classify
from l9.tasks.forest import Forest
from l9.typed import to_plain

Parts = Literal["train/validation", "train+validation/test"]
DATA = Prep(
    Use(box_size),
    Use(normalise, kind="cube"),
    Use(occupancy, resolution=32, rotations=12),
    Use(coarse_occupancy),
    Use(normalise, kind="sphere"),
    Use(surface_points, count=2048),
)
SMOOTHINGS = (0.0, 0.1)  # of VoxNet's labels: the one thing that is chosen
VOXNET = Schedule(epochs=80, batch=32, lr=1e-3, curve="cosine", warmup=0.05)
POINTNET = Schedule(epochs=40, batch=32, lr=1e-3, curve="cosine", warmup=0.05)


def voxnet(*, smoothing: float, size: bool = False, parts: Parts = "train+validation/test") -> Training:
    """VoxNet as the paper has it; with `size`, the logarithms of the box's three sides in metres join its hidden layer."""
    task = Use(Classify, votes=12, label_smoothing=smoothing, box_size=size)
    return Training(task, Use(VoxNet, extra=3 if size else 0), VOXNET, parts=parts)


def contestants(seed: int, smoothing: float) -> dict[str, Training]:
    """The trainings of one fold and seed; `_size` ones are also given the box."""
    cloud = Use(Classify, inputs="points", points=1024, votes=12)
    parts: Parts = "train+validation/test"
    return {
        "forest": Training(Use(Forest, trees=400, seed=seed), None, parts=parts),
        "voxnet": voxnet(smoothing=smoothing),
        "forest_size": Training(Use(Forest, trees=400, seed=seed, box_size=True), None, parts=parts),
        "voxnet_size": voxnet(smoothing=smoothing, size=True),
        "pointnet": Training(cloud, Use(PointNet), POINTNET, parts=parts),
    }


SEEDS = {"forest": 3, "voxnet": 3, "forest_size": 3, "voxnet_size": 3, "pointnet": 1}


@dataclass(frozen=True)
class Run:
    """One training on one fold with one seed."""

    name: str
    fold: int
    seed: int
    training: Training

    @property
    def key(self) -> str:
        """What its row stands for: settings changed since make another."""
        return digest([self.name, self.fold, self.seed, to_plain(self.training), DATA.to_plain()])[:16]

    def row(self, home: Path) -> dict[str, Any]:
        """Train, or go on training, and test."""
        sets = {"furniture": Set("furniture", DATA, classes="furniture19", fold=self.fold)}
        training = replace(self.training, sets=("furniture",), test=("furniture",))
        start = time.monotonic()
        found = run_pipeline(Pipeline(f"classify-{self.name}", sets, (training,), seeds=(self.seed,)), Options(home=home), quiet)
        outcomes = [json.loads(line) for line in (home / "runs" / found["trainings"][0] / "outcomes.jsonl").read_text().splitlines()]
        return {
            "contestant": self.name,
            "fold": self.fold,
            "seed": self.seed,
            "accuracy": found["metrics"]["accuracy"],
            "minutes": round((time.monotonic() - start) / 60, 1),
            "l9": __version__,
            "key": self.key,
            "right": {outcome["object"]: outcome["label"] == outcome["predicted"] for outcome in outcomes},
        }


class Rows:
    """What has been run, kept as it comes, so that a stopped bench goes on."""

    def __init__(self, path: Path, home: Path, *, train: bool) -> None:
        self.path, self.home, self.train = path, home, train
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._known: dict[str, dict[str, Any]] = {row["key"]: row for row in map(json.loads, lines)}

    def of(self, run: Run) -> dict[str, Any] | None:
        """The row of a run, trained now where it is not there; None where nothing is to be trained."""
        if run.key not in self._known and self.train:
            self._known[run.key] = run.row(self.home)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(self._known[run.key]) + "\n")
        row = self._known.get(run.key)
        if row is not None:
            say("  ".join(f"{name} {value}" for name, value in row.items() if name not in ("key", "right")))
        return row


def chosen_smoothing(fold: int, rows: Rows) -> float | None:
    """VoxNet's label smoothing for a test fold, by its validation fold; the smaller where both are as good."""
    found = [rows.of(Run(f"choice-{one}", fold, 0, voxnet(smoothing=one, parts="train/validation"))) for one in SMOOTHINGS]
    judged = [row["accuracy"] for row in found if row is not None]
    return SMOOTHINGS[judged.index(max(judged))] if len(judged) == len(SMOOTHINGS) else None


def rows_of(names: list[str], rows: Rows) -> Iterator[dict[str, Any]]:
    """Every row, seed by seed, so that a table of one seed is there first."""
    for seed in range(max(SEEDS.values())):
        for name in names:
            for fold in range(FOLDS) if seed < SEEDS[name] else ():
                smoothing = chosen_smoothing(fold, rows) if name.startswith("voxnet") else 0.0
                row = None if smoothing is None else rows.of(Run(name, fold, seed, contestants(seed, smoothing)[name]))
                if row is not None:
                    yield row


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Contestant -> mean and deviation of its runs' accuracies, and what it has over the forest."""
    found: dict[str, Any] = {}
    for name in SEEDS:
        mine = [row for row in rows if row["contestant"] == name]
        if mine:
            values = [row["accuracy"] for row in mine]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            found[name] = {"mean": statistics.fmean(values), "std": spread, "runs": len(mine), "of": SEEDS[name] * FOLDS}
            found[name]["minutes"] = round(sum(row["minutes"] for row in mine), 1)
    for name in set(found) - {"forest"}:
        found[name]["over_forest"] = over(rows, name, "forest")
    if {"voxnet_size", "forest_size"} <= set(found):
        found["voxnet_size"]["over_forest_size"] = over(rows, "voxnet_size", "forest_size")
    return found


def over(rows: list[dict[str, Any]], one: str, other: str) -> dict[str, Any]:
    """The paired difference over the objects that both have been tested on, each by the share of its seeds that were right."""
    first, second = shares(rows, one), shares(rows, other)
    both = sorted(first.keys() & second.keys())
    return vars(paired_difference([first[name] for name in both], [second[name] for name in both])) if both else {}


def shares(rows: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Object -> share of the contestant's seeds that answered rightly."""
    answers: dict[str, list[bool]] = {}
    for row in rows:
        if row["contestant"] == name:
            for one, right in row["right"].items():
                answers.setdefault(one, []).append(right)
    return {one: statistics.fmean(given) for one, given in answers.items()}


def main() -> None:
    """Run what is missing and report."""
    given = options(
        __doc__.splitlines()[0],
        json={"action": "store_true", "help": "accepted for likeness with l9: the last line is JSON always"},
        only={"action": "append", "choices": list(SEEDS), "default": []},
        table={"action": "store_true", "help": "train nothing: the table of the rows that are there"},
        home={"type": Path, "default": Path("l9-home")},
    )
    rows = Rows(given.work / "classify" / "rows.jsonl", given.home.resolve(), train=not given.table)
    report({"bench": "classify", **table(list(rows_of(given.only or list(SEEDS), rows)))})


if __name__ == "__main__":
    main()
