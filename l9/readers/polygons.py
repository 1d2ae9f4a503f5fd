"""Polygons of any size into triangles: the last step of every text format that allows them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject

TURNED = 1e-3  # share of a face's area that may lie on its wrong side: quads are seldom quite flat
BLOCK = 1 << 19  # corners whose triangles are looked at together, about 100 MB


def _runs(starts: Int[ndarray, "p"], lengths: Int[ndarray, "p"]) -> Int[ndarray, "c"]:
    """starts[0], starts[0] + 1, ... as many as lengths[0], then likewise for the next."""
    return np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)


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

    def notes(self, vertices: Float[ndarray, "v 3"]) -> tuple[str, ...]:
        """What `triangles` leaves out, and what it makes of faces that are not as the formats ask."""
        small, concave = int((self.counts < 3).sum()), self.concave(vertices)
        left_out = (f"{small:,} faces with fewer than 3 corners left out",) if small else ()
        return left_out + ((f"{concave:,} concave faces cut into fans, which reach beyond them",) if concave else ())

    def concave(self, vertices: Float[ndarray, "v 3"]) -> int:
        """How many faces have a fan that turns back: a triangle against the face's own normal, of more than TURNED of its area."""
        ends = np.cumsum(self.counts)
        large = np.flatnonzero(self.counts > 3)
        parts = np.searchsorted(np.cumsum(self.counts[large]), np.arange(BLOCK, int(self.counts[large].sum()), BLOCK))
        return sum(self._concave_among(vertices, ends, faces) for faces in np.split(large, parts))

    def _concave_among(self, vertices: Float[ndarray, "v 3"], ends: Int[ndarray, "p"], faces: Int[ndarray, "f"]) -> int:
        if len(faces) == 0:
            return 0
        counts = self.counts[faces]
        some = Polygons(self.corners[_runs(ends[faces] - counts, counts)], counts)
        face = np.repeat(np.arange(len(faces)), counts - 2)
        with np.errstate(over="ignore", invalid="ignore"):  # huge coordinates: neither concave nor worth a word
            first, second, third = vertices[some.triangles()].swapaxes(0, 1)
            normals = np.cross(second - first, third - first)
            whole = np.add.reduceat(normals, np.cumsum(counts - 2) - (counts - 2))
            turned = (normals * whole[face]).sum(axis=1) < -TURNED * (whole * whole).sum(axis=1)[face]
        return len(np.unique(face[turned]))

    def triangles(self) -> Int[ndarray, "t 3"]:
        """int64 fans around each face's first corner, in the file's order; faces with fewer than 3 corners give none.

        A fan is exact where a face is convex, as the formats ask.
        """
        fans = np.maximum(self.counts - 2, 0)
        starts = np.repeat(np.cumsum(self.counts) - self.counts, fans)
        step = _runs(np.zeros_like(fans), fans)
        return self.corners[np.stack([starts, starts + step + 1, starts + step + 2], axis=1)]
