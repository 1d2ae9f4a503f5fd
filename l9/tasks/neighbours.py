"""What the nearest known samples say of a new one: k nearest neighbours, and distances of codes and of grids."""

from collections import Counter

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray

AT_ONCE = 256  # grids of 32^3 that are compared at once: 32 MiB as float32


class Nearest:
    """Labels of the nearest known samples of some new ones, kept while the known ones pass by in parts: so memory is of one part.

    neighbours  how many are kept; all there are where there are fewer
    source      Cover & Hart, Nearest neighbor pattern classification, 1967
    """

    def __init__(self, neighbours: int) -> None:
        self.neighbours = neighbours
        self._distances = np.zeros((0, 0))
        self.labels = np.zeros((0, 0), np.int64)

    def see(self, distances: Float64[ndarray, "n m"], labels: Int64[ndarray, "m"]) -> None:
        """The next part of the known samples: its distances from each new one, and its class numbers, none of them -1."""
        new = np.broadcast_to(labels, distances.shape)
        if self.labels.size:
            distances, new = np.hstack([self._distances, distances]), np.hstack([self.labels, new])
        order = np.argsort(distances, axis=1, kind="stable")[:, : self.neighbours]
        self._distances, self.labels = np.take_along_axis(distances, order, axis=1), np.take_along_axis(new, order, axis=1)

    def ranked(self) -> list[list[tuple[int, float]]]:
        """Of each new sample the classes of its nearest ones with their shares of the votes, most first.

        Of equal shares that class comes first whose nearest member is nearest; of equal distances the sample that was seen first.
        """
        return [[(label, votes / len(row)) for label, votes in Counter(row).most_common()] for row in self.labels.tolist()]


def code_distances(one: Float64[ndarray, "n z"], other: Float64[ndarray, "m z"]) -> Float64[ndarray, "n m"]:
    """Squared Euclidean distances."""
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    return np.maximum(squares, 0)


def grid_distances(one: UInt8[ndarray, "n v"], other: UInt8[ndarray, "m v"]) -> Float64[ndarray, "n m"]:
    """In how many voxels grids of 0 and 1 differ."""
    found = np.zeros((len(one), len(other)))
    known = other.astype(np.float32)
    for start in range(0, len(one), AT_ONCE):
        part = one[start : start + AT_ONCE].astype(np.float32)
        found[start : start + AT_ONCE] = part.sum(axis=1)[:, None] + known.sum(axis=1) - 2 * part @ known.T
    return found


def two_dimensions(codes: Float64[ndarray, "n z"]) -> tuple[Float64[ndarray, "n 2"], tuple[float, float]]:
    """Codes along their two directions of largest variance, and the share of the variance that each holds (principal components).

    0 where there is no variance.
    """
    mean, directions, deviations = principal_directions(codes, 2)
    centred = codes - mean
    total = max(float(np.square(centred).sum()), np.finfo(np.float64).tiny)
    shares = np.square(deviations) * len(codes) / total
    return centred @ directions.T, (float(shares[0]), float(shares[1]))


def principal_directions(
    codes: Float64[ndarray, "n z"], count: int
) -> tuple[Float64[ndarray, "z"], Float64[ndarray, "c z"], Float64[ndarray, "c"]]:
    """Mean, the `count` orthogonal directions of largest variance (length 1, largest first), and the standard deviation along each.

    Signs are chosen so that a direction's largest component is positive: two runs find the same. Directions beyond what there is are 0.
    """
    mean = codes.mean(axis=0) if len(codes) else np.zeros(codes.shape[1])
    _, lengths, directions = np.linalg.svd(codes - mean, full_matrices=False)
    lengths, directions = np.pad(lengths, (0, count))[:count], np.pad(directions, ((0, count), (0, 0)))[:count]
    signs = np.where(directions[np.arange(count), np.abs(directions).argmax(axis=1)] < 0, -1.0, 1.0)
    return mean, directions * signs[:, None], lengths / np.sqrt(max(len(codes), 1))
