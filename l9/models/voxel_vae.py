"""A voxel autoencoder, plain or variational (Brock, Lim, Ritchie, Weston, 2016, arXiv 1608.04236), and a classifier on its encoder.

B batch   C channels   D H W the grid's x y z   R resolution   Z numbers of a code   K classes
in  x_BCDHW of one channel, +1 occupied, -1 empty        out  logits of occupancy, of the same shape, by way of a code_BZ
Sizes at 32^3, the paper's: 32 -> conv 30 (8 channels) -> stride 2, 15 (16) -> conv 13 (32) -> stride 2, 7 (64) -> 343 -> code, and back:
code -> 343 = 7^3 of one channel -> conv 7 (64) -> transposed 15 (32) -> conv 15 (16) -> transposed 32 (8) -> conv 32 (1).
ELU and batch norm after every layer but the last; the code's means and log variances have a batch norm each; Glorot's first weights.
The variational code is Kingma & Welling's, Auto-encoding variational Bayes, ICLR 2014: mean + deviation * noise, prior N(0, I).
The classifier keeps the encoder up to the means, under the same names, so that `init` copies them: pre-train, then fine-tune.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError
from l9.models.voxnet import Convolution

LEAST = 12  # voxels along an edge from which the layers have something to see


class VoxelEncoder(nn.Module):
    """Grid to the mean of its code, in two parts: `features` (R^3 to the hidden layer of q^3 numbers; 343 at 32) and `mean`."""

    def __init__(self, code: int, resolution: int, width: int) -> None:
        super().__init__()
        self.resolution, self.code = resolution, code
        small = _small(resolution)
        self.features = nn.Sequential(
            *_normed(Convolution(1, width, 3, bias=False)),
            *_normed(Convolution(width, 2 * width, 3, stride=2, padding=1, bias=False)),
            *_normed(Convolution(2 * width, 4 * width, 3, bias=False)),
            *_normed(Convolution(4 * width, 8 * width, 3, stride=2, padding=1, bias=False)),
            nn.Flatten(),
            nn.Linear(8 * width * small**3, small**3, bias=False),
            nn.BatchNorm1d(small**3),
            nn.ELU(inplace=True),
        )
        self.mean = nn.Sequential(nn.Linear(small**3, code, bias=False), nn.BatchNorm1d(code))

    def hidden(self, x_BCDHW: Float[Tensor, "b 1 r r r"]) -> Float[Tensor, "b h"]:
        """The hidden layer before the code; ShapeError where the grid is of another resolution."""
        if x_BCDHW.shape[1:] != (1, *[self.resolution] * 3):
            shape = tuple(x_BCDHW.shape)
            raise ShapeError(f"VoxelEncoder(resolution={self.resolution}) got a batch of shape {shape}; expected (B, 1, r, r, r)")
        hidden_BH: Tensor = self.features(x_BCDHW)
        return hidden_BH

    def forward(self, x_BCDHW: Float[Tensor, "b 1 r r r"]) -> Float[Tensor, "b z"]:
        """The mean of the code."""
        code_BZ: Tensor = self.mean(self.hidden(x_BCDHW))
        return code_BZ


class VoxelAutoencoder(nn.Module):
    """Grid to code to grid.

    code         numbers of a code; 100 in the authors' code
    variational  whether a code is drawn in training, from a normal distribution that the encoder gives for each grid
    resolution   voxels along each edge, a multiple of 4, at least 12
    width        channels of the layers next to the grid, doubled at each layer towards the code; 8 in the paper
    raises       RecipeError where they are not so
    """

    def __init__(self, code: int = 128, variational: bool = False, resolution: int = 32, width: int = 8) -> None:
        super().__init__()
        check_sizes("VoxelAutoencoder", code, resolution, width)
        self.resolution, self.code, self.variational = resolution, code, variational
        small = _small(resolution)
        self.encoder = VoxelEncoder(code, resolution, width)
        self.log_variance = nn.Sequential(nn.Linear(small**3, code, bias=False), nn.BatchNorm1d(code)) if variational else None
        self.decoder = nn.Sequential(
            nn.Linear(code, small**3, bias=False),
            nn.BatchNorm1d(small**3),
            nn.ELU(inplace=True),
            nn.Unflatten(1, (1, small, small, small)),
            *_normed(Convolution(1, 8 * width, 3, padding=1, bias=False)),
            *_normed(nn.ConvTranspose3d(8 * width, 4 * width, 3, stride=2, bias=False)),
            *_normed(Convolution(4 * width, 2 * width, 3, padding=1, bias=False)),
            *_normed(nn.ConvTranspose3d(2 * width, width, 4, stride=2, bias=False)),
            Convolution(width, 1, 3, padding=1),
        )
        self.apply(initialise)

    def encode(self, x_BCDHW: Float[Tensor, "b 1 r r r"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"] | None]:
        """Mean and logarithm of the variance of each grid's code; None for the latter where the autoencoder is plain."""
        hidden_BH = self.encoder.hidden(x_BCDHW)
        return self.encoder.mean(hidden_BH), None if self.log_variance is None else self.log_variance(hidden_BH)

    def decode(self, code_BZ: Float[Tensor, "b z"]) -> Float[Tensor, "b 1 r r r"]:
        """Logits of occupancy; ShapeError for a code of another length."""
        if code_BZ.shape[1:] != (self.code,):
            raise ShapeError(f"VoxelAutoencoder(code={self.code}) got codes of shape {tuple(code_BZ.shape)}; expected (B, {self.code})")
        logits_BCDHW: Tensor = self.decoder(code_BZ)
        return logits_BCDHW

    def forward(self, x_BCDHW: Float[Tensor, "b 1 r r r"]) -> Float[Tensor, "b 1 r r r"]:
        """Logits of occupancy by way of the mean code."""
        return self.decode(self.encoder(x_BCDHW))


class VoxelClassifier(nn.Module):
    """The same encoder, and one linear layer from its code to class scores.

    classes  names of the K classes; only their number matters here
    dropout  share of the code set to 0 in training; 0 by default
    others   as of VoxelAutoencoder, and equal to those of the one that its `init` names: what differs in shape starts from nothing
    """

    def __init__(self, classes: tuple[str, ...], code: int = 128, resolution: int = 32, width: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        check_sizes("VoxelClassifier", code, resolution, width)
        self.encoder = VoxelEncoder(code, resolution, width)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(code, len(classes)))
        self.apply(initialise)

    def forward(self, x_BCDHW: Float[Tensor, "b 1 r r r"]) -> Float[Tensor, "b k"]:
        """Scores before the softmax."""
        logits_BK: Tensor = self.head(self.encoder(x_BCDHW))
        return logits_BK


def check_sizes(name: str, code: int, resolution: int, width: int) -> None:
    """RecipeError where no such network can be built."""
    if resolution < LEAST or resolution % 4:
        raise RecipeError(f"{name}: resolution is {resolution}; expected a multiple of 4 from {LEAST} on, 32 in the paper")
    for word, value in (("code", code), ("width", width)):
        if value < 1:
            raise RecipeError(f"{name}: {word} is {value}; expected at least 1")


def _small(resolution: int) -> int:
    """Edge of the grid after the encoder's convolutions: 7 at 32."""
    return (resolution - 4) // 4


def _normed(layer: nn.Conv3d | nn.ConvTranspose3d) -> list[nn.Module]:
    return [layer, nn.BatchNorm3d(layer.out_channels), nn.ELU(inplace=True)]


def initialise(layer: nn.Module) -> None:
    """Glorot's uniform weights, biases 0."""
    if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def drawn_code(
    mean_BZ: Float[Tensor, "b z"], log_variance_BZ: Float[Tensor, "b z"], noise_BZ: Float[Tensor, "b z"]
) -> Float[Tensor, "b z"]:
    """mean + deviation * noise, the reparameterisation of Kingma & Welling, section 2.4."""
    return mean_BZ + torch.exp(0.5 * log_variance_BZ) * noise_BZ
