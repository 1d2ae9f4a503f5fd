"""The distance field of a scene near its surface, block by block: memory grows with one block and the mesh, not with the scene's size.

Voxel (i, j, k) of a world-aligned lattice has its centre at ((i + 1/2) size, (j + 1/2) size, (k + 1/2) size); block (a, b, c) holds the
voxels from a * side on, along each axis. Distances are exact: of every voxel centre to the nearest triangle within reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int32, Int64
from numpy import ndarray

from l9.errors import RefusedObject

MAX_PAIRS = 200_000_000  # of blocks and triangles, 40 bytes each while they are listed


@dataclass(frozen=True)
class BandBlock:
    """One block that the surface comes near to.

    block      its place among blocks, along x, y, z
    distances  metres from each voxel centre to the surface, indexed [x, y, z]; NaN beyond the truncation
    heights    metres above (positive: on the side that its normal points to) the plane of the nearest triangle; NaN as `distances`
    nearest    number of the nearest triangle, -1 where there is none
    """

    block: Int64[ndarray, "3"]
    distances: Float[ndarray, "s s s"]
    heights: Float[ndarray, "s s s"]
    nearest: Int32[ndarray, "s s s"]


def scene_band(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], *, voxel: float, truncation: float, side: int = 64
) -> Iterator[BandBlock]:
    """Every block with a voxel that is at most `truncation` from the surface, in ascending order of (x, y, z).

    voxel, truncation  metres
    side               voxels of a block along one axis
    raises             RefusedObject `too-large` where the scene has more blocks than can be listed: is its unit metres?
    """
    from l9.geometry._band_kernels import measure_block

    triangles = np.ascontiguousarray(vertices[faces].astype(np.float64) / voxel)
    reach = truncation / voxel
    for block, numbers in _blocks(triangles, reach, side):
        near = triangles[numbers] - (block * side + 0.5)
        squares, heights = np.full((side,) * 3, np.inf), np.zeros((side,) * 3)
        nearest = np.full((side,) * 3, -1, np.int32)
        measure_block(near, np.arange(len(near)), reach, squares, heights, nearest)
        seen = nearest >= 0
        if seen.any():
            nearest[seen] = numbers[nearest[seen]]
            yield BandBlock(block, np.where(seen, np.sqrt(squares) * voxel, np.nan), np.where(seen, heights * voxel, np.nan), nearest)


def _blocks(triangles: Float[ndarray, "f 3 3"], reach: float, side: int) -> Iterator[tuple[Int64[ndarray, "3"], Int64[ndarray, "n"]]]:
    """Each block with the numbers of the triangles whose box comes near it."""
    from l9.geometry._band_kernels import count_blocks, list_blocks

    spread = (np.ptp(triangles.reshape(-1, 3), axis=0) + 2 * reach) / side
    counts = count_blocks(triangles, reach, side) if spread.max() < 2**20 else np.array([MAX_PAIRS + 1])
    if counts.sum() > MAX_PAIRS:
        raise RefusedObject("too-large", f"a scene of {' x '.join(f'{one:,.0f}' for one in spread)} blocks; is its unit metres?")
    blocks, numbers = np.empty((counts.sum(), 3), np.int64), np.empty(counts.sum(), np.int64)
    list_blocks(triangles, reach, side, np.cumsum(counts) - counts, blocks, numbers)
    order = np.lexsort((numbers, blocks[:, 2], blocks[:, 1], blocks[:, 0]))
    blocks, numbers = blocks[order], numbers[order]
    starts = np.flatnonzero(np.any(np.diff(blocks, axis=0, prepend=blocks[:1] - 1) != 0, axis=1))
    for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
        yield blocks[start], numbers[start:end]
