"""Yield: points drawn from a mesh's surface, with normals."""

from collections.abc import Iterator

from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.stages.contract import yields
from l9.stages.limits import check_number
from l9.store.columns import Column, Row

MAX_POINTS = 1_000_000


def _columns(count: int = 2048, seed: int = 0) -> tuple[Column, ...]:
    check_number("surface_points", "count", count, most=MAX_POINTS)
    check_number("surface_points", "seed", seed, least=0, most=2**63 - 1)
    return (
        Column("points", "float32", (count, 3), unit="box", axes="point xyz"),
        Column("normals", "float32", (count, 3), unit="", axes="point xyz"),
    )


@yields(columns=_columns, version=1)
def surface_points(mesh: Mesh, count: int = 2048, seed: int = 0) -> Iterator[Row]:
    """One row: `count` points uniform by area, and the unit normal of the face each lies on; one seed, one result."""
    _columns(count, seed)
    points, normals, _ = sample_surface(mesh.vertices, mesh.faces, count, seed=seed)
    yield {"points": points, "normals": normals}
