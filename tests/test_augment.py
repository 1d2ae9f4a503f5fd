import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from l9.data import augment
from l9.data.batch import Batch
from l9.errors import UsageError

UPS = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")


def batch_at(positions):
    numbers = np.array(positions, np.int64)
    return Batch({}, torch.zeros(len(numbers), dtype=torch.int64), numbers, np.zeros(len(numbers), np.int64), numbers, 11, 2, 8)


def drawn(positions):
    random = augment.generators(batch_at(positions))
    return [
        augment.draw_angles(random),
        augment.draw_noise(random, 5),
        augment.draw_shifts(random, 2),
        augment.draw_choices(random, 12),
        augment.draw_flips(random),
    ]


def test_draws_do_not_depend_on_how_a_batch_is_split():
    whole = drawn(range(8))
    halves = [torch.cat(pair) for pair in zip(drawn(range(4)), drawn(range(4, 8)), strict=True)]
    ranks = [torch.cat(pair) for pair in zip(drawn(range(0, 8, 2)), drawn(range(1, 8, 2)), strict=True)]
    for one, half, rank in zip(whole, halves, ranks, strict=True):
        assert torch.equal(one, half)
        assert torch.equal(one[[0, 2, 4, 6, 1, 3, 5, 7]], rank)
    assert len(set(whole[0].tolist())) == 8


def test_draws_have_their_range_and_spread():
    random = augment.generators(batch_at(range(2000)))
    angles, shifts = augment.draw_angles(random), augment.draw_shifts(random, 2)
    assert angles.min() >= 0 and angles.max() < 2 * np.pi and abs(angles.mean() - np.pi) < 0.15
    assert sorted(set(shifts.flatten().tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(set(augment.draw_choices(random, 3).tolist())) == [0, 1, 2]
    assert 900 < augment.draw_flips(random).sum() < 1100
    noise = augment.draw_noise(random, 4)
    assert noise.shape == (2000, 4, 3) and abs(noise.std() - 1) < 0.02


def test_an_empty_part_draws_nothing():
    assert [len(part) for part in drawn([])] == [0] * 5


@given(st.sampled_from(UPS), st.floats(-10, 10), st.integers(0, 100))
@settings(deadline=None)
def test_rotation_keeps_height_and_distances_and_composes(up, angle, seed):
    points = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 6, 3)))
    turned = augment.rotate_points(points, torch.tensor([angle], dtype=torch.float64), up)
    axis = "XYZ".index(up[1])
    assert torch.equal(turned[..., axis], points[..., axis])
    assert torch.allclose(torch.cdist(turned, turned), torch.cdist(points, points), atol=1e-9)
    back = augment.rotate_points(turned, torch.tensor([-angle], dtype=torch.float64), up)
    assert torch.allclose(back, points, atol=1e-12)


@pytest.mark.parametrize(
    ("up", "start", "end"), [("+Z", (1, 0, 0), (0, 1, 0)), ("+Y", (0, 0, 1), (1, 0, 0)), ("-Z", (1, 0, 0), (0, -1, 0))]
)
def test_a_quarter_turn_is_counter_clockwise_seen_from_above(up, start, end):
    turned = augment.rotate_points(torch.tensor([[start]], dtype=torch.float32), torch.tensor([np.pi / 2], dtype=torch.float32), up)
    assert torch.allclose(turned[0, 0], torch.tensor(end, dtype=torch.float32), atol=1e-6)


def test_jitter_is_scaled_and_clipped():
    noise = torch.tensor([[[1.0, -2.0, 100.0]]])
    assert torch.allclose(augment.jitter_points(torch.zeros(1, 1, 3), noise), torch.tensor([[[0.01, -0.02, 0.05]]]))


@given(st.tuples(*[st.integers(-5, 5)] * 3), st.integers(0, 50))
@settings(deadline=None)
def test_shifts_move_each_grid_and_fill_behind(shift, seed):
    grid = np.random.default_rng(seed).integers(1, 255, (1, 4, 4, 4), dtype=np.uint8)
    moved = augment.shift_voxels(torch.from_numpy(grid), torch.tensor([shift]), 0)
    expected = np.zeros_like(grid)
    for place in np.ndindex(4, 4, 4):
        source = tuple(a - b for a, b in zip(place, shift, strict=True))
        if all(0 <= one < 4 for one in source):
            expected[(0, *place)] = grid[(0, *source)]
    assert moved.dtype == torch.uint8 and np.array_equal(moved, expected)


def test_each_grid_has_its_own_shift_mirror_and_rotation():
    grid = torch.arange(2 * 3 * 27, dtype=torch.float32).reshape(2, 3, 3, 3, 3)
    chosen = augment.pick_rotation(grid, torch.tensor([2, 0]))
    assert torch.equal(chosen, torch.stack([grid[0, 2], grid[1, 0]]))
    for axis in range(3):
        mirrored = augment.mirror_voxels(chosen, torch.tensor([True, False]), axis)
        assert torch.equal(mirrored, torch.stack([chosen[0].flip(axis), chosen[1]]))
    shifted = augment.shift_voxels(chosen, torch.tensor([[0, 0, 0], [1, 0, 0]]), -1)
    assert torch.equal(shifted[0], chosen[0]) and torch.equal(shifted[1, 1:], chosen[1, :2]) and (shifted[1, 0] == -1).all()


def test_level_axes_leave_up_out():
    assert [augment.level_axes(up) for up in ("+X", "-Y", "+Z")] == [(1, 2), (0, 2), (0, 1)]
    with pytest.raises(UsageError, match="up is 'Y'"):
        augment.level_axes("Y")
