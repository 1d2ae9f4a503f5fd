"""Pictures of an autoencoder of pictures: what it rebuilds, what lies between two pictures, and what its codes give."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.tasks.code_pictures import shown_numbers
from l9.tasks.contract import Picture, Report
from l9.tasks.neighbours import principal_directions
from l9.tasks.unit_pictures import picture_strip, picture_tiles, stored_pictures

SHOWN = 10  # pictures on the page of reconstructions and in the strip
TILE = 84  # pixels of a picture's edge
DRAWN = 30  # codes drawn by chance
PAIRS, STEPS = 4, 9  # rows of an interpolation, and codes from one end to the other, both included
SIDE, SIDE_TILE = 15, 42  # pictures along an edge of the manifold, and their edge, pixels
OUTERMOST = 0.05  # of the normal distribution's probability beyond the manifold's edge
SEED = 0  # of the codes drawn by chance


class Coding(Protocol):
    """What codes pictures: a network, or principal components."""

    def codes(self, samples: Samples) -> Float64[ndarray, "n z"]:
        """Codes of all samples, in their order."""
        ...

    def decoded(self, codes: Float64[ndarray, "b z"]) -> Float[Tensor, "b c s s"]:
        """Pictures of codes."""
        ...


def reconstruction_page(samples: Samples, report: Report, coding: Coding) -> Picture:
    """`reconstructions`: each picture above what is rebuilt of it, with its squared error."""
    numbers, truth, rebuilt = _shown(samples, coding)
    pairs = zip(picture_tiles(truth, TILE), picture_tiles(rebuilt, TILE), strict=True)
    captions = [f"{samples.objects[number]}\n{report.outcomes[number]['mse']:.1f}" for number in numbers]
    title = f"{len(numbers)} tested pictures (above) and what is rebuilt of their codes; squared error, summed over pixels"
    return Picture("reconstructions", sample_grid([np.concatenate(pair) for pair in pairs], captions, SHOWN, title))


def strips(samples: Samples, coding: Coding) -> list[Picture]:
    """`strip`: what is rebuilt of the same pictures, in one row without words; `strip_truth`: these pictures.

    Of the strips of several trainings a run makes one figure (l9/evaluate/strips.py).
    """
    _, truth, rebuilt = _shown(samples, coding)
    rows = (("strip_truth", truth), ("strip", rebuilt))
    return [Picture(name, picture_strip(x)) for name, x in rows]


def interpolation_page(samples: Samples, coding: Coding) -> Picture:
    """`interpolation`: pairs of tested pictures at the ends of rows, and between them what evenly spaced codes on the line give."""
    numbers = shown_numbers(len(samples), 2 * PAIRS)
    half = (len(numbers) + 1) // 2
    tiles: list[ndarray] = []
    for first, last in zip(numbers[:half], numbers[-half:], strict=True):
        ends = samples.subset([first, last])
        codes, shares = coding.codes(ends), np.linspace(0, 1, STEPS)[:, None]
        truth, between = stored_pictures(ends), coding.decoded((1 - shares) * codes[0] + shares * codes[1])
        tiles += picture_tiles(torch.cat([truth[:1], between, truth[1:]]), TILE)
    title = f"{half} pairs of tested pictures (left and right), and {STEPS} pictures on the line from code to code"
    return Picture("interpolation", sample_grid(tiles, (), STEPS + 2, title))


def drawn_page(coding: Coding, code: int) -> Picture:
    """`drawn`: what codes drawn from N(0, I) give. Sane ones are promised of a variational autoencoder alone."""
    codes = np.random.default_rng(SEED).standard_normal((DRAWN, code))
    title = f"{DRAWN} codes drawn from N(0, I), seed {SEED}: means of the pixels"
    return Picture("drawn", sample_grid(picture_tiles(coding.decoded(codes), TILE), (), SHOWN, title))


def manifold_page(coding: Coding, axes: tuple[ndarray, ndarray], title: str) -> Picture:
    """`manifold`: pictures of the codes on a plane, evenly spread by the inverse of the normal distribution's CDF.

    axes    the plane's middle (Z), and two vectors (2, Z), to the right and up, of one standard deviation each
    source  Kingma & Welling, ICLR 2014, figure 4
    """
    middle, vectors = axes
    places = [NormalDist().inv_cdf(share) for share in np.linspace(OUTERMOST, 1 - OUTERMOST, SIDE).tolist()]
    codes = [middle + right * vectors[0] + up * vectors[1] for up in reversed(places) for right in places]
    tiles = picture_tiles(coding.decoded(np.stack(codes)), SIDE_TILE)
    return Picture("manifold", sample_grid([_mosaic(tiles, SIDE)], (), 1, title))


def manifold_axes(known: Float64[ndarray, "n z"], standard: bool) -> tuple[tuple[ndarray, ndarray], str]:
    """The plane of `manifold_page`, and its title.

    known     codes of the training pictures: of more than two numbers those two directions are shown along which they vary most
    standard  codes of two numbers that are held near N(0, I), as a variational network's are: both are shown as they are
    """
    if standard and known.shape[1] == 2:
        return (np.zeros(2), np.eye(2)), "the code's two numbers, by the inverse normal CDF from 5 to 95 %"
    mean, directions, deviations = principal_directions(known, 2)
    title = "along the two principal directions of the training codes, by the inverse normal CDF from 5 to 95 %"
    return (mean, directions * deviations[:, None]), title


def _shown(samples: Samples, coding: Coding) -> tuple[list[int], Tensor, Tensor]:
    """Which samples are shown, these pictures, and what is rebuilt of them, 0..1."""
    numbers = shown_numbers(len(samples), SHOWN)
    chosen = samples.subset(numbers)
    return numbers, stored_pictures(chosen), coding.decoded(coding.codes(chosen))


def _mosaic(tiles: Sequence[ndarray], across: int) -> ndarray:
    rows = [np.concatenate(tiles[start : start + across], axis=1) for start in range(0, len(tiles), across)]
    return np.concatenate(rows)
