"""Yield: points drawn from a cloud whose points have labels, such as the parts of ShapeNetPart, or from a mesh whose faces have parts."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud, drawn_points, unit_normals
from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.stages.contract import yields
from l9.stages.surface_points import point_columns
from l9.store.columns import Column, Row

MOST = 255  # the largest label that uint8 holds


def _columns(count: int = 2048, seed: int = 0, normals: bool = False, repeat: bool = False) -> tuple[Column, ...]:
    parts = Column("parts", "uint8", (count,), unit="part number", axes="point")
    return (*point_columns("labelled_points", count, seed, normals), parts)


@yields(columns=_columns, version=1)
def labelled_points(
    shape: PointCloud | Mesh, count: int = 2048, seed: int = 0, normals: bool = False, repeat: bool = False
) -> Iterator[Row]:
    """One row: `count` of the cloud's points without replacement, and the label of each; one seed, one result.

    Of a mesh, points drawn uniformly by area, each with the part of its face: `repeat` has no say there.
    normals  True: their normals too; RefusedObject `no-normals` where the cloud has none
    repeat   True: a cloud of fewer points gives some of them again; False: it is refused (`too-few-points`)
    raises   RefusedObject `no-labels` where its points have none, `bad-label` where one is not 0 to 255
    """
    _columns(count, seed, normals, repeat)
    if isinstance(shape, Mesh):
        labels = _checked(shape.parts, f"a mesh of {len(shape.faces):,} faces without parts")
        points, unit, faces = sample_surface(shape.vertices, shape.faces, count, seed=seed)
        row: Row = {"points": points, "parts": labels[faces].astype(np.uint8)}
        yield row | {"normals": unit} if normals else row
        return
    labels = _checked(shape.labels, f"a cloud of {len(shape.points):,} points without labels")
    numbers = drawn_points(len(shape.points), count, seed=seed, repeat=repeat)
    row = {"points": shape.points[numbers].astype(np.float32), "parts": labels[numbers].astype(np.uint8)}
    yield row | {"normals": unit_normals(shape, numbers)} if normals else row


def _checked(labels: Int[ndarray, "_"] | None, lacking: str) -> Int[ndarray, "_"]:
    """The labels, if there are any and uint8 holds them."""
    if labels is None:
        raise RefusedObject("no-labels", lacking)
    if labels.min() < 0 or labels.max() > MOST:
        raise RefusedObject("bad-label", f"labels from {labels.min():,} to {labels.max():,}; expected 0 to {MOST}")
    return labels
