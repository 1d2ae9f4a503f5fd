"""DCGAN (Radford, Metz, Chintala, ICLR 2016): pictures out of noise by up-convolutions, and the network that judges them.

B batch   Z noise numbers   C channels   S the picture's edge, 28, 32 or 64 pixels   f width
z_BZ -> generator -> x_BCSS in -1..1 -> discriminator -> logits_B, above 0 where a picture looks real
    generator      Z -> 8f x 4^2 -> 4f x 8^2 -> 2f x 16^2 -> f x 32^2 -> C x 64^2, batch norm and ReLU after each but the last: tanh
    discriminator  the same back, LeakyReLU 0.2 after each convolution but the last, batch norm after each but the first and the last
Kernels 4, stride 2, padding 1; between noise and 4^2, and between 4^2 and a logit, the kernel is the whole 4^2. A picture of 32 pixels
has one step less (4f at 4^2), one of 28 two (2f at 7^2, f at 14^2). Sizes as in the paper's Torch code: Z = 100, f = 64.
First weights N(0, 0.02), gains of the batch norms N(1, 0.02), biases 0. Parameters at 64 pixels, 3 channels, f = 64: generator 3,576,704,
discriminator 2,765,568 (counted; the paper tells none).
The discriminator sees real and generated pictures in batches of their own, so that each has its own batch statistics.
"""

from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError
from l9.models.convolution_sizes import transposed_edge
from l9.models.lite_features import LiteFeatures

KERNEL, STRIDE, PADDING = 4, 2, 1
SMALLEST = {28: 7, 32: 4, 64: 4}  # edge of the picture -> edge of the smallest feature maps
LEAK = 0.2  # slope of the discriminator's ReLU below 0
DEVIATION = 0.02  # of first weights


class Gan(nn.Module):
    """Two networks, by these names: `generator` (z_BZ to x_BCSS) and `discriminator` (x_BCSS to logits_B).

    noise     Z
    channels  C
    size      S, pixels
    features  a third child, `features`, by which generated pictures are measured: nobody trains it, its weights come by `init="lite0"`
    """

    weight_prefix = f"features.{LiteFeatures.weight_prefix}"

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, noise: int, channels: int, size: int, features: bool = False
    ) -> None:
        super().__init__()
        self.noise, self.channels, self.size = noise, channels, size
        self.generator, self.discriminator = generator, discriminator
        self.features = LiteFeatures() if features else None

    def generate(self, z_BZ: Float[Tensor, "b z"]) -> Float[Tensor, "b c s s"]:
        """Pictures in -1..1; ShapeError for noise of another length."""
        if z_BZ.ndim != 2 or z_BZ.shape[1] != self.noise:
            raise ShapeError(
                f"{type(self).__name__}(noise={self.noise}) got noise of shape {tuple(z_BZ.shape)}; expected (B, {self.noise})"
            )
        x_BCSS: Tensor = self.generator(z_BZ)
        return x_BCSS

    def judge(self, x_BCSS: Float[Tensor, "b c s s"]) -> Float[Tensor, "b"]:
        """Logits that a picture is real, before the sigmoid; ShapeError for pictures of another size."""
        expected = (self.channels, self.size, self.size)
        if x_BCSS.shape[1:] != expected:
            got = tuple(x_BCSS.shape)
            raise ShapeError(
                f"{type(self).__name__}(size={self.size}) got a batch of shape {got}; expected (B, {', '.join(map(str, expected))})"
            )
        logits_B: Tensor = self.discriminator(x_BCSS)
        return logits_B

    def forward(self, z_BZ: Float[Tensor, "b z"]) -> Float[Tensor, "b c s s"]:
        """As `generate`."""
        return self.generate(z_BZ)


class Dcgan(Gan):
    """The convolutional pair.

    size      pixels along each edge: 28, 32 or 64
    channels  1 grey, 3 RGB
    noise     numbers that a picture is made from; 100 in the paper
    width     f, channels next to the picture
    norm      False: no batch norm anywhere, biases in its place: then no sample has a part in another's answer, and two workers
              together compute what one does alone
    features  as of Gan
    raises    RecipeError where no such pair can be built
    """

    def __init__(
        self, size: int = 64, channels: int = 3, noise: int = 100, width: int = 64, norm: bool = True, features: bool = False
    ) -> None:
        if size not in SMALLEST:
            raise RecipeError(f"Dcgan: size is {size}; expected one of {', '.join(map(str, SMALLEST))}")
        if min(channels, noise, width) < 1:
            raise RecipeError(f"Dcgan: channels is {channels}, noise {noise}, width {width}; expected at least 1 each")
        widths = _widths(size, width)
        super().__init__(
            Generator(noise, widths[::-1], channels, SMALLEST[size], norm),
            Discriminator(channels, widths, SMALLEST[size], norm),
            noise=noise,
            channels=channels,
            size=size,
            features=features,
        )
        self.generator.apply(initialise)
        self.discriminator.apply(initialise)


class Generator(nn.Sequential):
    """Noise to picture.

    widths  channels of the feature maps, the smallest maps' first
    """

    def __init__(self, noise: int, widths: list[int], channels: int, smallest: int, norm: bool) -> None:
        layers: list[nn.Module] = [nn.Unflatten(1, (noise, 1, 1)), nn.ConvTranspose2d(noise, widths[0], smallest, bias=not norm)]
        for before, after in zip(widths, [*widths[1:], channels], strict=True):
            layers += [nn.BatchNorm2d(before)] if norm else []
            layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, KERNEL, STRIDE, PADDING, bias=not norm)]
        super().__init__(*layers, nn.Tanh())


class Discriminator(nn.Sequential):
    """Picture to logit.

    widths  channels of the feature maps, the largest maps' first
    """

    def __init__(self, channels: int, widths: list[int], smallest: int, norm: bool) -> None:
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(zip([channels, *widths], widths, strict=False)):
            layers += [nn.Conv2d(before, after, KERNEL, STRIDE, PADDING, bias=not norm)]
            layers += [nn.BatchNorm2d(after)] if norm and number else []
            layers += [nn.LeakyReLU(LEAK)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, smallest, bias=not norm), nn.Flatten(0))


def initialise(layer: nn.Module) -> None:
    """Weights N(0, 0.02), gains of batch norms N(1, 0.02), biases 0."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, DEVIATION)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, DEVIATION)
    else:
        return
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _widths(size: int, width: int) -> list[int]:
    """Channels after each of the discriminator's convolutions of stride 2: f, 2f ..., as many as lead from the smallest maps to `size`."""
    widths, edge = list[int](), SMALLEST[size]
    while edge < size:
        widths.append(width * 2 ** len(widths))
        edge = transposed_edge(edge, KERNEL, STRIDE, PADDING)
    return widths
