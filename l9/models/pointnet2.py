"""PointNet++ for scenes (Qi, Yi, Su, Guibas, NIPS 2017), with one scale of neighbourhoods: the authors' `pointnet2_sem_seg`.

B batch   N points   C channels of a point   S centres   K neighbours   F features   L labels
in  x_BNC, whose first three channels are xyz in metres        out  scores_BNL
Four set abstractions: farthest points become centres, each gathers 32 points of a ball, their places relative to it beside their
features go through shared layers, the maximum is the centre's feature:
    1,024 centres, 0.1 m, 32 32 64 | 256, 0.2 m, 64 64 128 | 64, 0.4 m, 128 128 256 | 16, 0.8 m, 256 256 512
Four feature propagations back, by the three nearest with inverse square distances, beside what the finer level had:
    256 256 | 256 256 | 256 128 | 128 128 128, then 128, dropout of 0.5, L
Batch norm and ReLU after every layer but the last. The paper prints no number of parameters; by its widths they are 968,884 at C = 3,
L = 20 (969,844 at C = 9). Who is whose neighbour is looked up first, without gradients (l9/models/neighbours.py).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError
from l9.models.neighbours import NEAREST, ball_query, farthest_points, gathered, three_nearest
from l9.models.pointnet import SharedLayers, glorot_linear

XYZ = 3
GATHERED = ((32, 32, 64), (64, 64, 128), (128, 128, 256), (256, 256, 512))
SPREAD = ((128, 128, 128), (256, 128), (256, 256), (256, 256))  # from the finest level on


@dataclass(frozen=True)
class Level:
    """One set abstraction, and the way back from it.

    xyz      (B, S, 3): its centres
    balls    (B, S, K): numbers of the finer level's points about each
    nearest  (B, N, 3): numbers of the centres nearest to each of the finer level's points
    weights  (B, N, 3): theirs, which sum to 1
    """

    xyz: Float[Tensor, "b s 3"]
    balls: Int64[Tensor, "b s k"]
    nearest: Int64[Tensor, "b n 3"]
    weights: Float[Tensor, "b n 3"]


class PointNet2Seg(nn.Module):
    """Point set to scores of every point.

    labels      L
    channels    C: 3, or 9 for xyz, rgb and the place within the room
    centres     of the four levels, each at most as many as the finer level has points
    radii       of their balls, metres
    neighbours  K
    raises      RecipeError for fewer than three centres of a level: features are interpolated from three
    """

    def __init__(
        self,
        labels: int,
        channels: int = 9,
        centres: tuple[int, int, int, int] = (1024, 256, 64, 16),
        radii: tuple[float, float, float, float] = (0.1, 0.2, 0.4, 0.8),
        neighbours: int = 32,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if min(centres) < NEAREST:
            raise RecipeError(f"PointNet2Seg: centres is {centres}; expected at least {NEAREST} of each level")
        self.channels, self.centres, self.radii, self.neighbours = channels, centres, radii, neighbours
        inside = [channels - XYZ, *(widths[-1] for widths in GATHERED)]
        self.gather = nn.ModuleList(SharedLayers(XYZ + before, *widths) for before, widths in zip(inside, GATHERED, strict=False))
        coarser = [*(widths[-1] for widths in SPREAD[1:]), inside[-1]]
        self.spread = nn.ModuleList(
            SharedLayers(before + skipped, *widths) for before, skipped, widths in zip(coarser, inside, SPREAD, strict=False)
        )
        self.head = nn.Sequential(SharedLayers(SPREAD[0][-1], 128), nn.Dropout(dropout), glorot_linear(128, labels))

    def forward(self, x_BNC: Float[Tensor, "b n c"]) -> Float[Tensor, "b n l"]:
        """Scores before the softmax; ShapeError for other channels, or fewer points than centres."""
        if x_BNC.shape[2] != self.channels or x_BNC.shape[1] < self.centres[0]:
            expected = f"expected (B, {self.centres[0]} or more, {self.channels})"
            raise ShapeError(f"PointNet2Seg got a batch of shape {tuple(x_BNC.shape)}; {expected}")
        levels = self.levels(x_BNC[..., :XYZ])
        xyz_BN3, features = x_BNC[..., :XYZ], [x_BNC[..., XYZ:]]
        for level, layers in zip(levels, self.gather, strict=True):
            features.append(_abstracted(xyz_BN3, features[-1], level, layers))
            xyz_BN3 = level.xyz
        found = features.pop()
        for level, layers in zip(reversed(levels), reversed(self.spread), strict=True):
            found = _propagated(found, features.pop(), level, layers)
        scores: Tensor = self.head(found)
        return scores

    @torch.no_grad()
    def levels(self, xyz_BN3: Float[Tensor, "b n 3"]) -> list[Level]:
        """Who is whose neighbour, from the finest level on; in float32 whatever the layers compute in."""
        found: list[Level] = []
        finer_BN3 = xyz_BN3.float()
        with torch.autocast(xyz_BN3.device.type, enabled=False):
            for count, radius in zip(self.centres, self.radii, strict=True):
                xyz_BS3 = gathered(finer_BN3, farthest_points(finer_BN3, count))
                balls = ball_query(finer_BN3, xyz_BS3, radius, self.neighbours)
                found.append(Level(xyz_BS3, balls, *three_nearest(finer_BN3, xyz_BS3)))
                finer_BN3 = xyz_BS3
        return found


def _abstracted(
    xyz_BN3: Float[Tensor, "b n 3"], features_BNC: Float[Tensor, "b n c"], level: Level, layers: nn.Module
) -> Float[Tensor, "b s f"]:
    """Features of a level's centres: of each ball the maximum."""
    batch, centres, neighbours = level.balls.shape
    relative = gathered(xyz_BN3, level.balls) - level.xyz[:, :, None]
    rows = torch.cat([relative.to(features_BNC.dtype), gathered(features_BNC, level.balls)], dim=3)
    found: Tensor = layers(rows.reshape(batch * centres, neighbours, -1))
    return found.amax(dim=1).reshape(batch, centres, -1)


def _propagated(
    coarse_BSC: Float[Tensor, "b s c"], skipped_BNC: Float[Tensor, "b n c2"], level: Level, layers: nn.Module
) -> Float[Tensor, "b n f"]:
    """Features of the finer level's points."""
    near = gathered(coarse_BSC, level.nearest)
    interpolated = (near * level.weights[..., None].to(near.dtype)).sum(dim=2)
    found: Tensor = layers(torch.cat([interpolated, skipped_BNC.to(near.dtype)], dim=2))
    return found
