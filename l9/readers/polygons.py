"""Polygons of any size into triangles: the last step of every text format that allows them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.readers.ears import CORNER, cut_ears

TURNED = 1e-3  # share of a face's area that may lie on its wrong side: quads are seldom quite flat
BLOCK = 1 << 19  # corners whose triangles are looked at together, about 100 MB
STEPS = 8_000_000  # for the ears of one mesh, 1 to 2 s; of the furniture no model takes 1,300,000


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

    def triangles(self, vertices: Float[ndarray, "v 3"]) -> tuple[Int[ndarray, "t 3"], tuple[str, ...]]:
        """int64 triangles in the file's order, n - 2 for a face of n corners, and notes on faces that are not as the formats ask.

        A face is a fan around its first corner, which is exact where it is convex. Where the fan turns back, a quad is cut along its
        other diagonal and a larger face by ears, seen along its own normal. A face that turns back however it is cut (it crosses itself,
        or is far from flat), or for which STEPS do not suffice, stays a fan and is counted. Faces with fewer than 3 corners give none.
        """
        triangles, beyond, steps = self.corners[self._fans()], 0, STEPS
        for faces in self._blocks():
            block = self._some(faces)
            concave = faces[block._turned(vertices, block._fans())]
            counts = self.counts[concave]
            quads, larger = concave[counts == 4], concave[(counts > 4) & (CORNER * counts <= steps)]
            by_ears, steps = self._some(larger)._by_ears(vertices, steps)
            mended = self._mend(triangles, vertices, quads, self._some(quads)._other_diagonals())
            mended += self._mend(triangles, vertices, larger, by_ears)
            beyond += len(concave) - mended
        return triangles, self._notes(beyond)

    def _notes(self, beyond: int) -> tuple[str, ...]:
        small = int((self.counts < 3).sum())
        left_out = (f"{small:,} faces with fewer than 3 corners left out",) if small else ()
        return left_out + ((f"{beyond:,} concave faces cut into fans, which reach beyond them",) if beyond else ())

    def _blocks(self) -> list[Int[ndarray, "f"]]:
        """The numbers of the faces that can be concave, BLOCK of their corners at a time."""
        large = np.flatnonzero(self.counts > 3)
        parts = np.searchsorted(np.cumsum(self.counts[large]), np.arange(BLOCK, int(self.counts[large].sum()), BLOCK))
        return [faces for faces in np.split(large, parts) if len(faces)]

    def _some(self, faces: Int[ndarray, "f"]) -> "Polygons":
        counts = self.counts[faces]
        return Polygons(self.corners[_runs(self._starts[faces], counts)], counts)

    @cached_property
    def _starts(self) -> Int[ndarray, "p"]:
        """Where each face begins in `corners`."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def _sizes(self) -> Int[ndarray, "p"]:
        """Triangles of each face."""
        return np.maximum(self.counts - 2, 0)

    @cached_property
    def _rows(self) -> Int[ndarray, "p"]:
        """The first triangle of each face."""
        return np.cumsum(self._sizes) - self._sizes

    def _fans(self) -> Int[ndarray, "t 3"]:
        """Places in `corners` of fans around each face's first corner."""
        starts = np.repeat(self._starts, self._sizes)
        step = _runs(np.zeros_like(self._sizes), self._sizes)
        return np.stack([starts, starts + step + 1, starts + step + 2], axis=1)

    def _other_diagonals(self) -> Int[ndarray, "t 3"]:
        """Of quads: places in `corners` of fans around each one's second corner."""
        return (self._starts[:, None, None] + [[1, 2, 3], [1, 3, 0]]).reshape(-1, 3)

    def _by_ears(self, vertices: Float[ndarray, "v 3"], steps: int) -> tuple[Int[ndarray, "t 3"], int]:
        """Places in `corners` of the triangles of concave faces, and what is left of `steps`; fans where they do not suffice."""
        cut, flat = self._fans(), self._flat(vertices)
        for start, count, row in zip(self._starts.tolist(), self.counts.tolist(), self._rows.tolist(), strict=True):
            if CORNER * count <= steps:
                x, y = flat[:, start : start + count].tolist()
                ears, spent = cut_ears(x, y, steps)
                steps -= spent
                if ears:
                    cut[row : row + count - 2] = np.array(ears) + start
        return cut, steps

    def _mend(
        self, triangles: Int[ndarray, "t 3"], vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f"], cut: Int[ndarray, "u 3"]
    ) -> int:
        """Put another cut of some `faces` (places in their corners) among the triangles, but where it turns back; how many were put."""
        some = self._some(faces)
        well = ~some._turned(vertices, cut)
        chosen = np.repeat(well, some._sizes)
        triangles[_runs(self._rows[faces], some._sizes)[chosen]] = some.corners[cut[chosen]]
        return int(well.sum())

    def _normals(self, vertices: Float[ndarray, "v 3"], places: Int[ndarray, "t 3"]) -> tuple[Float[ndarray, "t 3"], Float[ndarray, "p 3"]]:
        """Of each triangle of faces of at least 3 corners, as long as twice its area; and their sum over each face.

        source  Newell's normal: the sum is the same however a face is cut
        """
        first, second, third = vertices[self.corners[places]].swapaxes(0, 1)
        normals = np.cross(second - first, third - first)
        return normals, np.add.reduceat(normals, self._rows) if len(self._rows) else normals

    def _turned(self, vertices: Float[ndarray, "v 3"], places: Int[ndarray, "t 3"]) -> Bool[ndarray, "p"]:
        """Which faces have a triangle that turns back: against the face's own normal, of more than TURNED of its area.

        Or a triangle of more than 1 / TURNED of its area: the face crosses itself, and has hardly a side.
        """
        face = np.repeat(np.arange(len(self.counts)), self._sizes)
        with np.errstate(over="ignore", invalid="ignore"):  # huge coordinates: neither concave nor worth a word
            normals, whole = self._normals(vertices, places)
            square = np.einsum("ij,ij->i", whole, whole)[face]
            wrong = np.einsum("ij,ij->i", normals, whole[face]) < -TURNED * square
            wrong |= TURNED**2 * np.einsum("ij,ij->i", normals, normals) > square
        turned = np.zeros(len(self.counts), bool)
        turned[face[wrong]] = True
        return turned

    def _flat(self, vertices: Float[ndarray, "v 3"]) -> Float[ndarray, "2 c"]:
        """Corners from the first of their face, seen against its normal: each face turns left."""
        points = vertices[self.corners]
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # a face without a normal stays a fan
            points -= np.repeat(points[self._starts], self.counts, axis=0)
            normals = self._normals(vertices, self._fans())[1]
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            right = np.cross(np.eye(3)[np.abs(normals).argmin(axis=1)], normals)
            right /= np.linalg.norm(right, axis=1, keepdims=True)
            axes = (right, np.cross(normals, right))
            return np.stack([(points * np.repeat(axis, self.counts, axis=0)).sum(axis=1) for axis in axes])
