"""Yield: points drawn from a mesh's surface or from a cloud, with normals."""

from collections.abc import Iterator

import numpy as np

from l9.geometry.cloud import PointCloud, drawn_points, unit_normals
from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.stages.contract import yields
from l9.stages.limits import check_number
from l9.store.columns import Column, Row

MAX_POINTS = 1_000_000


def point_columns(stage: str, count: int, seed: int, normals: bool) -> tuple[Column, ...]:
    """`points` and, where wanted, `normals`, of a stage that draws `count` points."""
    check_number(stage, "count", count, most=MAX_POINTS)
    check_number(stage, "seed", seed, least=0, most=2**63 - 1)
    columns = (
        Column("points", "float32", (count, 3), unit="box", axes="point xyz"),
        Column("normals", "float32", (count, 3), unit="", axes="point xyz"),
    )
    return columns if normals else columns[:1]


def _columns(count: int = 2048, seed: int = 0, normals: bool = True) -> tuple[Column, ...]:
    return point_columns("surface_points", count, seed, normals)


@yields(columns=_columns, version=1)
def surface_points(shape: Mesh | PointCloud, count: int = 2048, seed: int = 0, normals: bool = True) -> Iterator[Row]:
    """One row: `count` points uniform by area, and the unit normal of the face each lies on; one seed, one result.

    Of a cloud, `count` of its points without replacement: RefusedObject `too-few-points` where it has fewer, `no-normals` where it
    has none.
    normals  False: no column of normals, which not every cloud has
    """
    _columns(count, seed, normals)
    if isinstance(shape, PointCloud):
        numbers = drawn_points(len(shape.points), count, seed=seed)
        row: Row = {"points": shape.points[numbers].astype(np.float32)}
        yield row | {"normals": unit_normals(shape, numbers)} if normals else row
        return
    points, unit, _ = sample_surface(shape.vertices, shape.faces, count, seed=seed)
    yield {"points": points, "normals": unit} if normals else {"points": points}
