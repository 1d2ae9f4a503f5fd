"""l9.geometry.borrowed_depth: what one frame measured, as another one sees it."""

import numpy as np
from dotted_room import CAMERA, depth_of, frame, walk
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.borrowed_depth import depth_from, with_depth
from l9.geometry.camera import Pinhole, back_project, moved

WIDER = Pinhole.of_field(300, 200, 80.0)


def test_depth_of_a_stereo_pair_is_carried_over():
    one, other = walk(2, step=0.05)
    left, right = frame(0, one), frame(1, other, camera=WIDER, depth=False)
    kept, borrowed = with_depth([left, right])
    assert kept is left
    assert borrowed.depth_camera == WIDER
    assert_array_equal(borrowed.pose, other)
    truth = depth_of(WIDER, other)
    there = borrowed.depth > 0
    assert there.mean() > 0.6
    off = np.abs(borrowed.depth - truth)[there]
    assert np.median(off) < 2e-3
    assert off.max() < 0.06  # a pixel of the wall that is seen most aslant
    inner = borrowed.depth[40:160, 60:240]
    assert (inner > 0).all(), "no gaps where the first frame saw all"


def test_frames_take_it_from_the_last_one_that_measured():
    poses = walk(4)
    frames = [frame(number, pose, depth=number in (1, 3)) for number, pose in enumerate(poses)]
    found = list(with_depth(frames))
    assert found[0].depth is None, "none before it"
    assert found[1] is frames[1]
    assert found[3] is frames[3]
    points = moved(back_project(frames[1].depth, CAMERA), poses[1])
    assert_array_equal(found[2].depth, depth_from(points, CAMERA, poses[2]))


def test_the_nearest_point_wins_and_others_leave_nothing():
    camera = Pinhole.of_field(8, 6, 60.0)
    depth = depth_from(np.array([[0.0, 0, 2], [0, 0, 1], [0, 0, -1], [50, 0, 1], [0, 0, 0]]), camera, np.eye(4))
    assert_allclose(depth[2:4, 3:5], 1)
    assert (depth > 0).sum() == 4
    assert not depth_from(np.zeros((0, 3)), camera, np.eye(4)).any()
