"""Augmentation of pictures: turned, stretched, sheared, shifted and bent, each by numbers that were drawn for it alone.

Drawing and moving are apart, and drawing is by sample, as in l9/data/augment.py. Every pixel of the answer is looked up in the picture,
once, by linear interpolation between four pixels; what lies outside is 0, the ground of digits.

B pictures   C channels   H W rows and columns, row 0 on top   displacements and shifts are (x right, y down), pixels
source  the elastic field: Simard, Steinkraus, Platt, Best practices for convolutional neural networks, ICDAR 2003, section 2
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from torch import Tensor, nn

SMOOTHING = 4.0  # pixels, deviation of the Gaussian that smooths an elastic field: 4 for 29 x 29 pixels in the paper


def draw_units(random: list[np.random.Generator], count: int) -> Float[Tensor, "B n"]:
    """`count` numbers for each sample, float32, uniform in -1..1."""
    return torch.from_numpy(np.array([one.uniform(-1, 1, count) for one in random], np.float32).reshape(len(random), count))


def draw_elastic(random: list[np.random.Generator], rows: int, columns: int) -> Float[Tensor, "B 2 h w"]:
    """A smooth field of displacements for each sample, float32; each number's mean is 0 and its standard deviation 1.

    White noise smoothed by a Gaussian (`SMOOTHING`) whose weights are scaled pixel by pixel, so that the border bends as the middle.
    """
    if not random:
        return torch.zeros(0, 2, rows, columns)
    noise = np.stack([one.standard_normal((2, rows, columns), dtype=np.float32) for one in random])
    return torch.from_numpy(_smoother(rows) @ noise @ _smoother(columns).T)


def affine_maps(radians: Float[Tensor, "B"], scales: Float[Tensor, "B 2"], shears: Float[Tensor, "B"]) -> Float[Tensor, "B 2 2"]:
    """What takes (x right, y down) from the middle of a picture to where it is moved: sheared along x, scaled, then turned.

    radians  counter-clockwise for one who looks at it
    scales   along x and y: 1 leaves as it is
    shears   how far x moves for each pixel up
    """
    cosine, sine = torch.cos(radians), torch.sin(radians)
    turn = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], -2)
    across, down = scales.unbind(1)
    zero = torch.zeros_like(across)
    stretch = torch.stack([torch.stack([across, -shears * across], -1), torch.stack([zero, down], -1)], -2)
    return (turn[:, :, :, None] * stretch[:, None]).sum(2)  # no matrix product: autocast would round it


def warp_pictures(
    x_BCHW: Float[Tensor, "b c h w"],
    maps: Float[Tensor, "b 2 2"],
    shifts: Float[Tensor, "b 2"],
    displacements: Float[Tensor, "b 2 h w"] | None = None,
) -> Float[Tensor, "b c h w"]:
    """Each picture moved about its middle by its own map (`affine_maps`), then by its shift; `displacements` bend where is looked up."""
    rows, columns = x_BCHW.shape[2:]
    y = torch.arange(rows, device=x_BCHW.device) - (rows - 1) / 2 - shifts[:, 1, None]
    x = torch.arange(columns, device=x_BCHW.device) - (columns - 1) / 2 - shifts[:, 0, None]
    places = torch.stack([x[:, None].expand(-1, rows, -1), y[:, :, None].expand(-1, -1, columns)], 1)  # (B, 2, H, W)
    backward = torch.linalg.inv(maps)
    sources = (backward[:, :, :, None, None] * places[:, None]).sum(2)
    if displacements is not None:
        sources = sources + displacements
    # a pixel's middle is at (2 i + 1) / size - 1 where align_corners is False
    grid = 2 * sources.permute(0, 2, 3, 1) / torch.tensor([columns, rows], device=x_BCHW.device)
    return nn.functional.grid_sample(x_BCHW, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def mirror_pictures(x_BCHW: Float[Tensor, "b c h w"], flips: Bool[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
    """Pictures with left and right exchanged where `flips` says so."""
    return torch.where(flips[:, None, None, None], x_BCHW.flip(3), x_BCHW)


def _smoother(size: int) -> Float32[ndarray, "n n"]:
    """Weights of a Gaussian about each of `size` places; the squares of a row sum to 1, which keeps the deviation of white noise."""
    places = np.arange(size)
    weights = np.exp(-0.5 * ((places[:, None] - places) / SMOOTHING) ** 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)), np.float32)
