"""Times that belong together: as comparing all with all finds them, and never one in two pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9.readers.moments import nearest, paired

TIMES = st.lists(st.integers(0, 400).map(lambda number: number / 256), max_size=40, unique=True).map(np.array)


def by_comparing_all(first, second, apart):
    """The benchmark's way: every pair that is close enough, the closest first."""
    close = sorted((abs(a - b), a, b) for a in first.tolist() for b in second.tolist() if abs(a - b) < apart)
    left, right, pairs = set(first.tolist()), set(second.tolist()), []
    for _, a, b in close:
        if a in left and b in right:
            left.remove(a)
            right.remove(b)
            pairs.append((int(np.flatnonzero(first == a)[0]), int(np.flatnonzero(second == b)[0])))
    return sorted(pairs)


@given(first=TIMES, second=TIMES, apart=st.sampled_from([0.02, 0.1, 2.0]))
def test_pairs_are_those_of_the_benchmark(first, second, apart):
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    pairs = paired(first, second, apart)
    assert pairs == by_comparing_all(first, second, apart)
    for side in zip(*pairs, strict=True):
        assert len(set(side)) == len(side)


@given(first=st.lists(st.sampled_from([0.0, 1.0, 1.01]), max_size=9), second=st.lists(st.sampled_from([0.0, 1.0, 1.01]), max_size=9))
def test_equal_times_are_used_once_each(first, second):
    pairs = paired(np.array(first, np.float64), np.array(second, np.float64), 0.02)
    assert all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1))
    assert all(abs(first[one] - second[other]) < 0.02 for one, other in pairs)
    assert len([one for one in first if one == 0]) == len([one for one in second if one == 0]) or len(pairs) <= min(len(first), len(second))


def test_the_closest_two_are_one_pair():
    assert paired(np.array([0.0, 0.010]), np.array([0.009, 0.5]), 0.02) == [(1, 0)]
    assert paired(np.array([0.0]), np.array([0.02]), 0.02) == [] == paired(np.array([]), np.array([1.0]), 0.02)


def test_many_equal_times_take_no_time():
    assert len(paired(np.zeros(60_000), np.zeros(60_000), 0.02)) == 60_000


@pytest.mark.parametrize("count", [1, 2, 9])
@given(wanted=st.lists(st.floats(-9, 20), max_size=9))
def test_the_nearest_is_nearest(count, wanted):
    times = np.arange(count) ** 1.5
    for place, one in zip(nearest(times, np.array(wanted, np.float64)).tolist(), wanted, strict=True):
        assert place == int(np.argmin(np.abs(times - one)))
