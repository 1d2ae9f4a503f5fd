"""Learn a descriptor of a surface from the volumes around places that two parts of a scan saw: 3DMatch's task.

source  Zeng et al., 3DMatch, CVPR 2017, sections 3 and 4 (its loss is the contrastive one, of which `mined` is the form without squares);
        the losses and their sources are those of `l9.tasks.learnt_descriptor`
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.tasks.contract import Picture, Report
from l9.tasks.descriptors import FACTS, MatchFacts, checked_matches, descriptor_report, item_of
from l9.tasks.learnt_descriptor import LearntDescriptor, by_match

VARIANTS = ("",)
FULL = 255  # of a byte of the stored volumes: 1, at the surface
AT_ONCE = 16  # matches of which descriptors are computed: 48 volumes take 270 MB after the first layer of 64 channels
PAGE = 8  # matches on the page of a batch
LARGER = 3  # pixels a voxel there


class MatchVolumes(LearntDescriptor):
    """The network takes volumes (B, 1, V, V, V), 1 at the surface and 0 far from it, and gives descriptors of L2 norm 1.

    Options are those of `LearntDescriptor`. "hardest" did not leave a loss of 1 in 55 steps of 32 matches of rooms: with so many plain
    walls the nearest other place looks just like the same one. Volumes are not turned: as in the paper, what a descriptor has to bear is
    how cameras turn.
    """

    network = "Match3D"
    compared = 2  # of 2 x 31 other places of a batch a match's own is one more: a third of the work for little

    def __init__(
        self,
        negatives: Literal["mined", "hardest", "all"] = "all",
        margin: float = 1.0,
        optimizer: Literal["adam", "adamw", "sgd"] = "adamw",
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        frozen: bool = False,
    ) -> None:
        super().__init__(negatives, margin, optimizer, lr, weight_decay, frozen)
        self.columns = ("volumes", *FACTS)

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError where the set holds no matches with volumes."""
        checked_matches(samples, self.columns, "volume_matches")

    def evaluate(self, samples: Samples) -> Report:
        """See `l9.tasks.descriptors.descriptor_report`."""
        facts = MatchFacts.of(checked_matches(samples, self.columns, "volume_matches"))
        return descriptor_report(samples, facts, self.described_all(samples, ("volumes",), AT_ONCE), VARIANTS)

    def batch_picture(self, batch: Batch, samples: Samples) -> Picture:
        """The first eight matches of the batch, cut through the middle across z and across y: anchor, same place, another place."""
        fed = self.fed(batch)[:PAGE, :, 0].mul(FULL).round().byte().cpu().numpy()
        tiles = [_cuts(match) for match in fed]
        captions = [samples.objects[int(number)] for number in batch.samples[:PAGE]]
        title = "volumes, cut across z (above) and across y: anchor, same place, other place"
        return Picture("first_batch", sample_grid(tiles, captions, 2, title))

    def fed(self, batch: Batch) -> Float[Tensor, "B 3 1 V V V"]:
        """Volumes of a batch, 0 to 1."""
        return item_of(batch, "volumes").float().div(FULL).unsqueeze(2)

    def described(self, batch: Batch) -> Float32[ndarray, "B 3 1 F"]:
        """Descriptors of the volumes."""
        return by_match(self._network(self.fed(batch).flatten(0, 1)).float()).unsqueeze(2).cpu().numpy()


def _cuts(match: ndarray) -> ndarray:
    """Two cuts through the three volumes (uint8) of a match, x to the right, as RGB."""
    middle = match.shape[1] // 2
    both = [np.concatenate([cut.T for cut in cuts], axis=1) for cuts in (match[..., middle], match[:, :, middle])]
    grey = np.kron(np.concatenate(both), np.ones((LARGER, LARGER), np.uint8))
    return np.repeat(grey[..., None], 3, axis=2)
