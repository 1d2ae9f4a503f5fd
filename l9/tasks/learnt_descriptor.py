"""What all learnt descriptors of key points share: their player, their losses, and how they are computed for a whole set.

sources  Chang et al., Matterport3D, 3DV 2017, section 5.1 and its code (`mined`: hinge embedding with margin 1 on the two L2 distances);
         Mishchuk et al., Working hard to know your neighbor's margins, NeurIPS 2017 (`hardest`: a triplet with the nearest other place
         of the batch);
         Sohn, Improved deep metric learning with multi-class N-pair loss objective, NeurIPS 2016 (`all`: a softmax over the batch)
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from torch import Tensor, nn

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.contract import Player, Task, Turn
from l9.tasks.descriptors import APART, BATCH, item_of

ROLES = 3
MOMENTUM = 0.99  # of stochastic gradient descent: the papers'
NEVER = 1e3  # a distance, or a score, that no two descriptors of length 1 have
LEAST = 1e-8  # below a root: its gradient is infinite at 0


class LearntDescriptor(Task):
    """One player, one turn. The network gives descriptors of L2 norm 1; what it is fed of a match's three roles, subclasses say.

    negatives     "mined": each match's own other place, as the papers have it; "hardest": the nearest of all in the rank's batch that
                  is another place; "all": each of these counts, the more the nearer it is
    margin        beyond which other places do not count; of "mined" and "hardest"
    optimizer     "sgd" has momentum 0.99; `lr` is its rate, `weight_decay` its decay
    frozen        the network is not trained: it is tested as its `init` left it
    """

    samples = "match_frames"
    network = "a network"  # what the error names, where there is none
    temperature = 0.1  # of the softmax over cosines, of "all"
    compared = ROLES  # roles among which the hardest other place is looked for: 2 leaves each match's own other place out

    def __init__(
        self,
        negatives: Literal["mined", "hardest", "all"],
        margin: float,
        optimizer: Literal["adam", "adamw", "sgd"],
        lr: float,
        weight_decay: float,
        frozen: bool,
    ) -> None:
        self.negatives, self.margin, self.optimizer, self.lr, self.weight_decay = negatives, margin, optimizer, lr, weight_decay
        self.frozen = frozen

    def fed(self, batch: Batch) -> Float[Tensor, "B 3 ..."]:
        """What the network takes, of each match's roles; in training augmented by numbers of the samples' own."""
        raise NotImplementedError

    def described(self, batch: Batch) -> Float32[ndarray, "B 3 V F"]:
        """Descriptors of a batch in each variant that is reported, by the network as it is."""
        raise NotImplementedError

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if there is none."""
        if model is None:
            raise TrainingError(f"{type(self).__name__} needs a network; give its training a model, such as Use({self.network})")
        self._network = model
        super().bind(model)

    def players(self) -> dict[str, Player]:
        """All of the network that may move; nobody where it is frozen."""
        if self.frozen:
            return {}
        options: dict[str, Any] = {"weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            options["momentum"] = MOMENTUM
        return {"model": Player([one for one in self._network.parameters() if one.requires_grad], self.optimizer, self.lr, options)}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """One term, summed over the samples: `hinge_embedding`, half of it for each distance, `triplet` or `n_pairs`."""
        roles = ROLES if self.negatives == "mined" else self.compared
        found = self._network(self.fed(batch)[:, :roles].flatten(0, 1)).float()
        descriptors = found.reshape(len(batch), roles, -1)
        if self.negatives == "mined":
            return {"hinge_embedding": hinge_embedding(descriptors, self.margin).sum()}
        points = item_of(batch, "match_points")[:, :roles]
        with torch.autocast(descriptors.device.type, enabled=False):  # bfloat16 would round near distances to the same few numbers
            if self.negatives == "all":
                return {"n_pairs": n_pairs(descriptors, points, self.temperature).sum()}
            return {"triplet": hardest_triplet(descriptors, points, self.margin).sum()}

    @torch.no_grad()
    def described_all(self, samples: Samples, columns: Sequence[str], batch: int = BATCH) -> Float32[ndarray, "M 3 V F"]:
        """Descriptors of every match, by the network in evaluation mode; its mode is put back after.

        batch  matches at once
        """
        was_training = self._network.training
        device = next(self._network.parameters()).device
        self._network.eval()
        try:
            batches = Loader(samples, columns, seed=0, training=False).sequential(batch)
            return np.concatenate([self.described(one.to(device)) for one in batches])
        finally:
            self._network.train(was_training)


def by_match(of_key_points: Tensor) -> Tensor:
    """(B * 3, ...) as (B, 3, ...)."""
    return of_key_points.reshape(-1, ROLES, *of_key_points.shape[1:])


def hinge_embedding(descriptors: Float[Tensor, "B 3 F"], margin: float) -> Float[Tensor, "B"]:
    """Half of d(anchor, same) + max(0, margin - d(anchor, other)): the mean of the two terms that the paper's criterion averages."""
    anchor, same, other = descriptors.unbind(1)
    return 0.5 * (_distance(anchor, same) + (margin - _distance(anchor, other)).clamp_min(0))


def hardest_triplet(descriptors: Float[Tensor, "B R F"], points: Float[Tensor, "B R 3"], margin: float) -> Float[Tensor, "B"]:
    """max(0, margin + d(anchor, same) - the least distance of anchor or same place to another place of the batch).

    R roles: anchor, same place and, where it is computed, each match's own other place, which the paper has not

    points  metres: what lies within 2 cm of the anchor does not count as another place, whichever scene it is of
    """
    anchor, same, numbers = descriptors[:, 0], descriptors[:, 1], torch.arange(len(descriptors), device=descriptors.device)
    near = _within(points[:, 0], points[:, 1:].flatten(0, 1))
    near[numbers, (descriptors.shape[1] - 1) * numbers] = True
    close = _within(points[:, 1], points[:, 0])
    close[numbers, numbers] = True
    from_anchor = _all_distances(anchor, descriptors[:, 1:].flatten(0, 1)).masked_fill(near, NEVER).amin(dim=1)
    from_same = _all_distances(same, anchor).masked_fill(close, NEVER).amin(dim=1)
    return (margin + _distance(anchor, same) - torch.minimum(from_anchor, from_same)).clamp_min(0)


def n_pairs(descriptors: Float[Tensor, "B R F"], points: Float[Tensor, "B R 3"], temperature: float) -> Float[Tensor, "B"]:
    """-log of the softmax share of a match's own same place among all of the batch, and of its anchor among all anchors: their mean.

    temperature  cosines of descriptors are divided by it
    points       metres: what lies within 2 cm of the anchor, or of the same place, does not count as another place
    """
    (anchor, same), numbers = descriptors[:, :2].unbind(1), torch.arange(len(descriptors), device=descriptors.device)
    near = _within(points[:, 0], points[:, 1])
    near[numbers, numbers] = False
    scores = (anchor @ same.T / temperature).masked_fill(near, -NEVER)
    ways = [nn.functional.cross_entropy(one, numbers, reduction="none") for one in (scores, scores.T)]
    return 0.5 * (ways[0] + ways[1])


def _within(one: Float[Tensor, "B 3"], other: Float[Tensor, "C 3"]) -> Bool[Tensor, "B C"]:
    """Whether points lie within 2 cm of each other; by differences, since squares of far coordinates leave no centimetres."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist") <= APART


def _distance(one: Float[Tensor, "B F"], other: Float[Tensor, "B F"]) -> Float[Tensor, "B"]:
    return ((one - other).square().sum(dim=1) + LEAST).sqrt()


def _all_distances(one: Float[Tensor, "B F"], other: Float[Tensor, "C F"]) -> Float[Tensor, "B C"]:
    """L2 between descriptors of norm 1."""
    return (2 - 2 * one @ other.T).clamp_min(LEAST).sqrt()
