"""The confusion matrix as a picture."""

from typing import Any

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from l9.draw.figure import DOTS_PER_INCH, figure_pixels, new_figure
from l9.draw.text import legible, shortened
from l9.errors import ShapeError

CELL = 34  # pixels of a cell, enough for three digits
MOST_NUMBERED = 60  # classes up to which counts are written into the cells
WIDEST_MATRIX = 2400  # pixels of the cells together; above it they shrink
WIDEST_NAME, NAME_SIZE = 180, 13  # pixels; longer class names are shortened in the middle; 13 pixels are 9 points


def confusion_picture(counts: Int[ndarray, "k k"], classes: tuple[str, ...]) -> UInt8[ndarray, "h w 3"]:
    """Rows are true classes, columns predicted ones.

    counts  objects of each pair, written into the cells (nought left blank, none at all above 60 classes)
    colour  share of the row, so that small classes are as visible as large ones; a class without objects stays white
    raises  ShapeError if there is not one name for each class
    """
    if len(classes) != len(counts):
        raise ShapeError(f"confusion_picture got {len(counts)} classes and {len(classes)} names")
    side = min(CELL * len(classes), WIDEST_MATRIX)
    figure = new_figure(side + 360, side + 280)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    right = int(np.trace(counts))
    axes.set_title(f"{right:,} of {int(counts.sum()):,} right")
    _name_the_classes(axes, classes, side / len(classes))
    if len(classes) <= MOST_NUMBERED:
        _write_counts(axes, counts, shares)
    return figure_pixels(figure)


def _name_the_classes(axes: Any, classes: tuple[str, ...], cell: float) -> None:
    """Names along both edges, no higher than a cell of `cell` pixels; `$` in a name is a plain letter, not mathematics."""
    names = [shortened(legible(name), WIDEST_NAME, NAME_SIZE) for name in classes]
    size = min(9.0, 0.8 * cell * 72 / DOTS_PER_INCH)  # points
    axes.set_xticks(range(len(classes)), names, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(range(len(classes)), names, fontsize=size, parse_math=False)


def _write_counts(axes: Any, counts: Int[ndarray, "k k"], shares: ndarray) -> None:
    for row, column in np.argwhere(counts > 0):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=8, color=colour)
