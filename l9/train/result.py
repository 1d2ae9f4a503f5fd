"""What a finished training leaves: outcomes, pictures, and last of all `result.json`, whose existence means done.

result.json      {"metrics": {name: number}, "tables": {name: rows}, "classes", "up", "pictures", "steps", "precision"}
outcomes.jsonl   one line for each tested object: what it is and what was answered
pictures/*.png   confusion matrix, worst mistakes
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from l9.draw.png import write_png
from l9.errors import TrainingError
from l9.store.publish import atomic_write
from l9.tasks.contract import Picture, Report
from l9.train.assemble import Assembly

RESULT = "result.json"


def read_result(run_dir: Path) -> dict[str, Any] | None:
    """The stored result of a finished training, or None."""
    try:
        value = json.loads((run_dir / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise TrainingError(f"{run_dir / RESULT}: not JSON ({error}); start over with --fresh") from error
    if not isinstance(value, dict) or not isinstance(value.get("metrics"), dict):
        raise TrainingError(f"{run_dir / RESULT}: holds no metrics; start over with --fresh")
    return value


def write_result(assembly: Assembly, run_dir: Path, extra: Mapping[str, float], steps: int, precision: str | None) -> dict[str, Any]:
    """Evaluate on every test set and write what was found; `extra` metrics come first. Numbers are float32, without autocast.

    precision  in which the network was trained: "float32" or "bfloat16"; None where nothing was
    """
    metrics: dict[str, float] = {key: _finite(key, "the training samples", value) for key, value in extra.items()}
    tables: dict[str, list[dict[str, Any]]] = {}
    outcomes: list[dict[str, Any]] = []
    pictures: list[str] = []
    alone = len(assembly.tests) == 1
    for name in assembly.tests:
        report, drawn = _evaluated(assembly, name)
        ending = "" if alone else f"/{name}"
        metrics |= {f"{key}{ending}": _finite(key, name, value) for key, value in report.metrics.items()}
        tables |= {f"{key}{ending}": rows for key, rows in report.tables.items()}
        outcomes += [row if alone else {"set": name, **row} for row in report.outcomes]
        pictures += write_pictures(run_dir, drawn, "" if alone else f"{name}_")
    _write_state(assembly, run_dir)
    atomic_write(run_dir / "outcomes.jsonl", "".join(_line(row) + "\n" for row in outcomes).encode())
    about = {"classes": list(assembly.classes), "up": assembly.up, "pictures": pictures, "steps": steps, "precision": precision}
    result = {"metrics": metrics, "tables": tables, **about}
    atomic_write(run_dir / RESULT, json.dumps(result, indent=1, allow_nan=False).encode())
    return result


def _evaluated(assembly: Assembly, name: str) -> tuple[Report, list[Picture]]:
    samples = assembly.tests[name]
    if assembly.model is not None:
        assembly.model.eval()
    with torch.no_grad():
        report = assembly.task.evaluate(samples)
        return report, list(assembly.task.pictures(samples, report))


def write_pictures(run_dir: Path, pictures: Iterable[Picture], prefix: str = "") -> list[str]:
    """Write each as `pictures/<prefix><name>.png`; returns the file names."""
    names = []
    for picture in pictures:
        names.append(f"{prefix}{picture.name}.png")
        write_png(run_dir / "pictures" / names[-1], picture.pixels)
    return names


def _write_state(assembly: Assembly, run_dir: Path) -> None:
    """A baseline's arrays as `baseline.safetensors`; a network is in its last checkpoint."""
    arrays = assembly.task.state()
    if arrays:
        from safetensors.numpy import save

        atomic_write(run_dir / "baseline.safetensors", save(arrays))


def _finite(metric: str, name: str, value: float) -> float:
    if not math.isfinite(value):
        raise TrainingError(f"evaluation on {name}: {metric} is {value}; expected a finite number")
    return float(value)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)
