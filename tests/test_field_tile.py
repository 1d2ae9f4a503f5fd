"""Surfaces of small grids as tiles, and points by class: drawn, the right way up, white where there is nothing."""

import numpy as np
import pytest

from l9.draw.class_map import class_map
from l9.draw.field_tile import field_tile
from l9.errors import ShapeError
from l9.geometry.mesh import AXES, axis_vector


def drawn(pixels):
    return (pixels < 250).any(axis=-1)


def spike_along(up):
    """A broad foot with a thin spike on it."""
    field = np.zeros((12, 12, 12), np.float32)
    field[2:10, 1:4, 2:10] = 1
    field[5:7, 1:11, 5:7] = 1  # along +y
    axis = int(np.abs(axis_vector(up)).argmax())
    field = np.moveaxis(field, 1, axis)
    return field if axis_vector(up)[axis] > 0 else np.flip(field, axis)


@pytest.mark.parametrize("up", AXES)
def test_up_is_up(up):
    rows = drawn(field_tile(np.ascontiguousarray(spike_along(up)), 0.5, 64, up)).sum(axis=1)
    assert rows[:20].max() < rows[44:].max() / 2


def test_a_speck_is_drawn_as_small_as_it_is():
    """The frame is the whole grid: one voxel of 12^3 covers about (1 / 12)^2 of what a full grid does."""
    speck = np.zeros((12, 12, 12))
    speck[6, 6, 6] = 1.0
    small, full = (int(drawn(field_tile(one, 0.5, 96)).sum()) for one in (speck, np.ones((12, 12, 12))))
    assert 0.001 < small / full < 0.02 and full > 96 * 96 / 3


def test_nothing_above_the_level_is_white():
    assert (field_tile(np.zeros((6, 6, 6)), 0.5, 40) == 255).all()
    assert (field_tile(np.full((6, 6, 6), np.nan), 0.5, 40) == 255).all()


def test_a_field_that_is_not_finite_is_drawn():
    field = np.full((6, 6, 6), -np.inf)
    field[2:4, 2:4, 2:4] = np.inf
    assert drawn(field_tile(field, 0.0, 40)).sum() > 50  # a third of each edge: a ninth of the some 800 pixels that the grid covers


def test_points_are_drawn_by_class():
    places = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.2]])
    picture = class_map(places, np.array([0, 1, -1]), ("cup $x", "chair\nlegs"), "codes of $3$", ("one", "two"))
    assert picture.shape == (640, 940, 3) and drawn(picture).sum() > 1000
    many = class_map(np.tile(places, (50, 1)), np.arange(150), tuple(f"class {number}" for number in range(150)), "", ("", ""))
    assert drawn(many).sum() > 1000
    none = class_map(np.zeros((0, 2)), np.zeros(0, np.int64), (), "nothing", ("one", "two"))
    assert none.shape == (640, 940, 3)


def test_a_label_without_a_class_is_refused():
    with pytest.raises(ShapeError, match="label 2 and 2 classes"):
        class_map(np.zeros((1, 2)), np.array([2]), ("a", "b"), "", ("", ""))
