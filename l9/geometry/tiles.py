"""A grid worked on tile by tile, so that memory stays flat and threads have something to share."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from l9.geometry.lattice import STRIDE, Lattice, Nodes, Size
from l9.geometry.tree import Tree
from l9.geometry.workers import ALONE, Workers

Result = TypeVar("Result")


@dataclass(frozen=True)
class Tile:
    """A cube of voxels that is worked on at once.

    first  its first voxel; shape  its voxels a side, fewer at the grid's end; resolution  of the grid
    """

    first: Size
    shape: Size
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

    def distance(self, tree: Tree, band: int | float, nodes: Nodes | None = None) -> Float32[ndarray, "a b c"]:
        """Unsigned distance of every voxel centre, in voxels: exact up to `band`, within 1 % beyond.

        nodes  of the whole grid's lattice; without them those of the tile are looked for
        """
        from l9.geometry._cell_kernels import TILE

        return self._cut(self._distance(tree, band, nodes), TILE)

    def put_signed_distance(
        self,
        values: Float32[ndarray, "r r r"],
        scale: float,
        tree: Tree,
        band: int | float,
        facing: int,
        nodes: Nodes,
        anchors: Float32[ndarray, "i j k"],
    ) -> int:
        """Put the same, times `scale` and negative where facing * w > 0.5, into a grid; how many signs are in doubt."""
        from l9.geometry._sign_kernels import place_signed

        field, turns = self._distance(tree, band, nodes), self._winding(tree, anchors)
        return place_signed(values, self.first, self.shape, field, turns, np.float32(facing), np.float32(scale))

    def winding(self, tree: Tree, anchors: Float32[ndarray, "i j k"] | None = None) -> Float32[ndarray, "a b c"]:
        """Winding number of every voxel centre, carried along grid lines; of the first for all, where all mean the same.

        anchors  of the whole grid's lattice; without them those of the tile are summed
        """
        from l9.geometry._sign_kernels import LINE

        return self._cut(self._winding(tree, anchors), LINE)

    def doubts(self, tree: Tree, anchors: Float32[ndarray, "i j k"]) -> int:
        """How many voxels have a winding number that leaves their sign in doubt."""
        from l9.geometry._sign_kernels import doubtful

        return doubtful(self._winding(tree, anchors), self.shape)

    def _distance(self, tree: Tree, band: int | float, nodes: Nodes | None) -> ndarray:
        """Flat, of a whole tile."""
        from l9.geometry._cell_kernels import TILE
        from l9.geometry._lattice_kernels import tile_distance

        own = self._own_lattice.nodes(tree) if nodes is None else nodes
        field, of_tree = np.empty(TILE**3, np.float32), (tree.frames, tree.boxes, tree.first)
        tile_distance(
            field, self.origin.astype(np.float32), self.shape, float(band), own.places, own.numbers, self._node(nodes is None), *of_tree
        )
        return field

    def _winding(self, tree: Tree, anchors: ndarray | None) -> ndarray:
        """Flat, of a whole tile and the first voxels of the next."""
        from l9.geometry._sign_kernels import tile_winding

        own = self._own_lattice.anchors(tree) if anchors is None else anchors
        of_tree = tree.triangles, tree.boxes, tree.corners, tree.faces, tree.moments, tree.first
        return tile_winding(self.origin, self.shape, own, self._node(anchors is None), *of_tree)

    @property
    def _own_lattice(self) -> Lattice:
        """Its own part of a grid's lattice."""
        x, y, z = (-(-count // STRIDE) + 1 for count in self.shape)
        return Lattice(self.first, (x, y, z), self.resolution)

    def _node(self, own: bool) -> Size:
        """Which point of its own lattice, or the grid's, lies in its first voxel."""
        x, y, z = self.first
        return (0, 0, 0) if own else (x // STRIDE, y // STRIDE, z // STRIDE)

    def _cut(self, flat: ndarray, side: int) -> ndarray:
        """Of values flat in a cube of `side`, those of the voxels that the grid has, as [x, y, z]."""
        a, b, c = self.shape
        return flat.reshape((side,) * 3)[:a, :b, :c]

    def farther_than(self, tree: Tree, band: int | float) -> bool:
        """Whether the whole tile lies farther than `band` voxels from the surface."""
        from l9.geometry._cell_kernels import TILE

        centre = (self.origin + (TILE - 1) / 2).astype(np.float32)[None]
        return bool(tree.nearest(centre)[0] > band + np.sqrt(3) * TILE / 2)


def over_tiles(resolution: int, work: Callable[[Tile], Result], workers: Workers = ALONE) -> list[Result]:
    """What `work` gives for each tile of a grid, in order."""
    from l9.geometry._cell_kernels import TILE

    starts = range(0, resolution, TILE)
    return workers.map(work, [Tile(first, _shape(first, resolution, TILE), resolution) for first in product(starts, starts, starts)])


def _shape(first: Size, resolution: int, side: int) -> Size:
    x, y, z = (min(side, resolution - start) for start in first)
    return x, y, z
