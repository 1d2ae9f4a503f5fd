"""Bounds of the evidence against sums and integrals by hand, and the errors of rebuilt pictures."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from l9.models.image_vae import ImageAutoencoder
from l9.tasks.image_codes import ImageCoder, evidence_bounds, signal_to_noise, squared_errors

pytestmark = pytest.mark.usefixtures("one_thread")


def network(code=2, hidden=(8,), size=4):
    torch.manual_seed(0)
    return ImageAutoencoder(code=code, variational=True, kind="mlp", size=size, hidden=hidden).eval()


def binary(count=3, size=4, channels=1):
    return (torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1)) < 0.5).float()


def noise(count, draws, code, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, draws, code), np.float32))


def means(rows):
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@torch.no_grad()
def test_a_decoder_that_ignores_its_code_costs_what_its_pixels_cost():
    """With the encoder at the prior both bounds are the exact likelihood; with another the ELBO is off by the divergence, IWAE less so."""
    model, x = network(), binary()
    model.decoder[0].weight.zero_()
    exact = binary_cross_entropy_with_logits(model.decode(torch.zeros(3, 2)), x, reduction="none").flatten(1).sum(dim=1).tolist()
    for layer in (model.encoder.mean, model.log_variance):
        layer.weight.zero_()
        layer.bias.zero_()
    for row, cost in zip(evidence_bounds(model, x, noise(3, 5, 2)), exact, strict=True):
        assert row == {"elbo_nats": pytest.approx(cost), "iwae_nats": pytest.approx(cost), "kl": 0.0}
    model.encoder.mean.bias.fill_(0.6)
    for row, cost in zip(evidence_bounds(model, x, noise(3, 4000, 2)), exact, strict=True):
        assert row["kl"] == pytest.approx(2 * 0.6**2 / 2) and row["elbo_nats"] == pytest.approx(cost + row["kl"])
        assert row["iwae_nats"] == pytest.approx(cost, abs=0.06)  # 4,000 weights of variance e^0.72 - 1: standard error 0.016


@torch.no_grad()
def test_the_bounds_lie_above_the_integral_and_close_in_on_it():
    """A code of one number: -ln p(x) by a fine sum over it."""
    model, x = network(code=1, hidden=(6,)), binary()
    model.decoder[0].weight.mul_(2)
    z = torch.linspace(-8, 8, 8001)[:, None]
    logits = model.decode(z)
    costs = [binary_cross_entropy_with_logits(logits, one.expand_as(logits), reduction="none").flatten(1).sum(1) for one in x]
    prior = -0.5 * z[:, 0].double() ** 2 - 0.5 * math.log(2 * math.pi) + math.log(0.002)
    exact = [-float(torch.logsumexp(prior - cost.double(), 0)) for cost in costs]
    few, many = (evidence_bounds(model, x, noise(3, draws, 1)) for draws in (64, 20_000))
    for cost, one, other in zip(exact, few, many, strict=True):
        assert other["iwae_nats"] == pytest.approx(cost, abs=0.02) and other["elbo_nats"] > cost
        assert one["iwae_nats"] < one["elbo_nats"]


@torch.no_grad()
def test_of_one_draw_the_importance_weighted_bound_is_the_elbo_in_the_mean():
    model, x = network(), binary(1)
    rows = evidence_bounds(model, x.expand(4000, -1, -1, -1), noise(4000, 1, 2))
    spread = np.std([row["iwae_nats"] - row["elbo_nats"] for row in rows]) / math.sqrt(4000)
    assert abs(means(rows)["iwae_nats"] - means(rows)["elbo_nats"]) < 4 * spread


def test_the_divergence_is_part_of_the_elbo():
    """By hand: the cross-entropy of each drawn code, and the closed form."""
    model, x, drawn = network(), binary(), noise(3, 2, 2)
    with torch.no_grad():
        mean, log_variance = model.encode(x)
        rows = evidence_bounds(model, x, drawn)
        for number, row in enumerate(rows):
            codes = mean[number] + (0.5 * log_variance[number]).exp() * drawn[number]
            logits = model.decode(codes)
            cost = binary_cross_entropy_with_logits(logits, x[number].expand(2, -1, -1, -1), reduction="none").sum() / 2
            kl = 0.5 * (mean[number] ** 2 + log_variance[number].exp() - 1 - log_variance[number]).sum()
            assert row["kl"] == pytest.approx(float(kl), rel=1e-4, abs=1e-5)
            assert row["elbo_nats"] == pytest.approx(float(cost + kl), rel=1e-5)


def test_bounds_are_the_same_each_time_whatever_the_mode_and_do_not_depend_on_how_many_pictures_there_are():
    coder, x = ImageCoder(network().train()), binary(20)
    rows = coder.bounds(x, draws=8)
    assert len(rows) == 20 and coder.network.training
    torch.manual_seed(5)
    assert ImageCoder(coder.network.eval()).bounds(x, draws=8) == rows
    for one, other in zip(coder.bounds(x[:3], draws=8), rows, strict=False):
        assert one == {name: pytest.approx(value, rel=1e-6) for name, value in other.items()}
    assert coder.bounds(x[:0]) == []


def test_errors_by_hand():
    x, rebuilt = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    rebuilt[1, :, 0, 0] = 0.5
    assert squared_errors(x, rebuilt) == [0.0, 0.75]
    assert signal_to_noise(0.12, 12) == pytest.approx(20.0)
    assert signal_to_noise(0.0, 12) == pytest.approx(120.0)


def test_codes_and_pictures_of_no_sample():
    coder = ImageCoder(network())
    assert coder.encoded(binary(0)).shape == (0, 2) and coder.decoded(np.zeros((2, 2))).shape == (2, 1, 4, 4)
