"""Matches of a whole scan: key points of all its frames, which of them are one place, and for each match a key point that is another.

source  Chang et al., Matterport3D, 3DV 2017, section 4.1: positives, one negative for each, and at most so many of a scene
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import inverse_pose, moved, project
from l9.geometry.correspondence import TURNED, WITHIN, matching_parts, matching_pixels, other_points
from l9.geometry.key_points import KeyPoints
from l9.geometry.view_graph import View, ViewGraph

ALL = 10**9  # more matches than there can be


@dataclass(frozen=True)
class SceneKeyPoints:
    """The key points of all views, one view's behind the other's.

    points  n key points
    views   int64 (n): place of each one's view
    doubts  float64 (n): metres to be added to distances from each: where its depth mixes two surfaces; infinite where it is not known
    """

    points: KeyPoints
    views: ndarray
    doubts: ndarray

    @staticmethod
    def of(found: list[KeyPoints]) -> "SceneKeyPoints":
        """Of the key points of each view. raises  RefusedObject `no-key-points` where there are none at all."""
        if not any(len(one) for one in found):
            raise RefusedObject("no-key-points", f"none in {len(found):,} frames that has depth around it; expected textured surfaces")
        places = np.repeat(np.arange(len(found)), [len(one) for one in found])
        return SceneKeyPoints(KeyPoints.concat(found), places, np.zeros(len(places)))


def same_places(
    scene: SceneKeyPoints,
    graph: ViewGraph,
    within: float = WITHIN,
    turned: float = TURNED,
    pixels: float = 0.0,
    most: int = ALL,
    random: np.random.Generator | None = None,
) -> Int[ndarray, "m 2"]:
    """Key points by number: anchor, and the same place in a later frame.

    within   metres apart, at most, doubts included
    turned   radians between their normals, at most
    pixels   above 0: the same place is instead what lies so near to where the other frame would show the anchor (`matching_pixels`)
    most     matches: among more each is as likely to stay, by `random` (None: of seed 0)
    returns  in the order of the graph's pairs, then of the anchors; matches of pairs that the graph does not have are left out
    """
    parts = _by_pixels(scene, graph, pixels) if pixels else _by_places(scene, within, turned)
    found = ((part, pair_rows(graph, *scene.views[part].T)) for part in parts)
    matches, rows = _thinned(found, most, random or np.random.default_rng(0))
    return matches[np.lexsort((matches[:, 0], rows))]


def with_other_places(
    scene: SceneKeyPoints, graph: ViewGraph, matches: Int[ndarray, "m 2"], most: int, random: np.random.Generator, within: float = WITHIN
) -> Int[ndarray, "k 3"]:
    """At most `most` of the matches, thinned at random, in their order, each with another place in another frame.

    within   metres beyond which a place is another one
    returns  -1 where a scene has no other place
    """
    if len(matches) > most:
        matches = matches[np.sort(random.choice(len(matches), size=most, replace=False))]
    trusted = np.isin(scene.views, graph.pairs) & np.isfinite(scene.doubts)  # of frames whose poses agree with others'
    other = other_points(matches[:, 0], matches[:, 1], scene.points.points, scene.views, random, within, trusted, scene.doubts)
    return np.concatenate([matches, other[:, None]], axis=1)


def pair_rows(graph: ViewGraph, first: Int[ndarray, "m"], second: Int[ndarray, "m"]) -> Int[ndarray, "m"]:
    """Which of the graph's pairs two views are, -1 for none."""
    count = len(graph.views)
    keys = graph.pairs[:, 1] * count + graph.pairs[:, 0]
    if not len(keys):
        return np.full(len(first), -1, np.int64)
    wanted = second * count + first
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def offsets_of(views: list[View], scene: SceneKeyPoints, matches: Int[ndarray, "m 3"]) -> ndarray:
    """float64 (m, 3, 2): by how many pixels each key point misses where its own frame would show the anchor; NaN behind it."""
    found = np.zeros((len(matches), 3, 2))
    points, pixels = scene.points.points[matches[:, 0]], scene.points.pixels
    for role in (1, 2):
        of_view = scene.views[matches[:, role]]
        for place in np.unique(of_view):
            mine = of_view == place
            found[mine, role] = views[place].pixels(points[mine]) - pixels[matches[mine, role]]
    return found


def _by_places(scene: SceneKeyPoints, within: float, turned: float) -> Iterator[Int[ndarray, "_ 2"]]:
    """Matches that are surely near, some at a time."""
    points = scene.points.points
    for first, second in matching_parts(points, scene.points.normals, scene.views, within, turned):
        apart = np.linalg.norm(points[first] - points[second], axis=1)
        sure = apart + scene.doubts[first] + scene.doubts[second] <= within
        yield np.stack([first[sure], second[sure]], axis=1)


def _by_pixels(scene: SceneKeyPoints, graph: ViewGraph, within: float) -> Iterator[Int[ndarray, "_ 2"]]:
    """Matches of the graph's pairs by where the second frame shows the first one's key points."""
    yield np.zeros((0, 2), np.int64)
    starts = np.searchsorted(scene.views, np.arange(len(graph.views) + 1))
    for one, other in graph.pairs.tolist():
        mine, theirs = slice(starts[one], starts[one + 1]), slice(starts[other], starts[other + 1])
        view = graph.views[other]
        seen = project(moved(scene.points.points[mine], inverse_pose(view.colour_pose)), view.colour_camera)
        found = np.concatenate([scene.points.pixels[theirs], scene.points.depths[theirs, None]], axis=1).astype(np.float64)
        first, second = matching_pixels(seen, found, within)
        yield np.stack([first + starts[one], second + starts[other]], axis=1)


def _thinned(
    parts: Iterator[tuple[ndarray, ndarray]], most: int, random: np.random.Generator
) -> tuple[Int[ndarray, "m 2"], Int[ndarray, "m"]]:
    """Matches and their rows of all parts, those without a row left out; no more in memory than twice as many as may stay, and a part."""
    kept, count = list[tuple[ndarray, ndarray, ndarray]](), 0
    for matches, rows in parts:
        there = rows >= 0
        kept.append((matches[there], rows[there], random.random(int(there.sum()))))
        count += len(kept[-1][1])
        if count > 2 * most:
            kept, count = [_lowest(kept, most)], most
    return _lowest(kept, most)[:2]


def _lowest(parts: list[tuple[ndarray, ndarray, ndarray]], most: int) -> tuple[ndarray, ndarray, ndarray]:
    """Of matches, rows and lots those with the lowest lots."""
    matches, rows, lots = (np.concatenate(part) for part in zip(*parts, strict=True))
    stay = np.argpartition(lots, most - 1)[:most] if len(lots) > most else np.arange(len(lots))
    return matches[stay], rows[stay], lots[stay]
