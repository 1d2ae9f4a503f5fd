"""Frames to pairs: overlap by counting, poses that compose, and flow against the homography of a wall."""

from dataclasses import replace

import numpy as np
import pytest
from dotted_room import CAMERA, CORNER, SIDES, apart, frame, scan_of, true_points, turned_world, walk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from l9.errors import UsageError
from l9.geometry.camera import Pinhole, inverse_pose, moved, project
from l9.geometry.overlap import view_iou, view_overlap
from l9.geometry.view_graph import view_of
from l9.stages import view_pairs
from l9.stages.contract import run_stages
from l9.stages.view_pairs import _lattice_pixels


def rows_of(frames, **arguments):
    return list(run_stages(scan_of(frames), [(view_pairs, arguments)], object_id="scene0000_00"))


@pytest.fixture(scope="module")
def frames():
    return [frame(3 * number, pose, colour=False) for number, pose in enumerate(walk(4, towards=CORNER))]


def test_pairs_share_what_counting_says(frames):
    cells = {one.number: view_of(one).cells for one in frames}
    rows = rows_of(frames)
    assert [row["frames"].tolist() for row in rows] == [[0, 3], [0, 6], [3, 6], [0, 9], [3, 9], [6, 9]]
    for row in rows:
        one, other = (cells[number] for number in row["frames"].tolist())
        assert_allclose(row["overlaps"], [view_overlap(one, other), view_overlap(other, one)], rtol=1e-6)
        assert_allclose(row["iou"], view_iou(one, other), rtol=1e-6)
    least = float(np.median([row["iou"] for row in rows]))
    assert [row["frames"].tolist() for row in rows_of(frames, overlap=least)] == [
        row["frames"].tolist() for row in rows if row["iou"] >= least
    ]


def test_relative_poses_compose(frames):
    poses = {tuple(row["frames"].tolist()): row["relative_pose"].astype(float) for row in rows_of(frames)}
    assert_allclose(poses[3, 9] @ poses[0, 3], poses[0, 9], atol=1e-5)
    assert_allclose(poses[6, 9] @ poses[3, 6] @ poses[0, 3], poses[0, 9], atol=1e-5)
    point = np.array([[0.3, -0.2, 2.0]])
    world = moved(point, frames[0].pose)
    assert_allclose(moved(point, poses[0, 9]), moved(world, inverse_pose(frames[3].pose)), atol=1e-5)


def test_flow_is_the_homography_of_a_wall():
    """H = K2 (R - t n^T / d) K1^-1 for the plane n . x + d = 0 in the first camera's axes (Hartley & Zisserman, 2nd ed., eq. 13.2)."""
    poses = walk(2, step=0.3, towards=(0.1, 1.0, 0.0))
    frames = [frame(number, pose, colour=False) for number, pose in enumerate(poses)]
    (row,) = rows_of(frames, flow=64)
    pixels = _lattice_pixels(CAMERA.width, CAMERA.height, 64)
    points, _ = true_points(pixels, CAMERA, poses[0])
    wall = np.abs(points[:, 1] - SIDES[1]) < 1e-9
    lens = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]])
    relative = inverse_pose(poses[1]) @ poses[0]
    normal = poses[0][:3, :3].T @ [0, -1.0, 0]
    distance = SIDES[1] - poses[0][1, 3]
    homography = lens @ (relative[:3, :3] - np.outer(relative[:3, 3], normal) / distance) @ np.linalg.inv(lens)
    shown = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) @ homography.T
    wanted = shown[:, :2] / shown[:, 2:] - pixels
    flow = row["flow"].reshape(-1, 2).astype(float)
    known = np.isfinite(flow).all(axis=1)
    off = np.linalg.norm(flow - wanted, axis=1)
    assert (known & wall).sum() > 1000
    assert np.median(off[known & wall]) < 0.05  # float16: .03 pixel from 32 on
    assert off[known & wall].max() < 1.5  # at the wall's edge 9 pixels of depth are of two walls
    target = pixels + wanted
    inside = ((target >= 0) & (target <= [CAMERA.width - 1, CAMERA.height - 1])).all(axis=1)
    assert_array_equal(row["flow_seen"].ravel()[known & wall] > 0, inside[known & wall])


def test_flow_of_cameras_that_stand_apart_and_differ():
    away = np.eye(4)
    away[0, 3] = -0.05
    depth_camera = Pinhole.of_field(256, 192, 78.0)
    poses = walk(3, step=0.1)
    frames = [apart(number, pose, CAMERA, depth_camera, away) for number, pose in enumerate(poses)]
    pixels = _lattice_pixels(CAMERA.width, CAMERA.height, 32)
    for row in rows_of(frames, flow=32):
        first, second = row["frames"]
        points, _ = true_points(pixels, CAMERA, poses[first])
        wanted = project(moved(points, inverse_pose(poses[second])), CAMERA)[:, :2] - pixels
        flow = row["flow"].reshape(-1, 2).astype(float)
        known = np.isfinite(flow).all(axis=1)
        assert known.mean() > 0.8
        off = np.linalg.norm(flow - wanted, axis=1)[known]
        assert np.median(off) < 0.05
        assert off.max() < 1.5


def test_what_stands_before_hides_what_the_flow_leads_to():
    """A post 60 cm before the second camera: what it hides is not seen, and the flow says where that would be."""
    one, other = (frame(number, pose, colour=False) for number, pose in enumerate(walk(2, step=0.05)))
    depth = other.depth.copy()
    depth[:, 150:180] = 0.6
    (plain,), (hidden,) = rows_of([one, other], flow=64), rows_of([one, replace(other, depth=depth)], flow=64)
    assert_array_equal(plain["flow"], hidden["flow"])
    target = plain["flow"].reshape(-1, 2) + _lattice_pixels(CAMERA.width, CAMERA.height, 64)
    behind = (np.abs(target[:, 0] - 164.5) < 14.5).reshape(48, 64) & (plain["flow_seen"] > 0)
    assert behind.sum() > 100
    assert not hidden["flow_seen"][behind].any()
    beside = (np.abs(target[:, 0] - 164.5) > 15.5).reshape(48, 64)
    assert_array_equal(hidden["flow_seen"][beside], plain["flow_seen"][beside])


def test_the_world_may_move(frames):
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = Rotation.random(rng=np.random.default_rng(0)).as_matrix(), [5.0, 2, -3]
    for one, other in zip(rows_of(frames, flow=16), rows_of([turned_world(one, turn) for one in frames], flow=16), strict=True):
        assert_array_equal(one["frames"], other["frames"])
        assert_allclose(one["relative_pose"], other["relative_pose"], atol=1e-6)
        assert_allclose(one["flow"].astype(float), other["flow"].astype(float), rtol=2e-3, atol=2e-3)
        assert_allclose(one["iou"], other["iou"], atol=0.1)  # other cells


def test_twice_is_the_same(frames):
    for one, other in zip(rows_of(frames, flow=16), rows_of(frames, flow=16), strict=True):
        assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_without_flow_there_are_no_columns_of_it(frames):
    assert rows_of(frames)[0].keys() == {"frames", "overlaps", "iou", "relative_pose"}
    for flow in (-1, 641):
        with pytest.raises(UsageError, match="flow is"):
            rows_of(frames, flow=flow)
