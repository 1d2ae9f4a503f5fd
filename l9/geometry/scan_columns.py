"""A scan's voxels as upright columns: what each is, whether it was seen, and which columns a network can learn from.

Columns begin two and a half voxels below the scan's floor and are 62 voxels high; with voxels of 4.8 cm, 31 x 31 of them span
1.5 x 1.5 x 3.0 m.
source  Dai et al., ScanNet, CVPR 2017, section 5.2; which columns are kept: Qi et al., PointNet++, 2017, its loader of ScanNet
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int32, Int64, UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis
from l9.geometry.scan import Surface
from l9.geometry.surface_spread import spread_points

HEIGHT, SIDE = 62, 31  # voxels of a neighbourhood: up, and along both sides
EMPTY, UNANNOTATED = 0, 41  # labels besides NYU's 1 to 40
BELOW = 2.5  # voxels between the bottom of the columns and the floor: a move by 2 voxels, noise and a slope leave it within
CROSSED = 0.5  # voxels between the points of a surface, at most
LOWEST = 0.01  # of the surface may lie below the floor, such as points of a mirror's world
FLOOR_WITHIN = 0.5  # metres above them in which the floor is looked for
LEAST_OCCUPIED, LEAST_ANNOTATED = 0.02, 0.7  # of a neighbourhood's voxels, and of its occupied ones
VERTEX = 1e-9  # square metres that a vertex stands for: it decides where a voxel has nothing else of the surface
MOST_COLUMNS = 1 << 20  # 35 x 35 m hold half as many


@dataclass(frozen=True)
class ScanColumns:
    """Voxel (x, y, z) has its corner at corner + (x, y, z) * voxel, in the scan's axes turned so that z is up.

    corner    metres
    voxel     metres along each edge
    labels    0 empty, 1 to 40 by NYU's ids, 41 where the surface has no label: what most of the surface in the voxel is
    vertices  the voxel that each vertex is in, (x * columns along y + y) * 62 + z; -1 below or above the columns
    """

    corner: Float64[ndarray, "3"]
    voxel: float
    labels: UInt8[ndarray, "x y z"]
    vertices: Int32[ndarray, "v"]


def upright(up: Axis) -> Float64[ndarray, "3 3"]:
    """The rotation after which `up` is +z and the axis after it (x y z x) is x, or minus x where `up` is one of the minus axes."""
    axis, sign = "XYZ".index(up[1]), 1.0 if up[0] == "+" else -1.0
    turn = np.zeros((3, 3))
    turn[0, (axis + 1) % 3], turn[1, (axis + 2) % 3], turn[2, axis] = sign, 1.0, sign
    return turn


def scan_columns_of(surface: Surface, up: Axis, voxel: float) -> ScanColumns:
    """The columns of a surface; see `ScanColumns`.

    raises  RefusedObject `no-faces`, `not-finite`, `bad-labels`, or `too-large` beyond 2^20 columns
    """
    if not len(surface.faces):
        raise RefusedObject("no-faces", "a surface of 0 faces; expected some")
    if not np.isfinite(surface.vertices).all():
        raise RefusedObject("not-finite", f"{int((~np.isfinite(surface.vertices)).any(axis=1).sum()):,} vertices")
    of_vertex = _vertex_labels(surface)
    vertices = surface.vertices.astype(np.float64) @ upright(up).T
    spread, nearest, areas = spread_points(vertices, surface.faces, CROSSED * voxel)
    bottom = floor_level(spread[:, 2], areas, voxel) - BELOW * voxel
    points = np.concatenate([spread, vertices[np.unique(surface.faces)]])
    labels = of_vertex[np.concatenate([nearest, np.unique(surface.faces)])]
    weights = np.concatenate([areas, np.full(len(points) - len(spread), VERTEX)])
    corner, shape = _span(points, bottom, voxel)
    places = _places(points, corner, voxel)
    within = _inside(places, shape)
    found = _most_of(np.ravel_multi_index(tuple(places[within].T), shape), labels[within], weights[within], shape)
    of_vertices = _places(vertices, corner, voxel)
    inside = _inside(of_vertices, shape)
    numbers = np.full(len(vertices), -1, np.int32)
    numbers[inside] = np.ravel_multi_index(tuple(of_vertices[inside].T), shape)
    return ScanColumns(corner, voxel, found, numbers)


def floor_level(heights: Float[ndarray, "n"], areas: Float[ndarray, "n"], voxel: float) -> float:
    """Metres: the middle of the heights about the fullest half voxel of the half metre above the lowest 1 % of a surface.

    areas  square metres that each point stands for: fullest, middle and 1 % are of the area, however finely a part is meshed
    """
    low = _height_at(heights, areas, LOWEST)
    near = (heights >= low - voxel) & (heights <= low + FLOOR_WITHIN)
    step = voxel / 2
    layers = np.floor((heights[near] - low) / step).astype(np.int64)
    first = int(layers.min())
    fullest = int(np.bincount(layers - first, areas[near]).argmax()) + first
    about = np.abs(layers - fullest) <= 1
    return _height_at(heights[near][about], areas[near][about], 0.5)


def _height_at(heights: Float[ndarray, "n"], areas: Float[ndarray, "n"], share: float) -> float:
    """The least height at or below which at least this share of the area lies."""
    order = np.argsort(heights, kind="stable")
    below = np.cumsum(areas[order])
    return float(heights[order[np.searchsorted(below, share * below[-1])]])


def kept_columns(labels: UInt8[ndarray, "x y z"]) -> Int32[ndarray, "n 2"]:
    """Columns to learn from, x then y ascending: some voxel of the column has a class, and of the 31 x 31 x 62 voxels around it at least
    2 % are occupied and of these 70 % annotated."""
    classes = (labels != EMPTY) & (labels != UNANNOTATED)
    occupied = _around((labels != EMPTY).sum(axis=2))
    annotated = _around(classes.sum(axis=2))
    enough = occupied >= LEAST_OCCUPIED * HEIGHT * SIDE**2
    return np.argwhere(classes.any(axis=2) & enough & (annotated >= LEAST_ANNOTATED * occupied)).astype(np.int32)


def _vertex_labels(surface: Surface) -> UInt8[ndarray, "v"]:
    if surface.labels is None:
        return np.full(len(surface.vertices), UNANNOTATED, np.uint8)
    if surface.labels.min(initial=0) < 0 or surface.labels.max(initial=0) >= UNANNOTATED:
        span = f"{surface.labels.min():,} to {surface.labels.max():,}"
        raise RefusedObject("bad-labels", f"vertices are labelled {span}; expected NYU's ids, 0 to {UNANNOTATED - 1}")
    return np.where(surface.labels == 0, UNANNOTATED, surface.labels).astype(np.uint8)


def _span(points: Float64[ndarray, "n 3"], bottom: float, voxel: float) -> tuple[Float64[ndarray, "3"], tuple[int, int, int]]:
    """Corner and size of the columns that hold the points of the right height; whole voxels from the origin along x and y."""
    within = points[(points[:, 2] >= bottom) & (points[:, 2] < bottom + HEIGHT * voxel), :2]
    first, last = np.floor(within.min(axis=0) / voxel), np.floor(within.max(axis=0) / voxel)
    size = last - first + 1
    if size.prod() > MOST_COLUMNS:
        raise RefusedObject("too-large", f"{size[0]:,.0f} x {size[1]:,.0f} columns; expected at most {MOST_COLUMNS:,}: is its unit metres?")
    return np.array([*(first * voxel), bottom]), (int(size[0]), int(size[1]), HEIGHT)


def _places(points: Float64[ndarray, "n 3"], corner: Float64[ndarray, "3"], voxel: float) -> Int64[ndarray, "n 3"]:
    """The voxel that each point is in, which may be none of the columns'."""
    level = np.floor(points[:, :2] / voxel) - np.rint(corner[:2] / voxel)
    lifted = np.floor((points[:, 2:] - corner[2]) / voxel)
    return np.clip(np.concatenate([level, lifted], axis=1), -1, MOST_COLUMNS).astype(np.int64)


def _inside(places: Int64[ndarray, "n 3"], shape: tuple[int, int, int]) -> Bool[ndarray, "n"]:
    return np.asarray(((places >= 0) & (places < np.array(shape))).all(axis=1))


def _most_of(
    voxels: Int64[ndarray, "n"], labels: UInt8[ndarray, "n"], areas: Float64[ndarray, "n"], shape: tuple[int, int, int]
) -> UInt8[ndarray, "x y z"]:
    """The label of the greatest area in each voxel, the lower of two that have as much."""
    kinds, places = np.unique(voxels * (UNANNOTATED + 1) + labels, return_inverse=True)
    sums = np.bincount(places.ravel(), weights=areas)
    order = np.lexsort((-kinds, sums, kinds // (UNANNOTATED + 1)))
    found = np.zeros(shape, np.uint8)
    found.ravel()[kinds[order] // (UNANNOTATED + 1)] = kinds[order] % (UNANNOTATED + 1)  # the last of a voxel stays
    return found


def _around(counts: Int[ndarray, "x y"]) -> Int64[ndarray, "x y"]:
    """Sums over the 31 x 31 columns around each, nothing beyond the edge."""
    sums = np.pad(counts, SIDE // 2 + np.array([1, 0])).astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    return sums[SIDE:, SIDE:] - sums[:-SIDE, SIDE:] - sums[SIDE:, :-SIDE] + sums[:-SIDE, :-SIDE]
