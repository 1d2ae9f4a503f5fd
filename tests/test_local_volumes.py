"""Volumes of truncated distances, against formulas: a plane, a ball, turns by 90 degrees, and nothing at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import UsageError
from l9.geometry.local_volumes import local_volumes

VOXEL = 0.01
FINE = 0.25  # voxels between the vertices of a surface here: distances are off by at most 0.18 voxels
QUARTERS = [
    np.array(turn) for turn in ([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
]


def plane(half=0.25):
    """Vertices of z = 0."""
    across = np.arange(-half, half, FINE * VOXEL)
    x, y = np.meshgrid(across, across)
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)


def ball(radius, count=40_000):
    """Vertices of a sphere, spread by the golden angle."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    flat = np.sqrt(1 - z**2)
    return radius * np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)


def centres(side):
    """Of all voxels from the middle, in voxels."""
    steps = np.arange(side) - (side - 1) / 2
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)


def test_a_plane_is_1_at_the_surface_and_0_from_five_voxels_on():
    """The middle lies half a voxel beside the plane, so that one layer of voxels lies on it."""
    (found,) = local_volumes(plane(), np.array([[0.0, 0.0, VOXEL / 2]]), 30, VOXEL)
    layers = found.reshape(-1, 30)
    assert layers[:, 14].min() >= 245, "at the surface, but for the distance to the nearest vertex"
    away = np.abs(np.arange(30) - 14)
    assert (layers[:, away >= 5] == 0).all() and (layers[:, away < 5] > 0).all()
    expected = 255 * (1 - np.minimum(away, 5) / 5)
    assert_allclose(layers, np.broadcast_to(expected, layers.shape), atol=10)


@pytest.mark.parametrize("band", [3, 5])
def test_a_ball_by_formula(band):
    (found,) = local_volumes(ball(0.08), np.zeros((1, 3)), 24, VOXEL, band)
    away = np.abs(np.linalg.norm(centres(24), axis=-1) - 8)
    assert_allclose(found, 255 * (1 - np.minimum(away, band) / band), atol=255 * 0.1 / band + 0.5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2), st.integers(0, 2**31))
def test_turning_by_90_degrees_permutes_the_voxels(axis, seed):
    """But for rounding: a distance may fall on either side of half of 1/255."""
    random, turn = np.random.default_rng(seed), QUARTERS[axis]
    vertices, centre = random.uniform(-0.1, 0.1, (60, 3)), random.uniform(-0.05, 0.05, (1, 3))
    (plain,), (turned,) = local_volumes(vertices, centre, 12, VOXEL), local_volumes(vertices @ turn.T, centre @ turn.T, 12, VOXEL)
    places = np.rint(centres(12).reshape(-1, 3) @ turn.T + 5.5).astype(int)
    assert_allclose(turned[tuple(places.T)].astype(int), plain.ravel().astype(int), atol=1)


def test_each_centre_has_its_own_volume_whatever_the_order_of_vertices():
    random = np.random.default_rng(0)
    vertices, middles = random.uniform(-0.2, 0.2, (500, 3)), random.uniform(-0.2, 0.2, (4, 3))
    found = local_volumes(vertices, middles, 10, VOXEL)
    assert_array_equal(found, local_volumes(random.permutation(vertices), middles, 10, VOXEL))
    assert_array_equal(found[2], local_volumes(vertices, middles[2:3], 10, VOXEL)[0])


def test_what_was_never_seen_is_0():
    middles = np.array([[0.0, 0.0, 5.0]])
    assert not local_volumes(plane(0.1), middles, 8, VOXEL).any()
    assert not local_volumes(np.zeros((0, 3)), middles, 8, VOXEL).any()
    assert local_volumes(plane(0.1), np.zeros((0, 3)), 8, VOXEL).shape == (0, 8, 8, 8)


@pytest.mark.parametrize("arguments", [(0, VOXEL), (8, 0.0), (8, np.inf), (8, VOXEL, 0)])
def test_no_voxels_are_refused(arguments):
    with pytest.raises(UsageError, match="expected each above 0"):
        local_volumes(plane(0.02), np.zeros((1, 3)), *arguments)
