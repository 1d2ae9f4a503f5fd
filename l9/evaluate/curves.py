"""Pictures of a whole run: the curves of all its trainings side by side, from the tables that they report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from l9.draw.curves import roc_picture
from l9.draw.png import write_png

TABLE = "roc"  # or roc/<set> where several sets are tested: rows of `recall` and `rate`


def write_curves(folder: Path, results: Sequence[tuple[str, dict[str, Any]]], title: str) -> list[str]:
    """`pictures/roc[_<set>].png` below the run's folder, for each tested set of which a training reports a curve; the files' names.

    results  name of a training, and what its `result.json` holds; of several seeds the mean rate at each recall is drawn
    """
    curves: dict[str, dict[str, list[tuple[ndarray, ndarray]]]] = {}
    for training, result in results:
        for table, rows in result.get("tables", {}).items():
            if table == TABLE or table.startswith(f"{TABLE}/"):
                columns = tuple(np.array([row[name] for row in rows], np.float64) for name in ("recall", "rate"))
                curves.setdefault(table, {}).setdefault(training or "training", []).append((columns[0], columns[1]))
    names = []
    for table, methods in curves.items():
        means = {name: (seeds[0][0], np.mean([rates for _, rates in seeds], axis=0)) for name, seeds in methods.items()}
        names.append(f"{table.replace('/', '_')}.png")
        write_png(folder / "pictures" / names[-1], roc_picture(means, f"{title}, {table.partition('/')[2]}".rstrip(", ")))
    return names
