"""What a trained PixelCNN says of pictures: how likely they are, of which class, and what it draws. No training here.

B pictures   C channels   H W rows and columns   K classes   N samples
A network of classes knows p(x | class); with the shares of the classes among the training samples, p(class), Bayes' rule gives p(x), which
compares with networks of no class, and p(class | x), a classifier. All in float32, summed over classes in float64.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn, as_input
from l9.models.pixel_generation import generate, uniform_draws
from l9.tasks.pixel_values import check_binary, picture_nats, pixel_values, unit_values
from l9.tasks.unit_pictures import COLUMN, unit_pictures

AT_ONCE = 100  # pictures that pass together
Network = PixelCnn | GatedPixelCnn


def classes_of(network: Network) -> int:
    """How many classes a network is told of; 0 where it is told none."""
    return network.classes if isinstance(network, GatedPixelCnn) else 0


class Judge:
    """A network with the shares of the classes. It is asked as it stands at that moment.

    shares_K  p(class), of a network of classes; sums to 1
    exact     whether a network of two values refuses pictures of other bytes than 0 and 255; False: they are cut at 128
    """

    def __init__(self, network: Network, shares_K: Float64[ndarray, "k"], exact: bool = True) -> None:
        self.network, self.shares_K, self.classes, self.exact = network, shares_K, classes_of(network), exact

    def batches(self, samples: Samples) -> Iterator[Batch]:
        """All samples in their order."""
        return Loader(samples, (COLUMN,), seed=0, training=False).sequential(AT_ONCE)

    def values(self, batch: Batch) -> Int64[Tensor, "b c h w"]:
        """What stands in the pictures, on the network's device; TrainingError for pictures that it refuses."""
        x = unit_pictures(batch)
        if self.network.values == 2 and self.exact:
            check_binary(x)
        return pixel_values(x, self.network.values).to(next(self.network.parameters()).device)

    @torch.no_grad()
    def nats(self, batch: Batch) -> Float64[ndarray, "b k"]:
        """-ln p(x | class) for each class, nats a picture; one column, -ln p(x), of a network of no class. As many passes as columns."""
        values = self.values(batch)
        x = as_input(values, self.network.values)
        told: list[Tensor | None] = [torch.full((len(x),), number, device=x.device) for number in range(self.classes)] or [None]
        found = [picture_nats(self.network(x, label).float(), values) for label in told]
        return torch.stack(found, 1).double().cpu().numpy()

    def all_nats(self, samples: Samples) -> Float64[ndarray, "n k"]:
        """The same of all samples."""
        return np.concatenate([self.nats(batch) for batch in self.batches(samples)])

    def marginal(self, nats_NK: Float64[ndarray, "n k"]) -> Float64[ndarray, "n"]:
        """-ln p(x): of a network of classes the sum over them of p(class) p(x | class)."""
        if not self.classes:
            return nats_NK[:, 0]
        return np.asarray(-np.logaddexp.reduce(self._joint(nats_NK), axis=1))

    def probabilities(self, nats_NK: Float64[ndarray, "n k"]) -> Float64[ndarray, "n k"]:
        """p(class | x), each row sums to 1."""
        return np.asarray(np.exp(self._joint(nats_NK) + self.marginal(nats_NK)[:, None]))

    def draw(
        self,
        seed: int,
        count: int,
        shape: tuple[int, int, int],
        labels: Sequence[int] = (),
        given_BCHW: Int64[Tensor, "b c h w"] | None = None,
        known_BHW: Bool[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b c h w"]:
        """`count` pictures of `shape` (C, H, W), values 0..V-1, by (seed, number of the picture); the process's random state stays.

        labels                 a class for each, of a network of classes
        given_BCHW, known_BHW  pictures of which the pixels that are known stay, see `generate`
        """
        device = next(self.network.parameters()).device
        label_B = torch.tensor(list(labels), dtype=torch.int64, device=device) if self.classes else None
        return generate(self.network, uniform_draws(seed, range(count), shape), label_B, given_BCHW, known_BHW)

    def shown(self, values_BCHW: Int64[Tensor, "b c h w"]) -> Tensor:
        """For people: 0 to 1."""
        return unit_values(values_BCHW, self.network.values)

    def _joint(self, nats_NK: Float64[ndarray, "n k"]) -> Float64[ndarray, "n k"]:
        """ln p(class) p(x | class); a class that no training sample has is never the answer."""
        with np.errstate(divide="ignore"):
            return np.log(self.shares_K)[None] - nats_NK
