"""Yield: for each pair of a scan's frames the key points that are one place, each with another one that is not: labels for free.

source  Chang et al., Matterport3D, 3DV 2017, section 4.1 (and its MatchFinder)
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int
from numpy import ndarray

from l9.geometry.scan import Frame, Scan
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_size
from l9.stages.match_cells import (
    MOST_MATCHES,
    ROLES,
    SHOWN,
    SeenCells,
    check_match_bytes,
    match_columns,
    most_matches,
    small,
)
from l9.stages.seen_pairs import MOST_FRAMES, WIDTH, Looked, agreed_graph, check_pairs, looked_at, note_once
from l9.store.columns import Column, Row

CANDIDATES = 4  # times as many matches as asked for, before those are left out whose anchor is hidden: far fewer than half

if TYPE_CHECKING:
    from l9.geometry.key_points import KeyPoints
    from l9.geometry.mining import SceneKeyPoints
    from l9.geometry.view_graph import View, ViewGraph


def _columns(
    overlap: int | float = 0.0,
    every: int = 1,
    frames: int = MOST_FRAMES,
    width: int = WIDTH,
    matches: int = 1000,
    within: int | float = 0.02,
    turned: int | float = 1.75,
    pixels: int | float = 0.0,
    key_points: int = 512,
    response: int | float = 0.03,
    side: int = 96,
    shift: int | float = 1.5,
    zoom: int | float = 0.1,
    turn: int | float = 8.0,
    shown: int = 2,
    seed: int = 0,
) -> tuple[Column, ...]:
    check_pairs("key_point_matches", overlap, every, frames, width)
    check_number("key_point_matches", "matches", matches, most=MOST_MATCHES)
    check_size("key_point_matches", "within", within, least=1e-4, most=10, unit="metres")
    check_size("key_point_matches", "turned", turned, least=0, most=3.15, unit="radians")
    check_size("key_point_matches", "pixels", pixels, least=0, most=100, unit="pixels")
    check_number("key_point_matches", "key_points", key_points, most=8192)
    check_size("key_point_matches", "response", response, least=0, most=1, unit="a detector's response")
    check_number("key_point_matches", "side", side, least=16, most=256)
    check_number("key_point_matches", "shown", shown, least=0, most=100)
    for name, value, unit in (("shift", shift, "pixels"), ("zoom", zoom, "a share"), ("turn", turn, "degrees")):
        check_size("key_point_matches", name, value, least=0, most=90, unit=unit)
    check_match_bytes("key_point_matches", matches, key_points, side)
    return match_columns(side)


@yields(columns=_columns, version=4)
def key_point_matches(
    scan: Scan,
    overlap: int | float = 0.0,
    every: int = 1,
    frames: int = MOST_FRAMES,
    width: int = WIDTH,
    matches: int = 1000,
    within: int | float = 0.02,
    turned: int | float = 1.75,
    pixels: int | float = 0.0,
    key_points: int = 512,
    response: int | float = 0.03,
    side: int = 96,
    shift: int | float = 1.5,
    zoom: int | float = 0.1,
    turn: int | float = 8.0,
    shown: int = 2,
    seed: int = 0,
) -> Iterator[Row]:
    """A row for each pair of frames, those of `view_pairs` and in its order, with the matches whose anchor is in the first.

    A match has three key points, its roles: the anchor, the same place in the second frame, and one of any other frame that is another
    place. Of each: its frame and its number there (the strongest is 0), pixel of the colour picture, depth, point in the world, how far
    it misses where its frame would show the anchor, size, angle and packed octave as SIFT's detector says, and an upright patch around
    it. `jitters` is how its frame is moved in the harder test: pixels, logarithm of a factor of size, degrees, all normal; `sift` and
    `orb` are those descriptors in four frames: as detected, that jittered, upright, and that jittered.

    overlap, every, frames, width  as in `view_pairs`
    matches     of the scan, at most; more are thinned at random
    within      metres between the points of a match, at most, and more for what is another place; points lie where the frames that saw
                them agree (`l9.geometry.agreed_places`), doubts count, and the second frame has to see the anchor
    turned      radians between their normals, at most
    pixels      above 0: the same place is what lies so near to where the second frame would show the anchor, with a depth that differs
                by at most 3 %; for scans whose scale is not to be trusted, such as stereo pairs
    key_points  of a frame, at most; 50 pixels or more from its edge
    response    of the detector, at least
    side        pixels of a patch: more than a network sees, for those it is turned and moved by
    shown       pairs whose pictures are kept, small, as `shown`: those with the most matches, the earlier where they have as many
    shift       pixels, zoom  logarithm of a factor, turn  degrees: deviations of `jitters`
    raises      RefusedObject `no-key-points`, `no-colour`, or as `view_pairs`
    """
    from l9.geometry.mining import pair_rows, with_other_places

    settings = (overlap, every, frames, width, matches, within, turned, pixels, key_points, response, side, shift, zoom, turn, shown, seed)
    _columns(*settings)
    looked = looked_at(scan, every, frames, width)
    views, found = _views_with_key_points(looked, key_points, response)
    graph = agreed_graph(looked, views, overlap)
    random = np.random.default_rng(seed)
    drawn = CANDIDATES * matches, random
    scene, same = sure_matches(looked, graph, found, float(within), float(turned), float(pixels), *drawn)
    numbers = with_other_places(scene, graph, same, matches, random, float(within))
    if alone := int((numbers[:, 2] < 0).sum()):
        note_once(scan, f"{alone:,} of {len(numbers):,} matches have no other place to be told from; left out")
        numbers = numbers[numbers[:, 2] >= 0]
    jitters = (random.normal(size=(len(numbers), ROLES, 4)) * (shift, shift, zoom, turn)).astype(np.float32)
    cells = _key_point_cells(views, scene, numbers) | {"jitters": jitters}
    starts = np.searchsorted(pair_rows(graph, *scene.views[numbers[:, :2]].T), np.arange(len(graph.pairs) + 1))
    kept = most_matches(np.diff(starts), shown)
    pictures: dict[int, ndarray] = {int(place): np.zeros((*SHOWN, 3), np.uint8) for place in graph.pairs[kept].ravel()}
    cells |= _seen_cells(looked, views, scene, numbers, jitters, side, pictures)
    for place, (first, second) in enumerate(graph.pairs.tolist()):
        mine = slice(starts[place], starts[place + 1])
        row: Row = {name: values[mine] for name, values in cells.items()}
        both = [[pictures[first], pictures[second]]] if place in kept else np.zeros((0, 2, *SHOWN, 3))
        cameras = [views[one].colour_camera for one in (first, second)]
        row["pair"] = np.array([views[first].number, views[second].number], np.int32)
        row["picture_sizes"] = np.array([(camera.width, camera.height) for camera in cameras], np.int32)
        row["shown"] = np.array(both, np.uint8)
        yield row


def _views_with_key_points(looked: Looked, most: int, response: int | float) -> tuple[list["View"], list["KeyPoints"]]:
    """Of each frame in which something was measured."""
    from l9.geometry.key_points import key_points
    from l9.geometry.view_graph import view_of

    views, found = [], []
    for frame in looked.frames(True):
        view = view_of(frame)
        if view is not None:
            views.append(view)
            found.append(key_points(frame, most=most, least_response=float(response)))
    return views, found


def sure_matches(
    looked: Looked,
    graph: "ViewGraph",
    found: list["KeyPoints"],
    within: float,
    turned: float,
    pixels: float,
    most: int,
    random: np.random.Generator,
) -> tuple["SceneKeyPoints", Int[ndarray, "m 2"]]:
    """All key points, and those that are one place as `same_places` says; by distance, depth is read twice more, so that they surely are.

    most    matches that are looked at; by chance some of them are hidden and left out
    raises  RefusedObject `no-key-points`
    """
    from l9.geometry.agreed_places import AgreedPlaces, SeenAnchors
    from l9.geometry.mining import SceneKeyPoints, same_places
    from l9.geometry.view_graph import view_graph

    scene = SceneKeyPoints.of(found)
    if pixels:
        return scene, same_places(scene, graph, within, turned, pixels, most, random)
    right = np.unique(graph.pairs)
    alike = view_graph(graph.views, 0.0)
    agreed = AgreedPlaces(scene, alike.subset(np.asarray(np.isin(alike.pairs, right).all(axis=1))))
    for place, depth in _depths(looked.measured(False), graph.views, right):
        agreed.look(place, depth)
    scene = agreed.scene()
    matches = same_places(scene, graph, within, turned, 0.0, most, random)
    anchors = SeenAnchors(scene, graph.views, matches)
    for place, depth in _depths(looked.frames(False), graph.views, right):
        anchors.look(place, depth)
    return scene, matches[anchors.seen]


def _depths(frames: Iterator[Frame], views: list["View"], chosen: Int[ndarray, "n"]) -> Iterator[tuple[int, ndarray]]:
    """Place and depth of these views; those of frames whose pose contradicts others' are not among them."""
    places = {views[place].number: place for place in chosen.tolist()}
    for frame in frames:
        if frame.depth is not None and frame.number in places:
            yield places[frame.number], frame.depth


def _key_point_cells(views: list["View"], scene: "SceneKeyPoints", numbers: Int[ndarray, "m 3"]) -> dict[str, ndarray]:
    """What is known of the key points of each match without looking at pictures again."""
    from l9.geometry.mining import offsets_of

    points, places = scene.points, scene.views[numbers]
    first = np.searchsorted(scene.views, np.arange(len(views)))
    return {
        "match_frames": np.array([view.number for view in views], np.int32)[places],
        "match_key_points": (numbers - first[places]).astype(np.int32),
        "match_pixels": points.pixels[numbers],
        "match_depths": points.depths[numbers],
        "match_points": points.points[numbers].astype(np.float32),
        "match_offsets": offsets_of(views, scene, numbers).astype(np.float32),
        "match_sizes": points.sizes[numbers],
        "match_angles": points.angles[numbers],
        "match_octaves": points.octaves[numbers],
    }


def _seen_cells(
    looked: Looked,
    views: list["View"],
    scene: "SceneKeyPoints",
    numbers: Int[ndarray, "m 3"],
    jitters: Float32[ndarray, "m 3 4"],
    side: int,
    pictures: dict[int, ndarray],
) -> dict[str, ndarray]:
    """Patches and descriptors of the key points of each match; every colour picture is looked at once more.

    pictures  by place of the view: filled with that view's picture, made small
    """
    seen, places, points = SeenCells(len(numbers), side), scene.views[numbers], scene.points
    placed = {view.number: place for place, view in enumerate(views)}
    for frame in looked.frames(True):
        place = placed.get(frame.number, -1)
        match, role = np.nonzero(places == place)
        if not len(match) or frame.colour is None:
            continue
        if place in pictures:
            pictures[place][:] = small(frame.colour)
        chosen = numbers[match, role]
        exact = np.concatenate([points.pixels[chosen], points.sizes[chosen, None], points.angles[chosen, None]], axis=1)
        seen.look(frame.colour, match, role, exact, points.octaves[chosen], jitters[match, role])
    return seen.cells()
