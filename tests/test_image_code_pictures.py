"""Planes of the manifold, and pages of few samples."""

import numpy as np
import pytest
import torch
from picture_store import picture_store

from l9.data.samples import Samples
from l9.tasks.image_code_pictures import OUTERMOST, SIDE, drawn_page, interpolation_page, manifold_axes, manifold_page, strips


class Shades:
    """Codes that are two grey values, the left and the right half of a picture; those asked for are kept."""

    def codes(self, samples):
        return np.linspace(0, 1, 2 * len(samples)).reshape(-1, 2)

    def decoded(self, codes):
        self.asked = codes
        halves = torch.from_numpy(codes[:, :2].astype(np.float32))
        return halves[:, None, None, :].repeat_interleave(4, dim=3).expand(-1, -1, 8, -1).contiguous()


@pytest.fixture
def samples(tmp_path):
    return Samples.of(picture_store(tmp_path, 20))


def test_a_standard_plane_is_the_code_itself():
    (middle, vectors), _ = manifold_axes(np.random.default_rng(0).normal(5, 3, (50, 2)), standard=True)
    assert middle.tolist() == [0, 0] and vectors.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("numbers, standard", [(2, False), (4, True)])
def test_other_planes_lie_where_the_codes_lie(numbers, standard):
    """Deviations 3 along the second number and 2 along the first, about 5."""
    spread = np.array([2.0, 3.0, 0.1, 0.1])[:numbers]
    (middle, vectors), title = manifold_axes(np.random.default_rng(0).normal(5, spread, (20_000, numbers)), standard)
    np.testing.assert_allclose(middle, 5, atol=0.1)
    np.testing.assert_allclose(vectors[:, :2], [[0, 3], [2, 0]], atol=0.1)
    assert "principal" in title


def test_the_manifold_is_spread_by_the_normal_distribution_and_up_is_up():
    shades = Shades()
    manifold_page(shades, (np.zeros(2), np.eye(2)), "")
    grid = shades.asked.reshape(SIDE, SIDE, 2)
    assert (np.diff(grid[:, :, 0], axis=1) > 0).all() and (np.diff(grid[:, :, 1], axis=0) < 0).all()
    assert grid[SIDE // 2, SIDE // 2] == pytest.approx([0, 0], abs=1e-9) and grid[0, 0] == pytest.approx([-1.6449, 1.6449], abs=1e-4)
    assert OUTERMOST == 0.05


@pytest.mark.parametrize("count", [1, 2, 3, 8, 20])
def test_pages_of_few_samples(samples, count):
    few = samples.take(count)
    shades = Shades()
    assert interpolation_page(few, shades).name == "interpolation"
    assert strips(few, shades)[1].pixels.shape[1] == 56 * min(count, 10)


def test_the_line_begins_and_ends_at_the_codes_of_its_pair(samples):
    shades = Shades()
    interpolation_page(samples.take(2), shades)
    np.testing.assert_allclose(shades.asked[[0, 4, 8]], [[0, 1 / 3], [1 / 3, 2 / 3], [2 / 3, 1]], atol=1e-9)


def test_codes_are_drawn_from_the_standard_normal_distribution_by_a_seed():
    asked = []
    for _ in range(2):
        shades = Shades()
        drawn_page(shades, 200)
        asked.append(shades.asked)
    assert np.array_equal(*asked) and abs(asked[0].mean()) < 0.05 and abs(asked[0].std() - 1) < 0.05
