"""l9.geometry.ground_blocks: every point in a block that holds it, and no block beyond the room."""

import numpy as np
import pytest
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.geometry.ground_blocks import block_starts, ground_blocks


@pytest.mark.parametrize(
    ("extent", "block", "stride", "starts"),
    [
        (3.0, 1, 1, [0, 1, 2]),
        (3.2, 1, 1, [0, 1, 2, 2.2]),  # the last ends where the room does
        (2.0, 1, 0.5, [0, 0.5, 1]),
        (0.4, 1, 1, [0]),
        (0.0, 1, 1, [0]),
        (0.3 * 3, 0.3, 0.3, [0, 0.3, 0.6]),  # 0.8999999999999999 and its like begin no block of their own
    ],
)
def test_where_blocks_begin(extent, block, stride, starts):
    assert_allclose(block_starts(extent, block, stride), starts, atol=1e-12)


@few
@given(st.integers(0, 10_000), st.sampled_from([(1.0, 1.0), (1.0, 0.5), (1.5, 1.1), (0.3, 0.3)]), st.floats(0.01, 6))
def test_every_point_is_in_all_blocks_that_reach_over_it_and_in_one_at_least(seed, sides, extent):
    places = np.random.default_rng(seed).random((300, 2)) * [extent, 2.0]
    places -= places.min(axis=0)
    starts = [block_starts(float(side), *sides) for side in places.max(axis=0)]
    found = {number: set(points.tolist()) for number, points in ground_blocks(places, *sides)}
    for (row, column), inside in found.items():
        begin = np.array([starts[0][row], starts[1][column]])
        within = ((places >= begin - 1e-9) & (places <= begin + sides[0] + 1e-9)).all(axis=1)
        assert inside == set(np.flatnonzero(within).tolist())
    assert set().union(*found.values()) == set(range(300))


def test_a_kilometre_of_nothing_has_no_blocks():
    found = list(ground_blocks(np.array([[0.0, 0.0], [900.0, 900.0], [899.6, 0.2], [899.2, 450.1]]), 1.0, 0.5))
    assert [(number, inside.tolist()) for number, inside in found] == [
        ((0, 0), [0]),
        ((1797, 899), [3]),  # strips from 898.5 and 899 metres on reach to 899.2, blocks from 449.5 and 450 to 450.1
        ((1797, 900), [3]),
        ((1798, 0), [2]),
        ((1798, 899), [3]),
        ((1798, 900), [3]),
        ((1798, 1798), [1]),
    ]


def test_numbers_ascend_and_an_empty_block_is_none():
    places = np.array([[0.0, 0.0], [4.9, 0.1], [0.3, 0.2], [5.0, 0.0]])
    found = list(ground_blocks(places, 1, 1))
    assert [number for number, _ in found] == [(0, 0), (4, 0)]
    assert_array_equal(found[0][1], [0, 2])
    assert_array_equal(found[1][1], [1, 3])
