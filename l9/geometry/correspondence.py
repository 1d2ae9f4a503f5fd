"""Which key points of a posed scan are one place of the world: pairs that nobody had to label, and pairs that are surely different.

source  Chang et al., Matterport3D, 3DV 2017, section 4.1 (and its MatchFinder): the nearest key point within 2 cm in each later frame
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

WITHIN = 0.02  # metres
TURNED = 1.75  # radians between two normals, at most: about 100 degrees
NEARER = 0.03  # share of its depth
CHUNK = 8192  # key points whose neighbours are sought at once
DRAWS = 16  # rounds of drawing another key point, before all that are allowed are written down


def matching_points(
    points: Float[ndarray, "n 3"],
    normals: Float[ndarray, "n 3"],
    frames: Int[ndarray, "n"],
    within: float = WITHIN,
    turned: float = TURNED,
) -> tuple[Int[ndarray, "m"], Int[ndarray, "m"]]:
    """For every key point and every later frame the nearest key point there that is the same place: numbers of both, int64, sorted.

    points   metres, the world's axes
    normals  unit length; (0, 0, 0) is turned away from none
    frames   which frame each belongs to, ascending
    within   metres apart, at most
    turned   radians between the normals, at most
    returns  at most one match for a key point and a later frame; of two equally near the one with the lower number
    """
    parts = list(matching_parts(points, normals, frames, within, turned))
    return np.concatenate([first for first, _ in parts]), np.concatenate([second for _, second in parts])


def matching_parts(
    points: Float[ndarray, "n 3"], normals: Float[ndarray, "n 3"], frames: Int[ndarray, "n"], within: float, turned: float
) -> Iterator[tuple[Int[ndarray, "_"], Int[ndarray, "_"]]]:
    """As `matching_points`, some at a time: of a camera that stands still there may be more than memory holds. At least one part."""
    for found in _neighbours(points, frames, within):
        yield _nearest(found, normals, frames, turned)


def _nearest(
    found: tuple[ndarray, ndarray, ndarray], normals: ndarray, frames: ndarray, turned: float
) -> tuple[Int[ndarray, "m"], Int[ndarray, "m"]]:
    """Of neighbours, as `_neighbours` gives them, the nearest in each frame that is not turned away."""
    first, second, apart = found
    cosine = (normals[first] * normals[second]).sum(axis=1)
    known = np.abs(normals).max(axis=1, initial=0) > 0
    kept = np.logical_not(known[first] & known[second]) | (cosine >= np.cos(turned))
    first, second, apart = first[kept], second[kept], apart[kept]
    order = np.lexsort((second, apart, frames[second], first))
    first, second = first[order], second[order]
    leads = np.ones(len(first), bool)
    leads[1:] = (np.diff(first) != 0) | (np.diff(frames[second]) != 0)
    return first[leads], second[leads]


def matching_pixels(
    seen: Float[ndarray, "n 3"], found: Float[ndarray, "m 3"], within: float, nearer: float = NEARER
) -> tuple[Int[ndarray, "k"], Int[ndarray, "k"]]:
    """For each point that one frame measured the nearest key point of another frame's picture, where scale is not to be trusted.

    seen     column, row (pixels) and depth of the points as the other frame's camera would see them; NaN where it would not
    found    column, row and depth of the other frame's key points
    within   pixels apart, at most
    nearer   share of its depth by which what the other frame shows there may differ: a point farther away is occluded
    returns  numbers in `seen` and in `found`, int64, ascending in the first
    """
    from scipy.spatial import KDTree

    nothing = np.zeros(0, np.int64)
    there = np.flatnonzero(np.isfinite(seen).all(axis=1))
    if not len(there) or not len(found):
        return nothing, nothing
    apart, nearest = KDTree(found[:, :2]).query(seen[there, :2], distance_upper_bound=np.nextafter(within, np.inf))
    kept = np.isfinite(apart)
    first, second = there[kept], nearest[kept].astype(np.int64)
    same = np.abs(found[second, 2] - seen[first, 2]) <= nearer * seen[first, 2]
    return first[same], second[same]


def other_points(
    anchors: Int[ndarray, "m"],
    same: Int[ndarray, "m"],
    points: Float[ndarray, "n 3"],
    frames: Int[ndarray, "n"],
    random: np.random.Generator,
    apart: float = WITHIN,
    trusted: Bool[ndarray, "n"] | None = None,
    doubts: Float[ndarray, "n"] | None = None,
) -> Int[ndarray, "m"]:
    """For each anchor a random key point of another frame that lies farther away than `apart` metres; -1 where there is none.

    anchors  numbers of key points, same  those that match them, which are never drawn
    trusted  those that may be drawn: of a frame whose pose is wrong nobody knows where they are; None: all
    doubts   metres by which two may be nearer than they seem, each its own part; None: none
    """
    allowed = np.ones(len(points), bool) if trusted is None else trusted
    doubted = np.zeros(len(points)) if doubts is None else doubts

    def differ(one: ndarray, not_this: ndarray, other: ndarray) -> ndarray:
        far = np.linalg.norm(points[one] - points[other], axis=1) > apart + doubted[one] + doubted[other]
        return np.asarray(far & (frames[one] != frames[other]) & (other != not_this) & allowed[other])

    chosen = np.full(len(anchors), -1, np.int64)
    left = np.arange(len(anchors))
    for _ in range(DRAWS):
        if not len(left):
            return chosen
        drawn = random.integers(len(points), size=len(left))
        fits = differ(anchors[left], same[left], drawn)
        chosen[left[fits]] = drawn[fits]
        left = left[~fits]
    everything = np.arange(len(points))
    for place in left:
        found = np.flatnonzero(differ(np.full(len(points), anchors[place]), np.full(len(points), same[place]), everything))
        if len(found):
            chosen[place] = found[random.integers(len(found))]
    return chosen


def _neighbours(points: ndarray, frames: ndarray, within: float) -> Iterator[tuple[ndarray, ndarray, ndarray]]:
    """Numbers of key points of different frames that lie within `within`, the earlier frame's first, and how far; by a k-d tree."""
    from scipy.spatial import KDTree

    nothing = np.zeros(0, np.int64)
    yield nothing, nothing, np.zeros(0)
    if not len(points):
        return
    everything = KDTree(points)
    for start in range(0, len(points), CHUNK):
        near = KDTree(points[start : start + CHUNK]).sparse_distance_matrix(everything, within, output_type="ndarray")
        first, second = near["i"].astype(np.int64) + start, near["j"].astype(np.int64)
        later = frames[first] < frames[second]
        yield first[later], second[later], near["v"][later]
