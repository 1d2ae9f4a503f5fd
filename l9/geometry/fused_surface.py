"""The surface of a fused field: marching cubes over all of its blocks at once, without seams between them."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Int32, Int64
from numpy import ndarray

from l9.geometry._block_kernels import SIDE
from l9.geometry.blocks import Blocks
from l9.geometry.cube_table import EDGES, cube_triangles
from l9.geometry.fusion import Fusion
from l9.geometry.workers import Workers

AROUND = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.int32)  # a cube's corners, in their order


def fused_surface(fusion: Fusion) -> tuple[Float32[ndarray, "v 3"], Int32[ndarray, "f 3"]]:
    """Vertices (metres, the world of the poses) and faces where the field is 0, counter-clockwise seen from where the camera was.

    Only cubes whose eight corners are known have faces; a vertex is shared by all faces that meet there, across blocks too. Memory
    beside the result: 8 KiB a block. Faces without area occur where a voxel's value is 0.
    source  Lorensen & Cline, Marching cubes, 1987; the table is that of `l9.geometry.cube_table`
    """
    from l9.geometry._surface_kernels import MORE, join_faces, place_vertices

    kept = fusion.kept
    chosen, around = _surface_blocks(kept)
    known, inside = np.empty((2, len(chosen), MORE, MORE), np.uint32)
    edges, starts = np.empty((len(chosen), 3, SIDE, SIDE), np.uint32), np.empty((len(chosen), 3, SIDE, SIDE), np.int64)
    with Workers(fusion.threads) as workers:
        ends = np.linspace(0, len(chosen), workers.threads + 1).astype(int)
        parts = [slice(start, end) for start, end in pairwise(ends)]

        def place(part: slice) -> ndarray:
            places, filled = kept.places[chosen[part]], (known[part], inside[part], edges[part], starts[part])
            return place_vertices(kept.table(), places, kept.voxels(), fusion.voxel_size, fusion.truncation, *filled)

        vertices = workers.map(place, parts)
        before = np.cumsum([0, *map(len, vertices)])
        for part, count in zip(parts, before[:-1], strict=True):
            starts[part] += count
        triangles = (*cube_triangles(), _lower_corners())
        faces = workers.map(lambda part: join_faces(around[part], known, inside, edges, starts, triangles, part.start), parts)
    return _used(np.concatenate(vertices), np.concatenate(faces))


def _surface_blocks(kept: Blocks) -> tuple[Int64[ndarray, "n"], Int64[ndarray, "n 8"]]:
    """Numbers of the blocks whose cubes may have faces, and for each the places of itself and those beyond among them, -1 for none.

    They are those with distances of their own, and those before them: their last cubes reach over.
    """
    with_distances = kept.places[: kept.count][kept.fine[: kept.count] >= 0]
    wanted = np.unique((with_distances[:, None] - AROUND).reshape(-1, 3), axis=0)
    numbers = kept.found(wanted)
    chosen = np.sort(numbers[numbers >= 0]).astype(np.int64)
    row = np.full(kept.count + 1, -1, np.int64)
    row[chosen] = np.arange(len(chosen))
    beyond = (kept.places[chosen][:, None] + AROUND).reshape(-1, 3)
    return chosen, row[kept.found(beyond)].reshape(-1, 8)


def _lower_corners() -> Int64[ndarray, "12 4"]:
    """Axis, x, y and z of the lower corner of each edge of a cube."""
    return np.array([[number // 4, low >> 2, low >> 1 & 1, low & 1] for number, (low, _) in enumerate(EDGES)])


def _used(vertices: Float32[ndarray, "v 3"], faces: Int32[ndarray, "f 3"]) -> tuple[Float32[ndarray, "u 3"], Int32[ndarray, "f 3"]]:
    """The vertices that faces use, and the faces by their numbers: an edge between known voxels may have no cube that is all known."""
    used = np.zeros(len(vertices), np.bool_)
    used[faces.reshape(-1)] = True
    renumbered = np.cumsum(used, dtype=np.int32) - 1
    return vertices[used], renumbered[faces].astype(np.int32, copy=False)
