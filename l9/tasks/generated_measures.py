"""What generated pictures are worth: measured against test pictures by the features of lite0, and against training pictures for copies.

N generated, M test, K training pictures   C channels   H W height and width   F features
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.lite_features import LiteFeatures
from l9.tasks.feature_distances import gaussian_distance, kernel_distance, precision_and_recall
from l9.tasks.nearest_training import Memorisation, nearest_training
from l9.tasks.unit_pictures import COLUMN, spread, stored_pictures

AT_ONCE = 256  # pictures that the network sees together
MOST_NUMBERS = 2**27  # in the training pictures that are compared, 0.5 GiB: 43,690 of 3 x 32 x 32, 10,922 of 3 x 64 x 64
MOST_TESTED = 5_000  # test pictures that are compared


@dataclass(frozen=True)
class Measures:
    """Metrics, and the nearest training pictures, which `memorisation_page` draws."""

    metrics: dict[str, float]
    nearest: Memorisation


def measured(
    generated: Float[Tensor, "n c h w"],
    test: Float[Tensor, "m c h w"],
    train: Float[Tensor, "k c h w"],
    features: LiteFeatures,
    seed: int,
) -> Measures:
    """All measures; `seed` draws KID's subsets.

    kid         KID x 1000 with lite0's features, lower is better, about 0 where nothing differs; `kid_std` its deviation over subsets
    fid_lite0   Frechet distance of Gaussians in lite0's features, too large for few pictures: `generated` and `tested` say how many
    precision   share of generated pictures that could be real;  recall  share of real ones that could be generated
    novelty_pixels, novelty_features, copied   see `Memorisation.metrics`
    raises      TrainingError where the network has no weights, pictures are not finite, or there are less than two of either
    """
    features.check_loaded()
    if min(len(generated), len(test), len(train) + 1) < 2:
        found = f"{len(generated)} generated, {len(test)} test and {len(train)} training pictures"
        raise TrainingError(f"measures got {found}; expected at least 2, 2 and 1")
    if not bool(torch.isfinite(generated).all()):
        raise TrainingError("the generated pictures hold numbers that are not finite; the generator diverged, try a lower rate")
    ours, theirs, known = (features_of(features, one) for one in (generated, test, train))
    kid = kernel_distance(ours, theirs, seed)
    precision, recall = precision_and_recall(ours, theirs)
    flat, flat_test, flat_train = (one.detach().cpu().flatten(1).numpy() for one in (generated, test, train))
    nearest = Memorisation(
        nearest_training(flat, flat_train),
        nearest_training(ours, known),
        nearest_training(flat_test, flat_train),
        nearest_training(theirs, known),
    )
    quality = {"kid": kid.distance, "kid_std": kid.deviation, "fid_lite0": gaussian_distance(ours, theirs)}
    counts = {"generated": float(len(generated)), "tested": float(len(test))}
    return Measures({**quality, "precision": precision, "recall": recall, **nearest.metrics(), **counts}, nearest)


@torch.no_grad()
def features_of(features: LiteFeatures, x_BCHW: Float[Tensor, "b c h w"]) -> Float64[ndarray, "b f"]:
    """Features of pictures of 0..1, on the network's device, 256 at once."""
    device = next(features.parameters()).device
    return np.concatenate([features(part.to(device)).cpu().numpy() for part in torch.split(x_BCHW, AT_ONCE)]).astype(np.float64)


def compared_training(samples: Samples) -> Float[Tensor, "k c h w"]:
    """The training pictures that are compared: all, or as many as 0.5 GiB holds, evenly spread, where they are more."""
    return stored_pictures(spread(samples, most_pictures(samples)))


def compared_tests(samples: Samples) -> Float[Tensor, "m c h w"]:
    """The test pictures that are compared, and as many as are generated: all, or 5,000, or as many as 0.5 GiB holds, evenly spread."""
    return stored_pictures(spread(samples, min(MOST_TESTED, most_pictures(samples))))


def most_pictures(samples: Samples) -> int:
    """How many of them 0.5 GiB holds as float32; at least 1."""
    return max(1, MOST_NUMBERS // int(np.prod(samples.stores[0].column(COLUMN).shape)))
