"""What is wrong with a mesh, as far as its inside is concerned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.geometry.grid import Box
from l9.geometry.lattice import grid_lattice
from l9.geometry.orientation import agreeing_faces, welded
from l9.geometry.sample import sample_surface
from l9.geometry.scene import raycasting_scene
from l9.geometry.sign import surface_sides
from l9.geometry.tiles import over_tiles
from l9.geometry.tree import triangle_tree
from l9.geometry.workers import Workers

PLACES = 2048  # of the surface that a report looks at
TILT = 0.7  # of the rays from the normal, as a share of it: three rays, so that one that grazes an edge is outvoted
CLEAR = 1e-4  # of the mesh's longest side: where rays begin, before the surface


@dataclass(frozen=True)
class SdfReport:
    """What is wrong with a mesh, as far as its inside is concerned.

    open_edges   share of the edges (between welded vertices) whose faces do not pair up: one of each direction closes an edge
    flipped      share of the area in front of which most rays cross the surface an odd number of times: faces that look inwards. 1 for
                 a closed mesh that is inside out; holes make it vague
    doubled      share of the faces that lie exactly on another, whichever way they look
    turned       share of the faces that are turned over before the winding number is taken, so that those of each closed part agree
    doubt        share of the voxels whose |winding number| is between 0.25 and 0.75
    has_inside   whether at least 2 % of the area parts an inside from an outside
    """

    open_edges: float
    flipped: float
    doubled: float
    turned: float
    doubt: float
    has_inside: bool


def face_shares(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> tuple[float, float]:
    """Shares of open edges and of doubled faces, vertices at one place taken for one; see `SdfReport`."""
    corners = welded(vertices)[faces]
    corners = corners[(corners != np.roll(corners, 1, axis=1)).all(axis=1)]  # what is only an edge has none
    if len(corners) == 0:
        return 0.0, 0.0
    starts, ends = corners.reshape(-1), np.roll(corners, -1, axis=1).reshape(-1)
    direction = np.where(starts < ends, 1, -1)
    _, edge = np.unique(np.stack([np.minimum(starts, ends), np.maximum(starts, ends)], axis=1), axis=0, return_inverse=True)
    balance = np.bincount(edge.reshape(-1), weights=direction)
    repeats = len(corners) - len(np.unique(np.sort(corners, axis=1), axis=0))
    return float((balance != 0).mean()), repeats / len(corners)


def flipped_share(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> float:
    """Share of the area whose face looks inwards, by three rays from each of PLACES points drawn with seed 0; see `SdfReport`."""
    from l9.geometry.open3d_library import open3d

    points, normals, _ = sample_surface(vertices, faces, PLACES, seed=0)
    used = vertices[faces.reshape(-1)]
    starts = points + normals * np.float32(CLEAR * (used.max(axis=0) - used.min(axis=0)).max())
    across = np.cross(normals, np.eye(3, dtype=np.float32)[np.abs(normals).argmin(axis=1)])
    turns = [np.cos(turn) * across + np.sin(turn) * np.cross(normals, across) for turn in 2 * np.pi * np.arange(3) / 3]
    rays = np.stack([np.concatenate([starts, normals + TILT * turn], axis=1) for turn in turns]).astype(np.float32)
    tensor = open3d().core.Tensor(np.ascontiguousarray(rays))
    odd = raycasting_scene(vertices, faces).count_intersections(tensor, nthreads=1).numpy() % 2
    return float((odd.sum(axis=0) >= 2).mean())


def sdf_report(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], resolution: int = 64, *, box: Box = (-1.0, 1.0), threads: int = 1
) -> SdfReport:
    """What is wrong with a mesh, as far as its inside is concerned; `doubt` is that of a grid of this resolution.

    raises  RefusedObject `no-faces`, `index-out-of-range` or `no-area`; UsageError
    """
    agreeing, turned = agreeing_faces(vertices, faces)
    tree = triangle_tree(vertices, agreeing, resolution, box)
    sides = surface_sides(tree, resolution, PLACES)
    with Workers(threads) as workers:
        anchors = grid_lattice(resolution).anchors(tree, workers)
        doubts = sum(over_tiles(resolution, lambda tile: tile.doubts(tree, anchors), workers))
    open_edges, doubled = face_shares(vertices, faces)
    flipped = flipped_share(vertices, faces)
    return SdfReport(open_edges, flipped, doubled, turned, doubts / resolution**3, sides.has_inside)
