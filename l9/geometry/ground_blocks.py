"""A room cut into square blocks as seen from above, which may overlap: where they begin, and which points stand in each."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

SLACK = 1e-9  # of a stride: rounding alone begins no further block
TOUCH = 1e-9  # metres: what rounding puts so far outside an edge is on it


def block_starts(extent: int | float, block: int | float, stride: int | float) -> Float[ndarray, "n"]:
    """Where blocks begin along an axis of a room that reaches from 0 to `extent`, metres.

    The last one ends where the room does, so that none is a sliver; a room shorter than a block has one that begins at 0.
    """
    count = max(1, int(np.ceil((extent - block) / stride - SLACK)) + 1)
    return np.minimum(np.arange(count) * stride, max(extent - block, 0.0))


def ground_blocks(
    places: Float[ndarray, "n 2"], block: int | float, stride: int | float
) -> Iterator[tuple[tuple[int, int], Int64[ndarray, "_"]]]:
    """Number of each block that holds points, along both axes, and the numbers of these points, ascending; edges belong to both sides.

    places  metres from the room's own corner, none below 0
    """
    first = np.argsort(places[:, 0], kind="stable")
    across = places[first, 0]
    extents = places.max(axis=0)
    starts = [block_starts(float(extent), block, stride) for extent in extents]
    for row, begin in enumerate(starts[0]):
        strip = first[np.searchsorted(across, begin - TOUCH, "left") : np.searchsorted(across, begin + block + TOUCH, "right")]
        if not len(strip):
            continue
        strip = strip[np.argsort(places[strip, 1], kind="stable")]
        along = places[strip, 1]
        low, high = np.searchsorted(along, starts[1] - TOUCH, "left"), np.searchsorted(along, starts[1] + block + TOUCH, "right")
        for column in np.flatnonzero(high > low).tolist():
            yield (row, column), np.sort(strip[low[column] : high[column]])
