"""3DMatch (Zeng et al., CVPR 2017): a descriptor of the volume around a key point.

B batch   V voxels along each edge   C channels   F features   w width
in  tdf_B1VVV of V = 30 voxels of 1 cm: 1 at the surface, falling to 0 five voxels away from it        out  descriptor_BF
Eight convolutions of 3^3 without padding and a ReLU after each, a maximum of 2^3 after the second, and a 1x1 at the end:
    edge      30 -> 28 -> 26 -> 13 -> 11 -> 9 -> 7 -> 5 -> 3 -> 1
    channels         w     w     w    2w   2w   4w   4w   8w   8w -> F
As published w = 64 and F = 512; narrower networks keep F = 8 w.
What is known of the published network says nothing of the descriptor's length. Here it is 1 unless `normalised` is False, so that a
margin between distances means the same for every descriptor of key points.
"""

from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import ShapeError
from l9.models.voxnet import Convolution

VOXELS = 30  # along each edge
MULTIPLES = ((1, 1), (2, 2, 4, 4, 8, 8))  # of the width: channels before and after the pooling


class Match3D(nn.Module):
    """Volume of truncated distances to descriptor.

    features    F; None for 8 * width
    width       channels of the first layer, 64 as published
    normalised  whether descriptors have L2 norm 1
    """

    def __init__(self, features: int | None = None, width: int = 16, normalised: bool = True) -> None:
        super().__init__()
        self.normalised = normalised
        before, after = ([width * multiple for multiple in group] for group in MULTIPLES)
        self.convolutions = nn.Sequential(*_layers(1, before), nn.MaxPool3d(2), *_layers(before[-1], after))
        self.last = nn.Linear(after[-1], features or after[-1])  # a 1x1 convolution, where a single voxel is left
        self.apply(_initialise)

    def forward(self, tdf_B1VVV: Float[Tensor, "b 1 v v v"]) -> Float[Tensor, "b f"]:
        """Descriptors in float32; ShapeError where the volume is not of 30 voxels along each edge."""
        if tdf_B1VVV.shape[2:] != (VOXELS,) * 3:
            raise ShapeError(f"Match3D got a batch of shape {tuple(tdf_B1VVV.shape)}; expected (B, 1, {VOXELS}, {VOXELS}, {VOXELS})")
        descriptor_BF: Tensor = self.last(self.convolutions(tdf_B1VVV).flatten(1)).float()
        return nn.functional.normalize(descriptor_BF, dim=1) if self.normalised else descriptor_BF


def _layers(before: int, channels: list[int]) -> list[nn.Module]:
    """A convolution of 3^3 and a ReLU for each of `channels`."""
    pairs = zip([before, *channels], channels, strict=False)
    return [layer for wide, narrow in pairs for layer in (Convolution(wide, narrow, 3), nn.ReLU())]


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv3d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias) if layer.bias is not None else None
