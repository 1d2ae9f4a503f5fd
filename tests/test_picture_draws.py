"""Shifts and binarisations drawn in training: of each sample's own, with the chances they promise."""

import numpy as np
import torch

from l9.data.batch import Batch
from l9.tasks.picture_draws import binarised, hidden, shifted


def batch_of(count, start=0, epoch=0, seed=7):
    numbers = np.arange(start, start + count)
    return Batch(
        {}, torch.zeros(count, dtype=torch.int64), numbers, np.zeros(count, np.int64), numbers, seed=seed, epoch=epoch, total=count
    )


def test_a_batch_in_two_halves_draws_the_same():
    x = torch.rand(8, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    for draw in (binarised, lambda pictures, batch: shifted(pictures, batch, 2), lambda pictures, batch: hidden(pictures, batch, 0.5)):
        whole = draw(x, batch_of(8))
        halves = [draw(x[at : at + 4], batch_of(4, start=at)) for at in (0, 4)]
        assert torch.equal(whole, torch.cat(halves)) and whole.shape == x.shape
        assert not torch.equal(whole, draw(x, batch_of(8, epoch=1))) and not torch.equal(whole, draw(x, batch_of(8, seed=8)))
        assert draw(x[:0], batch_of(0)).shape == (0, 3, 6, 5)


def test_pixels_are_drawn_with_the_chance_of_their_value():
    x = torch.tensor([0.0, 0.25, 1.0]).repeat(400, 1, 100, 1)
    found = binarised(x, batch_of(400))
    assert set(found.unique().tolist()) == {0.0, 1.0} and found[..., 0].max() == 0 and found[..., 2].min() == 1
    assert abs(float(found[..., 1].mean()) - 0.25) < 4 * (0.25 * 0.75 / 40_000) ** 0.5


def test_a_share_of_the_pixels_is_hidden_and_the_others_stay():
    x = 1 + torch.rand(100, 1, 20, 20)
    found = hidden(x, batch_of(100), 0.3)
    assert torch.equal(found[found > 0], x[found > 0])
    assert abs(float((found == 0).float().mean()) - 0.3) < 4 * (0.3 * 0.7 / 40_000) ** 0.5
    assert hidden(x, batch_of(100), 0) is x


def test_shifts_move_the_whole_picture_and_zeros_in():
    """One bright pixel in the middle, and its channel twice as bright: it is somewhere within the shift, everywhere equally often."""
    x = torch.zeros(900, 2, 7, 9)
    x[:, 0, 3, 4], x[:, 1, 3, 4] = 1, 2
    found = shifted(x, batch_of(900), 1)
    assert torch.equal(found[:, 1], 2 * found[:, 0]) and torch.equal(found.sum(dim=(1, 2, 3)), torch.full((900,), 3.0))
    counts = found[:, 0].sum(dim=0)[2:5, 3:6]
    assert int(counts.sum()) == 900 and int(counts.min()) > 60 and int(counts.max()) < 140  # 100 each, deviation 9.4


def test_what_leaves_the_picture_is_gone():
    found = shifted(torch.ones(200, 1, 4, 4), batch_of(200), 1)
    assert set(found.sum(dim=(1, 2, 3)).tolist()) == {9.0, 12.0, 16.0}


def test_no_shift_is_no_change():
    x = torch.rand(3, 1, 4, 4)
    assert shifted(x, batch_of(3), 0) is x
