"""Augmentation: each sample moved by numbers that were drawn for it alone.

Drawing and moving are apart. `draw_*` takes one number after another from `Batch.generator` of each sample, a function of (seed,
epoch, position), so a sample is moved in the same way whatever batch, micro-batch or rank it falls into. What moves takes tensors and
drawn numbers only. Draw everything a sample needs from one list of generators: `generators(batch)` once, then the `draw_*` in turn.

B samples   N points   R voxels along each axis, indexed [x, y, z]   K stored rotations
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from l9.data.batch import Batch
from l9.errors import UsageError

AXIS = {"X": 0, "Y": 1, "Z": 2}


def generators(batch: Batch) -> list[np.random.Generator]:
    """The random numbers of each sample, from their start."""
    return [batch.generator(number) for number in range(len(batch))]


def draw_angles(random: list[np.random.Generator]) -> Float[Tensor, "B"]:
    """One angle for each sample, radians, float32, uniform in [0, 2 pi)."""
    return torch.tensor([2 * np.pi * one.random() for one in random], dtype=torch.float32)


def draw_noise(random: list[np.random.Generator], points: int) -> Float[Tensor, "B N 3"]:
    """Standard normal numbers for each coordinate of each point, float32."""
    drawn = [one.standard_normal((points, 3), dtype=np.float32) for one in random]
    return torch.from_numpy(np.stack(drawn)) if drawn else torch.zeros(0, points, 3)


def draw_shifts(random: list[np.random.Generator], largest: int = 2) -> Int64[Tensor, "B 3"]:
    """Voxels to move along x, y and z, each uniform in -largest..largest."""
    drawn = [one.integers(-largest, largest + 1, 3) for one in random]
    return torch.from_numpy(np.stack(drawn)) if drawn else torch.zeros(0, 3, dtype=torch.int64)


def draw_choices(random: list[np.random.Generator], count: int) -> Int64[Tensor, "B"]:
    """One of 0..count-1 for each sample, each as likely."""
    return torch.tensor([int(one.integers(count)) for one in random], dtype=torch.int64)


def draw_flips(random: list[np.random.Generator]) -> Bool[Tensor, "B"]:
    """Yes or no for each sample, each as likely."""
    return torch.tensor([bool(one.random() < 0.5) for one in random], dtype=torch.bool)


def level_axes(up: str) -> tuple[int, int]:
    """The two axes (0 x, 1 y, 2 z) that do not point up: what may be mirrored without turning an object upside down."""
    first, second = (axis for axis in range(3) if axis != _up(up)[0])
    return first, second


def rotate_points(points: Float[Tensor, "B N 3"], radians: Float[Tensor, "B"], up: str) -> Float[Tensor, "B N 3"]:
    """Points turned about the origin around the `up` axis ("+Y"), counter-clockwise for one who looks down along it from above."""
    axis, sign = _up(up)
    first, second = (axis + 1) % 3, (axis + 2) % 3  # right-handed: x, y, z in cyclic order
    cosine, sine = torch.cos(radians)[:, None], sign * torch.sin(radians)[:, None]
    turned = points.clone()
    turned[..., first] = cosine * points[..., first] - sine * points[..., second]
    turned[..., second] = sine * points[..., first] + cosine * points[..., second]
    return turned


def jitter_points(
    points: Float[Tensor, "B N 3"], noise: Float[Tensor, "B N 3"], sigma: float = 0.01, clip: float = 0.05
) -> Float[Tensor, "B N 3"]:
    """Points with sigma * noise added, no coordinate moved by more than `clip`; both in the points' unit.

    source  sigma 0.01 and clip 0.05 of Qi et al., PointNet, CVPR 2017, for clouds in the unit sphere
    """
    return points + (sigma * noise).clamp(-clip, clip).to(points.dtype)


def mirror_voxels(grid: Shaped[Tensor, "B R R R"], flips: Bool[Tensor, "B"], axis: int) -> Shaped[Tensor, "B R R R"]:
    """Grids mirrored along `axis` (0 x, 1 y, 2 z) where `flips` says so."""
    return torch.where(flips[:, None, None, None], grid.flip(axis + 1), grid)


def shift_voxels(grid: Shaped[Tensor, "B R R R"], shifts: Int64[Tensor, "B 3"], fill: int | float = 0) -> Shaped[Tensor, "B R R R"]:
    """Each grid moved by its own whole voxels along x, y, z: out[x] = grid[x - shift]; `fill` comes in where nothing was."""
    size = grid.shape[1]
    places = torch.arange(size, device=grid.device)[None, None] - shifts[:, :, None]  # (B, 3, R): where each voxel comes from
    inside = (places >= 0) & (places < size)
    x, y, z = places.clamp(0, size - 1).unbind(1)
    batch = torch.arange(len(grid), device=grid.device)[:, None, None, None]
    moved = grid[batch, x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]]
    kept = inside[:, 0, :, None, None] & inside[:, 1, None, :, None] & inside[:, 2, None, None, :]
    return torch.where(kept, moved, torch.as_tensor(fill, dtype=grid.dtype, device=grid.device))


def pick_rotation(grid: Shaped[Tensor, "B K R R R"], choice: Int64[Tensor, "B"]) -> Shaped[Tensor, "B R R R"]:
    """Of each sample's K stored rotations the chosen one."""
    return grid[torch.arange(len(grid), device=grid.device), choice]


def _up(up: str) -> tuple[int, int]:
    """Number of the axis, and +1 or -1."""
    if len(up) != 2 or up[0] not in "+-" or up[1] not in AXIS:
        raise UsageError(f"up is '{up}'; expected one of +X -X +Y -Y +Z -Z")
    return AXIS[up[1]], 1 if up[0] == "+" else -1
