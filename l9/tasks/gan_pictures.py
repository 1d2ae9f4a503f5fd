"""Pictures of a generator: samples, how the same noises developed over the training, and walks from one noise to another."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from l9.draw.grid import sample_grid
from l9.draw.lines import line_sheet
from l9.tasks.contract import Picture
from l9.tasks.unit_pictures import picture_tiles

ACROSS = 8  # pictures in a row
TILE = 84  # pixels that a tile has about; a whole multiple of the picture's edge
WALKS, STEPS = 6, 9  # rows of the page of walks, and pictures in each, both ends included

Generate = Callable[[Tensor], Tensor]
"""Noise (B, Z) to pictures (B, C, S, S) of 0..1."""


def sample_page(x_BCSS: Float[Tensor, "b c s s"], title: str) -> Picture:
    """`samples`: all of them, eight in a row."""
    return Picture("samples", sample_grid(picture_tiles(x_BCSS, tile_edge(x_BCSS.shape[-1])), (), ACROSS, title))


def development_page(snapshots: UInt8[Tensor, "t n c s s"], steps: list[int], last: Float[Tensor, "n c s s"], last_step: int) -> Picture:
    """`over_time`: one row of pictures for each snapshot and one for the end, the same noise in each column.

    steps      made before each snapshot; negative where there is none
    last_step  steps of the whole training
    """
    taken = [(step, snapshots[number].float() / 255) for number, step in enumerate(steps) if 0 <= step < last_step]
    rows = [*taken, (last_step, last)]
    edge = tile_edge(last.shape[-1])
    captions = [f"{step:,} steps" for step, _ in rows]
    headings = [f"noise {number + 1}" for number in range(len(last))]
    title = f"the same {len(last)} noises while the generator learns (averaged weights)"
    return Picture("over_time", line_sheet([picture_tiles(made, edge) for _, made in rows], captions, headings, title))


def walk_page(noise: Float[Tensor, "n z"], normal: bool, generate: Generate) -> Picture:
    """`interpolation`: six walks between two noises each, left to right, along the sphere if noise is normal, else straight.

    noise  at least two; the first twelve are used, in pairs
    """
    pairs = min(WALKS, len(noise) // 2)
    way = spherical if normal else torch.lerp
    shares = np.linspace(0, 1, STEPS).tolist()
    z = torch.stack([way(noise[2 * row], noise[2 * row + 1], share) for row in range(pairs) for share in shares])
    pictures = generate(z)
    title = f"{pairs} walks from one noise to another, {'along the sphere' if normal else 'straight'}"
    return Picture("interpolation", sample_grid(picture_tiles(pictures, tile_edge(pictures.shape[-1])), (), STEPS, title))


def spherical(first: Float[Tensor, "z"], second: Float[Tensor, "z"], share: float) -> Float[Tensor, "z"]:
    """The noise at `share` (0 to 1) of the way along the great circle, its length changing evenly: straight ways pass through noise that
    is shorter than any that is drawn (White, Sampling generative networks, 2016).
    """
    lengths = first.norm(), second.norm()
    one, other = first / lengths[0], second / lengths[1]
    angle = torch.arccos((one @ other).clamp(-1, 1))
    length = torch.lerp(lengths[0], lengths[1], share)
    if float(torch.sin(angle)) < 1e-6:
        return torch.lerp(first, second, share)
    return length * (torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other) / torch.sin(angle)


def tile_edge(size: int) -> int:
    """Pixels of the tile of a picture of `size` pixels: a whole multiple of it, about 84."""
    return size * max(1, round(TILE / size))


def page_of_feed(x_BCSS: Float[Tensor, "b c s s"], captions: list[str], title: str) -> UInt8[ndarray, "h w 3"]:
    """Pictures with a name under each."""
    return sample_grid(picture_tiles(x_BCSS, tile_edge(x_BCSS.shape[-1])), captions, ACROSS, title)
