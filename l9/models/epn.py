"""3D-EPN (Dai, Qi, Niessner, CVPR 2017): a partial scan in, the distance field of the whole object out. Its five networks.

B batch   R = 32 voxels along each edge (x, y, z)   w width (nf)   K classes
in   partial_B2RRR: min(|signed distance|, 3) in voxels, and +1 where it is known, -1 where it is not
out  log_distance_BRRR = log(|y| + 1), so never below 0; exp of it less 1 is a distance in voxels
    edge        32 -> 16 -> 8 -> 4 -> 1 -> 4 -> 8 -> 16 -> 32        kernels 4, stride 2 and padding 1; to 1 and back without either
    EpnUnet      2     w   2w   4w   8w   4w   2w   w    1           each step back joins the channels of the same size on the way in
    EpnBase      the same without joining, with batch norm after the first layer too, and ReLU where EpnUnet has LeakyReLU .2
    Epn          edge 32 -> 14 -> 12 -> 6, 16w and 64w features, 4 -> 8 -> 16 -> 32 -> 32; kernels 6, 3, 4, then 4, 4, 4, 5
                 channels 2 -> w -> w -> w, and w -> w/2 -> w/4 -> w/8 -> 1; w = 32 as published
In the middle are two fully connected layers; EpnUnet and Epn take class scores there (`class_scores`), those of a classifier of partial
scans that they hold and never train: linear outputs of `Nin3d`, as the authors' code has them.
Parameters as published, at w = 80 and K = 55 (the classifier's left out; counted, the paper tells none):
    EpnUnet 52,455,681, with class scores 52,490,881; EpnBase 35,247,521; Epn at w = 32 4,740,969, with class scores 4,769,129
At w = 16, which trains in minutes on a processor, EpnUnet has 2,102,529 and EpnBase 1,413,409.
The last layer's bias begins at 3 voxels, which the authors' does not: most of a grid is far from a surface. From about 0 half of the y
begin below it, a different share of each of the stride's eight sub-grids, which one bias then cannot bring to one distance.
source  sections 4 and 5 of the paper; sizes, slopes, batch norms and the joining as in the authors' code
"""

import typing
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError, TrainingError
from l9.models.nin3d import Nin3d, class_input, class_list
from l9.models.voxnet import Convolution

RESOLUTION = 32
LEAK = 0.2  # slope below 0 on the way in
FAR = 3.0  # voxels: what a network answers before it has learnt
STEADY = 1e-3  # added to the variance by the batch norms of EpnUnet; the other networks have torch's 1e-5


class Completion(nn.Module):
    """What the five networks share: their grid, and the classifier that some of them hold.

    classifier_width  width of the Nin3d of partial scans whose scores are taken; 0: none
    """

    version = 2
    weight_prefix = "classifier."  # where `init` puts a classifier's weights
    classifier: Nin3d | None
    resolution = RESOLUTION

    def __init__(self, classes: tuple[str, ...], classifier_width: int) -> None:
        super().__init__()
        self.classes = classes
        if classifier_width and not classes:
            raise RecipeError(
                f"{type(self).__name__}: class_scores needs classes; expected a card with labels, and classes in the recipe's set"
            )
        self.classifier = _unknown(Nin3d(classes, width=classifier_width)) if classifier_width else None

    def train(self, mode: bool = True) -> Self:
        """The classifier stays in evaluation mode."""
        super().train(mode)
        if self.classifier is not None:
            self.classifier.eval()
        return self

    def check_classifier(self) -> None:
        """TrainingError unless the classifier has its weights, and for these classes."""
        if self.classifier is None:
            return
        told = {name: tensor for name, tensor in self.classifier.state_dict().items() if tensor.is_floating_point()}
        missing = [name for name, tensor in told.items() if not bool(tensor.isfinite().all())]
        cure = "expected init to name a training of ClassifyPartial on the same classes, with Nin3d of the same width"
        if len(missing) == len(told):
            raise TrainingError(f"{type(self).__name__}: its classifier has no weights; {cure}")
        if not torch.equal(self.classifier.class_list.cpu(), class_list(self.classes)):
            raise TrainingError(f"{type(self).__name__}: init brought a classifier of other classes than these {len(self.classes)}; {cure}")
        if missing:
            raise TrainingError(f"{type(self).__name__}: init brought no weights for {missing[0]} of its classifier; {cure}")

    def check_size(self, partial_B2RRR: Tensor) -> None:
        """ShapeError for scans of another size."""
        if partial_B2RRR.shape[1:] != (2, *[RESOLUTION] * 3):
            got = tuple(partial_B2RRR.shape)
            raise ShapeError(f"{type(self).__name__} got a batch of shape {got}; expected (B, 2, {RESOLUTION}, {RESOLUTION}, {RESOLUTION})")

    def scores(self, partial_B2RRR: Float[Tensor, "b 2 r r r"]) -> list[Tensor]:
        """What the classifier says, (B, K), in a list; none where there is none."""
        if self.classifier is None:
            return []
        with torch.no_grad():
            return [self.classifier(class_input(partial_B2RRR))]


class EpnUnet(Completion):
    """`epn-unet` of the authors' code; with `class_scores` its `epn-unet-class`, the paper's own network."""

    def __init__(self, classes: tuple[str, ...] = (), class_scores: bool = False, width: int = 16, classifier_width: int = 48) -> None:
        super().__init__(classes, classifier_width if class_scores else 0)
        w = width
        self.inward = nn.ModuleList(
            [
                nn.Sequential(_down(2, w), nn.LeakyReLU(LEAK)),
                nn.Sequential(_down(w, 2 * w), _norm(2 * w), nn.LeakyReLU(LEAK)),
                nn.Sequential(_down(2 * w, 4 * w), _norm(4 * w), nn.LeakyReLU(LEAK)),
                nn.Sequential(Convolution(4 * w, 8 * w, 4), _norm(8 * w), nn.LeakyReLU(LEAK)),
            ]
        )
        self.middle = _middle(8 * w + (len(classes) if class_scores else 0), 8 * w)
        self.outward = nn.ModuleList(
            [
                nn.Sequential(UpConvolution(16 * w, 4 * w, 4), _norm(4 * w), nn.ReLU()),
                nn.Sequential(_up(8 * w, 2 * w), _norm(2 * w), nn.ReLU()),
                nn.Sequential(_up(4 * w, w), _norm(w), nn.ReLU()),
                _far(_up(2 * w, 1)),
            ]
        )

    def forward(self, partial_B2RRR: Float[Tensor, "b 2 r r r"]) -> Float[Tensor, "b r r r"]:
        """log(distance + 1), float32; ShapeError for a grid of another size."""
        self.check_size(partial_B2RRR)
        scores = self.scores(partial_B2RRR)
        kept = [partial_B2RRR]
        for step in self.inward:
            kept.append(step(kept[-1]))
        found = self.middle(torch.cat([kept[-1].flatten(1), *scores], dim=1))[:, :, None, None, None]
        for step in self.outward:
            found = step(torch.cat([found, kept.pop()], dim=1))
        return log_distance(found)


class EpnBase(Completion):
    """`epn-base`: no joining, no class scores."""

    def __init__(self, width: int = 16) -> None:
        super().__init__((), 0)
        w = width
        self.layers = nn.Sequential(
            *(_down(2, w), nn.BatchNorm3d(w), nn.ReLU()),
            *(_down(w, 2 * w), nn.BatchNorm3d(2 * w), nn.ReLU()),
            *(_down(2 * w, 4 * w), nn.BatchNorm3d(4 * w), nn.ReLU()),
            *(Convolution(4 * w, 8 * w, 4), nn.BatchNorm3d(8 * w), nn.Flatten()),
            *(_middle(8 * w, 8 * w), nn.Unflatten(1, (8 * w, 1, 1, 1))),
            *(UpConvolution(8 * w, 4 * w, 4), nn.BatchNorm3d(4 * w), nn.ReLU()),
            *(_up(4 * w, 2 * w), nn.BatchNorm3d(2 * w), nn.ReLU()),
            *(_up(2 * w, w), nn.BatchNorm3d(w), nn.ReLU()),
            _far(_up(w, 1)),
        )

    def forward(self, partial_B2RRR: Float[Tensor, "b 2 r r r"]) -> Float[Tensor, "b r r r"]:
        """log(distance + 1), float32; ShapeError for a grid of another size."""
        self.check_size(partial_B2RRR)
        return log_distance(self.layers(partial_B2RRR))


class Epn(Completion):
    """The small network: `epn`, with `class_scores` `epn-class`."""

    def __init__(self, classes: tuple[str, ...] = (), class_scores: bool = False, width: int = 32, classifier_width: int = 48) -> None:
        super().__init__(classes, classifier_width if class_scores else 0)
        if width < 8 or width % 8:
            raise RecipeError(f"Epn: width is {width}; expected a multiple of 8, 32 as published")
        w = width
        self.inward = nn.Sequential(
            *(Convolution(2, w, 6, stride=2), nn.BatchNorm3d(w), nn.ReLU()),
            *(Convolution(w, w, 3), nn.BatchNorm3d(w), nn.ReLU()),
            *(_down(w, w), nn.BatchNorm3d(w), nn.Flatten()),
        )
        features = w * 6**3 + (len(classes) if class_scores else 0)
        self.middle = nn.Sequential(nn.Linear(features, 16 * w), nn.ReLU(), nn.Linear(16 * w, 64 * w), nn.ReLU())
        self.outward = nn.Sequential(
            nn.Unflatten(1, (w, 4, 4, 4)),
            *(_up(w, w // 2), nn.BatchNorm3d(w // 2), nn.ReLU()),
            *(_up(w // 2, w // 4), nn.BatchNorm3d(w // 4), nn.ReLU()),
            *(_up(w // 4, w // 8), nn.BatchNorm3d(w // 8), nn.ReLU()),
            _far(UpConvolution(w // 8, 1, 5, padding=2)),
        )

    def forward(self, partial_B2RRR: Float[Tensor, "b 2 r r r"]) -> Float[Tensor, "b r r r"]:
        """log(distance + 1), float32; ShapeError for a grid of another size."""
        self.check_size(partial_B2RRR)
        scores = self.scores(partial_B2RRR)
        return log_distance(self.outward(self.middle(torch.cat([self.inward(partial_B2RRR), *scores], dim=1))))


class UpConvolution(nn.ConvTranspose3d):
    """ConvTranspose3d, channels last in memory on a processor, as `Convolution` is: the last layer of `Epn` in a quarter of the time."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, C, D, H, W) to (B, C', D', H', W')."""
        if input.device.type != "cpu" or torch.is_autocast_enabled("cpu") or output_size is not None:
            return super().forward(input, output_size)
        layout = torch.channels_last_3d
        input, weight = input.to(memory_format=layout), self.weight.contiguous(memory_format=layout)
        padding = typing.cast(tuple[int, ...], self.padding)
        return nn.functional.conv_transpose3d(input, weight, self.bias, self.stride, padding, self.output_padding, self.groups)


def log_distance(y_B1RRR: Float[Tensor, "b 1 r r r"]) -> Float[Tensor, "b r r r"]:
    """log(|y| + 1) in float32."""
    return y_B1RRR[:, 0].float().abs().log1p()


def _unknown(classifier: Nin3d) -> Nin3d:
    """A classifier that is nobody's yet: frozen, and NaN all over, so that weights which were not brought cannot be used unnoticed."""
    classifier.requires_grad_(False)
    for tensor in classifier.state_dict().values():
        tensor.fill_(float("nan") if tensor.is_floating_point() else 0)
    return classifier.eval()


def _down(before: int, after: int) -> Convolution:
    return Convolution(before, after, 4, stride=2, padding=1)


def _up(before: int, after: int) -> UpConvolution:
    return UpConvolution(before, after, 4, stride=2, padding=1)


def _far(last: UpConvolution) -> UpConvolution:
    """A last layer, whose answers begin about 3 voxels from any surface."""
    assert last.bias is not None
    nn.init.constant_(last.bias, FAR)
    return last


def _norm(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=STEADY)


def _middle(features: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU())
