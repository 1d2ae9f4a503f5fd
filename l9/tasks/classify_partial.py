"""Classify partial scans, so that a network which completes them knows what they are of: 3D-EPN's classifier.

source  Dai, Qi, Niessner, CVPR 2017, section 4; the network is fed what is within a voxel of the surface, and what is known, as 0 and 1
"""

from dataclasses import dataclass
from typing import Literal

from numpy import ndarray
from torch import Tensor

from l9.data.augment import draw_flips, draw_shifts, generators, level_axes, mirror_voxels, shift_voxels
from l9.data.batch import Batch
from l9.data.samples import Samples
from l9.draw.splat import splat_voxels
from l9.geometry.distance_fields import TRUNCATION
from l9.geometry.mesh import Axis
from l9.models.nin3d import class_input
from l9.tasks.classify import Classify
from l9.tasks.completion import PARTIAL, checked_scans, network_input
from l9.tasks.inputs import Inputs


@dataclass(frozen=True)
class PartialInputs(Inputs):
    """Column `partial` as float32 (B, 2, V, V, V): within a voxel of the surface, and known.

    shift   largest shift along each axis, voxels; what moves in from outside is free and known
    mirror  whether to mirror, each with probability 1/2, along the two axes that are not `up`
    """

    up: Axis
    shift: int
    mirror: bool
    column: str = PARTIAL

    def plain(self, batch: Batch) -> Tensor:
        """Every scan as it is."""
        return class_input(network_input(batch.fixed(self.column).float()))

    def augmented(self, batch: Batch) -> Tensor:
        """For each scan are drawn two mirrors, where there are any, and three shifts, in this order."""
        partial, random = batch.fixed(self.column).float(), generators(batch)
        for axis in level_axes(self.up) if self.mirror else ():
            partial = mirror_voxels(partial, draw_flips(random).to(partial.device), axis)
        return class_input(network_input(shift_voxels(partial, draw_shifts(random, self.shift).to(partial.device), TRUNCATION)))

    def turned(self, batch: Batch, vote: int, votes: int) -> Tensor:
        """As it is: a camera saw it from where it stood, and there is one vote."""
        return self.plain(batch)

    def tile(self, sample: Tensor, size: int) -> ndarray:
        """The voxels within one of the surface."""
        return splat_voxels(sample[0].float().cpu().numpy(), size, self.up)


class ClassifyPartial(Classify):
    """`Classify` of scans: one player, one turn, cross-entropy, one vote. The network takes two channels, such as `Nin3d`.

    Options are those of `Classify`; `shift` and `mirror` those of `PartialInputs`. `accuracy` is the share of scans, not of objects.
    """

    own_stages = ("l9.stages.seen_surface:seen_surface",)

    def __init__(
        self,
        classes: tuple[str, ...],
        up: Axis = "+Y",
        shift: int = 2,
        mirror: bool = False,
        label_smoothing: float = 0.0,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        augment: bool = True,
    ) -> None:
        super().__init__(
            classes,
            up,
            votes=1,
            label_smoothing=label_smoothing,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            augment=augment,
        )
        self.inputs = PartialInputs(up, shift, mirror)
        self.columns = (PARTIAL,)

    def fit(self, samples: Samples) -> None:
        """Nothing is kept. TrainingError where these are no partial scans, or one has no label."""
        super().fit(checked_scans(samples))
