"""A picture of any size as a tile: whole, in the middle of a white square, on a chequered ground where it is not opaque."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

CHECK = 8  # pixels of a chequer's side
LIGHT, DARK = 255, 225


def picture_tile(
    pixels: UInt8[ndarray, "h w c"], size: int, alpha: UInt8[ndarray, "rows columns"] | None = None
) -> UInt8[ndarray, "size size 3"]:
    """RGB tile of a grey (c = 1) or RGB (c = 3) picture; one of at most half that size is enlarged without smoothing."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    box = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    shown = Image.fromarray(np.ascontiguousarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)).resize(box, method)
    tile = Image.new("RGB", (size, size), (LIGHT, LIGHT, LIGHT))
    place = ((size - box[0]) // 2, (size - box[1]) // 2)
    if alpha is None:
        tile.paste(shown, place)
    else:
        tile.paste(_chequered(box), place)
        tile.paste(shown, place, Image.fromarray(np.ascontiguousarray(alpha)).resize(box, method))
    return np.array(tile)


def _chequered(box: tuple[int, int]) -> Any:
    from PIL import Image

    rows, columns = np.mgrid[: box[1], : box[0]] // CHECK
    return Image.fromarray(np.where((rows + columns) % 2, DARK, LIGHT).astype(np.uint8)).convert("RGB")
