"""Autoencoders of small pictures, plain or variational, of fully connected layers or convolutions, and a classifier on their encoder.

B batch   C channels   S the picture's edge, pixels   H hidden numbers   Z numbers of a code   K classes
in  x_BCSS, 0..1        out  logits_BCSS: their sigmoid is a pixel's mean, by way of a code_BZ
    mlp            C S S -> 500 -> 500 -> code -> 500 -> 500 -> C S S; `hidden=(1000, 500, 250), code=30` are the sizes of Hinton &
                   Salakhutdinov's deep autoencoder (Science 2006), `hidden=(500,)` those of Kingma & Welling, whose units are others
    convolutional  28 -> 14 (w) -> 7 (2w) -> 256 -> code -> 256 -> 7 (2w) -> 14 (w) -> 28; kernels 4, stride 2, padding 1, and up again by
                   transposed convolutions: a stride that divides the kernel leaves no checkerboard
ReLU between layers, no batch norm, Glorot's first weights, biases 0.
The variational code is Kingma & Welling's, Auto-encoding variational Bayes, ICLR 2014: mean + deviation * noise, prior N(0, I).
The classifier keeps the encoder up to the means, under the same names, so that `init` copies them: pre-train, then fine-tune.
"""

from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError
from l9.models.convolution_sizes import convolved_edge

KERNEL, STRIDE, PADDING = 4, 2, 1
CONVOLVED = 256  # hidden numbers between the convolutions and the code

Kind = Literal["mlp", "convolutional"]


class ImageEncoder(nn.Module):
    """Picture to the mean of its code, in two parts: `features` (to the last hidden layer) and `mean`."""

    def __init__(self, code: int, kind: Kind, size: int, channels: int, hidden: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.code, self.shape = code, (channels, size, size)
        if kind == "mlp":
            self.features = nn.Sequential(nn.Flatten(), *_connected([channels * size * size, *hidden]))
            self.hidden_size = hidden[-1]
        else:
            maps = 2 * width * smallest_edge(size) ** 2
            self.features = nn.Sequential(
                *(nn.Conv2d(channels, width, KERNEL, STRIDE, PADDING), nn.ReLU()),
                *(nn.Conv2d(width, 2 * width, KERNEL, STRIDE, PADDING), nn.ReLU()),
                *(nn.Flatten(), *_connected([maps, CONVOLVED])),
            )
            self.hidden_size = CONVOLVED
        self.mean = nn.Linear(self.hidden_size, code)

    def hidden(self, x_BCSS: Float[Tensor, "b c s s"]) -> Float[Tensor, "b h"]:
        """The hidden layer before the code; ShapeError where pictures are of another size or other channels."""
        if x_BCSS.shape[1:] != self.shape:
            channels, size, _ = self.shape
            expected = f"(B, {channels}, {size}, {size})"
            raise ShapeError(
                f"ImageEncoder(size={size}, channels={channels}) got a batch of shape {tuple(x_BCSS.shape)}; expected {expected}"
            )
        hidden_BH: Tensor = self.features(x_BCSS)
        return hidden_BH

    def forward(self, x_BCSS: Float[Tensor, "b c s s"]) -> Float[Tensor, "b z"]:
        """The mean of the code."""
        code_BZ: Tensor = self.mean(self.hidden(x_BCSS))
        return code_BZ


class ImageAutoencoder(nn.Module):
    """Picture to code to picture.

    code         numbers of a code
    variational  whether a code is drawn in training, from a normal distribution that the encoder gives for each picture
    kind         "mlp" or "convolutional"
    size         pixels along each edge; where convolutional a multiple of 4
    channels     1 grey, 3 RGB
    hidden       sizes of the encoder's hidden layers, the decoder's in reverse; of "mlp" alone
    width        channels next to the picture, doubled towards the code; of "convolutional" alone
    raises       RecipeError where no such network can be built
    """

    def __init__(
        self,
        code: int = 20,
        variational: bool = False,
        kind: Kind = "convolutional",
        size: int = 28,
        channels: int = 1,
        hidden: tuple[int, ...] = (500, 500),
        width: int = 32,
    ) -> None:
        super().__init__()
        check_sizes("ImageAutoencoder", code, kind, size, channels, hidden, width)
        self.code, self.variational, self.size, self.channels = code, variational, size, channels
        self.encoder = ImageEncoder(code, kind, size, channels, hidden, width)
        self.log_variance = nn.Linear(self.encoder.hidden_size, code) if variational else None
        if kind == "mlp":
            pixels = nn.Linear(hidden[0], channels * size * size)
            self.decoder = nn.Sequential(*_connected([code, *hidden[::-1]]), pixels, nn.Unflatten(1, (channels, size, size)))
        else:
            small = smallest_edge(size)
            self.decoder = nn.Sequential(
                *(*_connected([code, CONVOLVED, 2 * width * small**2]), nn.Unflatten(1, (2 * width, small, small))),
                *(nn.ConvTranspose2d(2 * width, width, KERNEL, STRIDE, PADDING), nn.ReLU()),
                nn.ConvTranspose2d(width, channels, KERNEL, STRIDE, PADDING),
            )
        self.apply(initialise)

    def encode(self, x_BCSS: Float[Tensor, "b c s s"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"] | None]:
        """Mean and logarithm of the variance of each picture's code; None for the latter where the autoencoder is plain."""
        hidden_BH = self.encoder.hidden(x_BCSS)
        return self.encoder.mean(hidden_BH), None if self.log_variance is None else self.log_variance(hidden_BH)

    def decode(self, code_BZ: Float[Tensor, "b z"]) -> Float[Tensor, "b c s s"]:
        """Logits of pixels; ShapeError for a code of another length."""
        if code_BZ.shape[1:] != (self.code,):
            raise ShapeError(f"ImageAutoencoder(code={self.code}) got codes of shape {tuple(code_BZ.shape)}; expected (B, {self.code})")
        logits_BCSS: Tensor = self.decoder(code_BZ)
        return logits_BCSS

    def forward(self, x_BCSS: Float[Tensor, "b c s s"]) -> Float[Tensor, "b c s s"]:
        """Logits of pixels by way of the mean code."""
        return self.decode(self.encoder(x_BCSS))


class ImageClassifier(nn.Module):
    """The same encoder, and one linear layer from its code to class scores.

    classes  names of the K classes; only their number matters here
    dropout  share of the code set to 0 in training; 0 by default
    others   as of ImageAutoencoder, and equal to those of the one that its `init` names: what differs in shape starts from nothing
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        code: int = 20,
        kind: Kind = "convolutional",
        size: int = 28,
        channels: int = 1,
        hidden: tuple[int, ...] = (500, 500),
        width: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes("ImageClassifier", code, kind, size, channels, hidden, width)
        self.encoder = ImageEncoder(code, kind, size, channels, hidden, width)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(code, len(classes)))
        self.apply(initialise)

    def forward(self, x_BCSS: Float[Tensor, "b c s s"]) -> Float[Tensor, "b k"]:
        """Scores before the softmax."""
        logits_BK: Tensor = self.head(self.encoder(x_BCSS))
        return logits_BK


def check_sizes(name: str, code: int, kind: str, size: int, channels: int, hidden: tuple[int, ...], width: int) -> None:
    """RecipeError where no such network can be built."""
    if kind not in ("mlp", "convolutional"):
        raise RecipeError(f"{name}: kind is '{kind}'; expected mlp or convolutional")
    if not hidden or min(code, size, channels, width, *hidden) < 1:
        given = f"code {code}, size {size}, channels {channels}, hidden {tuple(hidden)}, width {width}"
        raise RecipeError(f"{name}: {given}; expected at least 1 each, and at least one hidden layer")
    if kind == "convolutional" and size % 4:
        raise RecipeError(f"{name}: size is {size}; expected a multiple of 4 where kind is convolutional")


def smallest_edge(size: int) -> int:
    """Pixels along the edge of the smallest feature maps: 7 at 28."""
    return convolved_edge(convolved_edge(size, KERNEL, STRIDE, PADDING), KERNEL, STRIDE, PADDING)


def initialise(layer: nn.Module) -> None:
    """Glorot's uniform weights, biases 0."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _connected(sizes: list[int]) -> list[nn.Module]:
    """Fully connected layers from size to size, a ReLU after each."""
    return [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU())]
