"""Collapse and divergence of GANs: distances by hand, a stuck generator and a good one, a discriminator that wins, each said once."""

import math

import pytest
import torch

from l9.tasks.gan_health import (
    CHECKED,
    SETTLED,
    GanHealth,
    is_collapsed,
    is_won,
    mean_distance,
    share_right,
    unavoidable_loss,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_mean_distance_by_hand():
    """Three pictures of two pixels, 3, 4 and 5 apart; alike ones and a single one are 0 apart."""
    pictures = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]).reshape(3, 1, 1, 2)
    assert mean_distance(pictures) == pytest.approx(4.0)
    assert mean_distance(torch.ones(5, 3, 4, 4)) == 0 and mean_distance(torch.rand(1, 1, 2, 2)) == 0


def test_the_share_that_is_right_weighs_both_kinds_alike():
    assert share_right(torch.tensor([1.0, -1.0, 2.0, 3.0]), torch.tensor([-1.0, 0.0])) == 0.5 * 0.75 + 0.5
    assert share_right(torch.tensor([1.0]), torch.tensor([1.0, 1.0])) == 0.5


def test_the_least_loss_with_smoothed_targets_is_the_least():
    """At the logit of the target, and more on both sides of it."""
    logits = torch.linspace(-6, 6, 4001, dtype=torch.float64)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.9), reduction="none")
    assert float(losses.min()) == pytest.approx(unavoidable_loss(0.1), abs=1e-5) and unavoidable_loss(0.0) == 0


def test_limits():
    assert is_collapsed(0.08) and not is_collapsed(0.8)
    assert is_won(0.01, 9.0) and not is_won(0.01, 2.0) and not is_won(0.5, 9.0)


def test_losses_are_plain_means_at_first_and_then_forget():
    health = GanHealth()
    for loss in (1.0, 2.0, 6.0):
        health.hear(0, loss)
    assert health.losses.tolist() == [pytest.approx(3.0), 0.0] and health.moves.tolist() == [3, 0]
    for _ in range(1000):
        health.hear(0, 5.0)
    assert float(health.losses[0]) == pytest.approx(5.0, abs=1e-3)


def test_checks_come_every_hundred_steps_once_training_has_settled():
    due = [step for step in range(SETTLED + 2 * CHECKED) if GanHealth().is_due(step)]
    assert due == [SETTLED - 1, SETTLED + CHECKED - 1, SETTLED + 2 * CHECKED - 1]


def test_a_collapse_is_said_once_until_it_recovers():
    health, said = GanHealth(), []
    for step, diversity in zip(range(499, 1100, 100), (0.9, 0.08, 0.07, 0.8, 0.05, 0.9, 0.9), strict=True):
        health.check(step, diversity)
        said.append(health.lines(step))
    assert [len(lines) for lines in said] == [0, 1, 0, 0, 1, 0, 0]
    assert said[1][0].startswith("samples collapse: diversity 0.08 of the training pictures' after step 600; try a lower discriminator_lr")
    assert health.lines(777) == []


@pytest.mark.parametrize(("smoothing", "discriminator"), [(0.0, 0.001), (0.1, unavoidable_loss(0.1) + 0.001)])
def test_a_discriminator_that_wins_is_said_once_until_it_does_not(smoothing, discriminator):
    health, said = GanHealth(smoothing), []
    for step, generator in zip(range(499, 900, 100), (1.0, 12.0, 12.0, 1.0, 12.0), strict=True):
        for _ in range(600):
            health.hear(0, discriminator)
            health.hear(1, generator)
        health.check(step, 0.9)
        said.append(health.lines(step))
    assert [len(lines) for lines in said] == [0, 1, 0, 0, 1]
    assert "the discriminator wins outright after step 600" in said[1][0] and "generator 12.0 nats" in said[1][0]


def test_a_resumed_training_says_the_same():
    """What another one copied from the buffers says at the next checks."""
    first, second = GanHealth(), GanHealth()
    first.check(499, 0.1)
    for name, tensor in second.buffers().items():
        tensor.copy_(first.buffers()[name])
    for health in (first, second):
        health.check(599, 0.1)
        assert health.lines(599) == [] and math.isclose(float(health.diversity), 0.1)
