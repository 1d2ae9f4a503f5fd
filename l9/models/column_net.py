"""ScanNet's net for labelled voxels (Dai et al., ScanNet, CVPR 2017, section 5.2): the labels of a column from the voxels around it.

B batch   C channels   Z X Y voxels, up first   K labels   H features   N columns along a side
in  x_BCZXY of 62 x 31 x 31 voxels, channels occupancy and known, 1 or 0        out  logits_BKZ of the middle column
Three times a convolution of 4 x 3 x 3 with stride 2 and two of 1 x 1 x 1, each with batch norm and ReLU, then dropout; nothing is padded:
    voxels    62x31x31 -> 30x15x15 -> 14x7x7 -> 6x3x3
    channels         2 ->       32 ->     64 ->   128
so that 128 * 54 = 6,912 features go to 1,024 and these to 62 K. K = 42: 0 empty, NYU's 40 classes by their ids, 41 not annotated.
Matterport3D's (Chang et al., 3DV 2017) has occupancy alone, widths 16, 32, 64 and 1,200 features: `ColumnNet(1, (16, 32, 64), 1200)`.
First weights as in the authors' code: He's normal ones by outputs for the convolutions.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError
from l9.models.voxnet import Convolution

HEIGHT, SIDE = 62, 31  # voxels of a neighbourhood
REACH = SIDE // 2  # voxels from the middle column to the neighbourhood's edge
KERNEL = (4, 3, 3)
LEFT = (6, 3, 3)  # voxels that three strided convolutions leave
STRIDE = 8  # columns that three strides of 2 step over
LABELS = 42  # empty, NYU's 40, not annotated


class ColumnNet(nn.Module):
    """Neighbourhood to scores of its middle column.

    channels  1: occupancy alone; 2: known too
    widths    channels after each of the three strided convolutions
    hidden    features between the two fully connected layers
    labels    K, with empty and not annotated
    raises    RecipeError for numbers that make no such net
    """

    def __init__(self, channels: int = 2, widths: tuple[int, ...] = (32, 64, 128), hidden: int = 1024, labels: int = LABELS) -> None:
        super().__init__()
        if channels not in (1, 2) or len(widths) != 3 or min(*widths, hidden, labels - 2) < 1:
            given = f"channels {channels}, widths {tuple(widths)}, hidden {hidden}, labels {labels}"
            raise RecipeError(f"ColumnNet: {given}; expected 1 or 2 channels, three widths, hidden from 1 on, labels from 3 on")
        self.channels, self.labels = channels, labels
        self.blocks = nn.Sequential(*(_block(before, after) for before, after in zip([channels, *widths], widths, strict=False)))
        self.hidden = nn.Linear(widths[-1] * LEFT[0] * LEFT[1] * LEFT[2], hidden)
        self.last = nn.Linear(hidden, labels * HEIGHT)
        self.learnt: Tensor
        self.register_buffer("learnt", torch.zeros(labels, dtype=torch.uint8))  # 1 for classes that carry loss: its task says which
        self.apply(_initialise)

    def forward(self, x_BCZXY: Float[Tensor, "b c z x y"]) -> Float[Tensor, "b k z"]:
        """Scores before the softmax; ShapeError where the neighbourhoods are not those this network was built for."""
        if x_BCZXY.shape[1:] != (self.channels, HEIGHT, SIDE, SIDE):
            expected = f"(B, {self.channels}, {HEIGHT}, {SIDE}, {SIDE})"
            raise ShapeError(f"ColumnNet(channels={self.channels}) got a batch of shape {tuple(x_BCZXY.shape)}; expected {expected}")
        hidden_BH = nn.functional.relu(self.hidden(self.blocks(x_BCZXY).flatten(1)))
        hidden_BH = nn.functional.dropout(hidden_BH, 0.5, self.training)
        logits_BKZ: Tensor = self.last(hidden_BH).unflatten(1, (self.labels, HEIGHT))
        return logits_BKZ

    def slide(self, x_CZXY: Float[Tensor, "c z x y"]) -> Float[Tensor, "k z n m"]:
        """Scores of every column whose neighbourhood lies within a scene's voxels, each as `forward` gives it alone but for rounding.

        Neighbourhoods that overlap share their convolutions: these step over one column at a time, and what the strides would have
        left out goes on beside, as further scenes of every second column. 31 + N - 1 voxels along x and y give N columns.
        In evaluation mode alone; N must be a multiple of 8.
        source  Giusti et al., Fast image scanning with deep max-pooling convolutional neural networks, ICIP 2013
        raises  ShapeError
        """
        along, across = (size - SIDE + 1 for size in x_CZXY.shape[2:])
        if self.training or min(along, across) < 1 or along % STRIDE or across % STRIDE:
            raise ShapeError(
                f"ColumnNet.slide got {tuple(x_CZXY.shape)}; expected evaluation mode, and 30 voxels more than a multiple of 8"
            )
        parts = x_CZXY[None]
        for block in self.blocks.children():
            strided, *after = block.children()
            assert isinstance(strided, nn.Conv3d)
            dense = nn.functional.conv3d(parts, strided.weight, strided.bias, (2, 1, 1))
            for layer in after:
                dense = layer(dense)
            parts = torch.cat([dense[..., first::2, second::2] for first in (0, 1) for second in (0, 1)])
        kernel = self.hidden.weight.view(len(self.hidden.weight), -1, *LEFT)
        hidden = nn.functional.relu(nn.functional.conv3d(parts, kernel, self.hidden.bias)).squeeze(2)
        scores = self.last(hidden.permute(0, 2, 3, 1)).unflatten(3, (self.labels, HEIGHT))
        # the parts' number is, of the last stride, the one before and the first: its place along x, then along y
        placed = scores.unflatten(0, (2, 2, 2, 2, 2, 2)).permute(8, 9, 6, 0, 2, 4, 7, 1, 3, 5)
        return placed.reshape(self.labels, HEIGHT, along, across)


def _block(before: int, after: int) -> nn.Sequential:
    """A strided convolution and two of 1 x 1 x 1."""
    layers: list[nn.Module] = []
    for convolution in (Convolution(before, after, KERNEL, stride=2), Convolution(after, after, 1), Convolution(after, after, 1)):
        layers += [convolution, nn.BatchNorm3d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(0.2))


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv3d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
