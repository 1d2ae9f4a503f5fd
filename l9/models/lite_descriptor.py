"""A descriptor of colour patches from the middle of EfficientNet-lite0 (Tan & Le, ICML 2019), frozen or fine-tuned.

B batch   S height and width of a patch   C channels   P cells along each edge   F features
in  patches_B3SS, RGB in 0..1        out  descriptor_BF of L2 norm 1
Only the stem and the blocks up to the cut are built. With `features` = 0 the map after the cut is the descriptor: averaged over P^2 cells
and flattened, F = C P^2 (112 * 4^2 = 1,792), what a network that never saw such patches gives. Otherwise one linear layer narrows it to F.
ImageNet's weights for lite0 copy into `trunk` by name.

Block 8, patches as they are and 4^2 cells were chosen on 12 rooms that l9 composed, of their train part: 5,492 pairs of 64^2 patches
around SIFT points, in a frame and the next but one, the second patch moved by N(0, 1.5 pixels) in x and y, scaled by exp(N(0, 0.1)) and
turned by N(0, 8 degrees). Of blocks 8 to 10, equal at 64^2, 8 is the cheapest. Error at 95 % recall, in %, against other points of the
same room (SIFT: upright, of size 10):
    block      1     2     3     4     5     6     7     8     9     10       SIFT
    64^2      9.8   5.0   4.3   3.8   4.6   4.0   3.8   2.6   2.6   2.6       4.4
    112^2    12.8   6.1   5.3   4.4   5.8   5.1   5.4   3.5   3.1   3.0
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.models.efficientnet_lite import DEVIATION, MEAN, LiteTrunk


class LiteDescriptor(nn.Module):
    """Patch to descriptor, through the first blocks of EfficientNet-lite0.

    features  F; 0 for the map's own averages
    block     the last block that is built, 0 to 15
    resize    edge in pixels to which patches are brought first, bilinear; 0 leaves them as they are
    cells     P: the map is averaged over P^2 cells; where it is smaller, cells share its pixels
    kept      blocks from the first on that stay as they were loaded, the stem and their batch norm's statistics too: what is
              transferred, and most of the work, since their maps are the largest
    raises    RecipeError for a block that lite0 does not have
    """

    weight_prefix = "trunk."

    def __init__(self, features: int = 128, block: int = 8, resize: int = 0, cells: int = 4, kept: int = 0) -> None:
        super().__init__()
        self.trunk = LiteTrunk(block + 1)
        self.resize, self.cells, self.kept = resize, cells, kept
        for layer in self.trunk.first(kept):
            layer.requires_grad_(False)
        self.head = nn.Linear(self.trunk.channels * cells**2, features) if features else None

    def train(self, mode: bool = True) -> "LiteDescriptor":
        """As every module; what is kept stays in evaluation mode."""
        super().train(mode)
        for layer in self.trunk.first(self.kept):
            layer.eval()
        return self

    def forward(self, patches_B3SS: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b f"]:
        """Descriptors in float32. Antialiased where `resize` makes patches smaller."""
        if self.resize:
            size = (self.resize, self.resize)
            patches_B3SS = nn.functional.interpolate(patches_B3SS, size=size, mode="bilinear", align_corners=False, antialias=True)
        normal = ((patches_B3SS - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)  # the fastest layout on processors
        map_BCHW = self.trunk(normal)
        pooled_BF = nn.functional.adaptive_avg_pool2d(map_BCHW, self.cells).flatten(1)
        descriptor_BF = pooled_BF if self.head is None else self.head(pooled_BF)
        return nn.functional.normalize(descriptor_BF.float(), dim=1)
