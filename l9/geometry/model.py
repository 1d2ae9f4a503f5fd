"""A mesh with materials: what a furniture model is before it stands anywhere."""

from dataclasses import dataclass, replace

from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from l9.geometry.camera import moved


@dataclass(frozen=True)
class Material:
    """How a face looks.

    colour   RGB, sRGB, 0..1; a texture is multiplied by it
    texture  sRGB picture, row 0 on top; None: the colour alone
    """

    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    texture: UInt8[ndarray, "h w 3"] | None = None


@dataclass(frozen=True)
class Model:
    """A mesh with materials.

    vertices      metres; +Z up in a room
    faces         vertex numbers, counter-clockwise seen from outside where the file says so
    materials     at least one
    material_of   the number of each face's material
    uv            texture coordinates of each face's corners, (0, 0) at a picture's lower left, repeated beyond 1; zeros where the
                  file has none
    notes         what the reader had to leave out, one line each
    """

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    materials: tuple[Material, ...]
    material_of: Int[ndarray, "f"]
    uv: Float[ndarray, "f 3 2"]
    notes: tuple[str, ...] = ()

    def moved(self, pose: Float[ndarray, "4 4"]) -> "Model":
        """The same model somewhere else; the pose may scale."""
        return replace(self, vertices=moved(self.vertices, pose))
