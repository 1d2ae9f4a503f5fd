"""Yield: points drawn from a cloud whose points have labels, such as the parts of ShapeNetPart."""

from collections.abc import Iterator

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud, drawn_points, unit_normals
from l9.stages.contract import yields
from l9.stages.surface_points import point_columns
from l9.store.columns import Column, Row

MOST = 255  # the largest label that uint8 holds


def _columns(count: int = 2048, seed: int = 0, normals: bool = False, repeat: bool = False) -> tuple[Column, ...]:
    parts = Column("parts", "uint8", (count,), unit="part number", axes="point")
    return (*point_columns("labelled_points", count, seed, normals), parts)


@yields(columns=_columns, version=1)
def labelled_points(cloud: PointCloud, count: int = 2048, seed: int = 0, normals: bool = False, repeat: bool = False) -> Iterator[Row]:
    """One row: `count` of the cloud's points without replacement, and the label of each; one seed, one result.

    normals  True: their normals too; RefusedObject `no-normals` where the cloud has none
    repeat   True: a cloud of fewer points gives some of them again; False: it is refused (`too-few-points`)
    raises   RefusedObject `no-labels` where its points have none, `bad-label` where one is not 0 to 255
    """
    _columns(count, seed, normals, repeat)
    if cloud.labels is None:
        raise RefusedObject("no-labels", f"a cloud of {len(cloud.points):,} points without labels")
    if cloud.labels.min() < 0 or cloud.labels.max() > MOST:
        raise RefusedObject("bad-label", f"labels from {cloud.labels.min():,} to {cloud.labels.max():,}; expected 0 to {MOST}")
    numbers = drawn_points(len(cloud.points), count, seed=seed, repeat=repeat)
    row: Row = {"points": cloud.points[numbers].astype(np.float32), "parts": cloud.labels[numbers].astype(np.uint8)}
    yield row | {"normals": unit_normals(cloud, numbers)} if normals else row
