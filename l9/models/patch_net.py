"""PatchNet: a small descriptor of colour patches, to be trained from scratch in minutes on a processor.

B batch   S = 64 pixels along each edge of a patch   C channels   F features   w width
in  patches_B3SS, RGB in 0..1        out  descriptor_BF of L2 norm 1
After HardNet (Mishchuk et al., NeurIPS 2017) and L2-Net (Tian et al., CVPR 2017): 3x3 convolutions in which strides take the place of
pooling, batch norm without affine part and ReLU after each, dropout before the last, which sees the whole map and has no ReLU.
Theirs keep grey patches of 32^2 at full size for two layers, where most of the work is; here an 8x8 convolution of stride 4 comes first:
    edge      64 -> 16 -> 16 -> 8 -> 8 -> 4 -> 4 -> 1
    channels   3     w     w   2w   2w   4w   4w    F
553,984 parameters at w = 32 and F = 128.
Each patch loses its own mean and is divided by its own deviation, over pixels and the three channels together: what exposure and contrast
do to a patch is gone, and the hue is left, which normalising each channel by itself would take away too.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import ShapeError

SIZE = 64  # pixels along each edge
FLOOR = 0.02  # added to a patch's deviation, about 5 of 255 grey values: the noise of a blank wall is not blown up to full contrast


class PatchNet(nn.Module):
    """Patch to descriptor.

    features  F, 128 as HardNet's and SIFT's
    width     w, channels of the first layer
    dropout   share of the last map set to 0 in training; HardNet has 0.1
    """

    def __init__(self, features: int = 128, width: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        w = width
        self.layers = nn.Sequential(
            *_layer(3, w, 8, stride=4, padding=2),
            *_layer(w, w, 3, padding=1),
            *_layer(w, 2 * w, 3, stride=2, padding=1),
            *_layer(2 * w, 2 * w, 3, padding=1),
            *_layer(2 * w, 4 * w, 3, stride=2, padding=1),
            *_layer(4 * w, 4 * w, 3, padding=1),
            nn.Dropout(dropout),
            *_layer(4 * w, features, 4)[:-1],
        )

    def forward(self, patches_B3SS: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b f"]:
        """Descriptors in float32; ShapeError where a patch is not of 64^2 pixels. In training a batch has two patches or more."""
        if patches_B3SS.shape[2:] != (SIZE, SIZE):
            raise ShapeError(f"PatchNet got a batch of shape {tuple(patches_B3SS.shape)}; expected (B, 3, {SIZE}, {SIZE})")
        normal = normalised(patches_B3SS).contiguous(memory_format=torch.channels_last)  # the fastest layout on processors
        return nn.functional.normalize(self.layers(normal).flatten(1).float(), dim=1)


def normalised(patches_B3SS: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
    """Each patch less its mean over pixels and channels, divided by its deviation over both plus FLOOR."""
    deviation, mean = torch.std_mean(patches_B3SS, dim=(1, 2, 3), keepdim=True)
    return (patches_B3SS - mean) / (deviation + FLOOR)


def _layer(before: int, after: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    """Convolution, batch norm, ReLU. First weights are orthogonal as HardNet's; its gain of 0.6 would go in batch norm."""
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False)
    nn.init.orthogonal_(convolution.weight)
    return [convolution, nn.BatchNorm2d(after, affine=False), nn.ReLU()]
