"""Did a generator learn, or learn by heart? The nearest training picture of each sample, by pixels and by features.

Pixels alone miss a picture that was shifted; features alone miss fine detail. Both are compared with how near new real pictures, those of
the test part, come to the training pictures.

sources  Goodfellow et al., Generative adversarial nets, NIPS 2014 (the nearest training picture beside each sample); ratios as in
         Alaa et al., How faithful is your synthetic data?, ICML 2022, whose authenticity compares the same distances
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from l9.draw.grid import sample_grid
from l9.tasks.contract import Picture
from l9.tasks.neighbours import Nearest, code_distances
from l9.tasks.unit_pictures import picture_tiles

AT_ONCE = 1024  # training pictures that are compared at once
COPIED = 1.0  # percent of the test pictures that are as near to a training picture as what counts as copied
SHOWN, TILE = 12, 96  # samples on the page, and pixels of a tile


@dataclass(frozen=True)
class NearestTraining:
    """Of n samples the nearest training picture, in one space: its number, and the L2 distance."""

    numbers: Int64[ndarray, "n"]
    distances: Float64[ndarray, "n"]


def nearest_training(samples: Float[ndarray, "n d"], training: Float[ndarray, "m d"]) -> NearestTraining:
    """By L2 distance, the earliest of equally near ones. Memory is of 1,024 training pictures in float64, and the samples."""
    ours, nearest = samples.astype(np.float64), Nearest(1)
    for start in range(0, len(training), AT_ONCE):
        part = training[start : start + AT_ONCE].astype(np.float64)
        nearest.see(code_distances(ours, part), np.arange(start, start + len(part)))
    numbers = nearest.labels[:, 0]
    differences = ours - training[numbers]  # again, without the rounding of |x|^2 + |y|^2 - 2 x.y
    return NearestTraining(numbers, np.sqrt(np.square(differences).sum(axis=1)))


@dataclass(frozen=True)
class Memorisation:
    """Samples and test pictures against the training pictures, by pixels and by features."""

    by_pixels: NearestTraining
    by_features: NearestTraining
    test_by_pixels: NearestTraining
    test_by_features: NearestTraining

    def metrics(self) -> dict[str, float]:
        """`authenticity_pixels`, `authenticity_features`, `copied`.

        authenticity  the samples' median distance to their nearest training picture over that of the test pictures. Below 1: nearer to the
                      training pictures than new real ones are; 0: copies. Left out where the test pictures are training pictures
        copied        share of samples that are as near, by features, as the nearest 1 % of the test pictures, or nearer
        """
        pairs = {"pixels": (self.by_pixels, self.test_by_pixels), "features": (self.by_features, self.test_by_features)}
        medians = {space: (float(np.median(one.distances)), float(np.median(test.distances))) for space, (one, test) in pairs.items()}
        found = {f"authenticity_{space}": ours / theirs for space, (ours, theirs) in medians.items() if theirs > 0}
        limit = np.percentile(self.test_by_features.distances, COPIED)
        return found | {"copied": float((self.by_features.distances <= limit).mean())}


def memorisation_page(found: Memorisation, generated: Float[Tensor, "n c h w"], training: Float[Tensor, "m c h w"]) -> Picture:
    """`memorisation`: the 12 samples nearest to a training picture by features, each above its nearest by features and by pixels."""
    order = np.argsort(found.by_features.distances, kind="stable")[:SHOWN]
    rows = (generated[order], training[found.by_features.numbers[order]], training[found.by_pixels.numbers[order]])
    tiles = [np.concatenate(column) for column in zip(*(picture_tiles(row, TILE) for row in rows), strict=True)]
    captions = [f"features {found.by_features.distances[n]:.2f}\npixels {found.by_pixels.distances[n]:.2f}" for n in order]
    middle = np.median(found.test_by_features.distances), np.median(found.test_by_pixels.distances)
    title = (
        f"top: the {len(tiles)} samples nearest to a training picture; below: their nearest by features, by pixels. "
        f"Of test pictures the median distances are {middle[0]:.2f}, {middle[1]:.2f}"
    )
    return Picture("memorisation", sample_grid(tiles, captions, SHOWN // 2, title))
