"""Yield: grey pictures of a mesh from a ring of cameras."""

from collections.abc import Iterator

from l9.geometry.mesh import Mesh
from l9.geometry.views import render_views
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_row_bytes
from l9.store.columns import MAX_ROW_BYTES, Column, Row

MAX_VIEWS = 360


def _columns(count: int = 12, size: int = 128) -> tuple[Column, ...]:
    check_number("views", "count", count, most=MAX_VIEWS)
    check_number("views", "size", size, most=MAX_RESOLUTION)
    check_row_bytes("views", count * size**2, MAX_ROW_BYTES)
    return (Column("views", "uint8", (count, size, size), unit="intensity", axes="view row column"),)


@yields(columns=_columns, version=1)
def views(mesh: Mesh, count: int = 12, size: int = 128) -> Iterator[Row]:
    """One row: `count` shaded pictures of `size` x `size` pixels on white, every 360 / count degrees about `mesh.up`.

    The cameras look at the origin from 30 degrees above the ground; `mesh.up` points up in the pictures, row 0 is on top.
    """
    _columns(count, size)
    yield {"views": render_views(mesh.vertices, mesh.faces, up=mesh.up, count=count, size=size)}
