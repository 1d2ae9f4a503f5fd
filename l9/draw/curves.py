"""How numbers move over a training, as a picture."""

from collections.abc import Mapping

from jaxtyping import UInt8
from numpy import ndarray

from l9.draw.figure import figure_pixels, new_figure
from l9.draw.text import legible
from l9.errors import ShapeError


def curves_picture(
    curves: Mapping[str, tuple[ndarray, ndarray]], *, across: str = "step", up: str = "loss", logarithmic: bool = False
) -> UInt8[ndarray, "h w 3"]:
    """One line for each name.

    curves       name -> (steps (n,), values (n,)); a value that is not finite leaves a gap
    across, up   what the two axes say
    logarithmic  the upward axis by powers of ten; values at or below 0 leave gaps there
    raises       ShapeError if steps and values of a curve differ in number
    """
    figure = new_figure(800, 480)
    axes = figure.add_subplot()
    for name, (steps, values) in curves.items():
        if steps.shape != values.shape:
            raise ShapeError(f"curve {name} has {steps.shape} steps and {values.shape} values")
        (line,) = axes.plot(steps, values, linewidth=1.4, marker="." if len(steps) < 30 else None)
        line.set_label(" " + legible(name))  # matplotlib hides labels that start with an underscore
    if logarithmic:
        axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel(legible(across), parse_math=False)
    axes.set_ylabel(legible(up), parse_math=False)
    axes.grid(alpha=0.3)
    if curves:
        for text in axes.legend().get_texts():
            text.set_parse_math(False)
    return figure_pixels(figure)
