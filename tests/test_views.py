"""l9.geometry.views: what is up, right and in front in the pictures."""

import math

import numpy as np
import pytest
from geometry_cases import few, solid, solids
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.mesh import AXES, axis_vector
from l9.geometry.views import orbit_pose, render_views

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


def _spike(towards, across):
    """A thin spike from the origin along `towards`, over a tiny base."""
    other = np.cross(towards, across)
    return np.stack([0.1 * across, -0.1 * across + 0.1 * other, -0.1 * across - 0.1 * other, 0.9 * towards])


def _ink(pictures):
    """Where each picture is not white: (rows, columns) from its middle, half pixels."""
    size = pictures.shape[1]
    for picture in pictures:
        rows, columns = np.nonzero(picture < 250)
        assert len(rows)
        yield rows + 0.5 - size / 2, columns + 0.5 - size / 2


@pytest.mark.parametrize("up", AXES)
def test_a_spike_along_up_points_up_in_every_picture(up):
    towards = axis_vector(up)
    for rows, columns in _ink(render_views(_spike(towards, np.roll(towards, 1)), TETRAHEDRON, up=up, count=6, size=48)):
        assert rows.min() < -15
        assert rows.max() < 8
        assert np.abs(columns).max() < 8


@pytest.mark.parametrize("up", AXES)
def test_the_ring_turns_right_handed_about_up(up):
    """A spike towards camera 1 of 4 is on the right of picture 0, and on the left of picture 2."""
    towards = axis_vector(up)
    camera = [orbit_pose(up, azimuth, 0.0, 1.0)[:3, 3] for azimuth in (0.0, math.pi / 2)]
    assert_allclose(np.cross(camera[0], camera[1]) / np.linalg.norm(camera[0]) ** 2, towards, atol=1e-12)
    spike = _spike(camera[1] / np.linalg.norm(camera[1]), towards)
    ink = list(_ink(render_views(spike, TETRAHEDRON, up=up, count=4, size=48)))
    assert ink[0][1].max() > 15 > -ink[0][1].min()
    assert ink[2][1].min() < -15 < -ink[2][1].max()


@given(st.sampled_from(AXES), st.floats(0, 6.3), st.floats(-1.5, 1.5))
def test_a_pose_is_a_right_handed_camera_that_looks_at_the_origin(up, azimuth, elevation):
    pose = orbit_pose(up, azimuth, elevation, 1.0)
    turn, place = pose[:3, :3], pose[:3, 3]
    assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert_allclose(np.linalg.det(turn), 1)
    assert_allclose(turn[:, 2], -place / np.linalg.norm(place), atol=1e-12)
    assert turn[:, 1] @ axis_vector(up) < 0  # y of the picture goes down


@few
@given(solids(), st.sampled_from(AXES))
def test_nothing_is_cut_off(drawn, up):
    mesh = solid(*drawn)
    pictures = render_views(*mesh, up=up, count=3, size=40)
    border = np.concatenate([pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]], axis=1)
    assert (border == 255).all()
    assert (pictures < 255).any(axis=(1, 2)).all()


def test_both_sides_of_a_face_are_lit_the_same():
    vertices = np.array([[-1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    front, back = (render_views(vertices, np.array([face]), up="+Y", count=2, size=32) for face in ([0, 1, 2], [2, 1, 0]))
    assert_array_equal(front, back)
    assert front.min() < 255


def test_a_face_seen_head_on_is_brighter_than_one_seen_aslant():
    vertices = np.array([[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]])
    pictures = render_views(vertices, np.array([[0, 1, 2]]), up="+Y", count=12, size=32, elevation_degrees=0.0)
    shades = [int(np.median(picture[picture < 250])) for picture in pictures[:3]]
    assert shades == sorted(shades, reverse=True)
    assert shades[0] > shades[2] + 40
