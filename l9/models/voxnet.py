"""VoxNet (Maturana & Scherer, IROS 2015): two convolutions over an occupancy grid, then two fully connected layers.

B batch   C channels   D H W the grid's x y z   F features   E extra numbers   K classes
in  x_BCDHW of one channel, +1 occupied, -1 empty (the task maps 0/1 to it)        out  logits_BK
Sizes at 32^3: 32 -> conv 14 -> conv 12 -> pool 6, so 32 * 6^3 = 6,912 features; 921,736 parameters at K = 40.
With `extra` > 0, which the paper does not have, E further numbers of each sample join the 128 hidden ones through a layer of their own.
Layers, dropout and initial weights (He for the convolutions, normal of deviation 0.01 for the rest) follow the authors' code,
whose outputs are linear too: it sums them over rotations before the argmax.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError

LEAK = 0.1  # slope of the leaky ReLU below 0
EMPTY = -1.0  # value of an empty voxel at the input
HIDDEN = 128  # features between the two fully connected layers
EXTRA_HIDDEN = 32  # what a few extra numbers become before they join them


class VoxNet(nn.Module):
    """Occupancy grid to class scores.

    classes     names of the K classes; only their number matters here
    resolution  voxels along each edge, at least 11; 30 is padded by one empty voxel on every side to 32, as in the paper
    extra       numbers of each sample besides its grid, 0 in the paper
    raises      RecipeError where the grid is too small for the two convolutions
    """

    def __init__(self, classes: tuple[str, ...], resolution: int = 32, extra: int = 0) -> None:
        super().__init__()
        if resolution < 11:
            raise RecipeError(f"VoxNet: resolution is {resolution}; expected at least 11, 32 in the paper")
        self.resolution = resolution
        self.padding = 1 if resolution == 30 else 0
        pooled = _pooled_size(resolution + 2 * self.padding)
        self.convolutions = nn.Sequential(
            Convolution(1, 32, 5, stride=2),
            nn.LeakyReLU(LEAK),
            nn.Dropout(0.2),
            Convolution(32, 32, 3),
            nn.LeakyReLU(LEAK),
            nn.MaxPool3d(2),
            nn.Dropout(0.3),
        )
        joined = HIDDEN + (EXTRA_HIDDEN if extra else 0)
        self.head = nn.Sequential(nn.Linear(32 * pooled**3, HIDDEN), nn.ReLU(), nn.Dropout(0.4), nn.Linear(joined, len(classes)))
        self.apply(_initialise)
        # torch's own first weights: the deviation of 0.01 is made for sums over thousands
        self.extra = nn.Sequential(nn.Linear(extra, EXTRA_HIDDEN), nn.ReLU()) if extra else None

    def forward(self, x_BCDHW: Float[Tensor, "b 1 r r r"], extra_BE: Float[Tensor, "b e"] | None = None) -> Float[Tensor, "b k"]:
        """Scores before the softmax; ShapeError where the grid or the extra numbers are not those this network was built for."""
        if x_BCDHW.shape[1:] != (1, *[self.resolution] * 3):
            raise ShapeError(f"VoxNet(resolution={self.resolution}) got a batch of shape {tuple(x_BCDHW.shape)}; expected (B, 1, r, r, r)")
        if (self.extra is None) != (extra_BE is None):
            raise ShapeError(f"VoxNet got extra numbers: {extra_BE is not None}; expected: {self.extra is not None}, as it was built")
        if self.padding:
            x_BCDHW = nn.functional.pad(x_BCDHW, [self.padding] * 6, value=EMPTY)
        hidden_BF = self.head[:-1](torch.flatten(self.convolutions(x_BCDHW), 1))
        if self.extra is not None and extra_BE is not None:
            hidden_BF = torch.cat([hidden_BF, self.extra(extra_BE)], dim=1)
        logits_BK: Tensor = self.head[-1](hidden_BF)
        return logits_BK


class Convolution(nn.Conv3d):
    """Conv3d, channels last in memory on a processor: the same numbers but for rounding, a step of VoxNet in 0.65 to 0.9 of the time.

    Not with mixed precision: bfloat16 and channels last together give NaN gradients on processors (torch 2.13).
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, D, H, W) to (B, C', D', H', W')."""
        if input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        layout = torch.channels_last_3d
        input, weight = input.to(memory_format=layout), self.weight.contiguous(memory_format=layout)
        return nn.functional.conv3d(input, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def _pooled_size(size: int) -> int:
    """Edge of the grid after both convolutions and the pooling."""
    strided = (size - 5) // 2 + 1
    return (strided - 2) // 2


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv3d):
        nn.init.kaiming_normal_(layer.weight, a=LEAK, nonlinearity="leaky_relu")
    elif isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)
    if isinstance(layer, nn.Conv3d | nn.Linear) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
