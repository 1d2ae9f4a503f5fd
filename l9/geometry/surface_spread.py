"""Points all over a surface, so close together that no voxel of a given size is passed by."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64, Int, Int64
from numpy import ndarray

from l9.errors import RefusedObject

MOST_POINTS = 8_000_000  # of a surface: 40 bytes each
BLOCK = 1 << 18  # points made at once


def spread_points(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], spacing: float
) -> tuple[Float64[ndarray, "n 3"], Int64[ndarray, "n"], Float64[ndarray, "n"]]:
    """Points, the corner that each is nearest to, and the area it stands for; in no order that means anything, and the same each time.

    A triangle is cut into n^2 like itself, with no edge above `spacing`; a point is the middle of one.
    raises  RefusedObject `too-large` where that would be more than 8,000,000: is its unit metres?
    """
    corners = vertices[faces].astype(np.float64)
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1, initial=0.0)
    cuts = np.maximum(np.ceil(edges / spacing), 1)
    if (cuts**2).sum() > MOST_POINTS:
        raise RefusedObject("too-large", f"a surface of {(cuts**2).sum():.3g} points {spacing:g} m apart; is its unit metres?")
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    parts = list(_parts(corners, faces.astype(np.int64), areas, cuts.astype(np.int64)))
    points, nearest, shares = zip(*parts, strict=True) if parts else ([np.zeros((0, 3))], [np.zeros(0, np.int64)], [np.zeros(0)])
    return np.concatenate(points), np.concatenate(nearest), np.concatenate(shares)


def _parts(
    corners: Float64[ndarray, "f 3 3"], faces: Int64[ndarray, "f 3"], areas: Float64[ndarray, "f"], cuts: Int64[ndarray, "f"]
) -> Iterator[tuple[ndarray, ndarray, ndarray]]:
    for count in np.unique(cuts).tolist():
        weights = _middles(count)
        closest = weights.argmax(axis=1)
        mine = np.flatnonzero(cuts == count)
        step = max(1, BLOCK // len(weights))
        for start in range(0, len(mine), step):
            chosen = mine[start : start + step]
            points = np.einsum("pc,fcx->fpx", weights, corners[chosen]).reshape(-1, 3)
            yield points, faces[chosen][:, closest].ravel(), np.repeat(areas[chosen] / count**2, len(weights))


def _middles(count: int) -> Float64[ndarray, "p 3"]:
    """Barycentric coordinates of the middles of a triangle's count^2 parts."""
    first, second = np.divmod(np.arange(count * count), count)
    upright = first + second < count
    # a part that stands on its head lies beside the one of the same numbers, but for those of the last row
    inverted = first + second < count - 1
    along = np.concatenate([first[upright] + 1 / 3, first[inverted] + 2 / 3]) / count
    across = np.concatenate([second[upright] + 1 / 3, second[inverted] + 2 / 3]) / count
    return np.stack([1 - along - across, along, across], axis=1)
