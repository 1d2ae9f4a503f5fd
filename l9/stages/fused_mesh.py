"""Yield: the surface that a scan's depth frames fuse to, in the colours of its frames."""

from collections.abc import Iterator
from itertools import islice

from l9.errors import RefusedObject
from l9.geometry.frame_colours import colours_from_frames
from l9.geometry.scan import Scan
from l9.stages.contract import yields
from l9.stages.fused_blocks import MAX_EVERY, fused
from l9.stages.limits import check_number, check_size
from l9.stages.scene_blocks import COARSEST, FINEST
from l9.store.columns import Column, Row

WIDEST_BAND = 64  # voxels


def _columns(voxel: float = 0.02, truncate: int | float = 3, every: int = 1) -> tuple[Column, ...]:
    check_size("fused_mesh", "voxel", voxel, least=FINEST, most=COARSEST, unit="metres")
    check_size("fused_mesh", "truncate", truncate, least=1, most=WIDEST_BAND, unit="voxels")
    check_number("fused_mesh", "every", every, most=MAX_EVERY)
    return (
        Column("vertices", "float32", (3,), kind="ragged", unit="metre", axes="point xyz"),
        Column("colours", "uint8", (3,), kind="ragged", unit="0..255", axes="point rgb"),
        Column("faces", "int32", (3,), kind="ragged", unit="vertex", axes="face corner"),
    )


@yields(columns=_columns, version=1)
def fused_mesh(scan: Scan, voxel: float = 0.02, truncate: int | float = 3, every: int = 1) -> Iterator[Row]:
    """One row: marching cubes of the truncated distances that `fused_blocks` would give, in the scan's axes.

    `vertices` are shared by the faces around them; `colours` are the mean of what the frames see there, grey (200) where none does;
    `faces` are counter-clockwise, seen from where the camera was. Frames are read twice, one at a time.

    every   of how many frames one is taken
    raises  RefusedObject `no-frames`, `no-depth` where no frame measured a surface, or as the frames' reader and `Fusion.add` say
    """
    from l9.geometry.fused_surface import fused_surface

    _columns(voxel, truncate, every)
    vertices, faces = fused_surface(fused(scan, voxel, truncate, every))
    if scan.frames is None or not len(faces):
        raise RefusedObject("no-depth", "no frame measured a surface")
    colours = colours_from_frames(vertices, islice(scan.frames(True, True), 0, None, every), truncate * voxel)
    yield {"vertices": vertices, "colours": colours, "faces": faces}
