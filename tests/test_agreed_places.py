"""l9.geometry.agreed_places: places of key points by several noisy frames of a dotted room, and anchors that something hides."""

from dataclasses import replace

import numpy as np
import pytest
from dotted_room import CAMERA, apart, frame, true_points, turned_world, walk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from l9.geometry.agreed_places import AgreedPlaces, SeenAnchors
from l9.geometry.camera import Pinhole, inverse_pose, moved
from l9.geometry.key_points import key_points
from l9.geometry.mining import SceneKeyPoints, same_places
from l9.geometry.view_graph import view_graph, views_of

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
