"""PixelCNN: the distribution of every pixel given all before it, plain (van den Oord et al., ICML 2016) and gated (NIPS 2016).

B batch   C channels of a picture (1 grey, 3 RGB)   H W its rows and columns   V values that a pixel can take   F features   K classes
O numbers for each pixel and channel: V logits, or where V = 2 one, the logit of value 1
in  x_BCHW, values mapped to -1..1 (`as_input`), and label_B of a conditional network        out  logits_BOCHW
The order is rows from the top, in them columns from the left, in them channels: R, then G given R, then B given both. Features are C
groups, one behind the other. At its own pixel group c of a layer sees the groups before c ("A", the first layer, whose groups are the
picture's channels) or those up to c ("B", every other layer); the logits of channel c come from group c.
PixelCnn       one stack of masked convolutions. Their kernels, cut off to the right, add up to a blind spot: with a first kernel of 7 and
               n blocks of 3 it sees, d rows above, only up to 3 + min(d - 1, n) columns to the right
GatedPixelCnn  a vertical stack that sees all rows above and a horizontal one that sees its own row to the left and takes what the vertical
               one found, never the other way: every pixel before, no blind spot. Both have gates tanh(f) * sigmoid(g), with terms of the
               class within both; the horizontal stack alone has residual connections
Reach of n layers, pixels up, left and right: first // 2 + (n - 1) * (kernel // 2).
sources  Pixel recurrent neural networks, arXiv 1601.06759, section 3.4 and figure 5; Conditional image generation with PixelCNN decoders,
         arXiv 1606.05328, equations 2 to 4 and figure 2
"""

from typing import Literal

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn
from torch.nn.functional import conv2d, one_hot, pad, relu

from l9.errors import RecipeError, ShapeError

Mask = Literal["A", "B"]


def as_input(values: Int[Tensor, "*shape"], count: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "*shape"]:
    """Values 0..count-1 mapped evenly to -1..1."""
    return values.to(dtype) * (2 / (count - 1)) - 1


def groups_of(features: int, groups: int) -> Int64[Tensor, "f"]:
    """The group of each feature: `groups` equal runs, one behind the other."""
    return torch.arange(features) * groups // features


class MaskedConvolution(nn.Conv2d):
    """A convolution that sees rows above, pixels to the left and, at its own pixel, what its mask allows; edges stay as they are.

    above, left, right  pixels that the kernel reaches; of its own row it has those to the left and itself alone
    mask    "A": a feature sees the channels before its group at its own pixel; "B": those of its group too
    groups  channels of the picture
    halves  2: the outputs are two lists of features, each with all groups (a gate's f and g)
    """

    mask: Tensor

    def __init__(
        self, before: int, after: int, mask: Mask, groups: int, *, above: int = 0, left: int = 0, right: int = 0, halves: int = 1
    ) -> None:
        super().__init__(before, after, (above + 1, left + 1 + right))
        self.above, self.left, self.right, self.groups = above, left, right, groups
        seen, own = groups_of(before, groups), groups_of(after // halves, groups).repeat(halves)
        allowed = torch.ones_like(self.weight)
        allowed[:, :, above, left + 1 :] = 0
        allowed[:, :, above, left] = (seen[None] < own[:, None]) if mask == "A" else (seen[None] <= own[:, None])
        self.own_groups = own
        self.register_buffer("mask", allowed, persistent=False)
        with torch.no_grad():
            self.weight *= allowed

    def masked_weight(self) -> Float[Tensor, "after before rows columns"]:
        """The weights, 0 where nothing may be seen, whatever an optimizer or a file put there."""
        return self.weight * self.mask

    def forward(self, input: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H, W)."""
        return conv2d(pad(input, (self.left, self.right, self.above, 0)), self.masked_weight(), self.bias)


class VerticalConvolution(nn.Conv2d):
    """Rows above, to both sides; its own row too unless `first`: the first layer sees pixels, the later ones what is already above."""

    def __init__(self, before: int, after: int, kernel: int, first: bool) -> None:
        super().__init__(before, after, (kernel // 2 + (not first), kernel))
        self.reach, self.first = kernel // 2, first

    def forward(self, input: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H, W)."""
        padded = pad(input, (self.reach, self.reach, self.reach, 0))
        return conv2d(padded[:, :, :-1] if self.first else padded, self.weight, self.bias)


class PixelNetwork(nn.Module):
    """What both have in common: channels, values, the last two layers, and what is refused.

    wide    features before the last two layers, over `width`
    raises  RecipeError for numbers that make no such network
    """

    def __init__(self, channels: int, values: int, width: int, kernels: tuple[int, int], layers: int, head: int, wide: int = 1) -> None:
        super().__init__()
        name = type(self).__name__
        if channels < 1 or not 2 <= values <= 256:
            raise RecipeError(f"{name}: channels is {channels}, values {values}; expected 1 or more (3 for RGB), and 2 to 256")
        if min(width, head) < 1 or width % channels or head % channels:
            raise RecipeError(f"{name}: width is {width}, head {head}; expected multiples of the {channels} channels")
        if min(kernels) < 3 or not all(kernel % 2 for kernel in kernels) or layers < 1:
            raise RecipeError(f"{name}: kernels are {kernels}, layers or blocks {layers}; expected odd ones from 3 on, and 1 or more")
        self.channels, self.values = channels, values
        self.outputs = 1 if values == 2 else values
        self.head = nn.ModuleList(
            [MaskedConvolution(wide * width, head, "B", channels), MaskedConvolution(head, channels * self.outputs, "B", channels)]
        )

    def logits(self, features_BFHW: Float[Tensor, "b f h w"]) -> Float[Tensor, "b o c h w"]:
        """ReLU and a 1x1 convolution, twice."""
        for layer in self.head:
            features_BFHW = layer(relu(features_BFHW))
        batch, _, *edges = features_BFHW.shape
        return features_BFHW.reshape(batch, self.channels, self.outputs, *edges).transpose(1, 2)

    def check(self, x_BCHW: Tensor, label_B: Tensor | None, classes: int) -> None:
        """ShapeError for a picture of other channels, and for labels that are missing, too many or in vain."""
        if x_BCHW.ndim != 4 or x_BCHW.shape[1] != self.channels:
            name, shape = type(self).__name__, tuple(x_BCHW.shape)
            raise ShapeError(f"{name}(channels={self.channels}) got a batch of shape {shape}; expected (B, {self.channels}, H, W)")
        expected = (len(x_BCHW),) if classes else None
        if (None if label_B is None else tuple(label_B.shape)) != expected:
            got = "none" if label_B is None else f"shape {tuple(label_B.shape)}"
            raise ShapeError(f"{type(self).__name__} of {classes} classes got labels: {got}; expected {expected or 'none'}")


class PixelCnn(PixelNetwork):
    """The plain network: a masked convolution, residual blocks, two convolutions of 1x1.

    channels  of a picture: 1 or 3
    values    that a pixel can take: 2 (one logit) to 256
    width     h: features within a block; between blocks there are 2h
    blocks    residual blocks: 1x1 to h, masked kernel x kernel, 1x1 to 2h, a ReLU before each
    head      features between the last two convolutions
    """

    def __init__(
        self, channels: int = 1, values: int = 2, width: int = 32, blocks: int = 7, first: int = 7, kernel: int = 3, head: int = 64
    ) -> None:
        super().__init__(channels, values, width, (first, kernel), blocks, head, wide=2)
        reach = first // 2
        self.first = MaskedConvolution(channels, 2 * width, "A", channels, above=reach, left=reach, right=reach)
        self.blocks = nn.ModuleList(PixelBlock(width, kernel, channels) for _ in range(blocks))

    def forward(self, x_BCHW: Float[Tensor, "b c h w"], label_B: Int64[Tensor, "b"] | None = None) -> Float[Tensor, "b o c h w"]:
        """Logits of every pixel; ShapeError for other channels, and for labels: this network has no classes."""
        self.check(x_BCHW, label_B, 0)
        features_BFHW = self.first(x_BCHW)
        for block in self.blocks:
            features_BFHW = block(features_BFHW)
        return self.logits(features_BFHW)


class PixelBlock(nn.Module):
    """x + outward(relu(masked(relu(inward(relu(x))))))."""

    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        reach = kernel // 2
        self.inward = MaskedConvolution(2 * width, width, "B", groups)
        self.masked = MaskedConvolution(width, width, "B", groups, above=reach, left=reach, right=reach)
        self.outward = MaskedConvolution(width, 2 * width, "B", groups)

    def forward(self, x_BFHW: Float[Tensor, "b f h w"]) -> Float[Tensor, "b f h w"]:
        """Of the shape that came."""
        found: Tensor = x_BFHW + self.outward(relu(self.masked(relu(self.inward(relu(x_BFHW))))))
        return found


class GatedPixelCnn(PixelNetwork):
    """The gated network of two stacks.

    classes      names of the K classes; only their number matters here, and only where `conditional`
    conditional  whether a picture's class is told
    channels, values, head  as of PixelCnn
    width        F: features of each stack
    layers       of the two stacks, the first with `first` x `first` and the others with `kernel` x `kernel`
    """

    def __init__(
        self,
        classes: tuple[str, ...] = (),
        conditional: bool = False,
        channels: int = 1,
        values: int = 2,
        width: int = 32,
        layers: int = 7,
        first: int = 7,
        kernel: int = 3,
        head: int = 64,
    ) -> None:
        super().__init__(channels, values, width, (first, kernel), layers, head)
        if conditional and not classes:
            raise RecipeError("GatedPixelCnn: conditional needs classes; expected a card with labels, and classes in the recipe's set")
        self.classes = len(classes) if conditional else 0
        self.layers = nn.ModuleList(
            GatedLayer(width, kernel if number else first, channels, self.classes, first=number == 0) for number in range(layers)
        )

    def forward(self, x_BCHW: Float[Tensor, "b c h w"], label_B: Int64[Tensor, "b"] | None = None) -> Float[Tensor, "b o c h w"]:
        """Logits of every pixel; ShapeError for other channels, and for labels that are missing or in vain."""
        self.check(x_BCHW, label_B, self.classes)
        told_BK = self.told(label_B)
        down_BFHW, right_BFHW = x_BCHW, x_BCHW
        for layer in self.layers:
            down_BFHW, right_BFHW = layer(down_BFHW, right_BFHW, told_BK)
        return self.logits(right_BFHW)

    def told(self, label_B: Int64[Tensor, "b"] | None) -> Float[Tensor, "b k"] | None:
        """1 for the class of each picture; None where nothing is told."""
        return None if label_B is None else one_hot(label_B, self.classes).to(next(self.parameters()).dtype)


class GatedLayer(nn.Module):
    """One layer of both stacks.

    vertical    rows above, 2F numbers: f and g of its gate
    crossing    1x1 from those to the horizontal gate
    horizontal  pixels to the left, and itself by the mask, 2F numbers
    outward     1x1 after the horizontal gate; what it gives is added to what came, but in the first layer
    condition   of a class to f and g of both gates, the vertical's 2F before the horizontal's
    """

    def __init__(self, width: int, kernel: int, groups: int, classes: int, first: bool) -> None:
        super().__init__()
        before = groups if first else width
        self.first = first
        self.vertical = VerticalConvolution(before, 2 * width, kernel, first)
        self.crossing = nn.Conv2d(2 * width, 2 * width, 1, bias=False)
        self.horizontal = MaskedConvolution(before, 2 * width, "A" if first else "B", groups, left=kernel // 2, halves=2)
        self.outward = MaskedConvolution(width, width, "B", groups)
        self.condition = nn.Linear(classes, 4 * width, bias=False) if classes else None

    def forward(
        self, down_BFHW: Float[Tensor, "b f h w"], right_BFHW: Float[Tensor, "b f h w"], told_BK: Float[Tensor, "b k"] | None
    ) -> tuple[Float[Tensor, "b g h w"], Float[Tensor, "b g h w"]]:
        """What the vertical and the horizontal stack have found after this layer."""
        above, beside = self.from_above(self.vertical(down_BFHW), told_BK)
        found = self.outward(gate(self.horizontal(right_BFHW) + beside))
        return above, found if self.first else right_BFHW + found

    def from_above(
        self, vertical_BGHW: Float[Tensor, "b g h w"], told_BK: Float[Tensor, "b k"] | None
    ) -> tuple[Float[Tensor, "b f h w"], Float[Tensor, "b g h w"]]:
        """Of the vertical convolution's answer the features after its gate, and what it and the class add to the horizontal gate."""
        beside_BGHW = self.crossing(vertical_BGHW)
        if self.condition is not None and told_BK is not None:
            own_BG, other_BG = self.condition(told_BK)[:, :, None, None].chunk(2, 1)
            vertical_BGHW, beside_BGHW = vertical_BGHW + own_BG, beside_BGHW + other_BG
        return gate(vertical_BGHW), beside_BGHW


def gate(numbers: Float[Tensor, "b g *hw"]) -> Float[Tensor, "b f *hw"]:
    """tanh(f) * sigmoid(g) of f and g, one behind the other along axis 1."""
    f, g = numbers.chunk(2, 1)
    return torch.tanh(f) * torch.sigmoid(g)
