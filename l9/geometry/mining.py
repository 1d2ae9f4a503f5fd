"""Matches of a whole scan: key points of all its frames, which of them are one place, and for each match a key point that is another.

source  Chang et al., Matterport3D, 3DV 2017, section 4.1: positives, one negative for each, and at most so many of a scene
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import inverse_pose, moved, project
from l9.geometry.correspondence import TURNED, WITHIN, matching_pixels, matching_points, other_points
from l9.geometry.key_points import KeyPoints
from l9.geometry.view_graph import View, ViewGraph


@dataclass(frozen=True)
class SceneKeyPoints:
    """The key points of all views, one view's behind the other's.

    points  n key points
    views   int64 (n): place of each one's view
    """

    points: KeyPoints
    views: ndarray

    @staticmethod
    def of(found: list[KeyPoints]) -> "SceneKeyPoints":
        """Of the key points of each view. raises  RefusedObject `no-key-points` where there are none at all."""
        if not any(len(one) for one in found):
            raise RefusedObject("no-key-points", f"none in {len(found):,} frames that has depth around it; expected textured surfaces")
        return SceneKeyPoints(KeyPoints.concat(found), np.repeat(np.arange(len(found)), [len(one) for one in found]))


def mined_matches(
    scene: SceneKeyPoints,
    graph: ViewGraph,
    *,
    most: int,
    random: np.random.Generator,
    within: float = WITHIN,
    turned: float = TURNED,
    pixels: float = 0.0,
) -> Int[ndarray, "m 3"]:
    """Key points by number: anchor, the same place in a later frame, and another place in another frame.

    most     matches: more are thinned at random
    within   metres apart, at most, and more for what is another place
    turned   radians between their normals, at most
    pixels   above 0: the same place is instead what lies so near to where the other frame would show the anchor (`matching_pixels`)
    returns  in the order of the graph's pairs, then of the anchors, -1 where a scene has no other place; matches of pairs that the graph
             does not have are left out
    """
    first, second = (
        _by_pixels(scene, graph, pixels)
        if pixels
        else matching_points(scene.points.points, scene.points.normals, scene.views, within, turned)
    )
    row = pair_rows(graph, scene.views[first], scene.views[second])
    first, second, row = first[row >= 0], second[row >= 0], row[row >= 0]
    order = np.lexsort((first, row))
    first, second = first[order], second[order]
    if len(first) > most:
        drawn = np.sort(random.choice(len(first), size=most, replace=False))
        first, second = first[drawn], second[drawn]
    trusted = np.isin(scene.views, graph.pairs)  # of frames whose poses agree with others'
    other = other_points(first, second, scene.points.points, scene.views, random, within, trusted)
    return np.stack([first, second, other], axis=1)


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


def _by_pixels(scene: SceneKeyPoints, graph: ViewGraph, within: float) -> tuple[Int[ndarray, "m"], Int[ndarray, "m"]]:
    """Matches of the graph's pairs by where the second frame shows the first one's key points."""
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    starts = np.searchsorted(scene.views, np.arange(len(graph.views) + 1))
    for one, other in graph.pairs.tolist():
        mine, theirs = slice(starts[one], starts[one + 1]), slice(starts[other], starts[other + 1])
        view = graph.views[other]
        seen = project(moved(scene.points.points[mine], inverse_pose(view.colour_pose)), view.colour_camera)
        found = np.concatenate([scene.points.pixels[theirs], scene.points.depths[theirs, None]], axis=1).astype(np.float64)
        first, second = matching_pixels(seen, found, within)
        firsts.append(first + starts[one])
        seconds.append(second + starts[other])
    return np.concatenate(firsts), np.concatenate(seconds)
