"""Matches drawn between two frames: each key point of one is joined with the one of the other whose descriptor is nearest."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.data.batch import Packed
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.draw.matches import matches_picture
from l9.tasks.contract import Picture
from l9.tasks.descriptors import APART, item_of

PAIRS = 4  # pairs of frames on the page
ACROSS = 2
Describe = Callable[[Samples], Float[ndarray, "M 3 V F"]]


def match_pictures(samples: Samples, describe: Describe) -> list[Picture]:
    """`matches`: pairs of frames whose pictures are stored, those with the most matches; nothing where none is.

    Right (green) is the key point of the same match, or one within 2 cm of it; frames of key points are as they were found.
    """
    pairs = _pairs(samples)
    tiles, captions = [], []
    for rows in pairs:
        chosen = samples.subset(rows)
        found = describe(chosen)[:, :, 0]
        nearest = np.linalg.norm(found[:, None, 0] - found[None, :, 1], axis=-1).argmin(axis=1)
        pixels, points, pictures = _seen(chosen)
        right = np.linalg.norm(points[nearest, 1] - points[:, 1], axis=1) <= APART
        tiles.append(matches_picture(pictures, pixels[:, 0], pixels[nearest, 1], right))
        captions.append(f"{chosen.objects[0]}: {int(right.sum())} of {len(right)} right")
    if not tiles:
        return []
    return [Picture("matches", sample_grid(tiles, captions, ACROSS, "nearest descriptors between two frames: right green, wrong red"))]


def _pairs(samples: Samples) -> list[ndarray]:
    """Numbers of the samples of each pair whose pictures are stored, at most four: those of the most matches, the earlier first."""
    kept = np.flatnonzero(samples.counts("shown") > 0)
    places = np.stack([samples.store_numbers[kept], samples.rows[kept]], axis=1)
    _, first, pair, counts = np.unique(places, axis=0, return_index=True, return_inverse=True, return_counts=True)
    best = sorted(range(len(counts)), key=lambda number: (-counts[number], first[number]))[:PAIRS]
    return [kept[pair.ravel() == number] for number in best]


def _seen(chosen: Samples) -> tuple[Float[ndarray, "M 3 2"], Float[ndarray, "M 3 3"], UInt8[ndarray, "2 h w 3"]]:
    """Of one pair: pixels of its key points in the stored pictures, their points in the world, and the pictures."""
    batch = next(Loader(chosen, ("match_pixels", "match_points", "picture_sizes", "shown"), seed=0, training=False).sequential(len(chosen)))
    shown = batch.columns["shown"]
    assert isinstance(shown, Packed)
    pictures = shown.values[0].numpy()
    sizes = batch.fixed("picture_sizes")[0].numpy().astype(np.float64)
    scales = np.array(pictures.shape[2:0:-1]) / sizes
    pixels = item_of(batch, "match_pixels").numpy().astype(np.float64)
    pixels[:, :2] = (pixels[:, :2] + 0.5) * scales - 0.5
    return pixels, item_of(batch, "match_points").numpy(), pictures
