"""l9.geometry.mining: matches of a dotted room, which are right by formula."""

from dataclasses import replace

import numpy as np
import pytest
from dotted_room import CAMERA, frame, true_points, turned_world, walk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from l9.errors import RefusedObject
from l9.geometry.camera import lifted, moved
from l9.geometry.key_points import key_points
from l9.geometry.mining import SceneKeyPoints, offsets_of, pair_rows, same_places, with_other_places
from l9.geometry.view_graph import view_graph, views_of

ALL = 10**6


def mined(frames, most=ALL, seed=0, least=0.0, **arguments):
    views, scene = views_of(frames), SceneKeyPoints.of([key_points(one) for one in frames])
    graph = view_graph(views, least)
    matches = same_places(scene, graph, **arguments)
    return views, scene, graph, with_other_places(scene, graph, matches, most, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def frames():
    return [frame(number, pose) for number, pose in enumerate(walk(6))]


@pytest.fixture(scope="module")
def found(frames):
    return mined(frames)


def test_matches_are_one_place_and_the_others_another(frames, found):
    _, scene, graph, matches = found
    assert len(matches) > 300
    anchor, same, other = matches.T
    truth = np.concatenate(
        [true_points(scene.points.pixels[scene.views == place].astype(float), CAMERA, one.pose)[0] for place, one in enumerate(frames)]
    )
    assert np.linalg.norm(truth[anchor] - truth[same], axis=1).max() <= 0.02 + 1e-6
    assert np.linalg.norm(truth[anchor] - truth[other], axis=1).min() > 0.02 - 1e-6
    assert (scene.views[anchor] < scene.views[same]).all()
    assert (scene.views[anchor] != scene.views[other]).all()
    assert len(np.unique(np.stack([anchor, scene.views[same]]), axis=1).T) == len(matches)
    rows = pair_rows(graph, scene.views[anchor], scene.views[same])
    assert_array_equal(np.lexsort((anchor, rows)), np.arange(len(matches)))


def test_every_pair_that_the_rules_allow_is_there(found):
    _, scene, _, matches = found
    wanted = set()
    points, views = scene.points.points, scene.views
    for one in range(len(points)):
        for view in range(views[one] + 1, views.max() + 1):
            there = np.flatnonzero(views == view)
            apart = np.linalg.norm(points[there] - points[one], axis=1)
            if apart.min() <= 0.02:
                wanted.add((one, int(there[apart.argmin()])))
    assert {tuple(pair) for pair in matches[:, :2].tolist()} == wanted


def test_the_world_may_move_and_twice_is_the_same(frames, found):
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = Rotation.random(rng=np.random.default_rng(5)).as_matrix(), [3.0, 1, -7]
    moved_away = mined([turned_world(one, turn) for one in frames])[3]
    assert_array_equal(moved_away[:, :2], found[3][:, :2])
    assert_array_equal(mined(frames)[3], found[3])
    assert (mined(frames, seed=1)[3][:, 2] != found[3][:, 2]).any()


def test_more_than_asked_for_are_thinned_at_random(frames, found):
    everything = {tuple(pair) for pair in found[3][:, :2].tolist()}
    thin, again, other = (mined(frames, most=50, seed=seed)[3] for seed in (0, 0, 1))
    assert len(thin) == len(other) == 50
    assert_array_equal(thin, again)
    assert {tuple(pair) for pair in thin[:, :2].tolist()} < everything
    assert (thin[:, :2] != other[:, :2]).any()
    views = found[1].views
    assert len(np.unique(views[thin[:, 1]])) == 5, "from all over the scan"


def test_other_places_are_surely_other(found):
    _, scene, graph, matches = found
    known = np.zeros(len(scene.views), bool)
    known[matches[:40, 2]] = True
    doubted = replace(scene, doubts=np.where(known, 0.3, np.inf))
    other = with_other_places(replace(doubted, doubts=np.where(known, 0.3, 0.0)), graph, matches[:, :2], ALL, np.random.default_rng(0))[
        :, 2
    ]
    near = np.linalg.norm(scene.points.points[matches[:, 0]] - scene.points.points[other], axis=1)
    assert (near[known[other]] > 0.32).all() and known[other].any()
    drawn = with_other_places(doubted, graph, matches[known[matches[:, 0]], :2], ALL, np.random.default_rng(0))[:, 2]
    assert known[drawn[drawn >= 0]].all(), "nobody knows where the others are"


def test_candidates_are_drawn_evenly_and_never_all_in_memory(found):
    _, scene, graph, matches = found
    everything = {tuple(pair) for pair in matches[:, :2].tolist()}
    assert len(everything) > 8 * 30, "so that some are thinned on the way"
    drawn = np.zeros(scene.views.max() + 1)
    for seed in range(40):
        thin = same_places(scene, graph, most=30, random=np.random.default_rng(seed))
        assert len(thin) == 30 and {tuple(pair) for pair in thin.tolist()} < everything
        drawn += np.bincount(scene.views[thin[:, 1]], minlength=len(drawn))
    wanted = np.bincount(scene.views[matches[:, 1]], minlength=len(drawn)) / len(matches)
    assert_allclose(drawn / drawn.sum(), wanted, atol=4 * (0.25 / 1200) ** 0.5)
    assert_array_equal(same_places(scene, graph, most=len(matches)), matches[:, :2])


def test_matches_of_pairs_that_are_none_are_left_out(frames, found):
    _, scene, graph, matches = mined(frames, least=0.6)
    assert 0 < len(graph.pairs) < len(found[2].pairs)
    assert (pair_rows(graph, scene.views[matches[:, 0]], scene.views[matches[:, 1]]) >= 0).all()
    assert len(matches) < len(found[3])
    none = graph.subset(np.zeros(len(graph.pairs), bool))
    assert (pair_rows(none, scene.views[:5], scene.views[:5]) == -1).all()
    nothing = same_places(scene, none)
    assert nothing.shape == (0, 2)
    assert with_other_places(scene, none, nothing, ALL, np.random.default_rng(0)).shape == (0, 3)


def test_places_in_doubt_match_only_what_is_surely_near(found):
    _, scene, graph, matches = found
    doubts = np.random.default_rng(3).uniform(0, 0.01, len(scene.views))
    apart = np.linalg.norm(scene.points.points[matches[:, 0]] - scene.points.points[matches[:, 1]], axis=1)
    sure = apart + doubts[matches[:, :2]].sum(axis=1) <= 0.02
    assert 0 < sure.sum() < len(matches)
    assert_array_equal(same_places(replace(scene, doubts=doubts), graph), matches[sure, :2])
    assert len(same_places(replace(scene, doubts=np.full(len(doubts), np.inf)), graph)) == 0


def test_offsets_are_how_far_key_points_miss(found):
    views, scene, _, matches = found
    offsets = offsets_of(views, scene, matches)
    assert_allclose(offsets[:, 0], 0, atol=1e-3)
    again = offsets[:, 1] + scene.points.pixels[matches[:, 1]]
    for number in range(0, len(matches), 37):
        seen = views[scene.views[matches[number, 1]]].pixels(scene.points.points[matches[number, :1]])
        assert_allclose(again[number], seen[0], atol=1e-6)
    assert np.linalg.norm(offsets[:, 1], axis=1).max() < 0.02 / 0.8 * CAMERA.fx, "2 cm, 80 cm or more away"


def test_by_pixels_the_nearest_shown_key_point_is_it(frames):
    _, scene, graph, matches = mined(frames, pixels=1.5)
    assert len(matches) > 200
    offsets = offsets_of(graph.views, scene, matches)
    assert np.linalg.norm(offsets[:, 1], axis=1).max() <= 1.5
    scaled = scene.points.points * 3
    assert np.linalg.norm(scaled[matches[:, 0]] - scaled[matches[:, 1]], axis=1).max() < 0.2
    assert (np.linalg.norm(scene.points.points[matches[:, 0]] - scene.points.points[matches[:, 2]], axis=1) > 0.02).all()


def test_depths_of_key_points_lead_to_their_points(frames, found):
    scene = found[1]
    for place, one in enumerate(frames):
        mine = scene.points.subset(scene.views == place)
        points = moved(lifted(mine.pixels.astype(float), mine.depths.astype(float), CAMERA), one.pose)
        assert_allclose(points, mine.points, atol=1e-5)


def test_a_scan_without_key_points_is_refused(frames):
    none = key_points(frames[0]).subset(np.zeros(0, np.int64))
    with pytest.raises(RefusedObject, match="no-key-points: none in 3 frames"):
        SceneKeyPoints.of([none] * 3)
