"""One picture for each class, learnt: the best that a network can answer which is told a class and nothing else.

B samples   K classes   C channels   S the picture's edge, pixels
label_B -> x_BCSS. Whatever a network of a class computes is K pictures, so these are its parameters.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from l9.errors import RecipeError, ShapeError

START = 0.5  # every pixel of the first pictures: mid grey


class PictureTable(nn.Module):
    """Class to picture.

    classes   names of the K classes; only their number matters here
    size      S, pixels along each edge
    channels  C: 1 grey, 3 RGB
    raises    RecipeError where there is no class, no pixel or no channel
    """

    def __init__(self, classes: tuple[str, ...], size: int = 28, channels: int = 1) -> None:
        super().__init__()
        if not classes or min(size, channels) < 1:
            raise RecipeError(f"PictureTable: {len(classes)} classes, size {size}, channels {channels}; expected at least 1 each")
        self.size, self.channels = size, channels
        self.pictures_KCSS = nn.Parameter(torch.full((len(classes), channels, size, size), START))

    def forward(self, label_B: Int64[Tensor, "b"]) -> Float[Tensor, "b c s s"]:
        """The picture of each class, as it is learnt: nothing holds it in 0..1; ShapeError for a label that is no class."""
        count = len(self.pictures_KCSS)
        if len(label_B) and not 0 <= int(label_B.min()) <= int(label_B.max()) < count:
            raise ShapeError(f"PictureTable got labels {int(label_B.min())} to {int(label_B.max())}; expected 0 to {count - 1}")
        return self.pictures_KCSS[label_B]
