"""A tile of the surface inside a small grid: occupancy, probabilities or distances, drawn as a shaded solid."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.draw.splat import COLOUR
from l9.draw.surface_view import surface_view
from l9.geometry.isosurface import CORNERS, isosurface
from l9.geometry.mesh import Axis

ELEVATION = 30.0  # degrees above the ground, as other tiles are drawn


def field_tile(
    field: Float[ndarray, "x y z"], level: float, size: int, up: Axis = "+Y", colour: Float[ndarray, "3"] = COLOUR
) -> UInt8[ndarray, "size size 3"]:
    """What lies above the level, from the front, the right and above; white where nothing does. The frame is the whole grid.

    field   indexed [x, y, z]; NaN is below every level
    colour  RGB of the surface, 0 to 1
    """
    above = level - np.nan_to_num(field.astype(np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf).clip(-1e6, 1e6)
    vertices, faces = isosurface(np.pad(above, 1, constant_values=1.0), 0.0)  # closed where the grid ends
    colours = np.tile(np.rint(255 * colour).astype(np.uint8), (len(vertices), 1))
    if len(faces) == 0:
        return np.full((size, size, 3), 255, np.uint8)
    frame = CORNERS * np.array(field.shape) - 0.5
    return surface_view(vertices - 1, faces, colours, up=up, elevation_degrees=ELEVATION, size=(size, size), frame=frame)
