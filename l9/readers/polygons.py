"""Polygons of any size into triangles: the last step of every text format that allows them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import RefusedObject


@dataclass(frozen=True)
class Polygons:
    """Faces of differing size, one behind the other.

    corners  vertex numbers from 0
    counts   corners of each face; their sum is len(corners)
    """

    corners: Int[ndarray, "c"]
    counts: Int[ndarray, "p"]

    def within(self, vertices: int, *, first: int) -> "Polygons":
        """Itself, or RefusedObject `index-out-of-range` naming face and vertex as the file counts them, from `first`."""
        wrong = np.flatnonzero((self.corners < 0) | (self.corners >= vertices))
        if len(wrong):
            face = int(np.searchsorted(np.cumsum(self.counts), wrong[0], side="right"))
            named = int(self.corners[wrong[0]])
            raise RefusedObject("index-out-of-range", f"face {face + first:,} names vertex {named + first:,} of {vertices:,}")
        return self

    def notes(self) -> tuple[str, ...]:
        """What `triangles` leaves out."""
        small = int((self.counts < 3).sum())
        return (f"{small:,} faces with fewer than 3 corners left out",) if small else ()

    def triangles(self) -> Int[ndarray, "t 3"]:
        """int64 fans around each face's first corner, in the file's order; faces with fewer than 3 corners give none.

        A fan is exact where a face is convex, as the formats ask.
        """
        fans = np.maximum(self.counts - 2, 0)
        starts = np.repeat(np.cumsum(self.counts) - self.counts, fans)
        step = np.arange(fans.sum()) - np.repeat(np.cumsum(fans) - fans, fans)
        return self.corners[np.stack([starts, starts + step + 1, starts + step + 2], axis=1)]
