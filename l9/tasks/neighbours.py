"""What the nearest known samples say of a new one: k nearest neighbours, and distances of codes and of grids."""

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray

AT_ONCE = 256  # grids of 32^3 that are compared at once: 32 MiB as float32


def neighbour_votes(
    distances: Float64[ndarray, "n m"], labels: Int64[ndarray, "m"], classes: int, neighbours: int
) -> Float64[ndarray, "n k"]:
    """Share of the nearest known samples that is of each class; all count where there are fewer. Of equal distances the first is nearest.

    labels  class numbers of the known samples, none of them -1
    source  Cover & Hart, Nearest neighbor pattern classification, 1967
    """
    count = min(neighbours, len(labels))
    nearest = labels[np.argsort(distances, axis=1, kind="stable")[:, :count]]
    votes = np.zeros((len(distances), classes))
    for place in range(count):
        votes[np.arange(len(votes)), nearest[:, place]] += 1 / count
    return votes


def neighbour_answers(distances: Float64[ndarray, "n m"], labels: Int64[ndarray, "m"], neighbours: int) -> Int64[ndarray, "n"]:
    """The class with most of the votes; of several the one whose nearest member is nearest."""
    votes = neighbour_votes(distances, labels, int(labels.max()) + 1, neighbours)
    nearest = labels[np.argsort(distances, axis=1, kind="stable")[:, : min(neighbours, len(labels))]]
    wins = np.take_along_axis(votes, nearest, axis=1) > votes.max(axis=1, keepdims=True) - 0.5 / neighbours
    return np.asarray(nearest[np.arange(len(nearest)), wins.argmax(axis=1)])


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

    Signs are chosen so that a direction's largest component is positive: two runs draw the same picture. 0 where there is no variance.
    """
    centred = codes - codes.mean(axis=0) if len(codes) else codes
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    lengths, directions = np.pad(lengths, (0, 2))[:2], np.pad(directions, ((0, 2), (0, 0)))[:2]
    signs = np.where(directions[np.arange(2), np.abs(directions).argmax(axis=1)] < 0, -1.0, 1.0)
    total = max(float(np.square(centred).sum()), np.finfo(np.float64).tiny)
    shares = np.square(lengths) / total
    return centred @ (directions * signs[:, None]).T, (float(shares[0]), float(shares[1]))
