"""What a column net is fed: the voxels around columns of scans, with the labels of the middle column.

B samples   C channels   Z X Y voxels, up first
"""

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from l9.data.augment import draw_choices, draw_shifts, generators
from l9.data.batch import Batch, Packed
from l9.geometry.scan_columns import HEIGHT, SIDE
from l9.tasks.descriptors import item_of

FED = ("size", "column_labels", "column_known", "centres", "shares")  # columns that the loader maps
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
    windows = torch.zeros((len(batch), len(fields), SIDE, SIDE, HEIGHT), dtype=torch.uint8, device=batch.labels.device)
    for number, (size, centre, shift) in enumerate(zip(batch.fixed("size").tolist(), centres, shifts, strict=True)):
        for channel, name in enumerate(fields):
            cut_window(_grid_of(batch, name, number, size), centre + shift[:2], int(shift[2]), windows[number, channel])
        windows[number] = posed(windows[number], poses[number])
    labels = windows[:, 0, REACH, REACH].long()
    windows[:, 0].clamp_(max=1)
    return windows.permute(0, 1, 4, 2, 3).float(), labels


def cut_window(grid: UInt8[Tensor, "x y z"], middle: Int64[ndarray, "2"], lift: int, out: UInt8[Tensor, "31 31 62"]) -> None:
    """Fill `out`, which is 0, with the columns about the middle one, from voxel `lift` up: what lies beyond the grid stays 0."""
    starts = [int(place) - REACH for place in middle] + [lift]
    taken = [slice(max(start, 0), max(start + size, 0)) for start, size in zip(starts, out.shape, strict=True)]
    part = grid[tuple(taken)]
    put = [slice(one.start - start, one.start - start + size) for one, start, size in zip(taken, starts, part.shape, strict=True)]
    if part.numel():
        out[tuple(put)] = part


def posed(windows: UInt8[Tensor, "c x y z"], pose: int) -> UInt8[Tensor, "c x y z"]:
    """One of the eight ways to lay a square on itself: mirrored for 4 to 7, turned by pose mod 4 quarters."""
    mirrored = windows.flip(1) if pose >= POSES // 2 else windows
    return torch.rot90(mirrored, pose % (POSES // 2), (1, 2))


def _centres(batch: Batch, random: list[np.random.Generator]) -> Int64[ndarray, "b 2"]:
    """Of each share one centre: at random, or the one in the middle."""
    shares, packed = item_of(batch, "shares").cpu().numpy().astype(np.int64), batch.columns["centres"]
    assert isinstance(packed, Packed)
    within = [int(one.integers(first, beyond)) for one, (first, beyond) in zip(random, shares, strict=False)]
    chosen = np.array(within or shares.sum(axis=1) // 2, np.int64)
    return packed.values.cpu().numpy().astype(np.int64)[packed.offsets[:-1].cpu().numpy() + chosen]


def _grid_of(batch: Batch, name: str, number: int, size: list[int]) -> UInt8[Tensor, "x y z"]:
    packed = batch.columns[name]
    assert isinstance(packed, Packed)
    start, stop = packed.offsets[number : number + 2].tolist()
    return packed.values[start:stop].reshape(*size, HEIGHT)
