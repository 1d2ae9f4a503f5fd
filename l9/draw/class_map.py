"""Points of a plane, each coloured and marked by its class: what lies beside what."""

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from l9.draw.figure import figure_pixels, new_figure
from l9.draw.text import legible, shortened
from l9.errors import ShapeError

SIZE = (940, 640)  # pixels, across and down
COLOURS = 10  # after which a class has the first colour again, with another mark
MARKS = "os^Dv*PX<>"
WIDEST_NAME, NAME_SIZE = 160, 12  # pixels; longer class names are shortened in the middle
MOST_NAMED = 40  # classes up to which the legend names them


def class_map(
    places: Float[ndarray, "n 2"], labels: Int[ndarray, "n"], classes: tuple[str, ...], title: str, axes_names: tuple[str, str]
) -> UInt8[ndarray, "h w 3"]:
    """A scatter plot with a legend of the classes that occur.

    labels  positions in `classes`; points of -1, without a class, are grey dots
    raises  ShapeError where a label names no class
    """
    if len(labels) and labels.max() >= len(classes):
        raise ShapeError(f"class_map got the label {int(labels.max())} and {len(classes)} classes")
    figure = new_figure(*SIZE)
    axes = figure.add_subplot()
    axes.scatter(*places[labels < 0].T, s=8, color="lightgrey")
    for place, number in enumerate(np.unique(labels[labels >= 0])):
        name = shortened(legible(classes[number]), WIDEST_NAME, NAME_SIZE)
        look = {"color": f"C{place % COLOURS}", "marker": MARKS[place // COLOURS % len(MARKS)], "edgecolors": "white", "linewidths": 0.4}
        axes.scatter(*places[labels == number].T, s=36, label=name, **look)
    axes.set(xlabel=axes_names[0], ylabel=axes_names[1])
    axes.set_title(legible(title), parse_math=False)
    if 0 < len(np.unique(labels[labels >= 0])) <= MOST_NAMED:
        legend = axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure_pixels(figure)
