"""Faces cut into small triangles: the even mesh that a scan is made of, where furniture has faces of any size."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

WHOLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # a face's own corners by the weights of its second and third


@dataclass(frozen=True)
class Pieces:
    """Triangles cut out of faces.

    face  the face each is a part of
    at    of each corner: weights of the face's second and third corner
    """

    face: Int[ndarray, "p"]
    at: Float[ndarray, "p 3 2"]

    def some(self, chosen: Bool[ndarray, "p"]) -> "Pieces":
        """Those chosen."""
        return Pieces(self.face[chosen], self.at[chosen])

    def corners(self, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Float[ndarray, "p 3 3"]:
        """Where each corner is, metres."""
        first, second, third = (vertices[faces[self.face, corner]][:, None] for corner in range(3))
        return first + self.at[..., 0:1] * (second - first) + self.at[..., 1:2] * (third - first)


def cut(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], longest: float) -> Pieces:
    """All faces in pieces whose edges are at most `longest` metres, each cut in two through the middle of its longest edge.

    Two faces that share an edge cut it at the same places, as every part of an edge that is too long is halved: no gaps open.
    source  Rivara, International Journal for Numerical Methods in Engineering 20 (1984) 745 (bisection of the longest edge)
    """
    pieces = Pieces(np.arange(len(faces)), np.broadcast_to(WHOLE, (len(faces), 3, 2)))
    done = []
    while len(pieces.face):
        corners = pieces.corners(vertices, faces)
        lengths = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)  # of the edges from each corner to the next
        long = lengths.max(axis=1) > longest
        done.append(pieces.some(~long))
        pieces = _halved(pieces.some(long), lengths[long].argmax(axis=1))
    return Pieces(np.concatenate([part.face for part in done]), np.concatenate([part.at for part in done]))


def _halved(pieces: Pieces, edge: Int[ndarray, "p"]) -> Pieces:
    """Each piece in two, through the middle of the edge that begins at its corner `edge`."""
    order = (edge[:, None] + np.arange(3)) % 3
    first, second, third = np.take_along_axis(pieces.at, order[..., None], axis=1).swapaxes(0, 1)
    middle = (first + second) / 2
    halves = np.concatenate([np.stack([first, middle, third], axis=1), np.stack([middle, second, third], axis=1)])
    return Pieces(np.concatenate([pieces.face, pieces.face]), halves)
