"""Find runs on disk by what a person types: a folder name, a unique prefix, a key, an MLflow id, a path, or `latest`.

<home>/runs/<recipe>-<key>/run.json                    a whole run: its trainings, stores and metrics
<home>/runs/<recipe>[-<training>]-s<seed>-<key>/       one training: training.json, metrics.jsonl, checkpoints/, result.json
"""

import difflib
import json
from pathlib import Path
from typing import Any

from l9.errors import UsageError
from l9.track.tags import read_tags


def run_folders(home: Path) -> list[Path]:
    """Every run and training below `home`, newest first."""
    folder = home / "runs"
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")] if folder.is_dir() else []
    return sorted(found, key=_made, reverse=True)


def _made(folder: Path) -> int:
    """When a run began, as the file says that is written first and never again; ns since 1970."""
    about = [folder / name for name in ("training.json", "run.json") if (folder / name).is_file()]
    return (about[0] if about else folder).stat().st_mtime_ns


def read_plain(path: Path) -> dict[str, Any]:
    """What a JSON file of a run holds; UsageError where it is no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON ({error}); l9 run … --fresh makes the run again") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: not a JSON object; l9 run … --fresh makes the run again")
    return value


def list_runs(home: Path, *, tag: str | None = None, recipe: str | None = None) -> list[dict[str, Any]]:
    """One plain row a run or training: run, kind, recipe, state (finished, unfinished), metrics, tags; a whole run's `run_id` too.

    tag, recipe  only runs that have this tag, of this recipe
    raises       UsageError with near matches where no run at all has that tag or recipe
    """
    rows = [row for folder in run_folders(home) if (row := _row(folder)) is not None]
    if tag is not None:
        _check_known("tag", tag, sorted({name for row in rows for name in row["tags"]}))
    if recipe is not None:
        _check_known("recipe", recipe, sorted({row["recipe"] for row in rows}))
    return [row for row in rows if tag in (None, *row["tags"]) and recipe in (None, row["recipe"])]


def _row(folder: Path) -> dict[str, Any] | None:
    whole, one, result = folder / "run.json", folder / "training.json", folder / "result.json"
    about = {"run": folder.name, "tags": read_tags(folder)}
    if whole.is_file():
        return {**about, "kind": "run", "state": "finished", **{k: read_plain(whole)[k] for k in ("recipe", "run_id", "metrics")}}
    if one.is_file():
        metrics = read_plain(result)["metrics"] if result.is_file() else {}
        state = "finished" if result.is_file() else "unfinished"
        return {**about, "kind": "training", "state": state, "recipe": read_plain(one)["recipe"], "metrics": metrics}
    return None


def _check_known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 3) or known[:6]
        raise UsageError(f"no run has the {what} '{name}'; there is {', '.join(near) or 'none'}.  l9 runs")


def find_run(home: Path, words: str) -> Path:
    """The folder of the run a person means; UsageError with near matches where there is none or more than one.

    `latest` is the newest finished run; `RUN/TRAINING` names one training of a run by its recipe name.
    """
    folder, training = find_training(home, words)
    return folder if not training else trainings_called(folder, training)[0]


def find_training(home: Path, words: str) -> tuple[Path, str]:
    """As `find_run`, with RUN/TRAINING in two: the run's folder, and the training's name or ""."""
    name, _, training = words.partition("/") if not Path(words).is_dir() else (words, "", "")
    return _find(home, name), training


def _find(home: Path, words: str) -> Path:
    if Path(words).is_dir() and any((Path(words) / name).is_file() for name in ("run.json", "training.json")):
        return Path(words).resolve()
    folders = run_folders(home)
    if words == "latest":
        finished = [folder for folder in folders if (folder / "run.json").is_file()]
        if not finished:
            raise UsageError(f"no finished run below {home / 'runs'}; l9 run furniture_voxnet makes one")
        return max(finished, key=lambda folder: float(read_plain(folder / "run.json")["finished"]))
    if (home / "runs" / words).is_dir() and words:
        return home / "runs" / words
    matches = [
        folder for folder in folders if words and (folder.name.startswith(words) or folder.name.rpartition("-")[2].startswith(words))
    ]
    matches = matches or [folder for folder in folders if words and mlflow_id(folder) == words]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(f"'{words}' could be {', '.join(folder.name for folder in matches[:4])}; give more of the name")
    near = difflib.get_close_matches(words, [folder.name for folder in folders], 3) or [folder.name for folder in folders[:3]]
    raise UsageError(f"no run '{words}' below {home / 'runs'}; near: {', '.join(near) or 'none'}.  l9 runs")


def mlflow_id(folder: Path) -> str:
    """The id that MLflow gave a run; "" where it has not been told of it yet."""
    path = folder / "track.json"
    return str(read_plain(path).get("run_id") or "") if path.is_file() else ""


def trainings_of(folder: Path) -> list[Path]:
    """The training folders of a run; of a training, itself. UsageError where the run is not finished."""
    if (folder / "training.json").is_file():
        return [folder]
    if not (folder / "run.json").is_file():
        raise UsageError(f"{folder.name} is not finished; the same l9 run continues it")
    return [folder.parent / name for name in read_plain(folder / "run.json")["trainings"]]


def trainings_called(folder: Path, training: str = "") -> list[Path]:
    """The folders of one training of a run, one a seed; of all its trainings where no name is given."""
    names = {path: str(read_plain(path / "training.json")["training"]["name"]) for path in trainings_of(folder)}
    found = [path for path, name in names.items() if training in ("", name)]
    if not found:
        raise UsageError(
            f"{folder.name} has no training '{training}'; it has {', '.join(n or '(unnamed)' for n in dict.fromkeys(names.values()))}"
        )
    return found


def network_of(folder: Path) -> Path:
    """The first finished training of a run that has a network; UsageError where there is none."""
    for training in trainings_of(folder):
        about = training / "training.json"
        if about.is_file() and read_plain(about)["training"]["model"] is not None and (training / "result.json").is_file():
            return training
    raise UsageError(f"{folder.name} has no finished training with a network; l9 runs")


def training_facts(folder: Path) -> dict[str, Any]:
    """What the training was told: `training.json`."""
    return read_plain(folder / "training.json")


def weights_of(folder: Path) -> Path:
    """The safetensors weights of a run's network, of its newest whole checkpoint."""
    from l9.train.checkpoints import latest

    training = network_of(folder)
    found = latest(training)
    if found is None:
        raise UsageError(f"{training.name} has no whole checkpoint; l9 run … --fresh")
    return found.folder / "model.safetensors"
