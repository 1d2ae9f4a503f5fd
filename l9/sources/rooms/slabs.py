"""Plates with holes, of which walls, floors, ceilings and made furniture are built, and models joined to one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from l9.sources.rooms.thing import Material, Model

Edges = Sequence[float] | Float[ndarray, "_"]


def slab(x: Edges, y: Edges, solid: Bool[ndarray, "a b"], span: tuple[float, float], material: Material, tile: float = 1.0) -> Model:
    """A closed plate of the solid cells of a grid, from z = span[0] to span[1]; cells that are not solid are holes right through it.

    x, y   metres, a + 1 and b + 1 growing lines of the grid
    tile   metres that a texture covers; its coordinates are metres along the faces, divided by it
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    (low, high), quads = span, []
    for i, j in np.argwhere(solid).tolist():
        x0, x1, y0, y1 = x[i], x[i + 1], y[j], y[j + 1]
        quads.append([(x0, y0, high), (x1, y0, high), (x1, y1, high), (x0, y1, high)])
        quads.append([(x0, y1, low), (x1, y1, low), (x1, y0, low), (x0, y0, low)])
        if not _solid_at(solid, i - 1, j):
            quads.append([(x0, y1, low), (x0, y0, low), (x0, y0, high), (x0, y1, high)])
        if not _solid_at(solid, i + 1, j):
            quads.append([(x1, y0, low), (x1, y1, low), (x1, y1, high), (x1, y0, high)])
        if not _solid_at(solid, i, j - 1):
            quads.append([(x0, y0, low), (x1, y0, low), (x1, y0, high), (x0, y0, high)])
        if not _solid_at(solid, i, j + 1):
            quads.append([(x1, y1, low), (x0, y1, low), (x0, y1, high), (x1, y1, high)])
    return _of_quads(np.array(quads, np.float64), material, tile)


def joined(models: Sequence[Model]) -> Model:
    """Several models as one, their materials one after the other."""
    starts = np.cumsum([0, *(len(model.vertices) for model in models)])
    firsts = np.cumsum([0, *(len(model.materials) for model in models)])
    return Model(
        vertices=np.concatenate([model.vertices for model in models]),
        faces=np.concatenate([model.faces + start for model, start in zip(models, starts, strict=False)]),
        materials=tuple(material for model in models for material in model.materials),
        material_of=np.concatenate([model.material_of + first for model, first in zip(models, firsts, strict=False)]),
        uv=np.concatenate([model.uv for model in models]),
    )


def _solid_at(solid: Bool[ndarray, "a b"], i: int, j: int) -> bool:
    return 0 <= i < solid.shape[0] and 0 <= j < solid.shape[1] and bool(solid[i, j])


def _of_quads(quads: Float[ndarray, "q 4 3"], material: Material, tile: float) -> Model:
    """Two triangles for each quad; each corner's texture coordinates are its two coordinates along the face."""
    count = len(quads)
    faces = (4 * np.arange(count)[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    across = np.ptp(quads, axis=1).argmin(axis=1)  # the axis that a quad is square to
    kept = np.array([[1, 2], [0, 2], [0, 1]])[across]
    flat = np.take_along_axis(quads, np.repeat(kept[:, None, :], 4, axis=1), axis=2) / tile
    return Model(quads.reshape(-1, 3), faces, (material,), np.zeros(2 * count, np.int64), flat.reshape(-1, 2)[faces])
