"""ROC curves of several methods in one picture, with the error at the recall that the field reports."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.draw.figure import figure_pixels, new_figure

SIZE = (760, 560)  # pixels, across and down
LEAST_RATE = 1e-3  # where the logarithmic axis begins


def roc_picture(
    curves: Mapping[str, tuple[Float[ndarray, "n"], Float[ndarray, "n"]]], title: str, recall: float = 0.95
) -> UInt8[ndarray, "h w 3"]:
    """Recall over the false positive rate, by its logarithm; a line for each method, named with its rate at `recall`, the best first.

    curves  name -> recalls, ascending, and false positive rates
    """
    figure = new_figure(*SIZE)
    axes = figure.add_subplot()
    errors = {name: float(np.interp(recall, recalls, rates)) for name, (recalls, rates) in curves.items()}
    for name in sorted(errors, key=lambda one: (errors[one], one)):
        recalls, rates = curves[name]
        axes.plot(np.maximum(rates, LEAST_RATE), recalls, label=f"{name}  {100 * errors[name]:.2f} %")
    axes.axhline(recall, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlim=(LEAST_RATE, 1), ylim=(0, 1.01), xlabel="false positive rate", ylabel="recall", title=title)
    axes.legend(title=f"error at {100 * recall:g} % recall", loc="lower right")
    axes.grid(alpha=0.3)
    return figure_pixels(figure)
