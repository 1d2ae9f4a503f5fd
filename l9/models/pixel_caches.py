"""What generation keeps of a PixelCNN's layers, so that a new pixel costs one pixel: rows above, and the row so far.

B pictures   C channels = groups of features   W columns   I inputs, F features of a layer
Whatever a masked convolution sees in the rows above is the same for all that is drawn in a row: one convolution over W pixels when the row
starts. Left over are, for each pixel and each group of features, the pixels to its left and itself: one small matrix product.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import conv2d, pad, relu

from l9.models.pixel_cnn import GatedLayer, GatedPixelCnn, MaskedConvolution, PixelBlock, PixelCnn, PixelNetwork, gate


class OneByOne:
    """A masked convolution, asked one pixel and group at a time.

    Its input is written as it becomes known, group by group; of the outputs of a group only inputs of that and of earlier groups have a
    weight other than 0, so what is left of the last row in places not written yet has no part.
    """

    def __init__(self, layer: MaskedConvolution, batch: int, width: int) -> None:
        self.layer, self.left, self.inputs = layer, layer.left, layer.in_channels
        self.size = layer.in_channels // layer.groups  # inputs of a group
        self.row = layer.weight.new_zeros(batch, (layer.left + width) * self.inputs)  # pixel by pixel, after `left` pixels of padding
        weight = layer.masked_weight()
        beside = weight[:, :, -1, : layer.left + 1].permute(2, 1, 0).flatten(0, 1)
        self.outputs = [(layer.own_groups == group).nonzero()[:, 0] for group in range(layer.groups)]
        self.beside = [beside[:, outputs].contiguous() for outputs in self.outputs]
        self.above = weight[:, :, :-1]
        assert layer.bias is not None
        self.bias = layer.bias
        self.rows = layer.weight.new_zeros(batch, self.inputs, layer.above, width)
        self.add(self.bias[None, :, None, None].expand(-1, -1, 1, width))

    def add(self, added_BO1W: Float[Tensor, "b o 1 w"]) -> None:
        """What is added to each pixel of the row that starts: the bias, and all that comes from above."""
        added_WBO = added_BO1W[:, :, 0].permute(2, 0, 1)
        self.added = [added_WBO[:, :, outputs].contiguous() for outputs in self.outputs]

    def start_row(self) -> None:
        """Take the row that ended as one above, and what all rows above say to the next."""
        if self.layer.above:
            self.rows = torch.cat([self.rows[:, :, 1:], self.last_row()], 2)
            self.add(conv2d(pad(self.rows, (self.layer.left, self.layer.right, 0, 0)), self.above, self.bias))

    def last_row(self) -> Float[Tensor, "b i 1 w"]:
        """The inputs of the row so far; 0 before the first."""
        return self.row.view(len(self.row), -1, self.inputs)[:, self.left :].transpose(1, 2)[:, :, None]

    def write(self, x: int, group: int, values_BI: Float[Tensor, "b i"]) -> None:
        """The inputs of a group at column x."""
        start = (self.left + x) * self.inputs + group * self.size
        self.row[:, start : start + self.size] = values_BI

    def at(self, x: int, group: int) -> Float[Tensor, "b o"]:
        """The outputs of a group at column x."""
        window = self.row[:, x * self.inputs : (x + self.left + 1) * self.inputs]
        return torch.addmm(self.added[group][x], window, self.beside[group])


class Head:
    """The last two convolutions of 1x1, of one pixel and channel."""

    def __init__(self, model: PixelNetwork, batch: int, width: int) -> None:
        self.layers = [_one_by_one(layer, batch, width) for layer in model.head]

    def logits(self, x: int, channel: int, features_BF: Float[Tensor, "b f"]) -> Float[Tensor, "b o"]:
        """From the features of the channel's group."""
        for layer in self.layers:
            layer.write(x, channel, relu(features_BF))
            features_BF = layer.at(x, channel)
        return features_BF


class PlainCaches:
    """PixelCnn asked pixel by pixel."""

    def __init__(self, model: PixelCnn, batch: int, width: int) -> None:
        self.first = OneByOne(model.first, batch, width)
        self.blocks: list[tuple[OneByOne, OneByOne, OneByOne]] = []
        for block in model.blocks:
            assert isinstance(block, PixelBlock)
            inward, masked, outward = (OneByOne(layer, batch, width) for layer in (block.inward, block.masked, block.outward))
            self.blocks.append((inward, masked, outward))
        self.head = Head(model, batch, width)

    def start_row(self, y: int) -> None:
        """All rows above y have been told."""
        self.first.start_row()
        for _inward, masked, _outward in self.blocks:
            masked.start_row()

    def logits(self, y: int, x: int, channel: int) -> Float[Tensor, "b o"]:
        """Logits of one pixel and channel, given all before."""
        found = self.first.at(x, channel)
        for block in self.blocks:
            inner = found
            for layer in block:
                layer.write(x, channel, relu(inner))
                inner = layer.at(x, channel)
            found = found + inner
        return self.head.logits(x, channel, found)

    def tell(self, y: int, x: int, channel: int, input_B: Float[Tensor, "b"]) -> None:
        """What was chosen there, as the network's input has it."""
        self.first.write(x, channel, input_B[:, None])


class GatedCaches:
    """GatedPixelCnn asked pixel by pixel: its vertical stack once a row, its horizontal one once a pixel and channel."""

    def __init__(self, model: GatedPixelCnn, batch: int, width: int, label_B: Int64[Tensor, "b"] | None) -> None:
        self.told = model.told(label_B)
        self.layers: list[GatedLayer] = []
        self.rows: list[Tensor] = []  # of each layer the inputs of its vertical convolution: as many rows as its kernel has
        self.horizontal: list[OneByOne] = []
        self.outward: list[OneByOne] = []
        for layer in model.layers:
            assert isinstance(layer, GatedLayer)
            self.layers.append(layer)
            vertical = layer.vertical
            self.rows.append(vertical.weight.new_zeros(batch, vertical.in_channels, vertical.weight.shape[2], width))
            self.horizontal.append(OneByOne(layer.horizontal, batch, width))
            self.outward.append(OneByOne(layer.outward, batch, width))
        self.head = Head(model, batch, width)

    def start_row(self, y: int) -> None:
        """All rows above y have been told: the vertical stack at this row, and what it adds to the horizontal gates."""
        newest = self.horizontal[0].last_row()
        for number, layer in enumerate(self.layers):
            self.rows[number] = torch.cat([self.rows[number][:, :, 1:], newest], 2)
            reach = layer.vertical.reach
            vertical = conv2d(pad(self.rows[number], (reach, reach, 0, 0)), layer.vertical.weight, layer.vertical.bias)
            newest, beside = layer.from_above(vertical, self.told)
            self.horizontal[number].add(beside + self.horizontal[number].bias[:, None, None])

    def logits(self, y: int, x: int, channel: int) -> Float[Tensor, "b o"]:
        """Logits of one pixel and channel, given all before."""
        found: Tensor | None = None
        for horizontal, outward in zip(self.horizontal, self.outward, strict=True):
            if found is not None:
                horizontal.write(x, channel, found)
            outward.write(x, channel, gate(horizontal.at(x, channel)))
            new = outward.at(x, channel)
            found = new if found is None else found + new
        assert found is not None
        return self.head.logits(x, channel, found)

    def tell(self, y: int, x: int, channel: int, input_B: Float[Tensor, "b"]) -> None:
        """What was chosen there, as the network's input has it."""
        self.horizontal[0].write(x, channel, input_B[:, None])


def _one_by_one(layer: torch.nn.Module, batch: int, width: int) -> OneByOne:
    assert isinstance(layer, MaskedConvolution)
    return OneByOne(layer, batch, width)
