"""Several surfaces in one picture, at one scale and seen from one side: what is to be compared stands next to each other."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from l9.draw.surface_view import surface_view, view_axes
from l9.geometry.mesh import Axis

ELEVATION = 25.0  # degrees

Colour = tuple[int, int, int]
Surface = tuple[Float[ndarray, "_v 3"], Int[ndarray, "_f 3"]]


def side_by_side(surfaces: Sequence[Surface], colours: Sequence[Colour], extent: float, size: int, up: Axis) -> UInt8[ndarray, "h w 3"]:
    """RGB, `size` pixels high and as many wide for each surface; white where a surface has no faces.

    surfaces  vertices and faces, all in the cube from 0 to `extent` on each axis
    colours   RGB of each
    """
    right = view_axes(up, ELEVATION)[0]
    step = extent * float(np.abs(right).sum())  # as far as the cube reaches to the right
    vertices = [points + number * step * right for number, (points, _) in enumerate(surfaces)]
    starts = np.cumsum([0, *(len(points) for points in vertices[:-1])])
    faces = [one + start for (_, one), start in zip(surfaces, starts, strict=True)]
    painted = [np.tile(np.array(colour, np.uint8), (len(points), 1)) for points, colour in zip(vertices, colours, strict=True)]
    joined = np.concatenate(vertices), np.concatenate(faces), np.concatenate(painted)
    return surface_view(*joined, up=up, elevation_degrees=ELEVATION, size=(len(surfaces) * size, size))
