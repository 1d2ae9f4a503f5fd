"""Learn a descriptor of key points from matches that nobody labelled: patches of one place near each other, those of others far apart.

source  Chang et al., Matterport3D, 3DV 2017, section 5.1; the losses and their sources are those of `l9.tasks.learnt_descriptor`
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from torch import Tensor

from l9.data.augment import generators
from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.tasks.contract import Picture, Report
from l9.tasks.descriptors import FACTS, MatchFacts, checked_matches, descriptor_report, item_of
from l9.tasks.learnt_descriptor import ROLES, LearntDescriptor, by_match
from l9.tasks.match_pictures import match_pictures
from l9.tasks.patches import coloured, cut

VARIANTS = ("_exact", "")  # key points' frames as they were found, and moved by the stored jitters: the one that counts
PAGE = 8  # matches on the page of a batch


class Match(LearntDescriptor):
    """One player, one turn. The network takes patches (B, 3, 64, 64), 0 to 1, and gives descriptors of L2 norm 1.

    negatives     "mined": each match's own other place, as the paper has it; "hardest": the nearest of all that is another place in
                  the rank's part of the batch, or of its micro-batch where the schedule accumulates: with other workers, other results
    margin        beyond which other places do not count
    optimizer     "sgd" has momentum 0.99; `lr` is its rate, `weight_decay` its decay
    shift         pixels, and
    zoom          logarithm of a factor, and
    turn          degrees: deviations by which the frame of every key point is moved before its patch is cut, in training
    colour        deviation of a factor and of an offset on each colour of a patch, in training; 0.2 is a fifth
    frozen        the network is not trained: it is tested as its `init` left it
    augment       False: patches as they are
    """

    network = "PatchNet"

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
        super().__init__(negatives, margin, optimizer, lr, weight_decay, frozen)
        self.jitter, self.colour, self.augment = (shift, shift, zoom, turn), colour, augment
        self.columns = ("patches", *FACTS)

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError where the set holds no matches."""
        checked_matches(samples, (*self.columns, "jitters"))

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.descriptors.descriptor_report`."""
        facts = MatchFacts.of(checked_matches(samples, (*self.columns, "jitters")))
        return descriptor_report(samples, facts, self._all(samples), VARIANTS)

    def pictures(self, samples: Samples, report: Report) -> Iterable[Picture]:
        """`matches`: nearest neighbours between frames, right and wrong."""
        return match_pictures(samples, self._all)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first eight matches of the batch as the network sees them: anchor, the same place, another place."""
        fed = self.fed(batch)[:PAGE].mul(255).round().byte().permute(0, 1, 3, 4, 2).cpu().numpy()
        tiles = [np.concatenate(list(match), axis=1) for match in fed]
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        return Picture("first_batch", sample_grid(tiles, captions, 2, "what the network is fed: anchor, same place, other place"))

    def fed(self, batch: Batch) -> Float[Tensor, "B 3 3 64 64"]:
        """Patches of a batch; in training from frames moved anew, with other colours. Per sample are drawn jitters, then colours."""
        patches = item_of(batch, "patches").flatten(0, 1)
        if not self.augment:
            return by_match(cut(patches, torch.zeros(len(patches), 4, device=patches.device)))
        random = generators(batch)
        drawn = np.array([one.standard_normal((ROLES, 4)) * self.jitter for one in random], np.float32).reshape(-1, 4)
        colours = np.array([one.standard_normal((ROLES, 2, 3)) * self.colour for one in random], np.float32).reshape(-1, 2, 3)
        moved = cut(patches, torch.from_numpy(drawn).to(patches.device))
        return by_match(coloured(moved, torch.from_numpy(colours).to(patches.device)))

    def described(self, batch: Batch) -> Float32[ndarray, "B 3 2 F"]:
        """Descriptors from the frames as they were found, and moved by the stored jitters."""
        patches, jitters = item_of(batch, "patches").flatten(0, 1), item_of(batch, "jitters").flatten(0, 1)
        found = [self._network(cut(patches, moves)).float() for moves in (torch.zeros_like(jitters), jitters)]
        return by_match(torch.stack(found, dim=1)).cpu().numpy()

    def _all(self, samples: Samples) -> Float32[ndarray, "M 3 2 F"]:
        return self.described_all(samples, ("patches", "jitters"))
