"""What MLflow is told of a folder, read from the files that are the truth: training.json, metrics.jsonl, result.json. No mlflow here."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from l9.errors import TrackingError
from l9.fingerprint import file_digest

Facts = dict[str, Any]
"""experiment, name, params, tags, datasets; plain JSON."""

VERSIONS = ("l9-vision", "torch", "numpy", "ray")


def training_facts(folder: Path) -> Facts:
    """What is to be known about a training, from its `training.json`; TrackingError where that is not there."""
    about = read_json(folder / "training.json")
    if not about:
        raise TrackingError(f"{folder / 'training.json'}: not there; l9 run writes it")
    versions = {f"l9.version.{name}": version(name) for name in VERSIONS}
    return {
        "experiment": about["recipe"],
        "name": folder.name,
        "params": {name: about[name] for name in ("training", "train", "seed", "overfit", "init") if name in about},
        "tags": {"l9.key": about["key"], "l9.seed": str(about["seed"]), **versions},
        "datasets": datasets(about["sets"]),
    }


def datasets(sets: Mapping[str, Mapping[str, Any]]) -> list[Facts]:
    """Name, digest and place of each set's store; `manifest` is the manifest's sha256, or (in reports) its path."""
    found = []
    for name, facts in sets.items():
        manifest = str(facts["manifest"])
        sha256 = file_digest(Path(manifest)) if manifest.endswith(".json") else manifest
        found.append({"name": name, "digest": sha256, "source": str(facts["store"])})
    return found


def flattened(value: Any, name: str = "") -> dict[str, str]:
    """A plain value as `path.to.leaf` -> text; lists without mappings or lists in them are one leaf of JSON."""
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        return {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
    return {path: text for key, item in items for path, text in flattened(item, f"{name}.{key}" if name else str(key)).items()}


def durable_records(folder: Path, sent: int) -> Iterator[Facts]:
    """Lines of metrics.jsonl after step `sent` and before the newest checkpoint's; all of them once there is a result."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return
    steps = [int(found.parent.name) for found in folder.glob("checkpoints/[0-9]*/state.json")]
    end = None if (folder / "result.json").is_file() else max(steps, default=0)
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            if end is not None and record["step"] >= end:
                return
            if record["step"] > sent:
                yield record


def csv_text(rows: list[Mapping[str, Any]]) -> str:
    """A table as CSV, columns in the order in which they first stand in a row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_json(path: Path) -> Facts:
    """A JSON object, {} where there is no file; TrackingError where it is something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise TrackingError(f"{path}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise TrackingError(f"{path}: not a JSON object")
    return value
