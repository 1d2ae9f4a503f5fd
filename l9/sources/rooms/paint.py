"""What colour a room's faces have where they are hit: plain colours and pictures, as shares of reflected light."""

import numpy as np
from jaxtyping import Float32, Int, UInt8
from numpy import ndarray

from l9.geometry.model import Material, Model
from l9.sources.rooms._light_kernels import paint_pictures

DARKEST = 0.02  # share of light that the darkest surface gives back: soot has no less, and furniture of Kd 0 0 0 keeps its shape
WHITEST = 0.9  # share of light that the brightest surface gives back; fresh snow has no more, and 1 would never leave a room


def linear(srgb: Float32[ndarray, "*n"]) -> Float32[ndarray, "*n"]:
    """Light of sRGB values, both 0..1; IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(light: Float32[ndarray, "*n"]) -> Float32[ndarray, "*n"]:
    """sRGB values of light, both 0..1; IEC 61966-2-1."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


LINEAR_BYTES = linear(np.arange(256, dtype=np.float32) / 255)


class Paint:
    """Colours of the faces of several models, one behind the other, with all their pictures in one row of pixels."""

    def __init__(self, models: tuple[Model, ...]) -> None:
        materials = [material for model in models for material in model.materials]
        firsts = np.cumsum([0] + [len(model.materials) for model in models])
        self._uv = np.concatenate([model.uv for model in models]).astype(np.float32)
        self._material = np.concatenate([first + model.material_of for first, model in zip(firsts, models, strict=False)])
        self._colour = WHITEST * linear(np.array([material.colour for material in materials], np.float32))
        self._size = np.array([_size(material) for material in materials], np.int64)
        self._pixels, self._offset = _row(materials)

    def albedo(self, faces: Int[ndarray, "n"], at: Float32[ndarray, "n 2"]) -> Float32[ndarray, "n 3"]:
        """Shares of red, green and blue light that come back from places on faces.

        at  Open3D's `primitive_uvs`: weights of the second and third corner
        """
        albedo = self._colour[self._material[faces]]
        paint_pictures(albedo, faces, at, self._material, self._uv, self._size, self._offset, self._pixels, LINEAR_BYTES)
        return np.maximum(albedo, np.float32(DARKEST))


def _size(material: Material) -> tuple[int, int]:
    """Width and height of a material's picture, zeros where it has none."""
    return (0, 0) if material.texture is None else (material.texture.shape[1], material.texture.shape[0])


def _row(materials: list[Material]) -> tuple[UInt8[ndarray, "n 3"], Int[ndarray, "m"]]:
    """All pictures' pixels one behind the other, and where each material's begin; a picture that materials share stands there once."""
    begins: dict[int, int] = {}
    parts, offsets, end = [np.zeros((0, 3), np.uint8)], [], 0
    for material in materials:
        if material.texture is not None and id(material.texture) not in begins:
            begins[id(material.texture)] = end
            parts.append(material.texture.reshape(-1, 3))
            end += len(parts[-1])
        offsets.append(begins.get(id(material.texture), 0))
    return np.concatenate(parts), np.array(offsets, np.int64)
