"""Yield: signed distance to a mesh, on a grid or at scattered points."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from l9.errors import UsageError
from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.geometry.sdf import measured_grid, sdf_at, truncated
from l9.geometry.sign import Sign
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_row_bytes, check_word
from l9.store.columns import MAX_ROW_BYTES, Column, Row

Precision = Literal["float16", "float32"]
PointSign = Literal["auto", "winding", "none"]
SIGNS: tuple[Sign, ...] = ("none", "winding", "parity")  # what the numbers of the column `sign` say
MAX_POINTS = 1_000_000
VOLUME = 0.05  # share of the points drawn from the whole box; DeepSDF's
DEVIATIONS = (0.05, 0.0158)  # of the others from the surface, half of them each: DeepSDF's variances 0.0025 and 0.00025


def _columns(resolution: int = 64, sign: Sign = "auto", dtype: Precision = "float16", truncate: int | float = 0) -> tuple[Column, ...]:
    check_number("sdf", "resolution", resolution, most=MAX_RESOLUTION)
    check_word("sdf", "sign", sign, get_args(Sign))
    check_word("sdf", "dtype", dtype, get_args(Precision))
    check_row_bytes("sdf", resolution**3 * np.dtype(dtype).itemsize, MAX_ROW_BYTES)
    if isinstance(truncate, bool) or not isinstance(truncate, int | float) or not 0 <= truncate <= resolution:
        raise UsageError(f"stage sdf: truncate is {truncate!r}; expected 0 (not at all) to {resolution} voxels")
    return (
        Column("sdf", dtype, (resolution, resolution, resolution), unit="box", axes="x y z"),
        Column("sign", "uint8", (), unit="0 none 1 winding 2 parity"),
        Column("doubt", "float32", (), unit="share of voxels"),
    )


@yields(columns=_columns, version=5)
def sdf(mesh: Mesh, resolution: int = 64, sign: Sign = "auto", dtype: Precision = "float16", truncate: int | float = 0) -> Iterator[Row]:
    """One row: distance from each voxel centre of [-1, 1]^3 to the surface, negative inside, in units of that box.

    With it `sign`, how the sign was found (0: the distance is unsigned), and `doubt`, the share of voxels whose winding number is
    nearer to a half than to a whole one.

    sign      "auto": winding, or none for a mesh without an inside; "winding"; "parity", for meshes without holes; "none"
    dtype     "float16" keeps 3 decimal digits: 0.0005 at distance 1, finer near the surface
    truncate  voxels at which distances are cut, on both sides (a TSDF); 0: not at all
    """
    _columns(resolution, sign, dtype, truncate)
    found = measured_grid(mesh.vertices, mesh.faces, resolution, sign=sign)
    values = truncated(found.values, truncate * 2 / resolution) if truncate else found.values
    yield {"sdf": values.astype(dtype), "sign": np.array(SIGNS.index(found.sign), np.uint8), "doubt": np.array(found.doubt, np.float32)}


def _point_columns(count: int = 16384, sign: PointSign = "auto", seed: int = 0) -> tuple[Column, ...]:
    check_number("sdf_points", "count", count, most=MAX_POINTS)
    check_number("sdf_points", "seed", seed, least=0, most=2**63 - 1)
    check_word("sdf_points", "sign", sign, get_args(PointSign))
    return (
        Column("queries", "float32", (count, 3), unit="box", axes="point xyz"),
        Column("distances", "float32", (count,), unit="box", axes="point"),
    )


@yields(columns=_point_columns, version=3)
def sdf_points(mesh: Mesh, count: int = 16384, sign: PointSign = "auto", seed: int = 0) -> Iterator[Row]:
    """One row: `count` points, 5 % anywhere in [-1, 1]^3, the others about the surface, and their signed distances; one seed, one result.

    sign    as in `sdf`
    source  Park et al., DeepSDF, CVPR 2019, supplementary section B: deviations of 0.05 and 0.016 from points uniform by area
    """
    _point_columns(count, sign, seed)
    random = np.random.default_rng(seed)
    free = round(VOLUME * count)
    near, _, _ = sample_surface(mesh.vertices, mesh.faces, max(1, count - free), seed=seed)
    deviations = np.where(np.arange(len(near)) % 2 == 0, *DEVIATIONS)[:, None]
    points = np.concatenate([near + deviations * random.standard_normal(near.shape), random.uniform(-1, 1, (free, 3))])[:count]
    points = points.astype(np.float32)[random.permutation(count)]
    yield {"queries": points, "distances": sdf_at(mesh.vertices, mesh.faces, points, sign=sign)}
