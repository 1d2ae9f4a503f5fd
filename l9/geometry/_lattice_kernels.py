"""The distance of every voxel of a tile, exact near the surface and for little far from it; compiled by Numba.

Nodes 8 voxels apart are searched for their nearest surface points. d^2(x) - |x|^2 is a minimum of affine functions of x, hence
concave: interpolated between the nodes of a cell it is a lower bound, and any of their nearest points gives an upper one. Where both
agree within the tolerance throughout a cell, its voxels are filled from them. Other cells far from the surface try once more with
nodes 4 voxels apart; those near it sieve triangles (`l9.geometry._sieve_kernels`). So cost grows with the surface, not with the volume.
"""

import numpy as np
from numpy import ndarray

from l9.geometry._cell_kernels import fill_cell
from l9.geometry._sieve_kernels import sieve_eight, sieve_four, sieve_scratch
from l9.geometry._tree_kernels import AWAY, find_nearest
from l9.geometry._triangle_kernels import LANES, NEAREST, SQUARE, Parts, X, Y, Z, measure_triangle, nearest_point, scalar
from l9.geometry.lattice import STRIDE, Size

COARSE, FINE = STRIDE, 4  # voxels between nodes
FAR_CELL = 16  # voxels: nodes FINE apart prove nothing nearer than about 18
ALL = np.float32(1)


@scalar
def _search_nodes(packet: ndarray, start: int, origin: ndarray, tree: Parts, work: Parts, nodes: ndarray, numbers: ndarray) -> None:
    """Search for all lanes, from what they hold, and note what each node found; `nodes`, `numbers` as of `_own_nodes`."""
    frames, boxes, first = tree
    find_nearest(packet, ALL, np.float32(0), frames, boxes, first, work)
    for lane in range(min(LANES, len(numbers) - start)):
        number, place = int(packet[NEAREST + lane]), 4 * (start + lane)
        x, y, z = nearest_point(frames, number, packet[X + lane], packet[Y + lane], packet[Z + lane])
        nodes[place], nodes[place + 1], nodes[place + 2] = x - origin[0], y - origin[1], z - origin[2]
        nodes[place + 3], numbers[start + lane] = packet[SQUARE + lane], number


@scalar
def _fill_far(
    field: ndarray, at: Size, origin: ndarray, shape: Size, band: float, near: ndarray, tree: Parts, cell_work: Parts, work: Parts
) -> None:
    """Fill 8^3 voxels far from the surface by nodes between its corners, whose triangles are `near`."""
    search_work, packet = work[0], work[5]
    nodes, numbers = np.empty(4 * 27, np.float32), np.empty(27, np.int32)
    for start in range(0, 27, LANES):
        for lane in range(LANES):
            n = min(start + lane, 26)
            packet[X + lane] = origin[0] + np.float32(at[0] + FINE * (n // 9))
            packet[Y + lane] = origin[1] + np.float32(at[1] + FINE * (n // 3 % 3))
            packet[Z + lane] = origin[2] + np.float32(at[2] + FINE * (n % 3))
            packet[SQUARE + lane] = AWAY
        for n in range(8):
            if n == 0 or near[n] != near[n - 1]:
                measure_triangle(packet, tree[0], near[n], ALL, np.float32(0))
        _search_nodes(packet, start, origin, tree, search_work, nodes, numbers)
    for n in range(8):
        a, b, c = n >> 2 & 1, n >> 1 & 1, n & 1
        part = (at[0] + FINE * a, at[1] + FINE * b, at[2] + FINE * c)
        if part[0] >= shape[0] or part[1] >= shape[1] or part[2] >= shape[2]:
            continue
        if not fill_cell(field, nodes, (3, 3, 3), (a, b, c), part, FINE, band, cell_work)[0]:
            sieve_four(field, part, origin, np.float32(band), np.int64(numbers[13]), tree, work)


@scalar
def _own_nodes(places: ndarray, numbers: ndarray, node: Size, size: Size, origin: ndarray) -> tuple[ndarray, ndarray]:
    """Of a lattice, the `size` nodes from `node` on, flat: nearest points from the tile's first voxel and squared distances; triangles."""
    count = size[0] * size[1] * size[2]
    own, near = np.empty(4 * count, np.float32), np.empty(count, np.int32)
    for n in range(count):
        i, j, k = node[0] + n // (size[1] * size[2]), node[1] + n // size[2] % size[1], node[2] + n % size[2]
        for axis in range(3):
            own[4 * n + axis] = places[i, j, k, axis] - origin[axis]
        own[4 * n + 3], near[n] = places[i, j, k, 3], numbers[i, j, k]
    return own, near


@scalar
def tile_distance(
    field: ndarray,
    origin: ndarray,
    shape: Size,
    band: float,
    places: ndarray,
    numbers: ndarray,
    node: Size,
    frames: ndarray,
    boxes: ndarray,
    first: ndarray,
) -> None:
    """Distance (voxels) of the voxels of a tile into `field` (float32 flat TILE^3).

    origin   float32 (3): centre of its first voxel, voxels from the middle of the grid
    shape    voxels a side of it that are wanted; the others of `field` are left as they are, or not
    band     voxels: up to this distance every one is exact (float32), beyond it within 1 %
    places, numbers  of `l9.geometry.lattice.Nodes`; node: which of them lies in the tile's first voxel
    """
    tree, work = (frames, boxes, first), sieve_scratch(len(frames))
    cell_work = np.zeros((8, 4), np.float32), np.empty(64, np.float32)
    cells = (shape[0] + COARSE - 1) // COARSE, (shape[1] + COARSE - 1) // COARSE, (shape[2] + COARSE - 1) // COARSE
    size = (cells[0] + 1, cells[1] + 1, cells[2] + 1)
    nodes, own_numbers = _own_nodes(places, numbers, node, size, origin)
    points, near = np.empty((8, 3), np.float32), np.empty(8, np.int64)
    for i in range(cells[0]):
        for j in range(cells[1]):
            for k in range(cells[2]):
                at = (COARSE * i, COARSE * j, COARSE * k)
                filled, least = fill_cell(field, nodes, size, (i, j, k), at, COARSE, band, cell_work)
                if filled:
                    continue
                for n in range(8):
                    place = ((i + (n >> 2 & 1)) * size[1] + j + (n >> 1 & 1)) * size[2] + k + (n & 1)
                    points[n], near[n] = nodes[4 * place : 4 * place + 3], own_numbers[place]
                if least > FAR_CELL:
                    _fill_far(field, at, origin, shape, band, near, tree, cell_work, work)
                else:
                    sieve_eight(field, at, origin, shape, np.float32(band), points, near[0], tree, work)
