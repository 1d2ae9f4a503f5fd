"""Did a generator learn, or learn by heart? The nearest training picture of each sample, by pixels and by features.

Pixels alone miss a picture that was shifted; features alone miss fine detail. Both are compared with how near new real pictures, those of
the test part, come to the training pictures.

sources  Goodfellow et al., Generative adversarial nets, NIPS 2014 (the nearest training picture beside each sample); after
         Meehan, Chaudhuri, Dasgupta, A non-parametric test to detect data-copying in generative models, AISTATS 2020, which compares
         the same two sets of distances by ranks
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from l9.draw.grid import sample_grid
from l9.draw.text import font, wrapped
from l9.tasks.contract import Picture
from l9.tasks.neighbours import code_distances
from l9.tasks.unit_pictures import picture_tiles

AT_ONCE = 1024  # training pictures that are compared at once
COPIED = 1.0  # percent of the test pictures that are as near to a training picture as what counts as copied
SHOWN, TILE = 12, 96  # samples on the page, and pixels of a tile
ROWS = ("sample", "nearest training picture by features", "nearest training picture by pixels")
LETTERS, LINE = 13, 17  # height of letters, and from one line to the next, pixels


@dataclass(frozen=True)
class NearestTraining:
    """Of n samples the nearest training picture, in one space: its number, and the L2 distance."""

    numbers: Int64[ndarray, "n"]
    distances: Float64[ndarray, "n"]


def nearest_training(samples: Float[ndarray, "n d"], training: Float[ndarray, "m d"]) -> NearestTraining:
    """By L2 distance, the earliest of equally near ones. Memory is of 1,024 training pictures in float64, and the samples."""
    ours = samples.astype(np.float64)
    numbers, least = np.zeros(len(ours), np.int64), np.full(len(ours), np.inf)
    for start in range(0, len(training), AT_ONCE):
        distances = code_distances(ours, training[start : start + AT_ONCE].astype(np.float64))
        best, here = distances.argmin(axis=1), distances.min(axis=1)
        numbers, least = np.where(here < least, start + best, numbers), np.minimum(here, least)
    # again, without the rounding of |x|^2 + |y|^2 - 2 x.y
    squares = [np.square(one - training[number]).sum() for one, number in zip(ours, numbers, strict=True)]
    return NearestTraining(numbers, np.sqrt(np.array(squares, np.float64)))


@dataclass(frozen=True)
class Memorisation:
    """Samples and test pictures against the training pictures, by pixels and by features."""

    by_pixels: NearestTraining
    by_features: NearestTraining
    test_by_pixels: NearestTraining
    test_by_features: NearestTraining

    def metrics(self) -> dict[str, float]:
        """`novelty_pixels`, `novelty_features`, `copied`.

        novelty  the samples' median distance to their nearest training picture over that of the test pictures. Below 1: nearer to the
                 training pictures than new real ones are; 0: copies. Left out where the test pictures are training pictures
        copied   share of samples that are as near, by features, as the nearest 1 % of the test pictures, or nearer
        """
        pairs = {"pixels": (self.by_pixels, self.test_by_pixels), "features": (self.by_features, self.test_by_features)}
        medians = {space: (float(np.median(one.distances)), float(np.median(test.distances))) for space, (one, test) in pairs.items()}
        found = {f"novelty_{space}": ours / theirs for space, (ours, theirs) in medians.items() if theirs > 0}
        limit = np.percentile(self.test_by_features.distances, COPIED)
        return found | {"copied": float((self.by_features.distances <= limit).mean())}


def memorisation_page(found: Memorisation, generated: Float[Tensor, "n c h w"], training: Float[Tensor, "m c h w"]) -> Picture:
    """`memorisation`: the 12 samples nearest to a training picture by features, each above its nearest by features and by pixels."""
    order = np.argsort(found.by_features.distances, kind="stable")[:SHOWN]
    rows = (generated[order], training[found.by_features.numbers[order]], training[found.by_pixels.numbers[order]])
    tiles = [np.concatenate(column) for column in zip(*(picture_tiles(row, TILE) for row in rows), strict=True)]
    labels = np.concatenate([_label(text) for text in ROWS])
    captions = [_distances("", found.by_features.distances[n], found.by_pixels.distances[n]) for n in order]
    medians = (np.median(one.distances) for one in (found.test_by_features, found.test_by_pixels))
    of_tests = _distances("test pictures:\n", *medians)
    title = f"the {len(tiles)} samples nearest to a training picture; L2 distances, and their medians for test pictures"
    return Picture("memorisation", sample_grid([labels, *tiles], [of_tests, *captions], 1 + SHOWN, title))


def _distances(of: str, features: np.floating, pixels: np.floating) -> str:
    return f"{of}features {features:.2f}\npixels {pixels:.2f}"


def _label(text: str) -> UInt8[ndarray, "h w 3"]:
    """A white tile with words in its middle."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (TILE, TILE), (255, 255, 255))
    lines = wrapped(text, TILE, LETTERS)
    top = (TILE - len(lines) * LINE) // 2
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((TILE // 2, top + number * LINE), line, fill=(30, 30, 30), font=font(LETTERS), anchor="ma")
    return np.array(image)
