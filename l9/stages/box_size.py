"""Yield: how large a mesh is, before `normalise` takes that away."""

from collections.abc import Iterator

import numpy as np

from l9.geometry.mesh import Mesh
from l9.stages.contract import yields
from l9.store.columns import Column, Row


def _columns() -> tuple[Column, ...]:
    return (Column("box_size", "float32", (3,), unit="of the card", axes="xyz"),)


@yields(columns=_columns, version=1)
def box_size(mesh: Mesh) -> Iterator[Row]:
    """One row: sides of the bounding box of the vertices that faces use, along x, y and z, in the unit of the mesh as it comes here."""
    used = mesh.vertices[mesh.faces.reshape(-1)]
    yield {"box_size": (used.max(axis=0) - used.min(axis=0)).astype(np.float32)}
