"""Learn a descriptor of key points from matches that nobody labelled: patches of one place near each other, those of others far apart.

sources  Chang et al., Matterport3D, 3DV 2017, section 5.1 and its code (`mined`: hinge embedding with margin 1 on the two L2 distances);
         Mishchuk et al., Working hard to know your neighbor's margins, NeurIPS 2017 (`hardest`: a triplet with the nearest other place
         of the batch)
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from torch import Tensor, nn

from l9.data.augment import generators
from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.errors import TrainingError
from l9.tasks.contract import Picture, Player, Report, Task, Turn
from l9.tasks.descriptors import APART, FACTS, MatchFacts, checked_matches, descriptor_report, item_of
from l9.tasks.match_pictures import match_pictures
from l9.tasks.patches import coloured, cut

ROLES = 3
VARIANTS = ("_exact", "")  # key points' frames as they were found, and moved by the stored jitters: the one that counts
MOMENTUM = 0.99  # of stochastic gradient descent: the paper's
PAGE = 8  # matches on the page of a batch
NEVER = 1e3  # a distance that no two descriptors of length 1 have
LEAST = 1e-8  # below a root: its gradient is infinite at 0


class Match(Task):
    """One player, one turn. The network takes patches (B, 3, 64, 64), 0 to 1, and gives descriptors of L2 norm 1.

    negatives     "mined": each match's own other place, as the paper has it; "hardest": the nearest of all in the rank's batch that is
                  another place
    margin        beyond which other places do not count
    optimizer     "sgd" has momentum 0.99; `lr` is its rate, `weight_decay` its decay
    shift         pixels, and
    zoom          logarithm of a factor, and
    turn          degrees: deviations by which the frame of every key point is moved before its patch is cut, in training
    colour        deviation of a factor and of an offset on each colour of a patch, in training; 0.2 is a fifth
    frozen        the network is not trained: it is tested as its `init` left it
    augment       False: patches as they are
    """

    samples = "match_frames"

    def __init__(
        self,
        negatives: Literal["mined", "hardest"] = "hardest",
        margin: float = 1.0,
        optimizer: Literal["adam", "adamw", "sgd"] = "adamw",
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        shift: float = 1.5,
        zoom: float = 0.1,
        turn: float = 8.0,
        colour: float = 0.2,
        frozen: bool = False,
        augment: bool = True,
    ) -> None:
        self.negatives, self.margin, self.optimizer, self.lr, self.weight_decay = negatives, margin, optimizer, lr, weight_decay
        self.jitter, self.colour, self.frozen, self.augment = (shift, shift, zoom, turn), colour, frozen, augment
        self.columns = ("patches", *FACTS)

    def bind(self, model: nn.Module | None) -> None:
        """Take the network; TrainingError if there is none."""
        if model is None:
            raise TrainingError("Match needs a network; give its training a model, such as Use(PatchNet)")
        self._network = model
        super().bind(model)

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError where the set holds no matches."""
        checked_matches(samples, (*self.columns, "jitters"))

    def players(self) -> dict[str, Player]:
        """All of the network that may move; nobody where it is frozen."""
        if self.frozen:
            return {}
        options: dict[str, Any] = {"weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            options["momentum"] = MOMENTUM
        return {"model": Player([one for one in self._network.parameters() if one.requires_grad], self.optimizer, self.lr, options)}

    def loss(self, turn: Turn, batch: Batch) -> dict[str, Tensor]:
        """One term, summed over the samples: `hinge_embedding`, half of it for each distance, or `triplet`."""
        found = self._network(self._fed(batch).flatten(0, 1)).float()
        descriptors = found.reshape(len(batch), ROLES, -1)
        if self.negatives == "mined":
            return {"hinge_embedding": hinge_embedding(descriptors, self.margin).sum()}
        return {"triplet": hardest_triplet(descriptors, item_of(batch, "match_points"), self.margin).sum()}

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.descriptors.descriptor_report`."""
        facts = MatchFacts.of(checked_matches(samples, (*self.columns, "jitters")))
        return descriptor_report(samples, facts, self._described(samples), VARIANTS)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`matches`: nearest neighbours between frames, right and wrong."""
        return match_pictures(samples, self._described)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first eight matches of the batch as the network sees them: anchor, the same place, another place."""
        fed = self._fed(batch)[:PAGE].mul(255).round().byte().permute(0, 1, 3, 4, 2).cpu().numpy()
        tiles = [np.concatenate(list(match), axis=1) for match in fed]
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        return Picture("first_batch", sample_grid(tiles, captions, 2, "what the network is fed: anchor, same place, other place"))

    def _fed(self, batch: Batch) -> Float[Tensor, "B 3 3 64 64"]:
        """Patches of a batch; in training from frames moved anew, with other colours. Per sample are drawn jitters, then colours."""
        patches = item_of(batch, "patches").flatten(0, 1)
        if not self.augment:
            return _by_match(cut(patches, torch.zeros(len(patches), 4, device=patches.device)))
        random = generators(batch)
        drawn = np.array([one.standard_normal((ROLES, 4)) * self.jitter for one in random], np.float32).reshape(-1, 4)
        colours = np.array([one.standard_normal((ROLES, 2, 3)) * self.colour for one in random], np.float32).reshape(-1, 2, 3)
        moved = cut(patches, torch.from_numpy(drawn).to(patches.device))
        return _by_match(coloured(moved, torch.from_numpy(colours).to(patches.device)))

    @torch.no_grad()
    def _described(self, samples: Samples) -> Float32[ndarray, "M 3 V F"]:
        """Descriptors of every match in both variants, by the network in evaluation mode; its mode is put back after."""
        network, was_training = self._network, self._network.training
        device = next(network.parameters()).device
        network.eval()
        try:
            return np.concatenate(
                [
                    self._both(item_of(batch, "patches").to(device), item_of(batch, "jitters").to(device))
                    for batch in Loader(samples, ("patches", "jitters"), seed=0, training=False).sequential()
                ]
            )
        finally:
            network.train(was_training)

    def _both(self, patches: UInt8[Tensor, "B 3 S S 3"], jitters: Float32[Tensor, "B 3 4"]) -> Float32[ndarray, "B 3 V F"]:
        flat = patches.flatten(0, 1)
        found = [self._network(cut(flat, moves.flatten(0, 1))).float() for moves in (torch.zeros_like(jitters), jitters)]
        return _by_match(torch.stack(found, dim=1)).cpu().numpy()


def _by_match(of_key_points: Tensor) -> Tensor:
    """(B * 3, ...) as (B, 3, ...)."""
    return of_key_points.reshape(-1, ROLES, *of_key_points.shape[1:])


def hinge_embedding(descriptors: Float[Tensor, "B 3 F"], margin: float) -> Float[Tensor, "B"]:
    """Half of d(anchor, same) + max(0, margin - d(anchor, other)): the mean of the two terms that the paper's criterion averages."""
    anchor, same, other = descriptors.unbind(1)
    return 0.5 * (_distance(anchor, same) + (margin - _distance(anchor, other)).clamp_min(0))


def hardest_triplet(descriptors: Float[Tensor, "B 3 F"], points: Float[Tensor, "B 3 3"], margin: float) -> Float[Tensor, "B"]:
    """max(0, margin + d(anchor, same) - the least distance of anchor or same place to another place of the batch).

    points  metres: what lies within 2 cm of the anchor does not count as another place, whichever scene it is of
    """
    anchor, same, numbers = descriptors[:, 0], descriptors[:, 1], torch.arange(len(descriptors), device=descriptors.device)
    near = torch.cdist(points[:, 0], points[:, 1:].flatten(0, 1)) <= APART
    near[numbers, 2 * numbers] = True
    close = torch.cdist(points[:, 1], points[:, 0]) <= APART
    close[numbers, numbers] = True
    from_anchor = _all_distances(anchor, descriptors[:, 1:].flatten(0, 1)).masked_fill(near, NEVER).amin(dim=1)
    from_same = _all_distances(same, anchor).masked_fill(close, NEVER).amin(dim=1)
    return (margin + _distance(anchor, same) - torch.minimum(from_anchor, from_same)).clamp_min(0)


def _distance(one: Float[Tensor, "B F"], other: Float[Tensor, "B F"]) -> Float[Tensor, "B"]:
    return ((one - other).square().sum(dim=1) + LEAST).sqrt()


def _all_distances(one: Float[Tensor, "B F"], other: Float[Tensor, "C F"]) -> Float[Tensor, "B C"]:
    """L2 between descriptors of norm 1."""
    return (2 - 2 * one @ other.T).clamp_min(LEAST).sqrt()
