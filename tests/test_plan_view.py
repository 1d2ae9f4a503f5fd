"""l9.draw.plan_view and class_colours: what is higher hides what is lower, right is right, and classes are told apart."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from l9.draw.class_colours import class_colours
from l9.draw.plan_view import plan_view
from l9.draw.scan_sheet import label_colours
from l9.readers.scannet_labels import BENCHMARK

RED, BLUE = (255, 0, 0), (0, 0, 255)


def shades(*colours):
    return np.array(colours, np.uint8)


def centre_of(picture, colour):
    rows, columns = np.nonzero((picture == colour).all(axis=2))
    return rows.mean(), columns.mean()


@pytest.mark.parametrize(("up", "right", "above"), [("+Z", 0, 2), ("+Y", 2, 1), ("+X", 1, 0)])
def test_the_axis_after_up_is_to_the_right(up, right, above):
    points = np.zeros((2, 3))
    points[1, right], points[1, above] = 1, 0.5
    picture = plan_view(points, shades(RED, BLUE), up, 41)
    (row, left), (same, farther) = centre_of(picture, RED), centre_of(picture, BLUE)
    assert row == same and farther - left == pytest.approx(40 * 0.96, abs=2)


def test_over_z_the_second_level_axis_points_up_the_page():
    picture = plan_view(np.array([[0.0, 0, 0], [0, 1, 0]]), shades(RED, BLUE), "+Z", 41)
    assert centre_of(picture, BLUE)[0] < centre_of(picture, RED)[0]


@pytest.mark.parametrize("up", ["+Z", "-Z"])
def test_what_is_higher_hides_what_is_lower(up):
    points = np.array([[0.0, 0, 1], [0, 0, 0], [1, 1, 0]])
    picture = plan_view(points, shades(RED, BLUE, (0, 0, 0)), up, 101)
    shown, hidden = (RED, BLUE) if up == "+Z" else (BLUE, RED)
    assert (picture == shown).all(axis=2).sum() == 9 and not (picture == hidden).all(axis=2).any()


def test_nothing_and_one_point_can_be_drawn():
    assert (plan_view(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), "+Z", 16) == 255).all()
    assert (plan_view(np.ones((1, 3)), shades(RED), "+Z", 16) == RED).all(axis=2).sum() == 9


def test_colours_of_classes_are_apart_and_stay_as_more_are_asked_for():
    few, many = class_colours(13), class_colours(40)
    assert_array_equal(few, many[:13])
    gaps = np.abs(many[:20].astype(int)[:, None] - many[:20].astype(int)).sum(axis=2) + 1000 * np.eye(20, dtype=int)
    assert gaps.min() > 25
    assert_array_equal(label_colours()[sorted(BENCHMARK.values())], many[:20])
