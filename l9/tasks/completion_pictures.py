"""Partial scans, their completions and the truth, drawn as surfaces next to each other."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.grid import sample_grid
from l9.draw.side_by_side import side_by_side
from l9.geometry.distance_fields import KNOWN, TRUNCATION
from l9.geometry.isosurface import isosurface
from l9.geometry.mesh import Axis
from l9.tasks.contract import Picture

SHOWN, ACROSS = 8, 2  # scans on a page, and in a row of it
SIZE = 170  # pixels along each edge of a surface's picture
LEVEL = 1.0  # voxels: the isosurface, as in the paper
SEEN, ANSWERED, TRUE = (222, 150, 84), (92, 148, 214), (160, 164, 172)  # RGB


def completion_pages(
    samples: Samples, columns: Sequence[str], errors: Sequence[float | None], answers: Callable[[Batch], Float[Tensor, "b v v v"]]
) -> list[Picture]:
    """`completions`: scan, answer and truth of up to eight scans, evenly from the least error to the greatest; none where none counts."""
    ranked = sorted((error, number) for number, error in enumerate(errors) if error is not None)
    if not ranked:
        return []
    places = np.unique(np.linspace(0, len(ranked) - 1, SHOWN).round().astype(int))
    chosen = samples.subset([ranked[place][1] for place in places])
    batch = next(Loader(chosen, columns, seed=0, training=False).sequential(len(chosen)))
    with torch.no_grad():
        found = answers(batch).cpu()
    fields = [np.stack(triple) for triple in zip(*(_numbers(one) for one in (seen(batch), found, batch.fixed("complete"))), strict=True)]
    tiles = [fields_picture(triple, (SEEN, ANSWERED, TRUE), cast(Axis, samples.up)) for triple in fields]
    captions = [f"{chosen.objects[number]}\n{ranked[place][0]:.3f} voxels" for number, place in enumerate(places)]
    title = f"scan, completion, truth: {len(places)} of {len(errors):,} scans, from the best to the worst"
    return [Picture("completions", sample_grid(tiles, captions, ACROSS, title))]


def fields_picture(fields: Float[ndarray, "n v v v"], colours: Sequence[tuple[int, int, int]], up: Axis) -> UInt8[ndarray, "h w 3"]:
    """The surfaces one voxel from what each field of distances (voxels) is about, side by side."""
    return side_by_side([isosurface(field, LEVEL) for field in fields], colours, float(fields.shape[1] - 1), SIZE, up)


def seen(batch: Batch) -> Float[Tensor, "b v v v"]:
    """Distances of a batch's scans where they are known, 3 voxels elsewhere."""
    partial = batch.fixed("partial").float()
    return torch.where(partial >= KNOWN, partial.abs(), TRUNCATION)


def _numbers(field: Tensor) -> Float[ndarray, "b v v v"]:
    return field.float().cpu().numpy()
