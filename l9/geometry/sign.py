"""What is inside a mesh, also where it has holes, flipped or doubled faces, or lies in several shells.

The measure is the generalised winding number w (Jacobson, Kavan & Sorkine-Hornung, SIGGRAPH 2013): the solid angle of the surface
seen from a point, over 4 pi. It is 1 inside and 0 outside of a closed surface and varies smoothly through holes. A point is inside
where w > 0.5, or w < -0.5 for a mesh that is inside out as a whole. A sheet whose two sides are both drawn has no inside.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.grid import Box, voxel_triangles
from l9.geometry.sample import sample_surface
from l9.geometry.tree import Tree

Sign = Literal["auto", "winding", "parity", "none"]
INSIDE = 0.5  # w above this is inside: halfway between what a closed surface gives outside and inside
DOUBTFUL = (0.25, 0.75)  # |w| between these is nearer to a half than to what a closed surface gives
GLANCED_AT = 32  # places of the surface that decide whether there is an inside where most of them say the same,
LOOKED_AT = 128  # and where they do not
LEAST_SHARE = 0.02  # of them that part an inside from an outside, for a mesh to have one
STEP = 3e-5  # of the box: how far before and behind the surface w is looked at; thinner walls are sheets


@dataclass(frozen=True)
class SurfaceSides:
    """w before and behind some places of a surface, drawn uniformly by area with seed 0."""

    before: Float32[ndarray, "n"]
    behind: Float32[ndarray, "n"]

    @property
    def _either_way(self) -> tuple[int, int]:
        """How many places have their inside behind them, and how many before."""
        before, behind = np.abs(self.before) > INSIDE, np.abs(self.behind) > INSIDE
        return int((behind & ~before).sum()), int((before & ~behind).sum())

    @property
    def facing(self) -> int:
        """1, or -1 for a mesh that is inside out: most places with an inside show their backs to the outside."""
        usual, turned = self._either_way
        return -1 if turned > usual else 1

    @property
    def settled(self) -> bool:
        """Whether more places would say the same: half of them have an inside on one side, and seven eighths of those on the same."""
        return 8 * max(self._either_way) >= 7 * sum(self._either_way) and 2 * sum(self._either_way) >= len(self.before)

    @property
    def parting(self) -> Bool[ndarray, "n"]:
        """Which places part an inside from an outside."""
        return (self.facing * self.before > INSIDE) != (self.facing * self.behind > INSIDE)

    @property
    def has_inside(self) -> bool:
        """Whether LEAST_SHARE of the area parts an inside from an outside."""
        return bool(self.parting.mean() >= LEAST_SHARE)


def surface_sides(tree: Tree, resolution: int, count: int) -> SurfaceSides:
    """w just before and just behind `count` places of the surface; a mesh without area has w = 0 on both sides."""
    corners = tree.triangles.reshape(-1, 3)
    try:
        places, normals, numbers = sample_surface(corners, np.arange(len(corners)).reshape(-1, 3), count, seed=0)
    except RefusedObject:  # no area
        return SurfaceSides(np.zeros(count, np.float32), np.zeros(count, np.float32))
    along = np.argsort(numbers, kind="stable")  # the tree's order: neighbours are summed together
    step = normals[along] * np.float32(STEP * resolution)
    pairs = np.stack([places[along] + step, places[along] - step], axis=1).reshape(-1, 3)
    found = tree.winding(pairs).reshape(-1, 2)
    return SurfaceSides(found[:, 0], found[:, 1])


def resolved_sign(tree: Tree, sign: Sign, resolution: int) -> tuple[Sign, int]:
    """The sign to take, and which way the mesh faces: 1, or -1 where it is inside out.

    sign  "auto": winding where the mesh has an inside and none where it has not
    """
    if sign in ("parity", "none"):
        return sign, 1
    sides = surface_sides(tree, resolution, GLANCED_AT)
    if not sides.settled:
        sides = surface_sides(tree, resolution, LOOKED_AT)
    return ("winding" if sign == "winding" or sides.has_inside else "none"), sides.facing


def parity_grid(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], resolution: int, *, box: Box = (-1.0, 1.0)
) -> Bool[ndarray, "r r r"]:
    """Whether most of the rays along x, y and z to a voxel centre have crossed the surface an odd number of times, [x, y, z].

    Right for closed meshes without inner walls, whichever way their faces look; holes let rays through.
    """
    from l9.geometry._kernels import count_crossings

    triangles = voxel_triangles(vertices, faces, resolution, box)
    odd = np.zeros((resolution,) * 3, dtype=np.uint8)
    for axis in range(3):
        counts = np.zeros((resolution, resolution, resolution + 1), dtype=np.int32)
        count_crossings(triangles, counts, axis)
        np.cumsum(counts, axis=2, out=counts)
        order = [(axis + 1) % 3, (axis + 2) % 3, axis]
        odd += np.moveaxis((counts[:, :, :-1] & 1).astype(np.uint8), (0, 1, 2), order)
    return odd > 1
