"""What a network that labels points is fed: sets of a row's points, in training in a random pose, in tests as they stand.

B samples   N points of a row   n points of a set   C channels   G sets of a row
Channels are xyz alone, or xyz, rgb and the place within the room as a share of its size (`l9.stages.scene_points`). What moves a point
moves its place within the room alike. Augmentation draws from one generator for each sample, a function of (seed, epoch, position).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from l9.data.augment import draw_angles, draw_choices, draw_flips, draw_noise, generators, jitter_points, level_axes, rotate_points
from l9.data.batch import Batch
from l9.errors import TrainingError
from l9.geometry.mesh import Axis

Turn = Literal["none", "quarter", "any"]
XYZ, SHARE = slice(0, 3), slice(6, 9)
QUARTERS = 4
CLIP = 5  # deviations of the noise beyond which it is cut, as in PointNet


@dataclass(frozen=True)
class PointSet:
    """Points as they are fed.

    x        (B, n, C)
    numbers  (B, n): which of the row's points each is
    dropped  (B, n): whether it only repeats the set's first point; None: none does
    """

    x: Float[Tensor, "b n c"]
    numbers: Int64[Tensor, "b n"]
    dropped: Bool[Tensor, "b n"] | None = None


@dataclass(frozen=True)
class PointSets:
    """Sets of `points` points.

    up      the axis that points up
    turn    "quarter": by quarters about up through the block's middle, and mirrored; "any": by any angle
    jitter  standard deviation of the noise on xyz, clipped at five of them; unit of the column
    drop    the largest share of a set's points that are replaced by its first one; each set draws its own share, as PointNet++ does
    """

    up: Axis
    points: int
    turn: Turn
    jitter: float
    drop: float

    def plain(self, batch: Batch, column: str) -> PointSet:
        """The row's first points."""
        stored = self._stored(batch, column)
        numbers = torch.arange(self.points, device=stored.device).expand(len(stored), -1)
        return PointSet(stored[:, : self.points].float(), numbers)

    def augmented(self, batch: Batch, column: str) -> PointSet:
        """For each sample are drawn which points, the turn, the noise, and what is dropped, in this order."""
        stored, random = self._stored(batch, column), generators(batch)
        chosen = np.stack([one.permutation(stored.shape[1])[: self.points] for one in random])
        numbers = torch.from_numpy(chosen).to(stored.device)
        dropped = None
        x = torch.gather(stored.float(), 1, numbers[..., None].expand(-1, -1, stored.shape[2]))
        if self.turn != "none":
            x = self._turned(x, random)
        if self.jitter:
            noise = draw_noise(random, self.points).to(x.device)
            x = torch.cat([jitter_points(x[..., XYZ], noise, self.jitter, CLIP * self.jitter), x[..., 3:]], dim=2)
        if self.drop:
            dropped = self._dropped(random).to(x.device)
            x = torch.where(dropped[..., None], x[:, :1], x)
        return PointSet(x, numbers, dropped)

    def cut(self, batch: Batch, column: str) -> Float[Tensor, "b g n c"]:
        """All of a row's points in sets one after the other, the last filled up from the row's beginning."""
        stored = batch.fixed(column).float()
        sets = -(-stored.shape[1] // self.points)
        numbers = torch.arange(sets * self.points, device=stored.device) % stored.shape[1]
        return stored[:, numbers].reshape(len(stored), sets, self.points, stored.shape[2])

    def _turned(self, x: Float[Tensor, "b n c"], random: list[np.random.Generator]) -> Float[Tensor, "b n c"]:
        quarters = torch.pi / 2 * draw_choices(random, QUARTERS).float() if self.turn == "quarter" else None
        flips = draw_flips(random).to(x.device) if self.turn == "quarter" else None
        angles = (draw_angles(random) if quarters is None else quarters).to(x.device)
        xyz = moved(x[..., XYZ], angles, flips, self.up)
        if x.shape[2] == 3:
            return xyz
        level = torch.zeros(3, device=x.device)
        level[list(level_axes(self.up))] = 0.5  # the room's middle
        return torch.cat([xyz, x[..., 3:6], moved(x[..., SHARE] - level, angles, flips, self.up) + level], dim=2)

    def _dropped(self, random: list[np.random.Generator]) -> Bool[Tensor, "b n"]:
        kept = [one.random(self.points) > self.drop * one.random() for one in random]
        return torch.from_numpy(~np.stack(kept))

    def _stored(self, batch: Batch, column: str) -> Tensor:
        stored = batch.fixed(column)
        if stored.shape[1] < self.points:
            raise TrainingError(
                f"points is {self.points:,} and column {column} holds {stored.shape[1]:,}; "
                f"expected no more: --set trainings.*.task.points={stored.shape[1]}"
            )
        return stored


def moved(xyz: Float[Tensor, "b n 3"], angles: Float[Tensor, "b"], flips: Bool[Tensor, "b"] | None, up: Axis) -> Float[Tensor, "b n 3"]:
    """Turned about `up` through 0, then mirrored along the first level axis where `flips` says so."""
    turned = rotate_points(xyz, angles, up)
    if flips is None:
        return turned
    signs = torch.ones(len(xyz), 1, 3, device=xyz.device)
    signs[flips, :, level_axes(up)[0]] = -1
    return turned * signs
