"""l9.tasks.label_scores: intersection over union by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from l9.tasks.label_scores import ious, label_counts, label_metrics, label_rows, shape_iou

#          truth, answer: class 2 is in no truth, 9 and -1 are none of the classes
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, -1, 9])
ANSWERS = np.array([0, 0, 1, 1, 1, 2, 9, 0, 0])


def test_by_hand():
    counts = label_counts(LABELS, ANSWERS, 3)
    assert_array_equal(counts, [[2, 1, 0, 0], [0, 2, 1, 1], [0, 0, 0, 0]])
    # class 0: 2 right, 1 missed, and the two 0s whose truth is no class are not counted; class 1: 2 right, 1 false, 2 missed
    assert_allclose(ious(counts), [2 / 3, 2 / 5, 0])  # class 2 was answered once; it is not in the mean
    assert np.isnan(ious(label_counts(LABELS, ANSWERS, 4))[3])
    metrics = label_metrics(counts)
    assert metrics == pytest.approx({"miou": (2 / 3 + 2 / 5) / 2, "accuracy": 4 / 7, "class_accuracy": (2 / 3 + 2 / 4) / 2})
    rows = label_rows(counts, ("wall", "floor", "bed"))
    assert rows[1] == {"class": "floor", "count": 4, "iou": pytest.approx(0.4), "accuracy": 0.5}
    assert rows[2] == {"class": "bed", "count": 0, "iou": None, "accuracy": None}


def test_all_right_is_one_and_nothing_is_no_number():
    labels = np.arange(20) % 4
    assert label_metrics(label_counts(labels, labels, 4)) == {"miou": 1.0, "accuracy": 1.0, "class_accuracy": 1.0}
    assert all(np.isnan(value) for value in label_metrics(label_counts(np.full(5, -1), np.zeros(5, np.int64), 4)).values())


def test_parts_add_up():
    random = np.random.default_rng(0)
    labels, answers = random.integers(-1, 6, 1000), random.integers(-1, 6, 1000)
    whole = label_counts(labels, answers, 5)
    assert_array_equal(whole, sum(label_counts(labels[at : at + 100], answers[at : at + 100], 5) for at in range(0, 1000, 100)))


def test_parts_of_a_shape_by_hand():
    labels, answers = np.array([3, 3, 3, 4]), np.array([3, 3, 4, 4])
    assert shape_iou(labels, answers, range(3, 5)) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert shape_iou(labels, answers, range(3, 6)) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3), "part 5 is in neither: 1"
    assert shape_iou(labels, np.array([3, 3, 3, 5]), range(3, 6)) == pytest.approx(1 / 3), "part 4 is missed, part 5 made up"
    assert shape_iou(labels, labels, range(3, 5)) == 1.0
