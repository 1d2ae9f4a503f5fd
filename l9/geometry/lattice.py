"""A few points of a grid that all others lean on, STRIDE voxels apart: what is nearest to them, and their winding numbers.

Neighbouring tiles share those between them, so that they are looked at once for the whole grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int32
from numpy import ndarray

from l9.geometry.tree import Tree
from l9.geometry.workers import ALONE, Workers

STRIDE = 8  # voxels from one to the next; `l9.geometry._lattice_kernels` and `_sign_kernels` know their cells by it
Size = tuple[int, int, int]
"""Voxels or points along x, y, z."""


@dataclass(frozen=True)
class Nodes:
    """What is nearest to each point of a lattice.

    places   float32 [i, j, k, 4]: the nearest point of the surface, voxels from the middle of the grid, and its squared distance
    numbers  int32 [i, j, k]: its triangle's, in the tree
    """

    places: Float32[ndarray, "i j k 4"]
    numbers: Int32[ndarray, "i j k"]


@dataclass(frozen=True)
class Lattice:
    """Where the points lie: the first at voxel `first`, `size` of them along x, y and z; resolution of the grid."""

    first: Size
    size: Size
    resolution: int

    def nodes(self, tree: Tree, workers: Workers = ALONE) -> Nodes:
        """What is nearest to each."""
        places, numbers = self._looked_at(tree.nearest_places, workers)
        return Nodes(places.reshape(*self.size, 4), numbers.reshape(self.size))

    def anchors(self, tree: Tree, workers: Workers = ALONE) -> Float32[ndarray, "i j k"]:
        """The winding number of each."""
        (turns,) = self._looked_at(lambda points: (tree.winding(points),), workers)
        return turns.reshape(self.size)

    def _looked_at(self, look: Callable[[ndarray], tuple[ndarray, ...]], workers: Workers) -> tuple[ndarray, ...]:
        """What `look` gives for the points (float32 (n, 3), voxels from the middle of the grid), in the lattice's order.

        They are cut between packets, so that each is looked at in the same company however many threads there are.
        """
        from l9.geometry._triangle_kernels import LANES

        order, places = along_curve(self.size)
        points = (places * STRIDE + self.first - (self.resolution - 1) / 2).astype(np.float32)
        step = LANES * -(-len(points) // (LANES * workers.threads))
        parts = workers.map(look, [points[start : start + step] for start in range(0, len(points), step)])
        found = tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        in_order = tuple(np.empty_like(values) for values in found)
        for values, ordered in zip(found, in_order, strict=True):
            ordered[order] = values
        return in_order


def grid_lattice(resolution: int) -> Lattice:
    """That of a whole grid: its last points lie in its last voxels or just beyond."""
    return Lattice((0, 0, 0), (-(-resolution // STRIDE) + 1,) * 3, resolution)


@lru_cache(maxsize=4)
def along_curve(size: Size) -> tuple[Int32[ndarray, "n"], Int32[ndarray, "n 3"]]:
    """A lattice's points along a Morton curve, so that those that are looked at together lie together: flat numbers, and places."""
    places = np.indices(size, dtype=np.int32).reshape(3, -1)
    bits = range(max(size).bit_length())
    along = sum((places[axis].astype(np.int64) >> bit & 1) << (3 * bit + 2 - axis) for axis in range(3) for bit in bits)
    order = np.argsort(along, kind="stable").astype(np.int32)
    in_order = np.ascontiguousarray(places[:, order].T)
    order.flags.writeable = in_order.flags.writeable = False  # every caller gets the same two
    return order, in_order
