"""What is drawn of pictures in training: shifts, binarisations, hidden pixels, of each sample's own by (seed, epoch, position).

So they are the same however a batch is split over ranks, and when a training is resumed.
B pictures   C channels   H W rows and columns
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from l9.data.batch import Batch

SHIFTS, PIXELS, HIDDEN = 2, 3, 4  # streams of random numbers apart from the augmentation's and the codes'


def shifted(x_BCHW: Float[Tensor, "b c h w"], batch: Batch, shift: int) -> Float[Tensor, "b c h w"]:
    """Each picture moved by whole pixels, -shift to shift along either axis with equal chances; zeros move in."""
    count, _, height, width = x_BCHW.shape
    if not shift or not count:
        return x_BCHW
    starts = np.stack([_draws(batch, number, SHIFTS).integers(0, 2 * shift + 1, 2) for number in range(count)])
    rows = torch.from_numpy(starts[:, :1] + np.arange(height)).to(x_BCHW.device)
    columns = torch.from_numpy(starts[:, 1:] + np.arange(width)).to(x_BCHW.device)
    padded = torch.nn.functional.pad(x_BCHW, (shift, shift, shift, shift))
    pictures = torch.arange(count, device=x_BCHW.device)[:, None, None]
    moved: Tensor = padded.permute(0, 2, 3, 1)[pictures, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()


def binarised(x_BCHW: Float[Tensor, "b c h w"], batch: Batch) -> Float[Tensor, "b c h w"]:
    """Each number of pictures of 0..1 drawn: 1 with the chance of its value, else 0 (dynamic binarisation)."""
    return (_chances(x_BCHW, batch, PIXELS) < x_BCHW).to(x_BCHW.dtype)


def hidden(x_BCHW: Float[Tensor, "b c h w"], batch: Batch, share: float) -> Float[Tensor, "b c h w"]:
    """Each pixel, all its channels, set to 0 with the chance `share` (Vincent, Larochelle, Bengio, Manzagol, ICML 2008, section 2.3)."""
    return x_BCHW * (_chances(x_BCHW[:, :1], batch, HIDDEN) >= share) if share else x_BCHW


def _chances(x_BCHW: Float[Tensor, "b c h w"], batch: Batch, stream: int) -> Float[Tensor, "b c h w"]:
    """Uniform numbers in [0, 1) for every number of the pictures."""
    if not len(x_BCHW):
        return x_BCHW
    shape = tuple(x_BCHW.shape[1:])
    drawn = np.stack([_draws(batch, number, stream).random(shape, np.float32) for number in range(len(x_BCHW))])
    return torch.from_numpy(drawn).to(x_BCHW.device)


def _draws(batch: Batch, number: int, stream: int) -> np.random.Generator:
    return np.random.default_rng((batch.seed, batch.epoch, int(batch.positions[number]), stream))
