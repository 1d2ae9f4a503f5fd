"""One encoded picture (JPEG, PNG) to pixels, its size known before a pixel is decoded."""

import io
import warnings
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject

MAX_PIXELS = 1 << 26  # of one picture: 8192 x 8192; a bomb says more


def colour_picture(data: bytes, kind: str, size: tuple[int, int] | None = None) -> UInt8[ndarray, "h w 3"]:
    """RGB of a picture in one of Pillow's formats ("JPEG", "PNG"), row 0 on top.

    size    width and height it must have; None: any up to MAX_PIXELS
    raises  RefusedObject `broken-picture`, `wrong-size` or `too-large`
    """
    with _opened(data, kind, size) as picture:
        return _pixels(picture if picture.mode == "RGB" else _converted(picture))


def _opened(data: bytes, kind: str, size: tuple[int, int] | None) -> Any:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of a bomb before it refuses one
            picture = Image.open(io.BytesIO(data), formats=[kind])
    except (MemoryError, ImportError):
        raise
    except Exception as error:
        raise _broken(kind, error) from error
    width, height = picture.size
    if size is not None and (width, height) != size:
        raise RefusedObject("wrong-size", f"a picture of {width}x{height} pixels; expected {size[0]}x{size[1]}")
    if width * height > MAX_PIXELS:
        raise RefusedObject("too-large", f"a picture of {width}x{height} pixels; expected at most {MAX_PIXELS:,}")
    return picture


def _converted(picture: Any) -> Any:
    try:
        return picture.convert("RGB")
    except (MemoryError, ImportError):
        raise
    except Exception as error:
        raise _broken(picture.format, error) from error


def _pixels(picture: Any) -> ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(picture)
    except (MemoryError, ImportError):
        raise
    except Exception as error:
        raise _broken(picture.format, error) from error


def _broken(kind: str | None, error: Exception) -> RefusedObject:
    return RefusedObject("broken-picture", f"{kind}: {' '.join(str(error).split())[:200]}")
