"""Warped pictures against shifts, quarter turns and scales that are known exactly, and the draws behind them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from l9.data.augment_pictures import affine_maps, draw_elastic, draw_units, mirror_pictures, warp_pictures

SIDE = 9


def pictures(count=2, channels=1, rows=SIDE, columns=SIDE, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((count, channels, rows, columns), np.float32))


def maps(count=2, degrees=0.0, scales=(1.0, 1.0), shear=0.0):
    return affine_maps(torch.full((count,), math.radians(degrees)), torch.tensor([scales] * count), torch.full((count,), float(shear)))


def shifts(x, y, count=2):
    return torch.tensor([[float(x), float(y)]] * count)


def generators(numbers):
    return [np.random.default_rng(number) for number in numbers]


def near(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)  # interpolation at whole pixels, float32


@pytest.mark.parametrize("shape", [(1, 9, 9), (3, 6, 11)])
def test_without_movement_a_picture_is_as_it_was(shape):
    x = pictures(2, *shape)
    near(warp_pictures(x, maps(), shifts(0, 0)), x)


def test_a_shift_of_whole_pixels_is_exact_and_brings_in_zeros():
    """x to the right, y down: what was at row 0, column 0 is at row 3, column 2."""
    x = pictures(2, 2, 7, 10)
    expected = torch.zeros_like(x)
    expected[:, :, 3:, 2:] = x[:, :, :-3, :-2]
    near(warp_pictures(x, maps(), shifts(2, 3)), expected)
    half = warp_pictures(x, maps(), shifts(0.5, 0))
    near(half[..., 1:], (x[..., 1:] + x[..., :-1]) / 2)


@pytest.mark.parametrize("size", [8, 9])
def test_a_quarter_turn_is_counter_clockwise_about_the_middle(size):
    x = pictures(rows=size, columns=size)
    near(warp_pictures(x, maps(degrees=90.0), shifts(0, 0)), torch.rot90(x, 1, (2, 3)))


def test_a_picture_scaled_by_two_across_is_twice_as_wide():
    x = torch.zeros(1, 1, SIDE, SIDE)
    x[0, 0, 4, 3:6] = 1
    wide = warp_pictures(x, maps(1, scales=(2.0, 1.0)), shifts(0, 0, 1))
    assert wide[0, 0, 4].tolist() == pytest.approx([0, 0.5, 1, 1, 1, 1, 1, 0.5, 0], abs=1e-5) and wide.sum() == pytest.approx(6, abs=1e-4)


def test_a_sheared_upright_leans_to_the_right():
    """One pixel to the right for each pixel up: an upright line becomes the diagonal from the bottom left to the top right."""
    x = torch.zeros(1, 1, SIDE, SIDE)
    x[..., 4] = 1
    near(warp_pictures(x, maps(1, shear=1.0), shifts(0, 0, 1))[0, 0], torch.eye(SIDE).flip(1))


@given(st.floats(-180, 180), st.floats(0.5, 2), st.floats(0.5, 2), st.floats(-0.5, 0.5))
@settings(deadline=None, max_examples=50)
def test_a_map_turns_what_was_sheared_and_scaled(degrees, across, down, shear):
    found = maps(1, degrees, (across, down), shear)[0].double()
    assert torch.linalg.det(found).item() == pytest.approx(across * down, rel=1e-4)
    right = found @ torch.tensor([1.0, 0.0], dtype=torch.float64)
    angle = math.radians(degrees)
    assert right.tolist() == pytest.approx([across * math.cos(angle), -across * math.sin(angle)], abs=1e-5)


def test_displacements_say_where_to_look():
    x, moved = pictures(), torch.zeros(2, 2, SIDE, SIDE)
    moved[:, 0] = 1  # each pixel looks to its right
    found = warp_pictures(x, maps(), shifts(0, 0), moved)
    near(found[..., :-1], x[..., 1:])
    near(found[..., -1], torch.zeros(2, 1, SIDE))


def test_an_elastic_field_is_smooth_and_of_deviation_one_up_to_the_border():
    field = draw_elastic(generators(range(600)), 28, 28)
    deviations = field.std(dim=(0, 1))
    assert abs(deviations - 1).max() < 0.15  # 1,200 fields: a deviation's standard error is 2 %, the largest of 784 within five or so
    steps = (field[..., 1:] - field[..., :-1]).std()
    assert steps < 0.25  # a Gaussian of 4 pixels: sqrt(2 - 2 exp(-1 / 64)) = 0.18 in the middle; white noise has 1.4


def test_draws_are_each_samples_own():
    whole, part = draw_elastic(generators([3, 4, 5]), 10, 12), draw_elastic(generators([5]), 10, 12)
    assert torch.equal(whole[2:], part) and not torch.equal(whole[0], whole[1])
    numbers = draw_units(generators(range(500)), 6)
    assert numbers.shape == (500, 6) and numbers.abs().max() <= 1 and numbers.abs().max() > 0.99
    assert torch.equal(numbers[7:8], draw_units(generators([7]), 6))


def test_an_empty_part_draws_and_moves_nothing():
    nothing = torch.zeros(0, 1, SIDE, SIDE)
    assert draw_units([], 6).shape == (0, 6) and draw_elastic([], SIDE, SIDE).shape == (0, 2, SIDE, SIDE)
    assert warp_pictures(nothing, torch.zeros(0, 2, 2), torch.zeros(0, 2), draw_elastic([], SIDE, SIDE)).shape == nothing.shape


def test_a_mirrored_picture_has_left_and_right_exchanged():
    x = pictures(2, 3)
    found = mirror_pictures(x, torch.tensor([True, False]))
    assert torch.equal(found[0], x[0].flip(2)) and torch.equal(found[1], x[1])


def test_half_precision_around_it_does_not_round_where_to_look():
    """Under autocast, as a training in bfloat16 calls it: the same to the last bit."""
    x, turned = pictures(), maps(degrees=20.0, scales=(1.1, 0.9), shear=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        again = maps(degrees=20.0, scales=(1.1, 0.9), shear=0.1)
        found = warp_pictures(x, again, shifts(1, 0.5))
    assert found.dtype == torch.float32 and torch.equal(found, warp_pictures(x, turned, shifts(1, 0.5)))
