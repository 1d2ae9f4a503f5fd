"""The first GAN (Goodfellow et al., NIPS 2014): a generator of two ReLU layers, a discriminator of two maxout layers, as for MNIST.

B batch   Z noise numbers   C channels   S the picture's edge, pixels
z_BZ -> 1200 -> 1200 -> C S S, tanh for pictures in -1..1 (the paper's in 0..1 have a sigmoid) -> x_BCSS
x_BCSS -> maxout of 240 x 5 -> the same -> logits_B, with dropout before each layer
Maxout (Goodfellow et al., ICML 2013): of five linear functions the largest. First weights are torch's own.
"""

from torch import Tensor, nn

from l9.errors import RecipeError
from l9.models.dcgan import Gan

PIECES = 5  # linear functions of a maxout unit


class MlpGan(Gan):
    """The pair of fully connected networks, without batch norm.

    size, channels, noise  as of Dcgan; any size
    width    of the generator's layers
    units    of the discriminator's maxout layers
    dropout  share of the discriminator's hidden units set to 0 in training; of pixels two fifths of it
    features  as of Gan
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        noise: int = 100,
        width: int = 1200,
        units: int = 240,
        dropout: float = 0.5,
        features: bool = False,
    ) -> None:
        if min(size, channels, noise, width, units) < 1 or not 0 <= dropout < 1:
            given = f"size {size}, channels {channels}, noise {noise}, width {width}, units {units}, dropout {dropout}"
            raise RecipeError(f"MlpGan: {given}; expected at least 1 each, and dropout from 0 to less than 1")
        shape = (channels, size, size)
        pixels = channels * size * size
        generator = nn.Sequential(
            *(nn.Linear(noise, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()),
            *(nn.Linear(width, pixels), nn.Tanh(), nn.Unflatten(1, shape)),
        )
        discriminator = nn.Sequential(
            *(nn.Flatten(), nn.Dropout(0.4 * dropout), Maxout(pixels, units), nn.Dropout(dropout), Maxout(units, units)),
            *(nn.Dropout(dropout), nn.Linear(units, 1), nn.Flatten(0)),
        )
        super().__init__(generator, discriminator, noise=noise, channels=channels, size=size, features=features)


class Maxout(nn.Linear):
    """Of five linear functions the largest, for each unit."""

    def __init__(self, before: int, units: int) -> None:
        super().__init__(before, units * PIECES)

    def forward(self, input: Tensor) -> Tensor:
        """(B, before) to (B, units)."""
        return super().forward(input).view(len(input), -1, PIECES).amax(2)
