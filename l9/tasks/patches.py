"""Patches around key points as networks see them: cut out of larger ones in a frame that is moved, turned and zoomed a little."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

SIDE = 64  # pixels of a patch as a network sees it: Matterport3D's


def cut(patches: UInt8[Tensor, "B S S 3"], jitters: Float[Tensor, "B 4"], side: int = SIDE) -> Float[Tensor, "B 3 side side"]:
    """The middle of each patch, 0 to 1; bilinear, beyond the edge its pixels.

    jitters  pixels right and down by which the middle moves, the logarithm by which what is seen grows, degrees by which it is turned
             clockwise; zeros give the stored pixels
    """
    stored = patches.shape[1]
    right, down, zoom, turn = jitters.unbind(1)
    scale, radians = torch.exp(zoom) * side / stored, torch.deg2rad(turn)
    cosine, sine = scale * torch.cos(radians), scale * torch.sin(radians)
    across = torch.stack([cosine, -sine, right * 2 / stored], dim=1)
    along = torch.stack([sine, cosine, down * 2 / stored], dim=1)
    places = torch.nn.functional.affine_grid(torch.stack([across, along], dim=1), [len(patches), 3, side, side], align_corners=False)
    pixels = patches.permute(0, 3, 1, 2).float() / 255
    return torch.nn.functional.grid_sample(pixels, places, mode="bilinear", padding_mode="border", align_corners=False)


def coloured(patches: Float[Tensor, "B 3 S S"], changes: Float[Tensor, "B 2 3"]) -> Float[Tensor, "B 3 S S"]:
    """Each colour of a patch times exp(first change) plus half the second, cut to 0..1."""
    factor, offset = changes[:, 0, :, None, None].exp(), changes[:, 1, :, None, None] / 2
    return (patches * factor + offset).clamp(0, 1)
