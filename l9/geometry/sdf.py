"""Signed distance of a mesh: on a grid, in a band around the surface, at points of your own.

Negative inside, in the units of the box, samples at voxel centres, indexed [x, y, z]. `l9.geometry.sign` says what is inside, and
docs/signs.md what each choice does to a mesh with holes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int64
from numpy import ndarray

from l9.errors import UsageError
from l9.geometry.grid import Box, voxel_size
from l9.geometry.lattice import grid_lattice
from l9.geometry.mesh import check_faces
from l9.geometry.orientation import agreeing_faces
from l9.geometry.sign import INSIDE, Sign, parity_grid, resolved_sign
from l9.geometry.tiles import Tile, over_tiles
from l9.geometry.tree import Tree, triangle_tree
from l9.geometry.workers import Workers

SPREAD = 64  # voxels that scattered points and the mesh are taken to span: float32 then keeps 1e-6 of their extent


@dataclass(frozen=True)
class SdfGrid:
    """A distance grid and what is to be known about its sign.

    values  float32 [x, y, z], in the units of the box, negative inside
    sign    how the sign was found: "winding", "parity", or "none" for the unsigned distance
    doubt   share of voxels whose |winding number| is between 0.25 and 0.75; 0 for another sign
    """

    values: Float32[ndarray, "r r r"]
    sign: Sign
    doubt: float


def sdf_grid(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    resolution: int,
    *,
    box: Box = (-1.0, 1.0),
    sign: Sign = "auto",
    band: int | float = 3,
    threads: int = 1,
) -> Float32[ndarray, "r r r"]:
    """Distance from each voxel centre to the nearest point of the surface, indexed [x, y, z], in the units of the box.

    sign     "auto": as "winding", or "none" for a mesh that has no inside, such as a sheet with two sides;
             "winding": negative where the winding number is above 0.5 (below -0.5 for a mesh that is inside out), once the faces of
             each closed part agree (`l9.geometry.orientation`);
             "parity": negative where most of the rays along x, y and z have crossed the surface an odd number of times, which needs
             a mesh without holes; "none": unsigned
    band     voxels from the surface up to which distances are exact (1e-6 of the box); beyond it they are within 1 %
    threads  more than one helps where there is nothing else to do; one process per core makes grids faster than threads do
    raises   RefusedObject `no-faces` or `index-out-of-range`; UsageError
    """
    return measured_grid(vertices, faces, resolution, box=box, sign=sign, band=band, threads=threads).values


def measured_grid(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    resolution: int,
    *,
    box: Box = (-1.0, 1.0),
    sign: Sign = "auto",
    band: int | float = 3,
    threads: int = 1,
) -> SdfGrid:
    """`sdf_grid`, with the sign that was taken and the share of voxels for which it is in doubt."""
    scale, tree = _prepared(vertices, faces, resolution, box, sign, band)
    taken, facing = resolved_sign(tree, sign, resolution)
    values = np.empty((resolution,) * 3, dtype=np.float32)
    lattice = grid_lattice(resolution)
    with Workers(threads) as workers:
        nodes = lattice.nodes(tree, workers)
        anchors = lattice.anchors(tree, workers) if taken == "winding" else None

        def fill(tile: Tile) -> int:
            if anchors is not None:
                return tile.put_signed_distance(values, scale, tree, band, facing, nodes, anchors)
            np.multiply(tile.distance(tree, band, nodes), scale, out=values[tile.place])
            return 0

        doubts = sum(over_tiles(resolution, fill, workers))
    if taken == "parity":
        np.negative(values, out=values, where=parity_grid(vertices, faces, resolution, box=box))
    return SdfGrid(values, taken, doubts / resolution**3)


def sdf_band(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    resolution: int,
    *,
    box: Box = (-1.0, 1.0),
    sign: Sign = "auto",
    band: int | float = 3,
    threads: int = 1,
) -> tuple[Int64[ndarray, "n"], Float32[ndarray, "n"]]:
    """Only the voxels within the band: their linear indices (x slowest, sorted) and signed distances, exact.

    Memory grows with the surface, so that 512^3 and whole rooms fit; `dense_grid` makes a grid of it. Arguments as `sdf_grid`,
    without "parity", which needs whole lines.
    """
    if sign == "parity":
        raise UsageError("sdf_band: sign is 'parity', which needs the whole grid; expected auto, winding or none")
    scale, tree = _prepared(vertices, faces, resolution, box, sign, band)
    taken, facing = resolved_sign(tree, sign, resolution)

    def select(tile: Tile) -> tuple[ndarray, ndarray]:
        if tile.farther_than(tree, band):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        distance = tile.distance(tree, band)
        within = distance <= band
        near = distance[within] * np.float32(scale)
        if taken == "winding" and len(near):
            near = np.where(facing * tile.winding(tree)[within] > INSIDE, -near, near)
        x, y, z = (axis + start for axis, start in zip(np.nonzero(within), tile.first, strict=True))
        return (x * resolution + y) * resolution + z, near

    with Workers(threads) as workers:
        found = over_tiles(resolution, select, workers)
    indices, values = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(indices, kind="stable")
    return indices[order], values[order]


def dense_grid(
    indices: Int64[ndarray, "n"], values: Float32[ndarray, "n"], resolution: int, *, box: Box = (-1.0, 1.0), band: int | float = 3
) -> Float32[ndarray, "r r r"]:
    """The truncated grid of what `sdf_band` found: all other voxels lie at the band's end, with the sign of the last voxel before them.

    "Before" is along z; a line that meets no band is outside.
    """
    limit = np.float32(band * voxel_size(resolution, box))
    grid = np.full(resolution**3, np.nan, dtype=np.float32)
    grid[indices] = values
    lines = grid.reshape(-1, resolution)
    last = np.maximum.accumulate(np.where(np.isnan(lines), -1, np.arange(resolution)), axis=1)
    following = np.take_along_axis(lines, np.argmax(~np.isnan(lines), axis=1)[:, None], axis=1)
    nearest = np.where(last >= 0, np.take_along_axis(lines, np.maximum(last, 0), axis=1), following)
    filled = np.where(np.isnan(lines), np.where(nearest < 0, -limit, limit), lines)
    return filled.astype(np.float32).reshape((resolution,) * 3)


def sdf_at(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], points: Float[ndarray, "*shape 3"], *, sign: Sign = "auto"
) -> Float32[ndarray, "*shape"]:
    """Signed distance at points of your own, in their unit: exact to 1e-6 of the extent of points and mesh together.

    sign  as in `sdf_grid`, without "parity"
    """
    from l9.geometry._tree_kernels import morton_order

    if sign == "parity":
        raise UsageError("sdf_at: sign is 'parity', which needs a whole grid; expected auto, winding or none")
    faces = _faces_for(sign, vertices, faces)
    flat = points.reshape(-1, 3).astype(np.float64)
    if len(flat) == 0:
        return np.zeros(points.shape[:-1], np.float32)
    used = np.concatenate([flat, vertices[faces.reshape(-1)]])
    low, high = used.min(axis=0), used.max(axis=0)
    middle, extent = (low + high) / 2, float((high - low).max()) or 1.0
    tree = triangle_tree(vertices.astype(np.float64) - middle, faces, SPREAD, (-extent / 2, extent / 2))
    order = morton_order(flat)
    placed = ((flat - middle) * (SPREAD / extent)).astype(np.float32)[order]
    distance = tree.nearest(placed)
    taken, facing = resolved_sign(tree, sign, SPREAD)
    if taken == "winding":
        distance = np.where(facing * tree.winding(placed) > INSIDE, -distance, distance)
    found = np.empty(len(flat), np.float32)
    found[order] = distance * np.float32(extent / SPREAD)
    return found.reshape(points.shape[:-1])


def truncated(values: Float32[ndarray, "*shape"], limit: float) -> Float32[ndarray, "*shape"]:
    """Distances cut at `limit` (their unit) on both sides: a TSDF."""
    return np.clip(values, -limit, limit)


def inside_grid(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    resolution: int,
    *,
    box: Box = (-1.0, 1.0),
    sign: Sign = "auto",
    threads: int = 1,
) -> Bool[ndarray, "r r r"]:
    """Whether each voxel centre is inside, indexed [x, y, z]: the sign of `sdf_grid` without its distance."""
    with Workers(threads) as workers:
        _, tree = _prepared(vertices, faces, resolution, box, sign, 0)
        taken, facing = resolved_sign(tree, sign, resolution)
        if taken == "parity":
            return parity_grid(vertices, faces, resolution, box=box)
        inside = np.zeros((resolution,) * 3, dtype=np.bool_)
        if taken == "none":
            return inside
        anchors = grid_lattice(resolution).anchors(tree, workers)

        def fill(tile: Tile) -> None:
            inside[tile.place] = facing * tile.winding(tree, anchors) > INSIDE

        over_tiles(resolution, fill, workers)
    return inside


def _prepared(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    resolution: int,
    box: Box,
    sign: Sign,
    band: int | float,
) -> tuple[float, Tree]:
    """Side of a voxel, and the tree; UsageError for arguments that make no sense."""
    if not band >= 0:
        raise UsageError(f"band is {band}; expected 0 or more voxels")
    return voxel_size(resolution, box), triangle_tree(vertices, _faces_for(sign, vertices, faces), resolution, box)


def _faces_for(sign: Sign, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Int[ndarray, "f 3"]:
    """The faces as the sign asks for them: w wants those of a closed part to agree."""
    if sign in ("auto", "winding"):
        return agreeing_faces(vertices, faces)[0]
    check_faces(faces, len(vertices))
    return faces
