"""One figure of a whole run: what each training makes, row by row, below the samples that it was asked, where it was asked any."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray

from l9.draw.grid import sample_grid
from l9.draw.png import write_png

STRIP = "strip"  # a training's answers in a row, and its picture's name; after "<set>_" where several sets are tested
TRUTH = "strip_truth"  # what it was asked; none of what is made out of noise


def write_side_by_side(folder: Path, trainings: Sequence[tuple[str, Path]], title: str) -> list[str]:
    """`pictures/side_by_side[_<set>].png` below the run's folder, where two trainings or more leave a strip; the files' names.

    trainings  name, and folder; of several seeds the first is drawn
    """
    found: dict[str, dict[str, tuple[ndarray | None, ndarray]]] = {}
    for name, training in trainings:
        for path in sorted((training / "pictures").glob(f"*{STRIP}.png")):
            tested = path.stem.removesuffix(STRIP).rstrip("_")
            truth = path.with_name(path.name.replace(f"{STRIP}.png", f"{TRUTH}.png"))
            asked = _read(truth) if truth.is_file() else None
            found.setdefault(tested, {}).setdefault(name or "training", (asked, _read(path)))
    names = []
    for tested, rows in found.items():
        if len(rows) > 1:
            names.append(f"side_by_side{'_' if tested else ''}{tested}.png")
            write_png(folder / "pictures" / names[-1], _page(rows, f"{title}: what each training makes{' of ' if tested else ''}{tested}"))
    return names


def _page(rows: dict[str, tuple[ndarray | None, ndarray]], title: str) -> ndarray:
    """Strips below each other; the truth stands once above all trainings that were asked the same, and none above those asked nothing."""
    asked: dict[bytes, list[tuple[str, ndarray]]] = {}
    for name, (truth, answers) in rows.items():
        head = [] if truth is None else [("truth", truth)]
        asked.setdefault(b"" if truth is None else truth.tobytes(), head).append((name, answers))
    shown = [row for group in asked.values() for row in group]
    return sample_grid([strip for _, strip in shown], [name for name, _ in shown], 1, title)


def _read(path: Path) -> ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))
