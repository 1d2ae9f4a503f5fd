"""Yield: the signed distance of every voxel centre to a mesh."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from l9.geometry.mesh import Mesh
from l9.geometry.sdf import Sign, sdf_grid
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_row_bytes, check_word
from l9.store.columns import MAX_ROW_BYTES, Column, Row

Precision = Literal["float16", "float32"]


def _columns(resolution: int = 64, sign: Sign = "winding", dtype: Precision = "float16") -> tuple[Column, ...]:
    check_number("sdf", "resolution", resolution, most=MAX_RESOLUTION)
    check_word("sdf", "sign", sign, get_args(Sign))
    check_word("sdf", "dtype", dtype, get_args(Precision))
    check_row_bytes("sdf", resolution**3 * np.dtype(dtype).itemsize, MAX_ROW_BYTES)
    return (Column("sdf", dtype, (resolution, resolution, resolution), unit="box", axes="x y z"),)


@yields(columns=_columns, version=1)
def sdf(mesh: Mesh, resolution: int = 64, sign: Sign = "winding", dtype: Precision = "float16") -> Iterator[Row]:
    """One row: distance from each voxel centre of [-1, 1]^3 to the surface, negative inside, in units of that box.

    sign   "winding": inside where |winding number| > 0.5; "none": no inside, for sheets with two sides
    dtype  "float16" keeps 3 decimal digits: 0.0005 at distance 1, finer near the surface
    """
    _columns(resolution, sign, dtype)
    yield {"sdf": sdf_grid(mesh.vertices, mesh.faces, resolution, sign=sign).astype(dtype)}
