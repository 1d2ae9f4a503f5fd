"""The pictures of docs/signs.md: one open mesh, and a slice of its distance grid for each choice of `sign`.

run     .venv/bin/python docs/pictures/signs.py    (5 seconds; writes signs_winding.png, signs_parity.png and signs_none.png beside itself)
mesh    the mug of `l9.geometry.solids`, seed 0, without its underside and without a tenth of its other faces
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.draw.figure import figure_pixels, new_figure
from l9.draw.png import write_png
from l9.geometry.damage import Arrays, holed
from l9.geometry.grid import grid_centres, voxel_size
from l9.geometry.sdf import SdfGrid, measured_grid
from l9.geometry.solids import SOLIDS

RESOLUTION = 128
WIDTH, HEIGHT = 760, 640  # pixels
FULL = 0.3  # distance at which the colour is full, in units of the box
SAYS = {
    "winding": "walls stay solid, the zero level closes holes",
    "parity": "rays that slip through holes leave bars of wrong sign",
    "none": "unsigned, positive on both sides of every wall",
}


def open_mug() -> Arrays:
    """The mesh of all pictures."""
    solid = SOLIDS["mug"](np.random.default_rng(0))
    heights = solid.vertices[solid.faces][:, :, 1]
    underside = heights.max(axis=1) < solid.vertices[:, 1].min() + 1e-6
    return holed(solid.vertices, solid.faces[~underside], share=0.1, seed=0)


def cut(mesh: Arrays, z: float) -> Float[ndarray, "n 2 2"]:
    """Where the faces of a mesh meet the plane of this z: segments as pairs of (x, y)."""
    corners = mesh[0][mesh[1]]
    ahead = np.roll(corners, -1, axis=1)
    here, there = corners[:, :, 2] - z, ahead[:, :, 2] - z
    crossing = (here < 0) != (there < 0)
    share = np.divide(here, here - there, out=np.zeros_like(here), where=crossing)
    points = corners + share[:, :, None] * (ahead - corners)
    met = crossing.any(axis=1)  # then two of the three edges cross
    return points[met][crossing[met]].reshape(-1, 2, 3)[:, :, :2]


def draw_slice(mesh: Arrays, grid: SdfGrid, path: Path) -> None:
    """A slice through the middle, y up: distance in colours, the zero level black, what is left of the surface as a green line."""
    from matplotlib.collections import LineCollection

    centres = grid_centres(RESOLUTION)
    middle = RESOLUTION // 2
    plane = grid.values[:, :, middle].T
    figure = new_figure(WIDTH, HEIGHT)
    axes = figure.add_subplot()
    half = voxel_size(RESOLUTION, (-1.0, 1.0)) / 2
    edges = (centres[0] - half, centres[-1] + half) * 2
    shown = axes.imshow(plane, origin="lower", extent=edges, cmap="RdBu", vmin=-FULL, vmax=FULL, interpolation="nearest")
    axes.add_collection(LineCollection(list(cut(mesh, float(centres[middle]))), colors="limegreen", linewidths=4, alpha=0.8))
    if plane.min() < 0:
        axes.contour(centres, centres, plane, levels=[0.0], colors="black", linewidths=1.3)
    axes.set_title(f'sign="{grid.sign}": {SAYS[grid.sign]}', fontsize=12)
    axes.set_xlabel("x   (black: zero level; green: the surface that is there)")
    axes.set_ylabel("y")
    figure.colorbar(shown, ax=axes, shrink=0.8, label="distance, units of the box (negative: inside)")
    write_png(path, figure_pixels(figure))


if __name__ == "__main__":
    mug = open_mug()
    for sign in ("winding", "parity", "none"):
        draw_slice(mug, measured_grid(*mug, RESOLUTION, sign=sign), Path(__file__).with_name(f"signs_{sign}.png"))
