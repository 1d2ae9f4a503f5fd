"""Frames to dense matches: both pixels show the point, within half a pixel, and no more of them than asked for."""

from dataclasses import replace

import numpy as np
import pytest
from dotted_room import CAMERA, CORNER, SIDES, apart, frame, scan_of, true_points, walk
from numpy.testing import assert_array_equal

from l9.errors import UsageError
from l9.geometry.camera import Pinhole, inverse_pose, moved, project
from l9.stages import dense_matches
from l9.stages.contract import run_stages


def rows_of(frames, object_id="scene0000_00", **arguments):
    return list(run_stages(scan_of(frames), [(dense_matches, arguments)], object_id=object_id))


@pytest.fixture(scope="module")
def poses():
    return walk(4, towards=CORNER)


@pytest.fixture(scope="module")
def frames(poses):
    return [frame(number, pose, colour=False) for number, pose in enumerate(poses)]


def misses(row, poses):
    """Pixels between each stored pixel and where the point is shown; metres between the point and what the second pixel shows."""
    points = row["dense_points"].astype(float)
    off = []
    for view, number in enumerate(row["dense_frames"]):
        shown = project(moved(points, inverse_pose(poses[number])), CAMERA)[:, :2]
        off.append(np.linalg.norm(shown - row["dense_pixels"][:, view], axis=1))
    seen, _ = true_points(row["dense_pixels"][:, 1].astype(float), CAMERA, poses[row["dense_frames"][1]])
    return np.stack(off), np.linalg.norm(seen - points, axis=1)


def test_both_pixels_show_the_point(frames, poses):
    rows = rows_of(frames)
    assert [row["dense_frames"].tolist() for row in rows] == [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]]
    for row in rows:
        assert len(row["dense_points"]) == 64
        off, away = misses(row, poses)
        assert off.max() < 0.5
        assert away.max() < 1e-4
        assert np.minimum(np.abs(row["dense_points"]), np.abs(row["dense_points"] - SIDES)).min(axis=1).max() < 1e-5, "on a wall"


def test_of_cameras_that_stand_apart(poses):
    away = np.eye(4)
    away[0, 3] = 0.05
    frames = [apart(number, pose, CAMERA, Pinhole.of_field(256, 192, 78.0), away) for number, pose in enumerate(poses)]
    for row in rows_of(frames):
        off, away_by = misses(row, poses)
        assert len(row["dense_points"]) > 40
        assert off.max() < 0.5
        assert away_by.max() < 1e-4


def test_no_more_than_asked_for_from_all_over_the_picture(frames):
    for row in rows_of(frames, count=30):
        assert len(row["dense_points"]) == 30
        assert np.ptp(row["dense_pixels"][:, 0, 1]) > 0.5 * CAMERA.height, "not its first rows alone"
    few = rows_of(frames, count=4096, samples=50)
    assert all(10 < len(row["dense_points"]) <= 50 for row in few)


def test_draws_depend_on_the_seed_and_the_object(frames):
    first, again, seed, other = (
        [row["dense_pixels"].tobytes() for row in rows_of(frames, name, seed=number)]
        for name, number in (("a", 0), ("a", 0), ("a", 1), ("b", 0))
    )
    assert first == again
    assert first != seed
    assert first != other


def test_a_point_that_is_hidden_is_no_match(frames):
    """A post 60 cm before the second camera."""
    depth = frames[1].depth.copy()
    depth[:, 150:180] = 0.6
    plain, hidden = rows_of(frames[:2], count=1024)[0], rows_of([frames[0], replace(frames[1], depth=depth)], count=1024)[0]
    behind = np.abs(plain["dense_pixels"][:, 1, 0] - 164.5) < 15
    assert behind.sum() > 30
    assert_array_equal(hidden["dense_points"], plain["dense_points"][~behind])


@pytest.mark.parametrize("arguments", [{"count": 0}, {"samples": 0}, {"count": 65_537}])
def test_arguments_that_cannot_be_are_refused(frames, arguments):
    with pytest.raises(UsageError, match="stage dense_matches"):
        rows_of(frames, **arguments)
