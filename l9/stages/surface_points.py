"""Yield: points drawn from a mesh's surface or from a cloud, with normals."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from l9.geometry.cloud import PointCloud, drawn_points, unit_normals
from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.geometry.subsets import CANDIDATES, farthest_points, poisson_disk_points
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_word
from l9.store.columns import Column, Row

Spread = Literal["area", "farthest", "poisson"]
MAX_POINTS = 1_000_000
MAX_SPREAD = 100_000  # points that are spread out: 5 s of one core


def point_columns(stage: str, count: int, seed: int, normals: bool) -> tuple[Column, ...]:
    """`points` and, where wanted, `normals`, of a stage that draws `count` points."""
    check_number(stage, "count", count, most=MAX_POINTS)
    check_number(stage, "seed", seed, least=0, most=2**63 - 1)
    columns = (
        Column("points", "float32", (count, 3), unit="box", axes="point xyz"),
        Column("normals", "float32", (count, 3), unit="", axes="point xyz"),
    )
    return columns if normals else columns[:1]


def _columns(count: int = 2048, seed: int = 0, normals: bool = True, spread: Spread = "area") -> tuple[Column, ...]:
    check_word("surface_points", "spread", spread, get_args(Spread))
    if spread != "area":
        check_number("surface_points", f"count of spread={spread!r}", count, most=MAX_SPREAD)
    return point_columns("surface_points", count, seed, normals)


@yields(columns=_columns, version=1)
def surface_points(
    shape: Mesh | PointCloud, count: int = 2048, seed: int = 0, normals: bool = True, spread: Spread = "area"
) -> Iterator[Row]:
    """One row: `count` points of the surface, and the unit normal of the face each lies on; one seed, one result.

    spread   "area": uniform by area, in random order. "farthest", "poisson": 5 times as many, thinned out by
             `l9.geometry.subsets`; the first k of "farthest" are spread evenly too, the order of "poisson" is random
    normals  False: no column of normals, which not every cloud has
    Of a cloud, `count` of its points without replacement, drawn evenly or thinned out: RefusedObject `too-few-points` where it has
    fewer, `no-normals` where it has none.
    """
    _columns(count, seed, normals, spread)
    if isinstance(shape, PointCloud):
        numbers = _spread(shape.points, count, seed, spread)
        row: Row = {"points": shape.points[numbers].astype(np.float32)}
        yield row | {"normals": unit_normals(shape, numbers)} if normals else row
        return
    points, unit, _ = sample_surface(shape.vertices, shape.faces, count if spread == "area" else CANDIDATES * count, seed=seed)
    if spread != "area":
        numbers = _spread(points, count, seed, spread)
        points, unit = points[numbers], unit[numbers]
    yield {"points": points, "normals": unit} if normals else {"points": points}


def _spread(points: Float[ndarray, "n 3"], count: int, seed: int, spread: Spread) -> Int64[ndarray, "count"]:
    if spread == "area":
        return drawn_points(len(points), count, seed=seed)
    return {"farthest": farthest_points, "poisson": poisson_disk_points}[spread](points, count, seed=seed)
