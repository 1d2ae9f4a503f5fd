"""Pictures that autoencoders of any kind share: which codes lie together, and which samples are shown."""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.draw.class_map import class_map
from l9.tasks.contract import Picture
from l9.tasks.neighbours import two_dimensions

SHOWN = 8  # samples on a page of reconstructions, unless a page says otherwise


def shown_numbers(count: int, most: int = SHOWN) -> list[int]:
    """At most `most` numbers below `count`, evenly spread, no choice by result."""
    return sorted({int(number) for number in np.linspace(0, count - 1, min(count, most))})


def code_map(codes: Float[ndarray, "n z"], labels: Int[ndarray, "n"], classes: tuple[str, ...], title: str) -> Picture:
    """`codes`: each sample at the two largest principal components of the codes, by class."""
    places, shares = two_dimensions(codes)
    names = tuple(f"component {number + 1}: {100 * share:.0f} % of the variance" for number, share in enumerate(shares))
    return Picture("codes", class_map(places, labels, classes, title, (names[0], names[1])))
