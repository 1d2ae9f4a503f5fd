"""The difference of two accuracies on the same objects: the published formula, its coverage, its symmetry."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9.errors import ShapeError
from l9.evaluate.paired import paired_difference

PAIRS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


@given(PAIRS)
def test_it_is_the_published_formula(pairs):
    """Bonett & Price 2012, from the counts of the 2 x 2 table, written out another way."""
    first, second = zip(*pairs, strict=True)
    only_first, only_second = sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)
    n = len(pairs)
    p12, p21 = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    reach = 1.959964 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    found = paired_difference(first, second)
    assert (found.n, found.better, found.worse) == (n, only_first, only_second)
    assert found.difference == pytest.approx((only_first - only_second) / n, abs=1e-12)
    assert found.low == pytest.approx(max(-1, p12 - p21 - reach), abs=1e-6)
    assert found.high == pytest.approx(min(1, p12 - p21 + reach), abs=1e-6)


@given(PAIRS)
def test_turned_round_it_is_the_same_with_the_other_sign(pairs):
    first, second = zip(*pairs, strict=True)
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert (back.better, back.worse) == (there.worse, there.better)
    np.testing.assert_allclose([back.difference, back.low, back.high], [-there.difference, -there.high, -there.low], atol=1e-12)


def test_about_95_of_100_intervals_hold_the_true_difference():
    """4,000 draws of 108 objects, accuracies .70 and .62 that agree on most: 92 to 98 % of the intervals hold .08."""
    random = np.random.default_rng(0)
    table = random.choice(4, (4000, 108), p=[0.55, 0.15, 0.07, 0.23])  # both, only the first, only the second, neither
    held = [paired_difference(row <= 1, (row == 0) | (row == 2)) for row in table]
    assert 0.92 < np.mean([found.low <= 0.08 <= found.high for found in held]) < 0.98


def test_answers_that_agree_leave_an_interval_about_nothing():
    found = paired_difference([1, 0, 1, 1], [1, 0, 1, 1])
    assert found.difference == 0 and found.low < 0 < found.high


def test_shares_over_seeds_are_taken_as_they_are():
    """Three seeds of which two are right count as two thirds."""
    found = paired_difference([2 / 3] * 30, [1 / 3] * 30)
    assert found.difference == pytest.approx(1 / 3) and found.better == 30 and 0 < found.low < 1 / 3 < found.high + 0.02


@pytest.mark.parametrize(("first", "second"), [([], []), ([1], [1, 0]), ([2], [0]), ([float("nan")], [0])])
def test_what_cannot_be_compared_is_refused(first, second):
    with pytest.raises(ShapeError, match="paired_difference"):
        paired_difference(first, second)
