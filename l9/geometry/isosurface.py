"""Where a dense grid of numbers crosses a level, as a closed mesh: marching cubes over one small grid, with NumPy alone."""

import numpy as np
from jaxtyping import Float, Float32, Int32, Int64
from numpy import ndarray

from l9.geometry.cube_table import EDGES, cube_triangles

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])  # of a cube, in the order of its table
EDGE_AXES = np.array([number // 4 for number in range(len(EDGES))])  # the axis each edge of a cube runs along
EDGE_STARTS = np.array([CORNERS[low] for low, _ in EDGES])  # its lower corner


def isosurface(field: Float[ndarray, "x y z"], level: float, outside: float = 0.0) -> tuple[Float32[ndarray, "v 3"], Int32[ndarray, "f 3"]]:
    """Vertices, in voxels (0 is the first voxel's centre), and faces around what lies above the level, counter-clockwise from outside.

    field    finite numbers at voxel centres; no vertex where none is above the level
    level    in the field's unit; a voxel of just this value is outside
    outside  the field beyond the grid, not above the level: so the surface is closed
    source   Lorensen & Cline, Marching cubes, 1987; the table is that of `l9.geometry.cube_table`
    """
    padded = np.pad(field.astype(np.float64), 1, constant_values=outside)
    inside = padded > level
    vertices, numbers = _crossings(padded, inside, level)
    return (vertices - 1).astype(np.float32), _faces(inside, numbers)


def _crossings(field: ndarray, inside: ndarray, level: float) -> tuple[Float[ndarray, "v 3"], Int64[ndarray, "3 a b c"]]:
    """One vertex on every edge of the lattice that the surface crosses, and its number by the edge's axis and lower corner."""
    numbers = np.full((3, *field.shape), -1, np.int64)
    places, count = [np.zeros((0, 3))], 0
    for axis in range(3):
        here, next_one = (tuple(part if one == axis else slice(None) for one in range(3)) for part in (slice(None, -1), slice(1, None)))
        starts = np.argwhere(inside[here] != inside[next_one])
        ends = starts + np.eye(3, dtype=np.int64)[axis]
        low, high = field[tuple(starts.T)], field[tuple(ends.T)]
        place = starts.astype(np.float64)
        place[:, axis] += (level - low) / (high - low)
        numbers[(axis, *starts.T)] = np.arange(count, count + len(starts))
        places.append(place)
        count += len(starts)
    return np.concatenate(places), numbers


def _faces(inside: ndarray, numbers: Int64[ndarray, "3 a b c"]) -> Int32[ndarray, "f 3"]:
    """The triangles of every cube of eight neighbours."""
    size = np.array(inside.shape) - 1
    case = np.zeros(size, np.int64)
    for corner, (x, y, z) in enumerate(CORNERS):
        case |= inside[x : x + size[0], y : y + size[1], z : z + size[2]].astype(np.int64) << corner
    cubes = np.argwhere((case > 0) & (case < 255))
    table, counts = cube_triangles()
    cases = case[tuple(cubes.T)]
    cube, place = np.nonzero(np.arange(table.shape[1]) < 3 * counts[cases, None])
    edges = table[cases[cube], place]
    found = numbers[(EDGE_AXES[edges], *(cubes[cube] + EDGE_STARTS[edges]).T)]
    return found.reshape(-1, 3).astype(np.int32)
