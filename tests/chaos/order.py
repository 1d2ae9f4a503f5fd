"""The order of a training, compared by the real loader over ranks, resume points, cuts and numbers of samples.

What one rank sees alone is the truth; what several ranks see together, from any step on, must be that, sample for sample and in the same
places. A group that resumes need not have as many ranks as the one that stopped.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from store_builder import built, planned

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples

WORLDS = (1, 2, 3, 4, 7, 8, 13)
SIZES = (13, 29, 48)  # objects, two samples each; the builder refuses number 7
CUTS: tuple[dict[str, int], ...] = ({"batch": 3}, {"batch": 5}, {"batch": 16}, {"elements": 7}, {"elements": 23})
COLUMNS = {"batch": (), "elements": ("points",)}  # points are ragged, 0 to 3 items a row; elements count them
SEEDS = (0, 2**40 + 1)

Seen = list[tuple[list[int], list[int]]]
"""For each step: places in the order, and the samples there."""


def compare(folder: Path) -> tuple[int, list[str]]:
    """How many cases were compared, and one line for each that differs. A case is (samples, cut, seed, training, ranks, resume point)."""
    cases, wrong = 0, []
    for size in SIZES:
        samples = Samples.of(built(folder / str(size), planned(size)))
        for name, resume, world, same in _compared(samples):
            cases += 1
            wrong += [] if same else [f"{size} objects, {name}, {world} ranks from step {resume}: another order"]
    return cases, wrong


def _compared(samples: Samples) -> Iterator[tuple[str, int, int, bool]]:
    for cut in CUTS:
        for seed in SEEDS:
            for training in (True, False):
                how: dict[str, Any] = {**cut, "seed": seed, "training": training}
                truth, digest = _seen(samples, 1, 0, how), _loader(samples, how, 0, 1).order_digest(3)
                for resume in sorted({0, 1, len(truth) // 2, len(truth) - 1}):
                    for world in WORLDS:
                        same = _seen(samples, world, resume, how) == truth[resume:]
                        yield str(how), resume, world, same and _loader(samples, how, world - 1, world).order_digest(3) == digest


def _seen(samples: Samples, world: int, resume: int, how: dict[str, Any]) -> Seen:
    """What all ranks together see of epoch 3 from a step on: every rank has every step, and the same size of the whole cut."""
    ranks = [list(_loader(samples, how, rank, world).epoch(3, resume)) for rank in range(world)]
    return [_joined(parts) for parts in zip(*ranks, strict=True)]


def _loader(samples: Samples, how: dict[str, Any], rank: int, world: int) -> Loader:
    return Loader(samples, COLUMNS["batch" if "batch" in how else "elements"], **how, rank=rank, world=world)


def _joined(parts: tuple[Batch, ...]) -> tuple[list[int], list[int]]:
    places = np.concatenate([part.positions for part in parts])
    chosen = np.concatenate([part.samples for part in parts])
    order = np.argsort(places, kind="stable")
    assert {part.total for part in parts} == {len(places)}, "a rank has another idea of the whole cut"
    return places[order].tolist(), chosen[order].tolist()
