"""`l9 eval RUN`: the metrics of a stored network on its test sets, computed again."""

from pathlib import Path
from typing import Any

import torch

from l9.evaluate.restored import restored
from l9.evaluate.runs import find_run, network_of


def evaluate_run(home: Path, words: str) -> dict[str, Any]:
    """`{"run": folder name, "metrics": {...}}` with the names that the training's own result has."""
    folder = network_of(find_run(home, words))
    assembly = restored(folder, home)
    metrics: dict[str, float] = {}
    with torch.no_grad():
        for name, samples in assembly.tests.items():
            ending = "" if len(assembly.tests) == 1 else f"/{name}"
            metrics |= {f"{metric}{ending}": value for metric, value in assembly.task.evaluate(samples).metrics.items()}
    return {"run": folder.name, "metrics": metrics}
