"""Maps of labelled voxels: which voxel is seen, where x and y are, what is right."""

import numpy as np
from numpy.testing import assert_array_equal

from l9.draw.column_map import LOWER, RIGHT, SCALE, WRONG, column_map, right_map
from l9.draw.scan_sheet import label_colours


def labels():
    grid = np.zeros((3, 2, 62), np.uint8)
    grid[0, 0, [1, 10]] = 2, 5  # a chair above the floor
    grid[1, 0, 1] = 2
    grid[2, 1, LOWER:] = 1  # a wall's top, of which nothing is below 2 m
    grid[2, 0, 3] = 41
    return grid


def cells(picture):
    """One pixel of each column, [x, y]."""
    assert picture.dtype == np.uint8 and picture.shape == (2 * SCALE, 3 * SCALE, 3)
    return picture[::-SCALE, ::SCALE].transpose(1, 0, 2).astype(int)


def test_the_highest_voxel_below_two_metres_is_seen():
    seen, table = cells(column_map(labels())), label_colours().astype(int)
    assert_array_equal(seen[2, 1], 255)  # nothing
    for x, label in ((0, 5), (1, 2), (2, 0)):
        shares = seen[x, 0] / table[label]
        assert np.ptp(shares) < 0.02 and 0.5 < shares.mean() < 1  # the class's colour, darkened
    assert (seen[0, 0] / table[5]).mean() > (seen[1, 0] / table[2]).mean()  # higher is lighter


def test_right_and_wrong():
    answers = labels()
    answers[0, 0, 10] = 7
    answers[2, 0, 3] = 1
    seen = cells(right_map(labels(), answers))
    assert_array_equal(seen[0, 0], WRONG)
    assert_array_equal(seen[1, 0], RIGHT)
    assert (seen[2, 0] > RIGHT[0]).all() and (seen[2, 0] < 255).all()  # truth has no class
    assert_array_equal(seen[:, 1], 255)
