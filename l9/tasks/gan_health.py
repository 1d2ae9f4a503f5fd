"""Does a GAN still learn? Two ways in which it fails, told while it trains: its samples collapse, or its discriminator wins outright.

collapse    the generator answers (nearly) the same to every noise: the mean distance between its samples is a small share of that
            between training pictures
divergence  the discriminator is sure of everything, so that the generator's loss is large and its gradient says little
source      Goodfellow, NIPS 2016 tutorial: Generative adversarial networks, sections 4.3 and 5.1, for what they are; the limits are l9's
"""

import math

import torch
from torch import Tensor

CHECKED = 100  # steps from one check to the next
SETTLED = 500  # steps before which samples are alike in any training: nothing is said of them
COLLAPSED = 0.3  # of the training pictures' mean distance
WON = 0.02  # nats: the discriminator's mean loss, both terms together, below which it is sure of everything; 1.39 is that of not knowing
LOST = 8.0  # nats: the generator's mean loss then
REMEMBERED = 0.99  # of the running means of losses: about the last 100 moves


def mean_distance(x_BCHW: Tensor) -> float:
    """Mean L2 distance between two different pictures of a batch, over all pairs; 0 where there are not two."""
    if len(x_BCHW) < 2:
        return 0.0
    return float(torch.pdist(x_BCHW.flatten(1).double()).mean())


def share_right(real_B: Tensor, made_B: Tensor) -> float:
    """Accuracy of a discriminator's logits: above 0 for real pictures, at most 0 for generated ones, both kinds weighing alike."""
    return 0.5 * float((real_B > 0).double().mean()) + 0.5 * float((made_B <= 0).double().mean())


def unavoidable_loss(smoothing: float) -> float:
    """Nats: the least loss of a discriminator whose target for real pictures is 1 - smoothing, the entropy of that."""
    return 0.0 if smoothing == 0 else -smoothing * math.log(smoothing) - (1 - smoothing) * math.log(1 - smoothing)


def is_collapsed(diversity: float) -> bool:
    """Whether samples are too much alike; `diversity` is their mean distance over that of as many training pictures."""
    return diversity < COLLAPSED


def is_won(discriminator: float, generator: float) -> bool:
    """Whether the discriminator wins outright, by the two players' mean losses, nats a sample."""
    return discriminator < WON and generator > LOST


class GanHealth:
    """Running losses and what was found at the last check, in tensors, so that a resumed training says the same.

    losses   float64 (2): running means of the discriminator's and the generator's loss
    moves    int64 (2): moves that they are of
    since    int64 (2): the step at whose check samples were first found collapsed, and the discriminator winning; -1: they are not
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self._least = unavoidable_loss(smoothing)
        self.losses, self.moves = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
        self.since, self.diversity = torch.full((2,), -1), torch.ones((), dtype=torch.float64)

    def hear(self, player: int, loss: float) -> None:
        """A move's loss, nats a sample; player 0 is the discriminator, 1 the generator."""
        made = int(self.moves[player])
        kept = min(REMEMBERED, made / (made + 1))  # the plain mean of the first 100
        self.losses[player] = kept * float(self.losses[player]) + (1 - kept) * loss
        self.moves[player] += 1

    def is_due(self, step: int) -> bool:
        """Whether samples are to be looked at after this step."""
        return (step + 1) % CHECKED == 0 and step + 1 >= SETTLED

    def check(self, step: int, diversity: float) -> None:
        """Note what is wrong now, and since when."""
        self.diversity.fill_(diversity)
        discriminator, generator = self.losses.tolist()
        for number, wrong in enumerate((is_collapsed(diversity), is_won(discriminator - self._least, generator))):
            if not wrong:
                self.since[number] = -1
            elif self.since[number] < 0:
                self.since[number] = step

    def lines(self, step: int) -> list[str]:
        """What is to be said after this step: each trouble at the check that found it, and not again until it had gone."""
        collapsed, won = (int(since) == step for since in self.since)
        losses = "discriminator {:.3f}, generator {:.1f} nats".format(*self.losses.tolist())
        said = []
        if collapsed:
            said.append(
                f"samples collapse: diversity {float(self.diversity):.2f} of the training pictures' after step {step + 1:,}; try a lower "
                "discriminator_lr, or more of the generator's moves: --set trainings.*.task.generator_steps=2"
            )
        if won:
            said.append(
                f"the discriminator wins outright after step {step + 1:,} ({losses}); try a lower discriminator_lr, or "
                "--set trainings.*.task.smoothing=0.1"
            )
        return said

    def buffers(self) -> dict[str, Tensor]:
        """All of it, for `Task.buffers`."""
        return {
            "health/losses": self.losses,
            "health/moves": self.moves,
            "health/since": self.since,
            "health/diversity": self.diversity,
        }
