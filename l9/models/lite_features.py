"""Features of pictures by which generators are judged: EfficientNet-lite0 (Tan & Le, ICML 2019), frozen.

B batch   C channels: 1 grey, 3 RGB   H W height and width in pixels   F features, 1,280
in  x_BCHW, 0..1, of the size they have        out  features_BF, float32, their mean square 1
What lite0's last layer would tell classes from, divided by its root mean square. Grey pictures stand in all three channels. The classic
measures take Inception v3's 2,048 features: figures of lite0 compare with figures of lite0 alone, and of pictures of one size alone.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from l9.errors import TrainingError
from l9.models.efficientnet_lite import DEVIATION, HEAD, MEAN, LiteEncoder

LEAST = 8  # pixels of an edge
COLOURS = 3


class LiteFeatures(nn.Module):
    """Picture to features; never trained, always in evaluation mode. ImageNet's weights for lite0 copy into `trunk` by name."""

    weight_prefix = "trunk."

    def __init__(self) -> None:
        super().__init__()
        self.trunk = LiteEncoder()
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "LiteFeatures":
        """As every module, but the mode stays evaluation: the statistics of its batch norms never move."""
        return super().train(False)

    def forward(self, x_BCHW: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
        """Features in float32, whatever precision is chosen around. TrainingError for other channels than 1 or 3, or an edge below 8."""
        channels, height, width = x_BCHW.shape[1:]
        if channels not in (1, COLOURS) or min(height, width) < LEAST:
            found = f"LiteFeatures got pictures of {channels} channels, {height} x {width} pixels"
            raise TrainingError(f"{found}; expected 1 or 3 channels, and edges of at least {LEAST}")
        with torch.autocast(x_BCHW.device.type, enabled=False):
            normal = (x_BCHW.float().expand(-1, COLOURS, -1, -1) - MEAN) / DEVIATION
            features_BF = self.trunk(normal.contiguous(memory_format=torch.channels_last))  # the fastest layout on processors
            return nn.functional.normalize(features_BF, dim=1) * HEAD**0.5

    def check_loaded(self) -> None:
        """TrainingError where the weights are first weights, which judge nothing: all running means are 0."""
        if not any(bool(tensor.any()) for name, tensor in self.trunk.named_buffers() if name.endswith("running_mean")):
            raise TrainingError("LiteFeatures has no weights, and judges nothing; its training needs init='lite0'")
