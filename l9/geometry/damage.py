"""Meshes as they should not be: what exporters, scanners and artists do to a surface, for tests and benches of sign and distance.

Every function takes vertices (v, 3) and faces (f, 3) and gives both back; what is drawn at random follows a seed.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

Arrays = tuple[Float[ndarray, "_ 3"], Int[ndarray, "_ 3"]]
"""Vertices and faces."""

FLAT = 1e-6  # normals round a vertex that spread less than this across their mean (squares over squares) are those of one plane


def holed(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], *, share: float = 0.1, seed: int = 0) -> Arrays:
    """A mesh without a share of its faces."""
    return vertices, faces[~_drawn(faces, share, seed)]


def flipped(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], *, share: float = 0.2, seed: int = 0) -> Arrays:
    """A mesh with a share of its faces turned over."""
    return vertices, np.where(_drawn(faces, share, seed)[:, None], faces[:, ::-1], faces)


def doubled(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], *, share: float = 0.3, seed: int = 0) -> Arrays:
    """A mesh with a share of its faces given twice."""
    return vertices, np.concatenate([faces, faces[_drawn(faces, share, seed)]])


def inverted(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Arrays:
    """A mesh turned inside out."""
    return vertices, faces[:, ::-1]


def unwelded(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Arrays:
    """A soup: no two faces share a vertex."""
    return vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)


def cracked(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], *, share: float = 0.05) -> Arrays:
    """A soup whose faces are shrunk about their centroids by a share of their size: cracks along every edge."""
    corners = vertices[faces]
    middle = corners.mean(axis=1, keepdims=True)
    return unwelded((middle + (1 - share) * (corners - middle)).reshape(-1, 3), np.arange(faces.size).reshape(-1, 3))


def two_sided(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Arrays:
    """Every face twice, once for each side: a sheet, which has no inside."""
    return vertices, np.concatenate([faces, faces[:, ::-1]])


def nested(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Arrays:
    """A mesh with a half-size copy of itself within, facing the same way."""
    return joined((vertices, faces), (vertices / 2, faces))


def double_walled(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], thickness: float, *, same_way: bool) -> Arrays:
    """A closed mesh with a second wall `thickness` within the first, facing the same way or the other.

    Facing the other way it bounds a hollow, and the shell between is solid; facing the same way it bounds what is inside anyway.
    Every part must be thicker than twice the thickness.
    """
    return joined((vertices, faces), (_inset(vertices, faces, thickness), faces if same_way else faces[:, ::-1]))


def overlapping(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], step: Float[ndarray, "3"]) -> Arrays:
    """A mesh and itself moved by `step`."""
    return joined((vertices, faces), (vertices + step, faces))


def joined(*meshes: Arrays) -> Arrays:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    numbered = [faces + start for start, (_, faces) in zip(starts, meshes, strict=False)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(numbered)


def _drawn(faces: Int[ndarray, "f 3"], share: float, seed: int) -> Bool[ndarray, "f"]:
    """A share of the faces, drawn one by one."""
    return np.random.default_rng(seed).random(len(faces)) < share


def _inset(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], depth: float) -> Float[ndarray, "v 3"]:
    """Vertices moved inwards until every face has moved by `depth` along its normal: the shortest such move, by least squares."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    squares, sums = np.zeros((len(vertices), 3, 3)), np.zeros((len(vertices), 3))
    for corner in faces.T:
        np.add.at(squares, corner, normals[:, :, None] * normals[:, None, :])
        np.add.at(sums, corner, normals)
    moves = (np.linalg.pinv(squares, rcond=FLAT, hermitian=True) @ sums[:, :, None])[:, :, 0]
    return vertices - depth * moves
