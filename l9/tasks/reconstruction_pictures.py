"""Pictures of a voxel autoencoder: what it rebuilds, how objects morph, and what codes by chance give."""

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from l9.data.samples import Samples
from l9.draw.field_tile import field_tile
from l9.draw.grid import sample_grid
from l9.geometry.mesh import Axis
from l9.tasks.code_pictures import SHOWN, shown_numbers
from l9.tasks.contract import Picture, Report
from l9.tasks.voxel_codes import Coder

TILE = 168  # pixels of a surface
LEVEL = 0.5  # the probability at which surfaces are drawn
STEPS = 7  # from one object to the other, both ends included
TRUTH = np.array([0.55, 0.55, 0.58])  # colour of what was measured; what is rebuilt is blue
SEED = 0  # of the codes drawn by chance


def reconstruction_page(samples: Samples, report: Report, coder: Coder, up: Axis) -> Picture:
    """`reconstructions`: each object above what is rebuilt of it."""
    numbers = shown_numbers(len(samples))
    truth, rebuilt = coder.fields(samples.subset(numbers))
    tiles = [np.concatenate([_true(one, up), field_tile(other, LEVEL, TILE, up)]) for one, other in zip(truth, rebuilt, strict=True)]
    captions = [f"{samples.objects[number]}\nIoU {report.outcomes[number]['iou']:.2f}" for number in numbers]
    title = f"{len(tiles)} tested objects (grey) and what is rebuilt from their codes (blue), where its probability is {LEVEL}"
    return Picture("reconstructions", sample_grid(tiles, captions, SHOWN, title))


def morph_strip(samples: Samples, report: Report, wanted: str, coder: Coder, up: Axis) -> Picture:
    """`morph`: the two best rebuilt objects of a class at the ends, and between them the surfaces of evenly spaced codes on the line.

    wanted  the class; the most frequent one where the samples do not have two of it, and any two where there is no such class
    """
    pair = samples.subset(_pair(samples, [row["iou"] for row in report.outcomes], wanted))
    truth, _ = coder.fields(pair)
    first, last = coder.codes(pair)
    shares = np.linspace(0, 1, STEPS)
    surfaces = coder.decoded((1 - shares[:, None]) * first + shares[:, None] * last)
    tiles = [_true(truth[0], up), *(field_tile(one, LEVEL, TILE, up) for one in surfaces), _true(truth[1], up)]
    names = [pair.objects[0], *(f"{share:.2f}" for share in shares), pair.objects[1]]
    what = pair.classes[pair.labels[0]] if pair.labels[0] >= 0 else "object"
    return Picture("morph", sample_grid(tiles, names, len(tiles), f"from one {what} (left) to another, linear in the code"))


def drawn_page(coder: Coder, up: Axis) -> Picture:
    """`drawn`: what codes drawn from N(0, I) give. Sane ones are promised of a variational autoencoder alone."""
    codes = np.random.default_rng(SEED).standard_normal((SHOWN, coder.network.code))
    tiles = [field_tile(one, LEVEL, TILE, up) for one in coder.decoded(codes)]
    return Picture("drawn", sample_grid(tiles, (), SHOWN, f"{SHOWN} codes drawn from N(0, I), seed {SEED}"))


def _true(field: ndarray, up: Axis) -> ndarray:
    return field_tile(field, LEVEL, TILE, up, TRUTH)


def _pair(samples: Samples, ious: Sequence[float], wanted: str) -> list[int]:
    """Numbers of the two best rebuilt samples of a class, the earlier one first; twice the same where there is but one sample."""
    named = samples.labels[samples.labels >= 0]
    counts = np.bincount(named, minlength=len(samples.classes))
    if wanted in samples.classes and counts[samples.classes.index(wanted)] > 1:
        among = np.flatnonzero(samples.labels == samples.classes.index(wanted))
    elif len(counts) and counts.max() > 1:
        among = np.flatnonzero(samples.labels == counts.argmax())
    else:
        among = np.arange(len(samples))
    best = sorted(among.tolist(), key=lambda number: (-ious[number], number))[:2]
    return sorted(best) * (2 // len(best))
