"""Yield: which voxels a mesh touches or fills, in several turns about its up axis."""

import math
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from l9.geometry.mesh import Mesh
from l9.geometry.normalise import normalise_cube, rotation_about
from l9.geometry.voxels import solid_occupancy, surface_occupancy
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_row_bytes, check_word
from l9.store.columns import MAX_ROW_BYTES, Column, Row

Kind = Literal["surface", "solid"]
MAX_ROTATIONS = 360


def _columns(resolution: int = 32, kind: Kind = "surface", rotations: int = 1) -> tuple[Column, ...]:
    check_number("occupancy", "resolution", resolution, most=MAX_RESOLUTION)
    check_number("occupancy", "rotations", rotations, most=MAX_ROTATIONS)
    check_word("occupancy", "kind", kind, get_args(Kind))
    check_row_bytes("occupancy", rotations * resolution**3, MAX_ROW_BYTES)
    return (Column("occupancy", "uint8", (rotations, resolution, resolution, resolution), unit="occupied", axes="rotation x y z"),)


@yields(columns=_columns, version=4)
def occupancy(mesh: Mesh, resolution: int = 32, kind: Kind = "surface", rotations: int = 1) -> Iterator[Row]:
    """One row: 1 where a voxel of [-1, 1]^3 is occupied, else 0.

    kind       "surface": voxels that share a point with a triangle; "solid": those, and those whose centre is inside
    rotations  turn k is by k * 360 / rotations degrees about `mesh.up`, right-handed. Turn 0 is the mesh as it stands; the others
               are fitted again to the cube of `normalise("cube")`, since a turned box can reach out of the grid: they may
               differ from turn 0 in scale
    """
    _columns(resolution, kind, rotations)
    occupied = surface_occupancy if kind == "surface" else solid_occupancy
    grids = np.empty((rotations, resolution, resolution, resolution), dtype=np.uint8)
    for number in range(rotations):
        vertices = mesh.vertices
        if number:
            turned = vertices @ rotation_about(mesh.up, 2 * math.pi * number / rotations).T
            vertices = normalise_cube(turned, mesh.faces)
        grids[number] = occupied(vertices, mesh.faces, resolution)
    yield {"occupancy": grids}
