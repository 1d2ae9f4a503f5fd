"""Losses of a voxel autoencoder, one number a sample: cross-entropies of occupancy.

source  Brock, Lim, Ritchie, Weston, 2016, arXiv 1608.04236, section 2.2
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

TARGETS = (-1.0, 2.0)  # of an empty and an occupied voxel, where ranges are stretched
LEAST_OUTPUT = 0.1  # of the network, where ranges are stretched
CLIP = 1e-7  # the least 1 - output under the logarithm, as in the authors' code: without it the stretched loss has no lower bound


def voxel_cross_entropy(logits: Float[Tensor, "b ..."], occupied: Bool[Tensor, "b ..."], gamma: float) -> Float[Tensor, "b"]:
    """-2 gamma t ln o - 2 (1 - gamma) (1 - t) ln(1 - o), nats, summed over voxels: the plain binary cross-entropy at gamma 0.5."""
    weights = torch.where(occupied, 2 * gamma, 2 * (1 - gamma))
    return binary_cross_entropy_with_logits(logits, occupied.to(logits.dtype), weights, reduction="none").flatten(1).sum(dim=1)


def stretched_cross_entropy(logits: Float[Tensor, "b ..."], occupied: Bool[Tensor, "b ..."], gamma: float) -> Float[Tensor, "b"]:
    """The same formula with t of -1 and 2, o of 0.1 + 0.9 sigmoid: larger gradients where the answer is nearly right. May be negative."""
    target = torch.where(occupied, TARGETS[1], TARGETS[0])
    output = torch.log(LEAST_OUTPUT + (1 - LEAST_OUTPUT) * torch.sigmoid(logits))
    left = (math.log(1 - LEAST_OUTPUT) + logsigmoid(-logits)).clamp_min(math.log(CLIP))
    return (-2 * gamma * target * output - 2 * (1 - gamma) * (1 - target) * left).flatten(1).sum(dim=1)
