"""Generation by caches against the whole network: the same integers, given pixels that stay, draws that are what they say."""

import numpy as np
import pytest
import torch

from l9.errors import ShapeError
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn, as_input
from l9.models.pixel_generation import chosen_values, generate, uniform_draws

CLASSES = ("ring", "slab", "pole")
BUILDS = {
    "plain, binary": lambda: PixelCnn(width=6, blocks=3, head=12),
    "plain, RGB": lambda: PixelCnn(channels=3, values=16, width=6, blocks=2, first=5, head=12),
    "plain, wide kernels": lambda: PixelCnn(values=7, width=4, blocks=2, first=3, kernel=5, head=8),
    "gated, binary": lambda: GatedPixelCnn(width=6, layers=4, head=12),
    "gated, RGB": lambda: GatedPixelCnn(channels=3, values=256, width=6, layers=3, head=12),
    "gated, of classes": lambda: GatedPixelCnn(CLASSES, True, values=5, width=4, layers=3, first=3, kernel=5, head=8),
    "gated, RGB of classes": lambda: GatedPixelCnn(CLASSES, True, channels=3, values=4, width=6, layers=1, first=3, head=6),
}
LABELS = torch.tensor([2, 0, 1])


pytestmark = pytest.mark.usefixtures("one_thread")


def built(name):
    """Louder than first weights are, so that pixels depend on those before; float64, so that no draw is within rounding of a boundary."""
    torch.manual_seed(0)
    model = BUILDS[name]().double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2.5
    return model


def labels_of(model):
    return LABELS if getattr(model, "classes", 0) else None


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_caches_give_the_integers_of_the_whole_network(name):
    model = built(name)
    draws = uniform_draws(4, range(3), (model.channels, 6, 7))
    naive, cached = (generate(model, draws, labels_of(model), cached=way) for way in (False, True))
    assert torch.equal(naive, cached) and naive.dtype == torch.int64
    assert 0 <= naive.min() < naive.max() < model.values


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_generated_values_are_those_that_one_look_at_the_whole_picture_gives(name):
    """Given the finished pictures the network, asked once, has for each value the distribution it was drawn from."""
    model = built(name)
    draws = uniform_draws(5, range(3), (model.channels, 5, 6))
    values = generate(model, draws, labels_of(model))
    with torch.no_grad():
        logits = model(as_input(values, model.values, torch.float64), labels_of(model))
    again = chosen_values(logits.permute(0, 2, 3, 4, 1).flatten(0, 3), draws.flatten()).reshape(values.shape)
    assert torch.equal(again, values)


def test_pixels_heed_those_before_them():
    """Or caches that forget would pass: another first draw, and pixels far from it change."""
    model = built("gated, binary")
    draws = uniform_draws(1, range(8), (1, 7, 7))
    other = draws.clone()
    other[:, :, 0, 0] = 1 - draws[:, :, 0, 0]
    assert (generate(model, draws) != generate(model, other))[:, :, 2:].any()


@pytest.mark.parametrize("name", ["plain, RGB", "gated, RGB", "gated, of classes"])
def test_given_pixels_stay_and_the_others_heed_them(name):
    model = built(name)
    shape = (3, model.channels, 6, 6)
    draws = uniform_draws(2, range(3), shape[1:])
    given = torch.randint(model.values, shape, generator=torch.Generator().manual_seed(0))
    known = torch.zeros(3, 6, 6, dtype=torch.bool)
    known[0, :3], known[1, :, :2], known[2, 1::2, ::2] = True, True, True
    free = generate(model, draws, labels_of(model))
    painted = [generate(model, draws, labels_of(model), given, known, cached=way) for way in (False, True)]
    assert torch.equal(*painted)
    everywhere = known[:, None].expand(shape)
    assert torch.equal(painted[0][everywhere], given[everywhere]) and not torch.equal(painted[0][~everywhere], given[~everywhere])
    assert not torch.equal(painted[0][~everywhere], free[~everywhere])


def test_all_given_comes_back_and_none_given_is_free():
    model = built("gated, RGB")
    draws = uniform_draws(3, range(2), (3, 4, 4))
    given = torch.randint(256, (2, 3, 4, 4))
    assert torch.equal(generate(model, draws, None, given, torch.ones(2, 4, 4, dtype=torch.bool)), given)
    assert torch.equal(generate(model, draws, None, given, torch.zeros(2, 4, 4, dtype=torch.bool)), generate(model, draws))


def test_draws_are_a_function_of_seed_picture_and_place():
    """Which pictures are drawn beside it changes nothing; numbers as they have been since the first version (PCG64, exact)."""
    all_of_them = uniform_draws(3, range(5), (3, 4, 6))
    assert all_of_them.shape == (5, 3, 4, 6) and all_of_them.dtype == torch.float64
    assert torch.equal(uniform_draws(3, [4, 1], (3, 4, 6)), all_of_them[[4, 1]])
    assert len(all_of_them.unique()) == all_of_them.numel()
    assert not torch.equal(uniform_draws(4, range(5), (3, 4, 6)), all_of_them)
    assert uniform_draws(0, [], (1, 2, 2)).shape == (0, 1, 2, 2)
    assert uniform_draws(0, [0], (1, 1, 3)).flatten().tolist() == GOLDEN


def test_values_are_the_inverse_of_the_cumulative_distribution():
    probabilities = torch.tensor([0.25, 0.5, 0.125, 0.125], dtype=torch.float64)
    draws = torch.tensor([0.0, 0.2499, 0.2501, 0.7499, 0.7501, 0.8749, 0.8751, np.nextafter(1, 0)], dtype=torch.float64)
    logits = probabilities.log()[None].expand(len(draws), 4)
    assert chosen_values(logits, draws).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    one_logit = torch.tensor([[3.0]]).log().expand(4, 1)  # value 1 with probability 3/4
    assert chosen_values(one_logit, torch.tensor([0.0, 0.2499, 0.2501, 0.9999], dtype=torch.float64)).tolist() == [0, 0, 1, 1]


def test_frequencies_are_the_probabilities():
    """100,000 draws: five standard errors of at most .0016."""
    logits = torch.tensor([[0.3, -1.0, 0.7]])
    values = chosen_values(logits.expand(100_000, 3), uniform_draws(0, [0], (1, 1, 100_000)).flatten())
    torch.testing.assert_close(values.bincount() / 100_000, torch.softmax(logits[0], 0), rtol=0, atol=0.008)


def test_one_picture_alone_is_the_one_among_others():
    model = built("gated, RGB")
    together = generate(model, uniform_draws(6, range(3), (3, 4, 4)))
    assert torch.equal(generate(model, uniform_draws(6, [2], (3, 4, 4))), together[2:])


def test_arrays_that_do_not_fit_are_refused():
    model, draws = built("gated, of classes"), uniform_draws(0, range(3), (1, 4, 4))
    given, known = torch.zeros(3, 1, 4, 4, dtype=torch.int64), torch.ones(3, 4, 4, dtype=torch.bool)
    with pytest.raises(ShapeError, match="labels: none"):
        generate(model, draws)
    with pytest.raises(ShapeError, match="channels=1"):
        generate(model, uniform_draws(0, range(3), (3, 4, 4)), LABELS)
    with pytest.raises(ShapeError, match="only one of given_BCHW and known_BHW"):
        generate(model, draws, LABELS, given)
    with pytest.raises(ShapeError, match=r"known \(3, 2, 4\)"):
        generate(model, draws, LABELS, given, known[:, :2])
    with pytest.raises(ShapeError, match="given values 5 to 5; expected 0 to 4"):
        generate(model, draws, LABELS, given + 5, known)


GOLDEN = [0.8878855371811785, 0.3345302689640408, 0.5858920485380361]
