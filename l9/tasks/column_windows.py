"""What a column net is fed: the voxels around columns of scans, with the labels of the middle column.

B samples   C channels   Z X Y voxels, up first
"""

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from l9.data.augment import draw_choices, draw_shifts, generators
from l9.data.batch import Batch
from l9.geometry.scan_columns import HEIGHT, SIDE

CUT = ("column_labels", "column_known", "centres", "shares")  # columns that the loader hands over as views: a scan has many times a window
FED = ("size", *CUT)  # columns that the loader maps
REACH = SIDE // 2
POSES = 8  # mirrored or not, and quarter turns about the vertical


def column_windows(
    batch: Batch, channels: int, *, jitter: int = 0, turned: bool = False, augment: bool = False
) -> tuple[Float[Tensor, "b c 62 31 31"], Int64[Tensor, "b 62"]]:
    """Neighbourhoods, and the labels of their middle columns (0 empty, 41 not annotated). Beyond a scan all is empty and unknown.

    channels  1: occupancy, 1 or 0; 2: known too
    jitter    largest move along each axis, voxels, of neighbourhood and labels alike
    turned    whether each is mirrored, and turned by quarters, at random
    augment   False: of each share the centre in its middle as it stands, instead of one at random, moved and turned
    """
    random = generators(batch) if augment else []
    centres = _centres(batch, random)
    shifts = draw_shifts(random, jitter).numpy() if augment else np.zeros((len(batch), 3), np.int64)
    poses = draw_choices(random, POSES).tolist() if augment and turned else [0] * len(batch)
    fields = ("column_labels", "column_known")[:channels]
    cut = np.zeros((len(batch), len(fields), SIDE, SIDE, HEIGHT), np.uint8)
    for number, (size, centre, shift) in enumerate(zip(batch.fixed("size").tolist(), centres, shifts, strict=True)):
        for channel, name in enumerate(fields):
            grid = batch.views(name)[number].reshape(*size, HEIGHT)
            cut_window(grid, centre + shift[:2], int(shift[2]), cut[number, channel])
        cut[number] = posed(cut[number], poses[number])
    windows = torch.from_numpy(cut).to(batch.labels.device)
    labels = windows[:, 0, REACH, REACH].long()
    windows[:, 0].clamp_(max=1)
    return windows.permute(0, 1, 4, 2, 3).float(), labels


def cut_window(grid: UInt8[ndarray, "x y z"], middle: Int64[ndarray, "2"], lift: int, out: UInt8[ndarray, "31 31 62"]) -> None:
    """Fill `out`, which is 0, with the columns about the middle one, from voxel `lift` up: what lies beyond the grid stays 0."""
    starts = [int(place) - REACH for place in middle] + [lift]
    taken = [slice(max(start, 0), max(start + size, 0)) for start, size in zip(starts, out.shape, strict=True)]
    part = grid[tuple(taken)]
    put = [slice(one.start - start, one.start - start + size) for one, start, size in zip(taken, starts, part.shape, strict=True)]
    if part.size:
        out[tuple(put)] = part


def posed(windows: UInt8[ndarray, "c x y z"], pose: int) -> UInt8[ndarray, "c x y z"]:
    """One of the eight ways to lay a square on itself: mirrored for 4 to 7, turned by pose mod 4 quarters."""
    mirrored = np.flip(windows, 1) if pose >= POSES // 2 else windows
    return np.rot90(mirrored, pose % (POSES // 2), (1, 2))


def _centres(batch: Batch, random: list[np.random.Generator]) -> Int64[ndarray, "b 2"]:
    """Of each share one centre: at random, or the one in the middle."""
    shares = np.array([cell[item] for cell, item in zip(batch.views("shares"), batch.items.tolist(), strict=True)], np.int64).reshape(-1, 2)
    within = [int(one.integers(first, beyond)) for one, (first, beyond) in zip(random, shares, strict=False)]
    chosen = within or (shares.sum(axis=1) // 2).tolist()
    return np.array([cell[place] for cell, place in zip(batch.views("centres"), chosen, strict=True)], np.int64).reshape(-1, 2)
