"""Small shaded pictures of voxels and points, seen from the front, the right and above, without a renderer.

Surfaces become dense coloured dots that are drawn from far to near, so the nearest stays (a z-buffer by sorting). The camera is
orthographic: 30 degrees above the ground, 35 degrees to the right of the front. The front is the axis that follows `up` in the
order x y z x, which is +Z where +Y is up.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy import ndarray

from l9.geometry.mesh import Axis, axis_vector

ELEVATION, AZIMUTH = np.radians(30.0), np.radians(35.0)
FINER = 2  # dots are drawn on a picture this many times larger, then averaged: smooth edges
COLOUR = np.array([0.47, 0.62, 0.86])  # of a surface that faces the light, RGB
PALETTE = np.array(
    [
        [0.47, 0.62, 0.86], [0.95, 0.61, 0.29], [0.49, 0.73, 0.44], [0.87, 0.44, 0.44], [0.65, 0.55, 0.80],
        [0.67, 0.55, 0.47], [0.90, 0.60, 0.78], [0.80, 0.76, 0.36], [0.42, 0.76, 0.80], [0.62, 0.62, 0.62],
    ]
)  # of labels 0, 1, ... in turn, RGB  # fmt: skip
NEIGHBOURS = 16  # points that a normal is estimated from
BORDER = 0.02  # share of the picture left free on every side


def splat_voxels(grid: Shaped[ndarray, "r r r"], size: int = 96, up: Axis = "+Y") -> UInt8[ndarray, "size size 3"]:
    """The occupied voxels (value above 0) of a grid indexed [x, y, z], as cubes; the frame is the whole grid, not its content."""
    resolution = len(grid)
    view = _view(up)
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    extent = float(np.abs(corners @ view.T)[:, :2].max()) / (1 - 2 * BORDER)
    across = int(np.ceil(FINER * size / (extent * resolution))) + 2  # dots along a voxel's edge that leave no gap
    dots, shade = [np.zeros((0, 3))], [np.zeros(0)]
    for axis in range(3):
        sign = 1 if view[2, axis] > 0 else -1  # of the two faces across this axis, the one the camera can see
        centres = np.argwhere(_exposed(grid > 0, axis, sign))
        facing = _face_dots(centres, axis, sign, across) * (2 / resolution) - 1
        dots.append(facing)
        shade.append(np.full(len(facing), _brightness(sign * np.eye(3)[[axis]] @ view.T)[0]))
    return _splat(np.concatenate(dots) @ view.T, np.concatenate(shade), extent, 0, size)


def splat_points(
    points: Float[ndarray, "n 3"],
    size: int = 96,
    up: Axis = "+Y",
    *,
    normals: Float[ndarray, "n 3"] | None = None,
    labels: Int[ndarray, "n"] | None = None,
    colours: UInt8[ndarray, "n 3"] | None = None,
) -> UInt8[ndarray, "size size 3"]:
    """Points as shaded dots, in a frame that fits them; dots grow with the distance between points. Not-finite points are left out.

    normals  unit vectors that the shade is computed from, whichever way they point; None: estimated from each point's neighbours
    labels   whole numbers that give each point one of ten colours in turn; None: all have the same
    colours  RGB of each point in full light, instead
    """
    finite = np.isfinite(points).all(axis=1)
    shown = points[finite].astype(np.float64)
    if len(shown) == 0:
        return _splat(np.zeros((0, 3)), np.zeros(0), 1.0, 0, size)
    view = _view(up)
    seen = (shown - (shown.min(axis=0) + shown.max(axis=0)) / 2) @ view.T
    extent = max(float(np.linalg.norm(seen, axis=1).max()), 1e-12) / (1 - 2 * BORDER)
    estimated, spacing = _normals(seen)
    facing = estimated if normals is None else _towards_camera(np.nan_to_num(normals[finite].astype(np.float64)) @ view.T)
    radius = int(np.clip(round(1.0 * spacing / extent * FINER * size / 2), 1, 4 * FINER))
    base = COLOUR if labels is None else PALETTE[labels[finite].astype(np.int64) % len(PALETTE)]
    return _splat(seen, _brightness(facing), extent, radius, size, base if colours is None else colours[finite] / 255)


def _view(up: Axis) -> Float[ndarray, "3 3"]:
    """Rows: the picture's right, the picture's up, towards the camera; each a unit vector in the object's axes."""
    upward = axis_vector(up)
    front = np.roll(np.abs(upward), 1)
    right = np.cross(upward, front)
    toward = np.cos(ELEVATION) * (np.cos(AZIMUTH) * front + np.sin(AZIMUTH) * right) + np.sin(ELEVATION) * upward
    across = np.cross(upward, toward) / np.cos(ELEVATION)
    return np.stack([across, np.cross(toward, across), toward])


def _exposed(occupied: Bool[ndarray, "r r r"], axis: int, sign: int) -> Bool[ndarray, "r r r"]:
    """Occupied voxels whose neighbour along `sign` * `axis` is empty, or outside the grid."""
    padded = np.pad(occupied, 1)
    neighbour = np.roll(padded, -sign, axis=axis)[1:-1, 1:-1, 1:-1]
    return occupied & ~neighbour


def _face_dots(voxels: Int[ndarray, "m 3"], axis: int, sign: int, across: int) -> Float[ndarray, "_ 3"]:
    """`across` x `across` dots over one face of each voxel, in voxel units: voxel i covers [i, i + 1]."""
    places = (np.arange(across) + 0.5) / across
    offsets = np.full((across * across, 3), 1.0 if sign > 0 else 0.0)
    offsets[:, [other for other in range(3) if other != axis]] = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    return (voxels[:, None] + offsets).reshape(-1, 3)


def _normals(seen: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "n 3"], float]:
    """Directions of least spread among each point's neighbours, turned to the camera, and the median distance to the nearest point."""
    from scipy.spatial import cKDTree

    count = min(NEIGHBOURS, len(seen))
    if count < 3:
        return np.tile([0.0, 0.0, 1.0], (len(seen), 1)), 0.0
    distances, numbers = cKDTree(seen).query(seen, k=count)
    around = seen[numbers] - seen[numbers].mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))[1][:, :, 0]
    return _towards_camera(normals), float(np.median(distances[:, 1]))


def _towards_camera(normals: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """Normals in the picture's axes, those that point away turned round."""
    return normals * np.where(normals[:, 2:] < 0, -1.0, 1.0)


def _brightness(normals: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
    """0.4 in full shade to 1; normals in the picture's axes; the light comes from the upper left, behind the camera."""
    light = np.array([-0.45, 0.75, 0.5])
    return 0.4 + 0.6 * np.clip(normals @ (light / np.linalg.norm(light)), 0, 1)


def _splat(
    seen: Float[ndarray, "n 3"],
    brightness: Float[ndarray, "n"],
    extent: float,
    radius: int,
    size: int,
    base: Float[ndarray, "*n 3"] = COLOUR,
) -> UInt8[ndarray, "size size 3"]:
    """Discs of `radius` fine pixels, far to near, on white; `extent` is what half the picture spans; farther is a little darker.

    base  colour of all discs (3), or of each (n, 3), in full light
    """
    side = FINER * size
    canvas = np.ones((side, side, 3))
    order = np.argsort(seen[:, 2], kind="stable")
    seen, brightness = seen[order], brightness[order]
    colours = (brightness * (0.9 + 0.1 * np.clip(seen[:, 2] / extent, -1, 1)))[:, None] * (base if base.ndim == 1 else base[order])
    columns = np.floor((1 + seen[:, 0] / extent) / 2 * side).astype(np.int64)
    rows = np.floor((1 - seen[:, 1] / extent) / 2 * side).astype(np.int64)
    reach = np.arange(-radius, radius + 1)
    disc = np.array([(dy, dx) for dy in reach for dx in reach if dy * dy + dx * dx <= radius * radius + radius])
    rows = np.clip(rows[:, None] + disc[:, 0], 0, side - 1)  # point-major: all of a near disc after all of a far one
    columns = np.clip(columns[:, None] + disc[:, 1], 0, side - 1)
    canvas[rows, columns] = colours[:, None]  # numpy keeps the last of repeated places: the nearest
    smooth = canvas.reshape(size, FINER, size, FINER, 3).mean(axis=(1, 3))
    return (smooth * 255 + 0.5).astype(np.uint8)
