"""l9.geometry.correspondence against brute force."""

import numpy as np
import pytest
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.spatial.transform import Rotation

from l9.geometry import correspondence
from l9.geometry.correspondence import matching_pixels, matching_points, other_points


def cloud(seed, count=120, frames=6):
    """Key points in a small box, many within 2 cm of each other; some normals are not known."""
    draw = np.random.default_rng(seed)
    normals = draw.standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals[draw.random(count) < 0.1] = 0
    return draw.uniform(0, 0.08, (count, 3)), normals, np.sort(draw.integers(0, frames, count))


def by_brute_force(points, normals, frames, within, turned):
    found = []
    for one in range(len(points)):
        for other in np.unique(frames[frames > frames[one]]):
            there = np.flatnonzero(frames == other)
            apart = np.linalg.norm(points[there] - points[one], axis=1)
            known = np.abs(normals[one]).any() & np.abs(normals[there]).any(axis=1)
            fits = (apart <= within) & (~known | (normals[there] @ normals[one] >= np.cos(turned)))
            if fits.any():
                found.append((one, there[fits][apart[fits].argmin()]))
    return np.array(found).reshape(-1, 2)


@few
@given(st.integers(0, 10_000), st.floats(0.005, 0.05), st.floats(0.1, 3.1))
def test_nearest_later_key_points_are_those_of_brute_force(seed, within, turned):
    points, normals, frames = cloud(seed)
    found = np.stack(matching_points(points, normals, frames, within, turned), axis=1)
    assert_array_equal(found, by_brute_force(points, normals, frames, within, turned))
    assert len(np.unique(np.stack([found[:, 0], frames[found[:, 1]]]), axis=1).T) == len(found), "one for a key point and a later frame"


@few
@given(st.integers(0, 10_000))
def test_a_moved_world_has_the_same_matches(seed):
    points, normals, frames = cloud(seed)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    plain, moved = (matching_points(*world, frames) for world in ((points, normals), (points @ turn.T + [3.0, -2, 1], normals @ turn.T)))
    assert_array_equal(plain, moved)


def test_pieces_of_the_search_do_not_show(monkeypatch):
    whole = matching_points(*cloud(1))
    monkeypatch.setattr(correspondence, "CHUNK", 7)
    assert_array_equal(matching_points(*cloud(1)), whole)


def test_exactly_as_far_is_near_enough_and_nothing_gives_nothing():
    points = np.array([[0.0, 0, 0], [0.02, 0, 0], [0.0200001, 0, 0]])
    up = np.tile([0.0, 0, 1], (3, 1))
    assert_array_equal(matching_points(points, up, np.array([0, 1, 2])), [[0, 1], [1, 2]])
    for found in matching_points(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64)):
        assert found.shape == (0,)
        assert found.dtype == np.int64


@few
@given(st.integers(0, 10_000), st.floats(0.5, 8))
def test_pixels_near_where_a_point_is_shown(seed, within):
    draw = np.random.default_rng(seed)
    seen, found = (np.concatenate([draw.uniform(0, 60, (40, 2)), draw.uniform(1, 1.1, (40, 1))], axis=1) for _ in range(2))
    seen[::7] = np.nan
    first, second = matching_pixels(seen, found, within)
    wanted = []
    for number, place in enumerate(seen):
        apart = np.linalg.norm(found[:, :2] - place[:2], axis=1)
        if np.isfinite(place).all() and apart.min() <= within and abs(found[apart.argmin(), 2] - place[2]) <= 0.03 * place[2]:
            wanted.append((number, apart.argmin()))
    assert_array_equal(np.stack([first, second], axis=1), np.array(wanted).reshape(-1, 2))


@pytest.mark.parametrize(("seen", "found"), [(0, 3), (3, 0)])
def test_no_pixels_match_no_pixels(seen, found):
    for numbers in matching_pixels(np.ones((seen, 3)), np.ones((found, 3)), 2.0):
        assert len(numbers) == 0


@few
@given(st.integers(0, 10_000), st.floats(0.01, 0.06))
def test_other_places_are_of_other_frames_and_far(seed, apart):
    points, _, frames = cloud(seed, 60, 3)
    anchors = np.arange(60)
    chosen = other_points(anchors, points, frames, np.random.default_rng(seed), apart)
    allowed = (frames[:, None] != frames) & (np.linalg.norm(points[:, None] - points, axis=2) > apart)
    assert_array_equal(chosen >= 0, allowed.any(axis=1))
    assert allowed[anchors[chosen >= 0], chosen[chosen >= 0]].all()
    assert_array_equal(chosen, other_points(anchors, points, frames, np.random.default_rng(seed), apart))


def test_every_other_place_is_as_likely():
    points, frames = np.arange(11.0)[:, None] * [1, 0, 0], np.repeat([0, 1], [1, 10])
    chosen = other_points(np.zeros(5000, np.int64), points, frames, np.random.default_rng(0))
    assert np.bincount(chosen, minlength=11)[1:].min() > 400  # of 500


def test_one_that_only_fits_rarely_is_found():
    points, frames = np.zeros((3000, 3)), np.repeat([0, 1], 1500)
    points[2222] = 1
    assert other_points(np.array([0]), points, frames, np.random.default_rng(0)).tolist() == [2222]
    assert other_points(np.array([2000]), points, frames, np.random.default_rng(0)).tolist() == [-1]
