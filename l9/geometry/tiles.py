"""A grid worked on tile by tile, so that memory stays flat and threads have something to share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from l9.geometry.tree import Tree

Result = TypeVar("Result")


@dataclass(frozen=True)
class Tile:
    """A cube of voxels that is worked on at once.

    first  its first voxel; shape  its voxels a side, fewer at the grid's end; resolution  of the grid
    """

    first: tuple[int, int, int]
    shape: tuple[int, int, int]
    resolution: int

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """Where it lies in the grid."""
        x, y, z = (slice(start, start + count) for start, count in zip(self.first, self.shape, strict=True))
        return x, y, z

    @property
    def origin(self) -> ndarray:
        """Centre of its first voxel, float64, voxels from the middle of the grid."""
        return np.array(self.first, np.float64) - (self.resolution - 1) / 2

    def distance(self, tree: Tree, band: int | float) -> Float32[ndarray, "a b c"]:
        """Unsigned distance of every voxel centre, in voxels: exact up to `band`, within 1 % beyond."""
        from l9.geometry._cell_kernels import TILE

        return self._cut(self._distance(tree, band), TILE)

    def put_signed_distance(self, values: Float32[ndarray, "r r r"], scale: float, tree: Tree, band: int | float, facing: int) -> int:
        """Put the same, times `scale` and negative where facing * w > 0.5, into a grid; how many signs are in doubt."""
        from l9.geometry._sign_kernels import place_signed

        field, turns = self._distance(tree, band), self._winding(tree)
        return place_signed(values, self.first, self.shape, field, turns, np.float32(facing), np.float32(scale))

    def winding(self, tree: Tree) -> Float32[ndarray, "a b c"]:
        """Winding number of every voxel centre, carried along grid lines; of the first for all, where all mean the same."""
        from l9.geometry._sign_kernels import LINE

        return self._cut(self._winding(tree), LINE)

    def doubts(self, tree: Tree) -> int:
        """How many voxels have a winding number that leaves their sign in doubt."""
        from l9.geometry._sign_kernels import doubtful

        return doubtful(self._winding(tree), self.shape)

    def _distance(self, tree: Tree, band: int | float) -> ndarray:
        """Flat, of a whole tile."""
        from l9.geometry._cell_kernels import TILE
        from l9.geometry._lattice_kernels import tile_distance

        field = np.empty(TILE**3, np.float32)
        tile_distance(field, self.origin.astype(np.float32), self.shape, float(band), tree.frames, tree.boxes, tree.first)
        return field

    def _winding(self, tree: Tree) -> ndarray:
        """Flat, of a whole tile and the first voxels of the next."""
        from l9.geometry._sign_kernels import tile_winding

        return tile_winding(self.origin, tree.triangles, tree.boxes, tree.corners, tree.faces, tree.moments, tree.first)

    def _cut(self, flat: ndarray, side: int) -> ndarray:
        """Of values flat in a cube of `side`, those of the voxels that the grid has, as [x, y, z]."""
        a, b, c = self.shape
        return flat.reshape((side,) * 3)[:a, :b, :c]

    def farther_than(self, tree: Tree, band: int | float) -> bool:
        """Whether the whole tile lies farther than `band` voxels from the surface."""
        from l9.geometry._cell_kernels import TILE

        centre = (self.origin + (TILE - 1) / 2).astype(np.float32)[None]
        return bool(tree.nearest(centre)[0] > band + np.sqrt(3) * TILE / 2)


def over_tiles(resolution: int, threads: int, work: Callable[[Tile], Result]) -> list[Result]:
    """What `work` gives for each tile of a grid, in order."""
    from l9.geometry._cell_kernels import TILE

    starts = range(0, resolution, TILE)
    tiles = [Tile(first, _shape(first, resolution, TILE), resolution) for first in product(starts, starts, starts)]
    if threads == 1:
        return [work(tile) for tile in tiles]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, tiles))


def _shape(first: tuple[int, int, int], resolution: int, side: int) -> tuple[int, int, int]:
    x, y, z = (min(side, resolution - start) for start in first)
    return x, y, z
