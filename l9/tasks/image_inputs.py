"""Pictures as a classifier is fed them: column `image` from 0 to 1, as it stands or warped at random."""

import math
from dataclasses import dataclass

from numpy import ndarray
from torch import Tensor

from l9.data.augment import draw_flips, generators
from l9.data.augment_pictures import affine_maps, draw_elastic, draw_units, mirror_pictures, warp_pictures
from l9.data.batch import Batch
from l9.errors import TrainingError
from l9.tasks.inputs import Inputs
from l9.tasks.unit_pictures import COLUMN, picture_tiles, unit_pictures


@dataclass(frozen=True)
class ImageInputs(Inputs):
    """Column `image`, uint8 (C, H, W), as float32 (B, C, H, W) of 0..1.

    shift    largest shift along each axis, pixels and parts of them
    mirror   whether left and right are exchanged, with probability 1/2
    turn     largest turn either way, degrees
    stretch  largest change of the scale along each axis, and of the shear, as a share: 0.15 is 15 %
    elastic  standard deviation of the elastic displacements along each axis, pixels; 0: none
    What moves in from outside is 0. Shift, turn, both scales and shear are uniform from minus the largest to the largest.
    """

    shift: int | float
    mirror: bool
    turn: int | float
    stretch: int | float
    elastic: int | float
    column: str = COLUMN

    def __post_init__(self) -> None:
        if min(self.shift, self.turn, self.stretch, self.elastic) < 0 or self.stretch >= 1:
            raise TrainingError(
                f"Classify: shift is {self.shift}, turn {self.turn}, stretch {self.stretch}, elastic {self.elastic}; "
                "expected 0 or more each, and stretch below 1"
            )

    def plain(self, batch: Batch) -> Tensor:
        """As stored."""
        return unit_pictures(batch)

    def augmented(self, batch: Batch) -> Tensor:
        """For each sample are drawn turn, two scales, shear and two shifts, then its elastic field, then its mirror."""
        x, random = unit_pictures(batch), generators(batch)
        numbers = draw_units(random, 6).to(x.device)
        maps = affine_maps(math.radians(self.turn) * numbers[:, 0], 1 + self.stretch * numbers[:, 1:3], self.stretch * numbers[:, 3])
        bent = self.elastic * draw_elastic(random, *x.shape[2:]).to(x.device) if self.elastic else None
        warped = warp_pictures(x, maps, self.shift * numbers[:, 4:], bent)
        return mirror_pictures(warped, draw_flips(random).to(x.device)) if self.mirror else warped

    def turned(self, batch: Batch, vote: int, votes: int) -> Tensor:
        """As stored: a picture has one vote, a 6 that is turned is a 9; TrainingError where there are to be more."""
        if votes != 1:
            raise TrainingError(
                f"Classify: votes is {votes} and pictures are not turned about an axis; expected 1: --set trainings.*.task.votes=1"
            )
        return self.plain(batch)

    def tile(self, sample: Tensor, size: int) -> ndarray:
        """The picture, enlarged without smoothing."""
        return picture_tiles(sample[None], size)[0]
