"""What a classifier is fed: tensors from a batch's columns, as they stand, augmented, or turned for a vote.

An input kind names its column and makes float32 tensors from it. Augmentation draws from one generator for each sample, a function
of (seed, epoch, position), so that it is the same however a batch is split over ranks or micro-batches.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from l9.data.augment import (
    draw_angles,
    draw_choices,
    draw_flips,
    draw_noise,
    draw_shifts,
    generators,
    jitter_points,
    level_axes,
    mirror_voxels,
    pick_rotation,
    rotate_points,
    shift_voxels,
)
from l9.data.batch import Batch
from l9.draw.splat import splat_points, splat_voxels
from l9.errors import TrainingError
from l9.geometry.mesh import Axis

BOX_SIZE = "box_size"
SMALLEST_SIDE = 1e-3  # metres: a picture frame has no depth in some catalogs, and no logarithm
CLIP = 5  # deviations of the noise on points beyond which it is cut: 0.05 where it is 0.01, as in PointNet


class Inputs(ABC):
    """One kind of input. `column` is what the loader reads for it."""

    column: str

    @abstractmethod
    def plain(self, batch: Batch) -> Tensor:
        """Every sample as it is stored."""

    @abstractmethod
    def augmented(self, batch: Batch) -> Tensor:
        """Every sample in its own random pose."""

    @abstractmethod
    def turned(self, batch: Batch, vote: int, votes: int) -> Tensor:
        """Every sample turned about `up` by vote * 360 / votes degrees."""

    @abstractmethod
    def tile(self, sample: Tensor, size: int) -> ndarray:
        """A picture of one sample of such a tensor, RGB uint8 (size, size, 3)."""


@dataclass(frozen=True)
class OccupancyInputs(Inputs):
    """Column `occupancy`, uint8 (K rotations about up, R, R, R), as float32 (B, 1, R, R, R): +1 occupied, -1 empty.

    shift   largest shift along each axis, voxels; what moves in from outside is empty
    mirror  whether to mirror, each with probability 1/2, along the two axes that are not `up`
    A pose is one of the stored rotations, shifted and mirrored.
    """

    up: Axis
    shift: int
    mirror: bool
    column: str = "occupancy"

    def plain(self, batch: Batch) -> Tensor:
        """Rotation 0."""
        return self.turned(batch, 0, 1)

    def augmented(self, batch: Batch) -> Tensor:
        """For each sample are drawn a stored rotation, two mirrors and three shifts, in this order."""
        grid, random = batch.fixed(self.column), generators(batch)
        chosen = pick_rotation(grid, draw_choices(random, grid.shape[1]).to(grid.device))
        if self.mirror:
            for axis in level_axes(self.up):
                chosen = mirror_voxels(chosen, draw_flips(random).to(grid.device), axis)
        return _signed(shift_voxels(chosen, draw_shifts(random, self.shift).to(grid.device)))

    def turned(self, batch: Batch, vote: int, votes: int) -> Tensor:
        """A stored rotation; TrainingError unless `votes` divides their number."""
        grid = batch.fixed(self.column)
        stored = grid.shape[1]
        if stored % votes:
            raise TrainingError(
                f"Classify: votes is {votes} and column {self.column} holds {stored} rotations; expected a divisor of {stored}: "
                f"--set trainings.*.task.votes={stored}, or occupancy(rotations={votes}) in the prep"
            )
        return _signed(grid[:, vote * (stored // votes)])

    def tile(self, sample: Tensor, size: int) -> ndarray:
        """The occupied voxels."""
        return splat_voxels(sample[0].float().cpu().numpy(), size, self.up)


@dataclass(frozen=True)
class PointInputs(Inputs):
    """Column `points`, float32 (N, 3), as float32 (B, `points`, 3).

    points  how many of the N are fed; in a pose drawn without replacement, else the first
    jitter  standard deviation of the noise on each coordinate of a pose, clipped at five deviations; unit of the column
    A pose is a turn about `up` by any angle, and the noise.
    """

    up: Axis
    points: int
    jitter: float
    column: str = "points"

    def plain(self, batch: Batch) -> Tensor:
        """The first points."""
        stored = self._stored(batch)
        return stored[:, : self.points].float()

    def augmented(self, batch: Batch) -> Tensor:
        """For each sample are drawn which points, the angle, and the noise, in this order."""
        stored, random = self._stored(batch), generators(batch)
        numbers = torch.from_numpy(np.stack([one.permutation(stored.shape[1])[: self.points] for one in random])).to(stored.device)
        chosen = torch.gather(stored.float(), 1, numbers[:, :, None].expand(-1, -1, 3))
        turned = rotate_points(chosen, draw_angles(random).to(stored.device), self.up)
        return jitter_points(turned, draw_noise(random, self.points).to(stored.device), self.jitter, CLIP * self.jitter)

    def turned(self, batch: Batch, vote: int, votes: int) -> Tensor:
        """The first points."""
        points = self.plain(batch)
        return (
            rotate_points(points, torch.full((len(points),), 2 * np.pi * vote / votes, device=points.device), self.up) if vote else points
        )

    def tile(self, sample: Tensor, size: int) -> ndarray:
        """The points as shaded dots."""
        return splat_points(sample.float().cpu().numpy(), size, self.up)

    def _stored(self, batch: Batch) -> Tensor:
        stored = batch.fixed(self.column)
        if stored.shape[1] < self.points:
            raise TrainingError(
                f"Classify: points is {self.points:,} and column {self.column} holds {stored.shape[1]:,}; "
                f"expected no more: --set trainings.*.task.points={stored.shape[1]}"
            )
        return stored


def log_box_size(batch: Batch) -> Tensor:
    """Column `box_size`, the sides of each object's box as it came, as natural logarithms, float32 (B, 3); 1 mm where a side has less."""
    return batch.fixed(BOX_SIZE).float().clamp_min(SMALLEST_SIDE).log()


def _signed(grid: Tensor) -> Tensor:
    """uint8 (B, R, R, R) of 0 and 1 as float32 (B, 1, R, R, R) of -1 and +1."""
    return grid[:, None].float() * 2 - 1
