"""3D-NIN (Qi et al., CVPR 2016) with a fully connected tail, as ScanNet and 3D-EPN classify partial scans with it.

B batch   C channels   D H W the grid's x y z   F features   w width   K classes
in  x_BCDHW: occupied (0 or 1) and known (0 or 1); one channel for whole shapes        out  scores_BK, linear
Three times a convolution and two of 1^3, batch norm and ReLU after each, dropout .2 after the three; then two fully connected layers:
    edge      32 (30) -> 14 (13) -> 5 -> 2        kernels 6, 5, 3 of stride 2
    channels    C          w       2w   32w/3     -> 32w/3 features, ReLU, dropout .5 -> K
As published w = 48 and the grid is 30^3: 4,602,951 parameters at C = 2 and K = 55. Scans for 3D-EPN are grids of 32^3; they are taken as
they are, not cut, since both sizes come to the same 2^3 cells and so to the same layers.
sources  Qi, Su, Niessner, Dai, Yan, Guibas, Volumetric and multi-view CNNs for object classification on 3D data, CVPR 2016, and its code
         (`3dnin_fc`; He's first weights); Dai et al., ScanNet, CVPR 2017, whose classifier of partial scans has the second channel
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError
from l9.fingerprint import digest
from l9.models.voxnet import Convolution

SIZES = (30, 32)  # voxels along each edge that come to 2^3 cells
CELLS = 8
KERNELS = (6, 5, 3)
DROPPED, DROPPED_FEATURES = 0.2, 0.5
SURFACE = 1.0  # voxels from the surface up to which a voxel of a scan counts as occupied


class Nin3d(nn.Module):
    """Grid to class scores.

    classes     names of the K classes; their digest is stored with the weights (buffer `class_list`)
    channels    2: occupied and known; 1: occupied
    resolution  voxels along each edge, 30 or 32
    width       w, a multiple of 3
    raises      RecipeError
    """

    class_list: Tensor

    def __init__(self, classes: tuple[str, ...], channels: int = 2, resolution: int = 32, width: int = 48) -> None:
        super().__init__()
        if resolution not in SIZES:
            raise RecipeError(f"Nin3d: resolution is {resolution}; expected 32, or 30 as published")
        if width < 3 or width % 3:
            raise RecipeError(f"Nin3d: width is {width}; expected a multiple of 3, 48 as published")
        self.expected = (channels, *[resolution] * 3)
        wide = (width, 2 * width, 32 * width // 3)
        layers = zip((channels, *wide), wide, KERNELS, strict=False)
        self.trunk = nn.Sequential(*(layer for before, after, kernel in layers for layer in _block(before, after, kernel)))
        self.head = nn.Sequential(
            nn.Linear(CELLS * wide[-1], wide[-1]), nn.ReLU(), nn.Dropout(DROPPED_FEATURES), nn.Linear(wide[-1], len(classes))
        )
        self.register_buffer("class_list", class_list(classes))
        self.apply(_initialise)

    def forward(self, x_BCDHW: Float[Tensor, "b c r r r"]) -> Float[Tensor, "b k"]:
        """Scores before the softmax; ShapeError where the grid is not the one this network was built for."""
        if x_BCDHW.shape[1:] != self.expected:
            raise ShapeError(f"Nin3d got a batch of shape {tuple(x_BCDHW.shape)}; expected (B, {', '.join(map(str, self.expected))})")
        scores_BK: Tensor = self.head(self.trunk(x_BCDHW).flatten(1))
        return scores_BK


def class_input(partial_B2RRR: Float[Tensor, "b 2 r r r"]) -> Float[Tensor, "b 2 r r r"]:
    """What a classifier of partial scans is fed: within a voxel of the surface (0 or 1), and known (0 or 1)."""
    distances, known = partial_B2RRR.unbind(1)
    return torch.stack([distances <= SURFACE, known == 1], dim=1).float()


def class_list(classes: tuple[str, ...]) -> Tensor:
    """uint8 (8): the first bytes of the digest of the names in their order, by which weights know which classes they score."""
    return torch.tensor(list(bytes.fromhex(digest(list(classes))[:16])), dtype=torch.uint8)


def _block(before: int, after: int, kernel: int) -> list[nn.Module]:
    convolutions = (Convolution(before, after, kernel, stride=2), Convolution(after, after, 1), Convolution(after, after, 1))
    return [layer for one in convolutions for layer in (one, nn.BatchNorm3d(after), nn.ReLU())] + [nn.Dropout(DROPPED)]


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv3d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
