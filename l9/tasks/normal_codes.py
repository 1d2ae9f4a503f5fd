"""Codes that are drawn from normal distributions, as variational autoencoders draw them: their noise, and their divergence from N(0, I).

source  Kingma & Welling, Auto-encoding variational Bayes, ICLR 2014, section 2.4 and appendix B
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from l9.data.batch import Batch

NOISE = 1  # a stream of random numbers apart from the augmentation's


def code_noise(batch: Batch, like_BZ: Float[Tensor, "b z"]) -> Float[Tensor, "b z"]:
    """Standard normal numbers of each sample's own, by (seed, epoch, position): the same however a batch is split over ranks."""
    drawn = [
        np.random.default_rng((batch.seed, batch.epoch, int(position), NOISE)).standard_normal(like_BZ.shape[1], np.float32)
        for position in batch.positions
    ]
    return torch.from_numpy(np.stack(drawn) if drawn else np.zeros((0, like_BZ.shape[1]), np.float32)).to(like_BZ.device)


def kl_to_standard_normal(mean_BZ: Float[Tensor, "b z"], log_variance_BZ: Float[Tensor, "b z"]) -> Float[Tensor, "b"]:
    """KL(N(mean, variance) || N(0, I)) = -1/2 sum(1 + ln variance - mean^2 - variance), nats."""
    return -0.5 * (1 + log_variance_BZ - mean_BZ.square() - log_variance_BZ.exp()).sum(dim=1)
