"""A tree over the triangles of a mesh: what makes distance and winding number fast."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int32, Int64
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.grid import Box, voxel_triangles

FARTHEST = 1e9  # voxels from the middle of the grid: beyond, squares of float32 coordinates say nothing any more
MOST_PIECES = 1 << 24  # numbers of triangles are kept as float32 in the hot loops


@dataclass(frozen=True)
class Tree:
    """Triangles along a Morton curve, grouped by sixteens; see `l9.geometry._tree_kernels` for the layout.

    triangles  corners in voxels from the middle of the grid; large faces are cut into pieces, and what lies far outside is coarse
    frames     each triangle in its own plane; boxes, first: the groups
    """

    triangles: Float64[ndarray, "n 3 3"]
    frames: Float32[ndarray, "n 19"]
    boxes: Float32[ndarray, "b"]
    first: Int64[ndarray, "levels"]

    @cached_property
    def corners(self) -> Float32[ndarray, "n 9"]:
        """The triangles' corners, one row each."""
        return self.triangles.reshape(-1, 9).astype(np.float32)

    @cached_property
    def faces(self) -> Float32[ndarray, "m"]:
        """What each triangle looks like from afar; see `l9.geometry._winding_kernels.face_moments`."""
        from l9.geometry._winding_kernels import face_moments

        return face_moments(self.triangles)

    @cached_property
    def moments(self) -> Float32[ndarray, "m"]:
        """What each group looks like from afar; see `l9.geometry._winding_kernels.group_moments`."""
        from l9.geometry._tree_kernels import BOX
        from l9.geometry._winding_kernels import group_moments

        return group_moments(self.triangles, self.faces, self.first, len(self.boxes) // BOX)

    def nearest(self, points: Float32[ndarray, "n 3"]) -> Float32[ndarray, "n"]:
        """Distance (voxels) from each point to the nearest triangle, exact; fastest where neighbours in space are so in order."""
        return np.sqrt(self.nearest_places(points)[0][:, 3])

    def nearest_places(self, points: Float32[ndarray, "n 3"]) -> tuple[Float32[ndarray, "n 4"], Int32[ndarray, "n"]]:
        """The nearest point of the surface to each and its squared distance, voxels; the number of its triangle."""
        from l9.geometry._tree_kernels import nearest_places

        return nearest_places(points, self.frames, self.boxes, self.first)

    def winding(self, points: Float32[ndarray, "n 3"]) -> Float32[ndarray, "n"]:
        """Generalised winding number at each point, within 0.02; positive inside where faces are counter-clockwise from outside.

        source  Jacobson et al. 2013, eq. 5; Barill et al., SIGGRAPH 2018
        """
        from l9.geometry._winding_kernels import winding_numbers

        found = np.empty(len(points), np.float32)
        winding_numbers(points, len(points), self.corners, self.faces, self.moments, self.first, found)
        return found


def triangle_tree(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], resolution: int, box: Box = (-1.0, 1.0)) -> Tree:
    """The tree of a mesh for a grid; only vertices that faces use are looked at.

    raises  RefusedObject `no-faces`, `far-away` (a corner a billion voxels from the grid, or nowhere), `too-large`; UsageError
    """
    from l9.geometry._tree_kernels import group_boxes, group_levels, make_frames, morton_order
    from l9.geometry._triangle_kernels import cut_triangles

    if len(faces) == 0:
        raise RefusedObject("no-faces", f"{len(vertices):,} vertices, 0 faces")
    triangles = voxel_triangles(vertices, faces, resolution, box)
    if not np.abs(triangles).max() < FARTHEST:
        raise RefusedObject("far-away", f"a corner lies {np.abs(triangles).max():.3g} voxels from the box; expected at most {FARTHEST:.0e}")
    pieces = cut_triangles(triangles, max(resolution / 2, 1.0), resolution / 2)
    if len(pieces) >= MOST_PIECES:
        raise RefusedObject("too-large", f"{len(pieces):,} triangles, as cut to half a grid; expected fewer than {MOST_PIECES:,}")
    pieces = pieces[morton_order(pieces.sum(axis=1))]
    first, groups = group_levels(len(pieces))
    return Tree(pieces, make_frames(pieces), group_boxes(pieces, first, groups), first)
