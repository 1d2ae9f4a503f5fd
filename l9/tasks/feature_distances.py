"""How far two sets of pictures are from each other, by their features: KID, FID, precision and recall. In float64 throughout.

n generated and m real pictures   d features
sources  KID: Binkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs, ICLR 2018
         FID: Heusel et al., GANs trained by a two time-scale update rule, NIPS 2017, eq. 6
         precision and recall: Kynkaanniemi et al., Improved precision and recall metric for assessing generative models, NeurIPS 2019
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from l9.tasks.neighbours import code_distances

THOUSANDS = 1000.0  # what KID is multiplied by, as is usual
SUBSETS, LARGEST = 100, 1000  # how many are drawn for KID's deviation, and pictures in the largest
BALL = 3  # the neighbour that a ball of precision and recall reaches to
AT_ONCE = 1024  # pictures that are compared with all others at once


class KernelDistance(NamedTuple):
    """KID x 1000, and its standard deviation over subsets."""

    distance: float
    deviation: float


def kernel_distance(generated: Float64[ndarray, "n d"], real: Float64[ndarray, "m d"], seed: int) -> KernelDistance:
    """Unbiased squared maximum mean discrepancy of the kernel (x.y / d + 1)^3, times 1000; below 0 by chance where nothing differs.

    The distance is that of all pictures, of least variance. Its deviation is that of 100 subsets, drawn by `seed` without repeats, of
    half the smaller set, at most 1,000: about as whole sets scatter that differ, and more where nothing does or a set is larger.

    raises  ValueError for less than two pictures of either
    """
    if min(len(generated), len(real)) < 2:
        raise ValueError(f"kernel_distance got {len(generated)} and {len(real)} pictures; expected at least 2 of each")
    draw, size = np.random.default_rng(seed), max(2, min(len(generated), len(real), 2 * LARGEST) // 2)
    ours, theirs = _chosen(len(generated), size, draw), _chosen(len(real), size, draw)
    n, m = ours.sum(axis=1), theirs.sum(axis=1)
    within = _kernel_sums(generated, generated, ours, ours) - ours @ _own_kernel(generated)
    within_real = _kernel_sums(real, real, theirs, theirs) - theirs @ _own_kernel(real)
    between = _kernel_sums(generated, real, ours, theirs)
    found = THOUSANDS * (within / (n * (n - 1)) + within_real / (m * (m - 1)) - 2 * between / (n * m))
    return KernelDistance(float(found[0]), float(found[1:].std()))


def gaussian_distance(generated: Float64[ndarray, "n d"], real: Float64[ndarray, "m d"]) -> float:
    """Squared Frechet distance of two Gaussians of the sets' means and covariances. Too large for few pictures, above all for n < d.

    The trace of (A B)^1/2 is that of (A^1/2 B A^1/2)^1/2, whose eigenvalues are real and at least 0: nothing can become NaN.
    """
    first, second = np.cov(generated, rowvar=False), np.cov(real, rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(first))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ np.atleast_2d(second) @ root)
    means = np.square(generated.mean(axis=0) - real.mean(axis=0)).sum()
    return float(means + np.trace(np.atleast_2d(first)) + np.trace(np.atleast_2d(second)) - 2 * np.sqrt(np.maximum(shared, 0)).sum())


def precision_and_recall(generated: Float64[ndarray, "n d"], real: Float64[ndarray, "m d"]) -> tuple[float, float]:
    """The share of generated pictures within a ball around a real one, and of real ones within a ball around a generated one.

    A ball reaches to its middle's third nearest neighbour of its own set, or to the last where there are fewer.
    """
    return _share_within(generated, real, _radii(real)), _share_within(real, generated, _radii(generated))


def _chosen(count: int, size: int, draw: np.random.Generator) -> Float64[ndarray, "s count"]:
    """1 where a picture is in a subset: first all of them, then 100 subsets of `size`."""
    chosen = np.ones((1 + SUBSETS, count))
    for row in chosen[1:]:
        row[draw.permutation(count)[size:]] = 0
    return chosen


def _kernel_sums(
    one: Float64[ndarray, "n d"], other: Float64[ndarray, "m d"], ours: Float64[ndarray, "s n"], theirs: Float64[ndarray, "s m"]
) -> Float64[ndarray, "s"]:
    """The kernel summed over all pairs of each subset."""
    total = np.zeros(len(ours))
    for start in range(0, len(one), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        kernel = (one[part] @ other.T / one.shape[1] + 1) ** 3
        total += ((ours[:, part] @ kernel) * theirs).sum(axis=1)
    return total


def _own_kernel(x: Float64[ndarray, "n d"]) -> Float64[ndarray, "n"]:
    """The kernel of each picture with itself, which the unbiased estimate leaves out."""
    own: ndarray = (np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3
    return own


def _radii(x: Float64[ndarray, "n d"]) -> Float64[ndarray, "n"]:
    """Squared distance of each picture to its third nearest neighbour."""
    last = min(BALL, len(x) - 1)  # the nearest of all is the picture itself
    parts = [np.partition(code_distances(x[start : start + AT_ONCE], x), last, axis=1)[:, last] for start in range(0, len(x), AT_ONCE)]
    return np.concatenate(parts)


def _share_within(x: Float64[ndarray, "n d"], middles: Float64[ndarray, "m d"], radii: Float64[ndarray, "m"]) -> float:
    inside = [(code_distances(x[start : start + AT_ONCE], middles) <= radii).any(axis=1) for start in range(0, len(x), AT_ONCE)]
    return float(np.concatenate(inside).mean())
