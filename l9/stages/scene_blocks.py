"""Yield: the distance field of a scanned scene in blocks of voxels, with what each voxel is."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.scan import Scan, Surface
from l9.geometry.scene_band import BandBlock, scene_band
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_size, check_word
from l9.store.columns import Column, Row

SurfaceSign = Literal["normals", "none"]
MAX_SIDE = 128  # voxels of a block along one axis: 10 MiB a row
FINEST, COARSEST = 0.001, 10.0  # metres of a voxel


def _columns(voxel: float = 0.05, truncate: int | float = 3, side: int = 64, sign: SurfaceSign = "normals") -> tuple[Column, ...]:
    check_number("scene_blocks", "side", side, least=8, most=MAX_SIDE)
    check_word("scene_blocks", "sign", sign, get_args(SurfaceSign))
    check_size("scene_blocks", "voxel", voxel, least=FINEST, most=COARSEST, unit="metres")
    check_size("scene_blocks", "truncate", truncate, least=1, most=side, unit="voxels")
    shape = (side, side, side)
    return (
        Column("tsdf", "float16", shape, unit="metre", axes="x y z"),
        Column("labels", "uint8", shape, unit="class id, 0 none", axes="x y z"),
        Column("instances", "uint16", shape, unit="thing, 0 none", axes="x y z"),
        Column("block", "int32", (3,), unit="blocks", axes="x y z"),
    )


@yields(columns=_columns, version=1)
def scene_blocks(
    scan: Scan, voxel: float = 0.05, truncate: int | float = 3, side: int = 64, sign: SurfaceSign = "normals"
) -> Iterator[Row]:
    """A row for each block of side^3 voxels that the scan's surface comes near to, in ascending order of place.

    Voxel (i, j, k) of block (a, b, c) has its centre at (a * side + i + 1/2) * voxel metres along x, and so along y and z, in the
    scan's axes. `tsdf` is the distance to the surface, cut at `truncate` voxels, where it stays beyond; `labels` and `instances`
    are, within it, those of the nearest vertex of the nearest triangle, and 0 beyond it or where the scan has none.

    sign    "normals": positive on the side that the nearest triangle faces, which for a scan is where the camera was;
            "none": all positive, for surfaces whose triangles do not agree
    raises  RefusedObject `no-surface`, `no-faces`, `too-large`, or `too-many-things` beyond 65,535
    """
    _columns(voxel, truncate, side, sign)
    if scan.surface is None:
        raise RefusedObject("no-surface", "frames alone; expected a mesh")
    surface = scan.surface
    if not len(surface.faces):
        raise RefusedObject("no-faces", "a surface of 0 faces; expected some")
    if surface.instances is not None and surface.instances.max(initial=0) > np.iinfo(np.uint16).max:
        raise RefusedObject("too-many-things", f"thing {surface.instances.max():,}; expected at most 65,535")
    reach = truncate * voxel
    for one in scene_band(surface.vertices, surface.faces, voxel=voxel, truncation=reach, side=side):
        seen = one.nearest >= 0
        signed = np.where(one.heights < 0, -one.distances, one.distances) if sign == "normals" else one.distances
        labels, instances = np.zeros(seen.shape, np.uint8), np.zeros(seen.shape, np.uint16)
        if surface.labels is not None and surface.instances is not None:
            vertices = _nearest_vertices(surface, one, seen, voxel, side)
            labels[seen], instances[seen] = surface.labels[vertices], surface.instances[vertices]
        tsdf = np.where(seen, signed, reach).astype(np.float16)
        yield {"tsdf": tsdf, "labels": labels, "instances": instances, "block": one.block.astype(np.int32)}


def _nearest_vertices(surface: Surface, one: BandBlock, seen: Bool[ndarray, "s s s"], voxel: float, side: int) -> Int[ndarray, "n"]:
    """For each voxel near the surface, which corner of its nearest triangle is nearest to it."""
    corners = surface.faces[one.nearest[seen]]
    centres = (one.block * side + np.argwhere(seen) + 0.5) * voxel
    squares = ((surface.vertices[corners] - centres[:, None]) ** 2).sum(axis=-1)
    return corners[np.arange(len(corners)), squares.argmin(axis=1)]
