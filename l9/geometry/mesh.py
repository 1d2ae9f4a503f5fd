"""A triangle mesh, and the axes it stands in."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject

Axis = Literal["+X", "-X", "+Y", "-Y", "+Z", "-Z"]
BLOCK = 1 << 16  # faces looked at together: one face that has an area is enough, and all of them would take 200 bytes each
AXES: tuple[Axis, ...] = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")


def axis_vector(axis: Axis) -> Float[ndarray, "3"]:
    """Unit vector of a named axis, float64."""
    vector = np.zeros(3)
    vector["XYZ".index(axis[1])] = 1.0 if axis[0] == "+" else -1.0
    return vector


@dataclass(frozen=True)
class Mesh:
    """Triangles, as a reader gives them and as stages change them.

    vertices  metres (or the box's units after `normalise`), in the card's axes
    faces     vertex numbers, counter-clockwise seen from outside where the file says so
    up        the axis that points away from the ground
    notes     what the reader had to leave out, one line each ("materials/wood.mtl reaches outside the folder: not opened")
    parts     a part of each face, such as leg or seat as numbers; None where nobody named them
    """

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    up: Axis = "+Y"
    notes: tuple[str, ...] = ()
    parts: Int[ndarray, "f"] | None = None

    def moved(self, vertices: Float[ndarray, "v 3"]) -> "Mesh":
        """The same faces and parts over other vertices."""
        return replace(self, vertices=vertices)


def checked_mesh(mesh: Mesh) -> Mesh:
    """`mesh` if it can be used, else RefusedObject: `no-faces`, `not-finite`, `index-out-of-range` or `no-area`.

    Every reader's mesh passes here before any stage sees it.
    """
    count = len(mesh.vertices)
    if len(mesh.faces) == 0 or count == 0:
        raise RefusedObject("no-faces", f"{count:,} vertices, {len(mesh.faces):,} faces")
    check_faces(mesh.faces, count)
    not_finite = ~np.isfinite(mesh.vertices).all(axis=1)
    if not_finite[mesh.faces].any():
        raise RefusedObject("not-finite", f"{int(not_finite.sum()):,} of {count:,} vertices")
    if not any(_has_area(mesh.vertices, mesh.faces[start : start + BLOCK]) for start in range(0, len(mesh.faces), BLOCK)):
        raise RefusedObject("no-area", f"all {len(mesh.faces):,} faces are lines or points")
    return mesh


def check_faces(faces: Int[ndarray, "f 3"], count: int) -> None:
    """RefusedObject `index-out-of-range` for a face with a vertex beyond `count`: compiled loops do not look where they read."""
    if len(faces) == 0 or (faces.min() >= 0 and faces.max() < count):
        return
    number = int(np.flatnonzero((faces < 0).any(axis=1) | (faces >= count).any(axis=1))[0])
    face = faces[number]
    named = int(face.max() if face.max() >= count else face.min())
    raise RefusedObject("index-out-of-range", f"face {number:,} names vertex {named:,} of {count:,}")


def _has_area(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> bool:
    """Whether one of the faces is more than a line or a point."""
    with np.errstate(over="ignore", invalid="ignore"):  # huge coordinates have an area, if not one that can be written down
        first, second, third = vertices[faces].swapaxes(0, 1)
        return bool(np.cross(second - first, third - first).any())
