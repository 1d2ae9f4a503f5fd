"""Points thinned out so that what is left is spread evenly: farthest points, and Poisson disks.

Distances are those of space, not along a surface: the two sides of a thin board count as one place.
"""

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray

from l9.geometry.cloud import drawn_points

BUCKET_BITS = 9  # 2^9 points of a bucket are looked through in about the time that a finer tree takes to walk
MOST_BITS = 9  # of buckets, as the authors of QuickFPS advise for large sets
CANDIDATES = 5  # points for each that stays, as in the paper: 10 part the nearest by 6 % more, in twice the time
PROBES = 512  # points at which density is measured
DISKS = 2 * np.pi / np.sqrt(3)  # disks packed as tightly as a plane allows: a circle of twice their radius holds this many centres
LEAST, BEND = 0.65, 1.5  # beta and gamma of the paper on sample elimination


def farthest_points(points: Float[ndarray, "n 3"], count: int, *, seed: int) -> Int64[ndarray, "count"]:
    """Numbers of `count` of the points, each at most once: every next one is the farthest from all before it.

    So the first k of them are a farthest subset too, and no point is farther from the subset than its members are from each other.
    Distances are float32 over the longest side of the box. Where more points coincide than are left out, the rest follow in their order.
    seed    picks the point to begin with; two calls with one seed give one result
    raises  RefusedObject `too-few-points`
    source  Eldar et al., The farthest point strategy for progressive image sampling, 1997, in the form of Han et al., QuickFPS, 2023
    """
    if count < 2 or count > len(points):
        return drawn_points(len(points), count, seed=seed)
    from fpsample import bucket_fps_kdline_sampling

    height = min(max(len(points).bit_length() - BUCKET_BITS, 1), MOST_BITS)
    start = int(_stream(seed).integers(len(points)))  # a place in the library's own order, which depends on the points alone
    numbers = bucket_fps_kdline_sampling(_unit_box(points), count, h=height, start_idx=start).astype(np.int64)
    places, first = np.unique(numbers, return_index=True)
    if len(places) == count:
        return numbers
    others = np.setdiff1d(np.arange(len(points)), places)[: count - len(places)]
    return np.concatenate([numbers[np.sort(first)], others])


def poisson_disk_points(points: Float[ndarray, "n 3"], count: int, *, seed: int) -> Int64[ndarray, "count"]:
    """Numbers of `count` of the points in random order, each at most once: the most crowded point goes until `count` are left.

    The result has blue noise: while there is room no two are near, and they stand in no pattern. Of more than 5 points for each that
    stays, 5 drawn at random are looked at. How near is crowded is measured on them, since the area of a mesh with double sides or inner
    walls promises room that is not there. Memory grows with the pairs of near points: 24 bytes each, about 9 pairs for every point of a
    surface.
    seed    the order; two calls with one seed give one result
    raises  RefusedObject `too-few-points`
    source  Yuksel, Sample elimination for generating Poisson disk sample sets, 2015
    """
    if count < 2 or count >= len(points):
        return drawn_points(len(points), count, seed=seed)
    from scipy.spatial import cKDTree

    from l9.geometry._sample_kernels import thin_out

    order = _stream(seed).permutation(len(points))[: CANDIDATES * count]
    shuffled = points[order].astype(np.float64)
    tree = cKDTree(shuffled)
    near = min(round(DISKS * len(order) / count), len(order) - 1)
    radius = float(np.median(tree.query(shuffled[:PROBES], k=[near + 1])[0]))  # the nearest to a point is the point itself
    radius = max(radius, np.finfo(np.float64).tiny)
    least = radius * LEAST * (1 - (count / len(order)) ** BEND)
    return order[thin_out(shuffled, tree.query_pairs(radius, output_type="ndarray"), count, radius, least)]


def _stream(seed: int) -> np.random.Generator:
    """Other draws than those of `sample_surface`, whose points these may be."""
    return np.random.default_rng([seed, 1])


def _unit_box(points: Float[ndarray, "n 3"]) -> Float32[ndarray, "n 3"]:
    """Moved and scaled into [0, 1]^3, so that a place far from the origin costs no digits of float32."""
    low = points.min(axis=0).astype(np.float64)
    side = float((points.max(axis=0) - low).max())
    return ((points - low) / (side or 1.0)).astype(np.float32)
