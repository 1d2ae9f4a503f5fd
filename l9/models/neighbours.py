"""Which points stand for a set and which lie near them: what PointNet++ looks up before it computes.

B batch   N points   S centres   K neighbours   M known points
Plain torch, without gradients. Of equal candidates `farthest_points` and `ball_query` take the first in order; `three_nearest` takes those
that torch.topk gives, which may be others on another kind of processor (taking the first would take two to three times as long).
source  Qi, Yi, Su, Guibas, PointNet++, NIPS 2017, sections 3.2 and 3.4, and its authors' code
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

NEAREST = 3  # known points that a feature is interpolated from
LEAST = 1e-10  # square metres: a point on a known one has its features alone, not a division by 0


@torch.no_grad()
def farthest_points(xyz_BN3: Float[Tensor, "b n 3"], count: int) -> Int64[Tensor, "b s"]:
    """Numbers of `count` points, the first point first, every next one the farthest from all before it."""
    batch, points, _ = xyz_BN3.shape
    numbers_BS = torch.zeros(batch, count, dtype=torch.int64, device=xyz_BN3.device)
    squares_BN = torch.full((batch, points), torch.inf, device=xyz_BN3.device, dtype=xyz_BN3.dtype)
    rows = torch.arange(batch, device=xyz_BN3.device)
    latest_B = numbers_BS[:, 0]
    for place in range(1, count):
        away_BN3 = xyz_BN3 - xyz_BN3[rows, latest_B][:, None]
        squares_BN = torch.minimum(squares_BN, (away_BN3 * away_BN3).sum(dim=2))
        latest_B = squares_BN.argmax(dim=1)
        numbers_BS[:, place] = latest_B
    return numbers_BS


@torch.no_grad()
def ball_query(xyz_BN3: Float[Tensor, "b n 3"], centres_BS3: Float[Tensor, "b s 3"], radius: float, most: int) -> Int64[Tensor, "b s k"]:
    """Numbers of the first `most` points, in their order, less than `radius` from each centre.

    Where there are fewer the first stands in the places that are left; where there is none the nearest stands in all.
    """
    return torch.stack([_in_ball(xyz, centres, radius, most) for xyz, centres in zip(xyz_BN3, centres_BS3, strict=True)])


def _in_ball(xyz_N3: Float[Tensor, "n 3"], centres_S3: Float[Tensor, "s 3"], radius: float, most: int) -> Int64[Tensor, "s k"]:
    """One sample at a time: S x N numbers of all of them would not stay in the cache."""
    distances_SN = distances(centres_S3, xyz_N3)
    inside_SN = distances_SN < radius
    rank_SN = inside_SN.cumsum(dim=1, dtype=torch.int32)
    rows, columns = (inside_SN & (rank_SN <= most)).nonzero(as_tuple=True)
    first_S = torch.where(inside_SN.any(dim=1), inside_SN.to(torch.uint8).argmax(dim=1), distances_SN.argmin(dim=1))
    found_SK = first_S[:, None].repeat(1, most)
    found_SK[rows, (rank_SN[rows, columns] - 1).long()] = columns
    return found_SK


@torch.no_grad()
def three_nearest(
    xyz_BN3: Float[Tensor, "b n 3"], known_BM3: Float[Tensor, "b m 3"]
) -> tuple[Int64[Tensor, "b n 3"], Float[Tensor, "b n 3"]]:
    """Numbers of the three known points nearest to each point, and their weights: inverse squares of the distances, which sum to 1."""
    found = [torch.topk(distances(xyz, known), NEAREST, dim=1, largest=False) for xyz, known in zip(xyz_BN3, known_BM3, strict=True)]
    inverse_BN3 = 1 / torch.stack([one.values for one in found]).square().clamp_min(LEAST)
    return torch.stack([one.indices for one in found]), inverse_BN3 / inverse_BN3.sum(dim=2, keepdim=True)


def distances(one: Float[Tensor, "s 3"], other: Float[Tensor, "n 3"]) -> Float[Tensor, "s n"]:
    """By differences: by products, coordinates far from 0 would leave no millimetres."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def gathered(features_BNC: Float[Tensor, "b n c"], numbers: Int64[Tensor, "b *more"]) -> Float[Tensor, "b *more c"]:
    """Rows of each sample by their numbers, as an embedding: its gradient adds rows on all cores, that of an index does not."""
    batch, points, channels = features_BNC.shape
    first = torch.arange(batch, device=numbers.device).reshape(batch, *[1] * (numbers.dim() - 1)) * points
    return torch.nn.functional.embedding(numbers + first, features_BNC.reshape(batch * points, channels))
