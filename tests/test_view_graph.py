"""l9.geometry.view_graph: pairs against counting cell by cell, and poses that do not agree."""

from dataclasses import replace

import numpy as np
import pytest
from dotted_room import CAMERA, CORNER, depth_of, frame, turned_world, walk
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole, back_project, moved
from l9.geometry.overlap import occupied_cells, view_iou, view_overlap, visible_in
from l9.geometry.view_graph import PoseCheck, View, measured_points, seen_samples, view_graph, view_of, views_of, without

COUNT = 24


def view(cells, number=0):
    return View(number, CAMERA, CAMERA, np.eye(4), np.eye(4), np.unique(np.array(cells, np.int64)), np.zeros((0, 3)))


@pytest.fixture(scope="module")
def frames():
    return [frame(number, pose, colour=False) for number, pose in enumerate(walk(COUNT, step=0.04, towards=CORNER))]


@few
@given(st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=9), st.floats(0, 0.8))
def test_pairs_are_those_of_counting_one_by_one(cells, least):
    views = [view(one, number) for number, one in enumerate(cells)]
    graph = view_graph(views, least)
    wanted = [(first, second) for second in range(len(views)) for first in range(second)]
    wanted = [pair for pair in wanted if view_iou(*(views[one].cells for one in pair)) >= max(least, 1e-9)]
    assert graph.pairs.tolist() == [list(pair) for pair in wanted]
    for number, (first, second) in enumerate(wanted):
        one, other = views[first].cells, views[second].cells
        assert graph.overlaps[number].tolist() == [view_overlap(one, other), view_overlap(other, one)]
        assert graph.ious[number] == view_iou(one, other)
    for second in range(len(views)):
        assert_array_equal(graph.pairs[graph.partners(second), 1], second)


def test_a_view_is_what_its_frame_measured(frames):
    kept = view_of(frames[3])
    points = moved(back_project(frames[3].depth, CAMERA), frames[3].pose)
    measured = measured_points(frames[3])
    assert_allclose(measured, points, atol=1e-9)
    assert_array_equal(kept.cells, occupied_cells(measured))
    assert len(kept.points) == 1024
    assert np.isin(kept.points.view("V24"), measured.view("V24")).all()
    assert_array_equal(kept.points, view_of(frames[3]).points)
    assert_allclose(kept.pixels(kept.points)[:, 0] % 1, 0.5, atol=0.5 + 1e-6)
    assert len(views_of([replace(frames[0], depth=None), replace(frames[1], depth=np.zeros_like(frames[1].depth)), frames[2]])) == 1


def test_pixels_without_depth_are_no_points(frames):
    depth = frames[0].depth.copy()
    depth[:50], depth[50:100], depth[100:150], depth[150:200] = 0, np.nan, np.inf, -1
    points = moved(back_project(depth, CAMERA), frames[0].pose)
    assert len(points) == 40 * CAMERA.width
    assert_allclose(measured_points(replace(frames[0], depth=depth)), points, atol=1e-9)


@pytest.mark.parametrize("which", ["pose", "colour_pose"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pose_that_is_none_is_refused(frames, which, value):
    pose = np.eye(4)
    pose[0, 3] = value
    with pytest.raises(RefusedObject, match="not-finite: the pose of frame 5"):
        view_of(replace(frames[5], **{which: pose}))


def test_samples_that_another_view_sees(frames):
    one, other = view_of(frames[0]), view_of(frames[6])
    seen = seen_samples(one.points, other, frames[6].depth)
    pixels = other.pixels(one.points)
    inside = ((pixels >= -0.5) & (pixels < [CAMERA.width - 0.5, CAMERA.height - 0.5])).all(axis=1)
    assert 0.2 < seen.mean() < 1
    assert_array_equal(seen, inside)  # an empty room occludes nothing
    away = np.random.default_rng(0).uniform(-1, 4, (3000, 3))  # in the room and around it, before and behind
    away[:1000] = one.points[:1000] + np.random.default_rng(1).normal(0, 0.03, (1000, 3))
    away[5] = np.nan
    for depth in (frames[6].depth, np.where(np.arange(320) % 3, frames[6].depth, np.nan).astype(np.float32)):
        wanted, places = visible_in(away, depth, CAMERA, other.pose, 0.03)
        assert_array_equal(seen_samples(away, other, depth), wanted)
        assert_allclose(other.pixels(away), places, rtol=1e-9)


def checked(frames):
    views = views_of(frames)
    check = PoseCheck(view_graph(views, 0.0))
    for place, one in enumerate(frames):
        check.look(place, one.depth)
    return check


def test_exact_poses_agree_and_so_do_noisy_depths(frames):
    assert checked(frames).wrong() == []
    assert (
        checked(
            [frame(number, pose, colour=False, noise=3e-3) for number, pose in enumerate(walk(COUNT, step=0.04, towards=CORNER))]
        ).wrong()
        == []
    )


@pytest.mark.parametrize("place", [0, 11, COUNT - 1])
@pytest.mark.parametrize("direction", np.eye(3).tolist())
def test_one_frame_that_is_a_metre_off_is_found(frames, place, direction):
    pose = frames[place].pose.copy()
    pose[:3, 3] -= direction
    wrong = replace(frames[place], pose=pose, colour_pose=pose)
    assert checked([*frames[:place], wrong, *frames[place + 1 :]]).wrong() == [place]


def test_a_frame_of_another_lens_is_found(frames):
    narrow = replace(CAMERA, fx=2 * CAMERA.fx, fy=2 * CAMERA.fy)
    wrong = replace(frames[9], depth_camera=narrow, colour_camera=narrow)
    assert checked([*frames[:9], wrong, *frames[10:]]).wrong() == [9]


def test_two_right_lenses_agree(frames):
    other = Pinhole.of_field(200, 150, 50.0)
    both = [
        replace(one, depth=depth_of(other, one.pose), depth_camera=other, colour_camera=other) if one.number % 2 else one for one in frames
    ]
    assert checked(both).wrong() == []


def test_poses_that_are_all_off_are_refused(frames):
    draw = np.random.default_rng(0)
    off = []
    for one in frames:
        pose = one.pose.copy()
        pose[:3, 3] += draw.uniform(-1, 1, 3)
        off.append(replace(one, pose=pose, colour_pose=pose))
    with pytest.raises(RefusedObject) as caught:
        checked(off).wrong()
    assert caught.value.reason == "poses-disagree"
    assert "\n" not in str(caught.value)
    assert "expected camera-to-world poses" in str(caught.value)


def test_the_world_may_move(frames):
    turn = np.eye(4)
    turn[:3, 3] = 0.05 * np.array([20, -3, 7])  # whole cells
    plain = view_graph(views_of(frames), 0.1)
    moved_away = view_graph(views_of([turned_world(one, turn) for one in frames]), 0.1)
    assert abs(len(plain.pairs) - len(moved_away.pairs)) <= 2
    assert checked([turned_world(one, turn) for one in frames]).wrong() == []


def test_pairs_without_some_views(frames):
    graph = view_graph(views_of(frames), 0.0)
    left = without(graph, [3, 5])
    assert len(left.views) == COUNT
    assert not np.isin(left.pairs, [3, 5]).any()
    assert len(left.pairs) == len(left.ious) == len(left.overlaps) == (~np.isin(graph.pairs, [3, 5]).any(axis=1)).sum()
    assert without(graph, []) is graph
