"""Furniture by forest, VoxNet and PointNet over the card's five folds, object by object on the same data.

run     python bench/classify.py --json             (make bench ONLY=classify)
data    furniture19 of the card `furniture`: 505 objects, 19 classes, families of near repeats never straddle folds
learns  from the three folds that are neither the test fold nor the validation fold after it: the forest and every network exactly the
        same objects. An epoch shows each object once, in a random pose; a test sums 12 votes
chose   nothing by a test fold: see SETTINGS
prints  a row for every (contestant, fold, seed) as it ends, kept in rows.jsonl, so that the command goes on where it was stopped; then
        mean and deviation over folds and seeds, and the difference to the forest object by object, seeds averaged, with its 95 % interval
"""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

DATA = Prep(
    Use(box_size),
    Use(normalise, kind="cube"),
    Use(occupancy, resolution=32, rotations=12),
    Use(coarse_occupancy),
    Use(normalise, kind="sphere"),
    Use(surface_points, count=2048),
)
SETTINGS = """VoxNet: the schedule of pipelines/furniture_voxnet.py, long enough for the training loss to level off; PointNet: that of
pipelines/furniture_pointnet.py. Neither was compared with others on these folds."""
VOXNET = Schedule(epochs=200, batch=32, lr=1e-3, curve="cosine", warmup=0.02, checkpoint_every=50)
POINTNET = Schedule(epochs=60, batch=32, lr=1e-3, curve="cosine", warmup=0.02)


def contestants(seed: int) -> dict[str, Training]:
    """The trainings of one fold and seed; `_size` ones are also given the logarithms of the box's three sides in metres."""
    return {
        "forest": Training(Use(Forest, trees=400, seed=seed), None),
        "voxnet": Training(Use(Classify, votes=12), Use(VoxNet), VOXNET),
        "forest_size": Training(Use(Forest, trees=400, seed=seed, box_size=True), None),
        "voxnet_size": Training(Use(Classify, votes=12, box_size=True), Use(VoxNet, extra=3), VOXNET),
        "pointnet": Training(Use(Classify, inputs="points", points=1024, votes=12), Use(PointNet), POINTNET),
    }


SEEDS = {"forest": 3, "voxnet": 3, "forest_size": 3, "voxnet_size": 3, "pointnet": 1}


@dataclass(frozen=True)
class Run:
    """One contestant on one fold with one seed."""

    name: str
    fold: int
    seed: int

    @property
    def training(self) -> Training:
        """What is trained."""
        return contestants(self.seed)[self.name]

    @property
    def key(self) -> str:
        """What its row stands for: settings changed since make another."""
        return digest([self.name, self.fold, self.seed, to_plain(self.training), DATA.to_plain()])[:16]

    def row(self, home: Path) -> dict[str, Any]:
        """Train, or go on training, and test."""
        sets = {"furniture": Set("furniture", DATA, classes="furniture19", fold=self.fold)}
        start = time.monotonic()
        found = run_pipeline(Pipeline(f"classify-{self.name}", sets, (self.training,), seeds=(self.seed,)), Options(home=home), quiet)
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


def planned(only: list[str]) -> Iterator[Run]:
    """Every run, seed by seed, so that a table of one seed is there first."""
    for seed in range(max(SEEDS.values())):
        for name in only or SEEDS:
            if seed < SEEDS[name]:
                yield from (Run(name, fold, seed) for fold in range(FOLDS))


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
        json={"action": "store_true", "help": "the last line alone; it is always printed"},
        only={"action": "append", "choices": list(SEEDS), "default": []},
        table={"action": "store_true", "help": "train nothing: the table of the rows that are there"},
        home={"type": Path, "default": Path("l9-home")},
    )
    kept = given.work / "classify" / "rows.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = {row["key"]: row for row in map(json.loads, kept.read_text().splitlines())} if kept.is_file() else {}
    rows = []
    for run in planned(given.only):
        if run.key not in known and not given.table:
            known[run.key] = run.row(given.home.resolve())
            with kept.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(known[run.key]) + "\n")
        if run.key in known:
            row = known[run.key]
            rows.append(row)
            if not given.json:
                say("  ".join(f"{name} {value}" for name, value in row.items() if name not in ("key", "right")))
    report({"bench": "classify", **table(rows)})


if __name__ == "__main__":
    main()
