"""Yield: the depth frames of a scan fused into blocks of a truncated signed distance field, with what was seen and what was not."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from l9.errors import RefusedObject, UsageError
from l9.geometry.scan import Scan
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_size
from l9.stages.scene_blocks import COARSEST, FINEST, MAX_SIDE
from l9.store.columns import Column, Row

if TYPE_CHECKING:
    from l9.geometry.fusion import Fusion

STEP = 16  # voxels: blocks are made of whole ones of the fusion's own
MAX_EVERY = 10_000  # frames


def _columns(voxel: float = 0.05, truncate: int | float = 3, side: int = 64, every: int = 1) -> tuple[Column, ...]:
    check_size("fused_blocks", "voxel", voxel, least=FINEST, most=COARSEST, unit="metres")
    check_size("fused_blocks", "truncate", truncate, least=1, most=side, unit="voxels")
    check_number("fused_blocks", "side", side, least=STEP, most=MAX_SIDE)
    if side % STEP:
        raise UsageError(f"stage fused_blocks: side is {side}; expected a multiple of {STEP}")
    check_number("fused_blocks", "every", every, most=MAX_EVERY)
    shape = (side, side, side)
    return (
        Column("tsdf", "float16", shape, unit="metre", axes="x y z"),
        Column("known", "uint8", shape, unit="1 seen", axes="x y z"),
        Column("block", "int32", (3,), unit="blocks", axes="x y z"),
    )


def fused(scan: Scan, voxel: float, truncate: int | float, every: int) -> "Fusion":
    """Of so many frames of a scan one fused; they are read one at a time.

    raises  RefusedObject `no-frames`, or as the frames' reader and `Fusion.add` say
    """
    from l9.geometry.fusion import Fusion

    if scan.frames is None:
        raise RefusedObject("no-frames", "a surface alone; expected frames")
    fusion = Fusion(float(voxel), float(truncate * voxel))
    for frame in islice(scan.frames(False, True), 0, None, every):
        if frame.depth is not None:
            fusion.add(frame.depth, frame.depth_camera, frame.pose)
    return fusion


@yields(columns=_columns, version=1)
def fused_blocks(scan: Scan, voxel: float = 0.05, truncate: int | float = 3, side: int = 64, every: int = 1) -> Iterator[Row]:
    """A row for each block of side^3 voxels that a surface's band passes, in ascending order of place; voxels lie as in `scene_blocks`.

    `tsdf` is negative behind the surface and cut at `truncate` voxels: + where a voxel was only ever seen free, - where it was never
    seen; `known` tells the two apart. Frames are read one at a time, and only their depth.

    every   of how many frames one is taken
    side    a multiple of 16
    raises  RefusedObject `no-frames`, `no-depth` where no frame measured anything, or as the frames' reader and `Fusion.add` say
    """
    _columns(voxel, truncate, side, every)
    fusion = fused(scan, voxel, truncate, every)
    blocks = sorted({tuple(int(first) // side for first in one.corner) for one in fusion.blocks()})
    if not blocks:
        raise RefusedObject("no-depth", "no frame measured a surface")
    for x, y, z in blocks:
        grid = fusion.grid_block((x * side, y * side, z * side), side)
        block = np.array([x, y, z], np.int32)
        yield {"tsdf": grid.values.astype(np.float16), "known": grid.known.astype(np.uint8), "block": block}
