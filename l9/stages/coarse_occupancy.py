"""Yield: the small smoothed grid that the random forest of the furniture benchmark reads."""

from collections.abc import Iterator

import numpy as np

from l9.geometry.mesh import Mesh
from l9.geometry.normalise import CUBE_SIDE, normalise_cube
from l9.geometry.sample import sample_surface
from l9.stages.contract import yields
from l9.stages.limits import check_number
from l9.store.columns import Column, Row

SAMPLES = 40_000  # surface points: enough that a thin leg leaves no gap in a grid of 30
FINE = 30  # voxels a side before smoothing, over a box of side 1
SIDE = FINE // 2


def _columns(seed: int = 0) -> tuple[Column, ...]:
    check_number("coarse_occupancy", "seed", seed, least=0, most=2**63 - 1)
    return (Column("coarse_occupancy", "uint8", (SIDE, SIDE, SIDE), unit="occupied of 27", axes="x y z"),)


@yields(columns=_columns, version=1)
def coarse_occupancy(mesh: Mesh, seed: int = 0) -> Iterator[Row]:
    """One row: for every second voxel of 30^3, from index 1, how many of its 3^3 neighbourhood hold a surface point (0 to 27).

    The mesh is centred and its longest side fills the grid; 40,000 points are drawn uniformly by area, one seed, one result.
    """
    from scipy.ndimage import correlate1d

    _columns(seed)
    points, _, _ = sample_surface(normalise_cube(mesh.vertices, mesh.faces), mesh.faces, SAMPLES, seed=seed)
    cells = np.clip(np.floor((points / CUBE_SIDE + 0.5) * FINE).astype(np.int64), 0, FINE - 1)
    counts = np.zeros((FINE, FINE, FINE), dtype=np.uint8)
    counts[tuple(cells.T)] = 1
    for axis in range(3):
        counts = correlate1d(counts, [1, 1, 1], axis=axis, mode="constant")
    yield {"coarse_occupancy": np.ascontiguousarray(counts[1::2, 1::2, 1::2])}
