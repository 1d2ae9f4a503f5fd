"""Pictures out of a PixelCNN, pixel by pixel: by the whole network each time, or by what a new pixel needs alone.

B pictures   C channels   H W rows and columns   V values   O logits of a pixel and channel (see pixel_cnn)
Each value is where a uniform number falls in its cumulative distribution, and that number a function of (seed, picture, pixel and channel):
so both ways give the same integers, but for a number within rounding of a boundary: about 1e-7 in float32, 1e-16 where the network was
made float64 (`model.double()`). A network of C channels and H x W pixels is asked C * H * W times.
source  the caches are those of fast generation, Ramachandran et al., Fast generation for convolutional autoregressive models, 2017
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from l9.errors import ShapeError
from l9.models.pixel_caches import GatedCaches, PlainCaches
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn, as_input

PIXELS = 7  # a stream of random numbers apart from those of training, which have other last numbers


class Asked(Protocol):
    """A network that is asked for one pixel's logits after another, in order, and told what became of each."""

    def start_row(self, y: int) -> None:
        """All rows above y have been told."""

    def logits(self, y: int, x: int, channel: int) -> Float[Tensor, "b o"]:
        """Logits of one pixel and channel, given all before."""

    def tell(self, y: int, x: int, channel: int, input_B: Float[Tensor, "b"]) -> None:
        """What was chosen there, as the network's input has it."""


class WholeNetwork:
    """The naive way: the whole network over the whole picture for every pixel and channel."""

    def __init__(self, model: PixelCnn | GatedPixelCnn, shape: tuple[int, ...], label_B: Int64[Tensor, "b"] | None) -> None:
        parameter = next(model.parameters())
        self.model, self.label_B = model, label_B
        self.x_BCHW = torch.zeros(shape, dtype=parameter.dtype, device=parameter.device)

    def start_row(self, y: int) -> None:
        """Nothing to do."""

    def logits(self, y: int, x: int, channel: int) -> Float[Tensor, "b o"]:
        """Of all logits those of one pixel and channel."""
        found: Tensor = self.model(self.x_BCHW, self.label_B)[:, :, channel, y, x]
        return found

    def tell(self, y: int, x: int, channel: int, input_B: Float[Tensor, "b"]) -> None:
        """Fill the picture."""
        self.x_BCHW[:, channel, y, x] = input_B


def uniform_draws(seed: int, pictures: Sequence[int], shape: tuple[int, int, int]) -> Float64[Tensor, "b c h w"]:
    """Numbers in [0, 1) for pictures of `shape` (C, H, W), each by (seed, number of the picture, pixel and channel) alone."""
    channels, height, width = shape
    drawn = [np.random.default_rng((seed, picture, 0, PIXELS)).random((height, width, channels)) for picture in pictures]
    return torch.from_numpy(np.stack(drawn) if drawn else np.zeros((0, height, width, channels))).permute(0, 3, 1, 2)


def chosen_values(logits_BO: Float[Tensor, "b o"], draws_B: Float64[Tensor, "b"]) -> Int64[Tensor, "b"]:
    """The inverse of the cumulative distribution: how many values it has at or below the drawn number. One logit is that of value 1."""
    if logits_BO.shape[1] == 1:
        return (draws_B >= torch.sigmoid(-logits_BO[:, 0].double())).long()
    below = torch.softmax(logits_BO.double(), 1).cumsum(1) <= draws_B[:, None]
    return below.sum(1).clamp_max(logits_BO.shape[1] - 1)  # the sum of all probabilities may round to less than 1


@torch.no_grad()
def generate(
    model: PixelCnn | GatedPixelCnn,
    draws_BCHW: Float64[Tensor, "b c h w"],
    label_B: Int64[Tensor, "b"] | None = None,
    given_BCHW: Int64[Tensor, "b c h w"] | None = None,
    known_BHW: Bool[Tensor, "b h w"] | None = None,
    cached: bool = True,
) -> Int64[Tensor, "b c h w"]:
    """Pictures of values 0..V-1.

    draws_BCHW  uniform numbers, see `uniform_draws`
    label_B     classes, of a conditional network
    given_BCHW  pictures of values of which the pixels `known_BHW` stay; the others are painted, in order: what is known further on
                has no part in them
    cached      False: the naive way, for comparison
    raises      ShapeError where arrays disagree with each other or with the network
    """
    _check(model, draws_BCHW, given_BCHW, known_BHW)
    model.check(draws_BCHW, label_B, model.classes if isinstance(model, GatedPixelCnn) else 0)
    asked = (_caches if cached else WholeNetwork)(model, tuple(draws_BCHW.shape), label_B)
    parameter = next(model.parameters())
    draws_BCHW = draws_BCHW.to(parameter.device)
    values_BCHW = torch.zeros_like(draws_BCHW, dtype=torch.int64)
    for y in range(draws_BCHW.shape[2]):
        asked.start_row(y)
        for x in range(draws_BCHW.shape[3]):
            for channel in range(model.channels):
                value_B = chosen_values(asked.logits(y, x, channel), draws_BCHW[:, channel, y, x])
                if given_BCHW is not None and known_BHW is not None:
                    value_B = torch.where(known_BHW[:, y, x], given_BCHW[:, channel, y, x], value_B)
                values_BCHW[:, channel, y, x] = value_B
                asked.tell(y, x, channel, as_input(value_B, model.values, parameter.dtype))
    return values_BCHW


def _caches(model: PixelCnn | GatedPixelCnn, shape: tuple[int, ...], label_B: Tensor | None) -> Asked:
    if isinstance(model, GatedPixelCnn):
        return GatedCaches(model, shape[0], shape[3], label_B)
    return PlainCaches(model, shape[0], shape[3])


def _check(model: PixelCnn | GatedPixelCnn, draws: Tensor, given: Tensor | None, known: Tensor | None) -> None:
    if (given is None) != (known is None):
        raise ShapeError("generate got only one of given_BCHW and known_BHW; expected both or neither")
    if given is None or known is None:
        return
    if given.shape != draws.shape or known.shape != (len(draws), *draws.shape[2:]):
        shapes = f"given {tuple(given.shape)}, known {tuple(known.shape)}, draws {tuple(draws.shape)}"
        raise ShapeError(f"generate got {shapes}; expected (B, C, H, W), (B, H, W) and (B, C, H, W) of the same numbers")
    shown = given.masked_select(known[:, None])
    if len(shown) and not 0 <= int(shown.min()) <= int(shown.max()) < model.values:
        raise ShapeError(f"generate was given values {int(shown.min())} to {int(shown.max())}; expected 0 to {model.values - 1}")
