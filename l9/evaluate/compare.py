"""`l9 runs compare`: what differs between runs in settings, data and metrics, and whether one answers better on the same objects."""

import dataclasses
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from l9.errors import UsageError
from l9.evaluate.paired import paired_difference
from l9.evaluate.runs import find_training, read_plain, trainings_called
from l9.track.facts import flattened

Answers = dict[tuple[str, str, str], list[float]]
"""(test set, object, its label) -> right (1) or wrong (0) for each seed. The label too: two sets may call different things by one id."""


def compare_runs(home: Path, words: Sequence[str]) -> dict[str, Any]:
    """What differs between two runs or more. Every list is in the order of the runs.

    returns  runs      their names
             settings  path -> value in each run, only where they differ; None where a run has no such setting
             data      per run: set -> store and manifest (sha256); `same_data` whether all stand on the same manifests and folds
             metrics   name -> value in each run, None where it has none
             paired    one row for each pair of runs and training: see `_paired`; where two runs have one training each, these are paired
                       whatever their names, else trainings of the same name
             same_test_objects  whether all answers are about the same objects; None where a run has no outcomes
    raises   UsageError where there are fewer than two runs, or one stands twice
    """
    places = [find_training(home, word) for word in words]
    names = [f"{folder.name}/{training}" if training else folder.name for folder, training in places]
    if len(places) < 2 or len(set(places)) < len(places):
        raise UsageError(f"runs compare got {', '.join(names)}; expected two different runs or more.  l9 runs")
    jobs = [_jobs(folder, training) for folder, training in places]
    data = [_data(one) for one in jobs]
    answers = [_answers(one) for one in jobs]
    objects = [sorted({place for one in each.values() for place in one}) for each in answers]
    return {
        "runs": names,
        "settings": _differing([_settings(one, all(len(other) == 1 for other in jobs)) for one in jobs]),
        "data": data,
        "same_data": all(one == data[0] for one in data),
        "metrics": _side_by_side([_metrics(*place) for place in places]),
        "same_test_objects": all(one == objects[0] for one in objects) if all(objects) else None,
        "paired": _paired(names, answers),
    }


def _jobs(folder: Path, training: str) -> dict[str, list[Path]]:
    """Training name -> its folders, one a seed; of one training where it is named."""
    named: dict[str, list[Path]] = {}
    for path in trainings_called(folder, training):
        named.setdefault(str(read_plain(path / "training.json")["training"]["name"]), []).append(path)
    return named


def _settings(jobs: dict[str, list[Path]], alone: bool) -> dict[str, str]:
    """Flattened to the paths that `--set` takes where it can set them: how each training was done, its seeds, and of each set under
    `data` its fold, classes and stages. Where every run compared has one training, that stands as `*` and not by its name.
    """
    found: dict[str, Any] = {"trainings": {}, "data": {}}
    for number, (name, folders) in enumerate(jobs.items()):
        abouts = [read_plain(folder / "training.json") for folder in folders]
        first = abouts[0]
        found["trainings"]["*" if alone else name or str(number)] = {
            key: value for key, value in first["training"].items() if key != "name"
        }
        found["data"] |= {one: {key: facts.get(key) for key in ("fold", "classes", "prep")} for one, facts in first["sets"].items()}
        found |= {"train": first.get("train"), "overfit": first.get("overfit"), "seeds": sorted(one["seed"] for one in abouts)}
    return flattened(found)


def _differing(settings: list[dict[str, str]]) -> dict[str, list[str | None]]:
    rows = _side_by_side(settings)
    return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}


def _side_by_side(columns: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [column.get(name) for column in columns] for name in dict.fromkeys(name for column in columns for name in column)}


def _data(jobs: dict[str, list[Path]]) -> dict[str, dict[str, Any]]:
    """Set -> its store, the sha256 of the store's manifest, and the fold that is tested."""
    found: dict[str, dict[str, Any]] = {}
    for folders in jobs.values():
        for name, facts in read_plain(folders[0] / "training.json")["sets"].items():
            found[name] = {"store": Path(facts["store"]).name, "manifest": facts["manifest"], "fold": facts["fold"]}
    return found


def _metrics(folder: Path, training: str) -> dict[str, float]:
    """Of a whole run as it says itself, of a training of it the means over its seeds."""
    if (folder / "run.json").is_file() and not training:
        metrics: dict[str, float] = read_plain(folder / "run.json")["metrics"]
        return metrics
    files = [path / "result.json" for path in trainings_called(folder, training)]
    results = [read_plain(file)["metrics"] for file in files if file.is_file()]
    named = dict.fromkeys(name for result in results for name in result)
    return {name: fmean(result[name] for result in results if name in result) for name in named}


def _answers(jobs: dict[str, list[Path]]) -> dict[str, Answers]:
    """Training name -> its answers over all seeds; trainings without outcomes that are right or wrong are left out."""
    found: dict[str, Answers] = {}
    for name, folders in jobs.items():
        answers: Answers = {}
        for folder in folders:
            about = read_plain(folder / "training.json")
            alone = next(iter(about["training"].get("test") or about["sets"]), "")  # where one set is tested, outcomes do not name it
            for line in _outcomes(folder):
                if "label" in line and "predicted" in line:
                    place = (str(line.get("set", alone)), str(line["object"]), str(line["label"]))
                    answers.setdefault(place, []).append(float(line["label"] == line["predicted"]))
        if answers:
            found[name] = answers
    return found


def _outcomes(folder: Path) -> list[dict[str, Any]]:
    path = folder / "outcomes.jsonl"
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error}); l9 run … --fresh makes the run again") from error


def _paired(names: list[str], answers: list[dict[str, Answers]]) -> list[dict[str, Any]]:
    """For each pair of runs and training: accuracies, their difference (first minus second) with its 95 % interval, objects won and lost.

    The interval is that of l9/evaluate/paired.py, over all test sets together; an object's answer is the share of seeds that are right.
    Where the objects are not the same there are no numbers, but how many are shared.
    """
    rows = []
    for one, other in combinations(range(len(names)), 2):
        alone = len(answers[one]) == len(answers[other]) == 1
        pairs = [(next(iter(answers[one])), next(iter(answers[other])))] if alone else [(n, n) for n in answers[one] if n in answers[other]]
        for first, second in pairs:
            head = {"first": names[one], "second": names[other], "training": first}
            rows.append({**head, **_pair(answers[one][first], answers[other][second])})
    return rows


def _pair(first: Answers, second: Answers) -> dict[str, Any]:
    shared = sorted(set(first) & set(second))
    if len(shared) < max(len(first), len(second)):
        return {"same_objects": False, "n": len(shared), "objects": [len(first), len(second)]}
    shares = [[sum(answers[place]) / len(answers[place]) for place in shared] for answers in (first, second)]
    means = {"accuracy": [sum(values) / len(values) for values in shares]}
    return {"same_objects": True, **means, **dataclasses.asdict(paired_difference(*shares))}
