"""l9.geometry.agreed_places: places of key points by several noisy frames of a dotted room, and anchors that something hides."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from dotted_room import CAMERA, apart, frame, true_points, turned_world, walk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from l9.geometry import agreed_places
from l9.geometry.agreed_places import AgreedPlaces, SeenAnchors
from l9.geometry.camera import Pinhole, inverse_pose, moved
from l9.geometry.key_points import key_points
from l9.geometry.mining import SceneKeyPoints, same_places
from l9.geometry.scan import Frame
from l9.geometry.view_graph import ViewGraph, view_graph, views_of

NOISE = 0.006  # over the square of depth: four times that of a structured-light camera


def agreed(frames):
    views, scene = views_of(frames), SceneKeyPoints.of([key_points(one) for one in frames])
    graph = view_graph(views, 0.0)
    places = AgreedPlaces(scene, graph)
    for place, one in enumerate(frames):
        places.look(place, one.depth)
    return graph, scene, places.scene()


def errors(scene, frames, camera=CAMERA):
    """Metres from the true place of each key point."""
    pixels = [scene.points.pixels[scene.views == place].astype(float) for place in range(len(frames))]
    truth = [true_points(mine, camera, one.colour_pose)[0] for mine, one in zip(pixels, frames, strict=True)]
    return np.linalg.norm(scene.points.points - np.concatenate(truth), axis=1)


def facing_wall(number, depth, back=0.0, turned=False):
    """A frame that looks along z from `back` metres behind the origin, or against it, and measures `depth` everywhere."""
    pose = np.diag([1.0, -1, -1, 1]) if turned else np.eye(4)
    pose[2, 3] = -back
    return Frame(number, dots(), np.full((CAMERA.height, CAMERA.width), depth, np.float32), CAMERA, CAMERA, pose, pose)


@cache
def dots():
    """A picture with key points; what it shows does not matter."""
    return frame(0, walk(1)[0], depth=False).colour


def depths_of_first(frames):
    _, _, together = agreed(frames)
    return together.points.depths[together.views == 0]


@pytest.fixture(scope="module")
def noisy():
    return [frame(number, pose, noise=NOISE) for number, pose in enumerate(walk(12))]


def test_several_frames_know_better_than_one(noisy):
    _, alone, together = agreed(noisy)
    one, many = errors(alone, noisy), errors(together, noisy)
    known = np.isfinite(together.doubts)
    assert known.mean() > 0.99 and len(known) > 1000
    assert np.median(many[known]) < 0.7 * np.median(one), "seen by 12 frames at most, and the window is a fifth as large"
    assert_array_equal(together.points.pixels, alone.points.pixels)
    assert_array_equal(together.points.normals, alone.points.normals)


def test_exact_depth_stays_and_is_not_in_doubt():
    frames = [frame(number, pose) for number, pose in enumerate(walk(4))]
    _, alone, together = agreed(frames)
    on_wall = together.doubts < 1e-4  # near the room's edges a window holds two walls
    assert on_wall.mean() > 0.9
    assert_allclose(together.points.points[on_wall], alone.points.points[on_wall], atol=2e-4)
    assert errors(together, frames)[on_wall].max() < 1e-4


def test_more_matches_are_found_and_more_of_them_are_right(noisy):
    """Within 3 mm, so that an error of 1.6 mm in the median matters."""
    graph, alone, together = agreed(noisy)
    counts, shares = [], []
    for scene in (alone, together):
        anchors, same = same_places(scene, graph, within=0.003).T
        pixels = [scene.points.pixels[scene.views == place].astype(float) for place in range(len(noisy))]
        truth = np.concatenate([true_points(mine, CAMERA, one.pose)[0] for mine, one in zip(pixels, noisy, strict=True)])
        counts.append(len(anchors))
        shares.append((np.linalg.norm(truth[anchors] - truth[same], axis=1) <= 0.003).mean())
    assert counts[1] > 1.3 * counts[0]
    assert shares[1] > 0.998 > shares[0]


def test_where_a_window_holds_a_step_the_place_is_in_doubt():
    """A plate 2 cm before the wall covers all to one side of a column: places beside its edge are in doubt, those farther off are not."""
    poses = [walk(1)[0]] * 3
    frames = [frame(number, pose) for number, pose in enumerate(poses)]
    edge = CAMERA.width // 2
    for one in frames:
        one.depth[:, edge:] -= 0.02
    _, _, together = agreed(frames)
    beside = np.abs(together.points.pixels[:, 0] - edge) < 1.5
    away = np.abs(together.points.pixels[:, 0] - edge) > 8
    assert beside.sum() >= 3
    assert together.doubts[beside].min() > 5e-4 > 1e-4 > np.median(together.doubts[away])


def test_cameras_that_stand_apart_agree_too():
    away = np.eye(4)
    away[:3, 3] = [0.05, 0.01, 0]
    frames = [apart(number, pose, CAMERA, Pinhole.of_field(280, 210, 62.0), away) for number, pose in enumerate(walk(5))]
    _, _, together = agreed(frames)
    on_wall = together.doubts < 1e-4
    assert on_wall.mean() > 0.8
    assert errors(together, frames)[on_wall].max() < 5e-4


def test_the_world_may_move(noisy):
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = Rotation.random(rng=np.random.default_rng(2)).as_matrix(), [5.0, -3, 2]
    here, there = agreed(noisy[:4])[2], agreed([turned_world(one, turn) for one in noisy[:4]])[2]
    assert_allclose(there.points.points, moved(here.points.points, turn), atol=1e-6)
    assert_allclose(there.doubts, here.doubts, atol=1e-6)


def test_key_points_that_no_frame_measured_are_in_doubt_without_end(noisy):
    views, scene = views_of(noisy[:2]), SceneKeyPoints.of([key_points(one) for one in noisy[:2]])
    places = AgreedPlaces(scene, view_graph(views, 0.0))
    places.look(0, np.zeros_like(noisy[0].depth))
    found = places.scene()
    assert np.isinf(found.doubts).all()
    assert_allclose(found.points.points, scene.points.points, atol=1e-6)


def test_frames_agree_on_one_surface_only():
    """At 1 m depths may differ by 9 mm; a board 3 cm before the wall is another surface, and so is the back of a plate."""
    wall = facing_wall(0, 1.0)
    assert_allclose(depths_of_first([wall, facing_wall(1, 1.008)]), 1 / (1 + 1.008**-4) + 1.008 / (1 + 1.008**4), atol=1e-5)
    assert_allclose(depths_of_first([wall, facing_wall(1, 0.97), facing_wall(2, 0.97)]), 1, atol=1e-6)
    behind = facing_wall(1, 1.0, back=-2.005, turned=True)  # it sees the plate's other side, 5 mm behind this one
    assert len(agreed([wall, behind])[0].pairs) == 1
    assert_allclose(depths_of_first([wall, behind]), 1, atol=1e-6)


def test_far_away_the_slack_grows_with_noise_but_never_beyond_4_cm():
    assert_allclose(depths_of_first([facing_wall(0, 2.0), facing_wall(1, 2.02)]).mean(), 2.01, atol=1e-3)
    assert_allclose(depths_of_first([facing_wall(0, 6.0), facing_wall(1, 6.05)]), 6, atol=1e-5)


def test_who_is_near_knows_better():
    """From twice as far the noise is four times as large, its square 16 times."""
    found = depths_of_first([facing_wall(0, 1.0), facing_wall(1, 2.006, back=1.0)])
    assert_allclose(found, (1 + 1.006 * 2.006**-4) / (1 + 2.006**-4), atol=1e-5)


def test_each_view_is_asked_by_those_it_shares_most_with(monkeypatch):
    monkeypatch.setattr(agreed_places, "PARTNERS", 2)
    pairs = np.array([[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]])
    graph = ViewGraph(
        views_of([facing_wall(number, 1.0) for number in range(4)]), pairs, np.zeros((6, 2)), np.array([0.9, 0.1, 0.5, 0.2, 0.5, 0.3])
    )
    # the partners of view 0 are 1 and 3, of 1 are 0 and 2 (as alike as 3, but earlier), of 2 are 1 and 3, of 3 are 1 and 2
    assert [sorted(one) for one in agreed_places._asking(graph)] == [[0, 1], [0, 1, 2, 3], [1, 2, 3], [0, 2, 3]]


def test_key_points_are_looked_at_in_parts(noisy, monkeypatch):
    whole = agreed(noisy[:3])[2]
    monkeypatch.setattr(agreed_places, "CHUNK", 7)
    parts = agreed(noisy[:3])[2]
    assert_allclose(parts.points.points, whole.points.points, rtol=1e-12)  # BLAS adds in another order
    assert_allclose(parts.doubts, whole.doubts, atol=1e-12)


def test_a_surface_that_is_turned_away_hides_nothing_of_itself():
    """A wall at 12 degrees to the ray: from pixel to pixel it comes nearer by more than 2 cm."""
    normal = np.array([-np.cos(np.deg2rad(12)), 0, -np.sin(np.deg2rad(12))])  # towards the camera, which stands in front
    directions = CAMERA.directions()
    depth = (-1.5 / (directions @ normal)).astype(np.float32)
    depth[(directions @ normal) >= -0.05] = 0
    one = Frame(1, None, depth, CAMERA, CAMERA, np.eye(4), np.eye(4))
    column, row = 200, np.arange(30, 200, 5)
    points = depth[row, column, None] * directions[row, column]
    across = np.abs(np.diff(depth[row, column - 1 : column + 2], axis=1)).max()
    assert across > 0.02
    views, scene = views_of([one, one]), SceneKeyPoints.of([key_points(facing_wall(0, 1.0)).subset(np.arange(len(row)))] * 2)
    count = len(row)
    slanted = replace(scene.points, points=np.tile(points, (2, 1)).astype(float), normals=np.tile(normal, (2 * count, 1)))
    matches = np.stack([np.arange(count), np.arange(count) + count], axis=1)
    anchors = SeenAnchors(replace(scene, points=slanted), views, matches)
    anchors.look(1, depth)
    assert anchors.seen.all()


@pytest.mark.parametrize(("away", "before", "seen"), [(1.0, 0.04, False), (3.0, 0.04, True), (3.0, 0.08, False), (1.0, 0.015, True)])
def test_what_hides_an_anchor_stands_before_it_by_more_than_noise(away, before, seen):
    """More than 2 cm and 4 mm times the square of its depth: 2.4 cm at 1 m, 5.6 cm at 3 m."""
    wall = facing_wall(0, away)
    views, scene = views_of([wall, wall]), SceneKeyPoints.of([key_points(wall)] * 2)
    count = len(scene.views) // 2
    anchors = SeenAnchors(scene, views, np.stack([np.arange(count), np.arange(count) + count], axis=1))
    anchors.look(1, np.full_like(wall.depth, away - before))
    assert (anchors.seen == seen).all()
    anchors.look(1, np.full_like(wall.depth, away + before))
    assert (anchors.seen == seen).all(), "in air that the second frame looked through"


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda depth, row, column: None, True),
        (lambda depth, row, column: depth.__setitem__((row + 1, column - 1), depth[row, column] - 0.1), False),
        (lambda depth, row, column: depth.__setitem__((row + 2, column), depth[row, column] - 0.1), True),
        (lambda depth, row, column: depth.__setitem__((row, column), depth[row, column] + 0.1), True),
        (lambda depth, row, column: depth.__setitem__((row - 1, column), 0.0), False),
        (lambda depth, row, column: depth.__setitem__((row, column + 1), np.nan), False),
    ],
    ids=["as it is", "something before it", "beyond its neighbours", "behind it", "a hole", "no number"],
)
def test_an_anchor_is_seen_where_nothing_nearer_and_no_hole_is_around(change, seen):
    first, second = (frame(number, pose) for number, pose in enumerate(walk(2)))
    views, scene = views_of([first, second]), SceneKeyPoints.of([key_points(first), key_points(second)])
    matches = same_places(scene, view_graph(views, 0.0))[:1]
    column, row = np.floor(views[1].pixels(scene.points.points[matches[0, :1]])[0] + 0.5).astype(int)
    depth = second.depth.copy()
    change(depth, row, column)
    anchors = SeenAnchors(scene, views, matches)
    anchors.look(0, first.depth)
    assert not anchors.seen.any(), "the first frame says nothing of the second"
    anchors.look(1, depth)
    assert anchors.seen.tolist() == [seen]


def test_an_anchor_beside_the_picture_is_not_seen():
    first, second = (frame(number, pose) for number, pose in enumerate(walk(2)))
    views, scene = views_of([first, second]), SceneKeyPoints.of([key_points(first), key_points(second)])
    back = inverse_pose(views[1].pose)
    behind = scene.points.points + 0
    behind[:] = moved(np.array([[0.0, 0, -1], [9, 0, 1]])[np.arange(len(behind)) % 2], views[1].pose)
    assert (moved(behind, back)[::2, 2] < 0).all()
    elsewhere = replace(scene, points=replace(scene.points, points=behind))
    matches = np.stack([np.flatnonzero(scene.views == 0)[:4], np.flatnonzero(scene.views == 1)[:4]], axis=1)
    anchors = SeenAnchors(elsewhere, views, matches)
    anchors.look(1, second.depth)
    assert not anchors.seen.any()
