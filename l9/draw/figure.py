"""Matplotlib without its global state: a figure of known size, and its pixels."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

DOTS_PER_INCH = 100


def new_figure(width: int, height: int) -> Any:
    """An empty figure of `width` x `height` pixels that lays itself out so that no label is cut off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_pixels(figure: Any) -> UInt8[ndarray, "h w 3"]:
    """What the figure looks like."""
    figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
