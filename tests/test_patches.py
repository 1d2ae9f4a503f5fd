"""Cutting patches: stored pixels where nothing is moved, and moved by what was asked for."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from l9.tasks.patches import coloured, cut

MIDDLE = 47.5  # of 96 pixels


def ramp():
    """A patch that says its own column (red) and row (green)."""
    columns, rows = np.meshgrid(np.arange(96), np.arange(96))
    return torch.from_numpy(np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8))[None]


def seen(*jitter):
    return 255 * cut(ramp(), torch.tensor([jitter], dtype=torch.float32))[0, :2].numpy()


def test_nothing_moved_gives_the_stored_pixels():
    columns, rows = np.meshgrid(np.arange(16.0, 80.0), np.arange(16.0, 80.0))
    assert_allclose(seen(0, 0, 0, 0), [columns, rows], atol=2e-4)  # float32 of numbers up to 80, by way of 1/255


def test_the_middle_moves_by_pixels():
    assert_allclose(seen(1.5, -2.0, 0, 0) - seen(0, 0, 0, 0), np.broadcast_to([[[1.5]], [[-2.0]]], (2, 64, 64)), atol=2e-3)


def test_zoom_and_turn_are_those_of_a_key_points_frame():
    """A larger, clockwise turned frame sees what lies outward, and along its own axes."""
    offsets = np.arange(64) - 31.5
    across, down = np.meshgrid(offsets, offsets)
    angle, factor = np.deg2rad(20.0), np.exp(0.1)
    columns = MIDDLE + factor * (across * np.cos(angle) - down * np.sin(angle))
    rows = MIDDLE + factor * (across * np.sin(angle) + down * np.cos(angle))
    inside = (np.abs(columns - MIDDLE) < 47) & (np.abs(rows - MIDDLE) < 47)
    found = seen(0, 0, 0.1, 20.0)
    assert_allclose(found[0][inside], columns[inside], atol=2e-2)
    assert_allclose(found[1][inside], rows[inside], atol=2e-2)


def test_beyond_the_stored_pixels_lie_those_of_the_edge():
    assert_array_equal(np.round(seen(90, 0, 0, 0)[0]), np.full((64, 64), 95))


def test_colours_change_by_factor_and_offset_and_stay_colours():
    patches = torch.full((1, 3, 2, 2), 0.5)
    changed = coloured(patches, torch.tensor([[[0.1, 0.0, 5.0], [0.0, 0.2, 0.0]]]))
    assert_allclose(changed[0, :, 0, 0], [0.5 * np.exp(0.1), 0.6, 1.0], rtol=1e-6)
