"""Encoded pictures (JPEG, PNG, ...) to pixels, the size of each known before a pixel is decoded: all of l9's decoding is here."""

import io
import warnings
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.image import Image as Picture
from l9.geometry.image import checked_image

MAX_PIXELS = 1 << 26  # of one picture: 8192 x 8192; a bomb says more
PICTURE_SIDE = 4096  # pixels of a texture's longer side before it is decoded
KEPT_SIDE = 512  # pixels of its longer side that are kept: 2 mm on a piece of furniture 1 m long
TEXTURE_FORMATS = ("PNG", "JPEG", "GIF", "BMP")  # of all that Pillow opens; furniture comes with the first two
DEPTH_MODES = ("I;16", "I;16B", "I;16L")  # Pillow's names for one channel of 16 bits
PICTURE_BYTES = 256 << 20  # of one encoded picture
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}  # ending of a file -> Pillow's format
PLAIN_MODES = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}  # Pillow's -> ours
PNG_DEPTH = 24  # the byte of a PNG that says how many bits a channel has: of its first chunk, IHDR


def colour_picture(data: bytes, kind: str, size: tuple[int, int] | None = None) -> UInt8[ndarray, "h w 3"]:
    """RGB of a picture in one of Pillow's formats ("JPEG", "PNG"), row 0 on top.

    size    width and height it must have; None: any up to MAX_PIXELS
    raises  RefusedObject `broken-picture`, `wrong-size` or `too-large`
    """
    with _opened(data, kind, size) as picture:
        return _pixels(picture if picture.mode == "RGB" else _converted(picture))


def depth_picture(data: bytes, size: tuple[int, int] | None = None) -> UInt16[ndarray, "h w"]:
    """The values of a PNG of one channel of 16 bits, row 0 on top.

    size    as of `colour_picture`
    raises  RefusedObject `broken-picture`, also where it is no such PNG; `wrong-size` or `too-large`
    """
    with _opened(data, "PNG", size) as picture:
        if picture.mode not in DEPTH_MODES:
            raise RefusedObject("broken-picture", f"a PNG of mode {picture.mode}; expected one channel of 16 bits")
        return _pixels(picture).astype(np.uint16, copy=False)


def whole_picture(data: bytes, kind: str, size: tuple[int, int] | None = None) -> Picture:
    """A picture as it is: grey stays grey, a palette becomes its colours, alpha is kept apart; of several frames the first, noted.

    kind    "PNG" or "JPEG"
    size    as of `colour_picture`
    raises  RefusedObject as `colour_picture`; `bit-depth` for more than 8 bits a channel, `colour-mode` for what is neither grey nor RGB
    """
    if kind == "PNG" and data[PNG_DEPTH : PNG_DEPTH + 1] == b"\x10":  # Pillow would cut colours to 8 bits without a word
        raise RefusedObject("bit-depth", "a PNG of 16 bits a channel; expected at most 8")
    with _opened(data, kind, size) as picture:
        if picture.mode not in PLAIN_MODES:
            raise RefusedObject("colour-mode", f"a {kind} of mode {picture.mode}; expected grey or RGB, with or without alpha")
        frames = _frames(picture)
        mode = PLAIN_MODES[picture.mode]
        if "transparency" in picture.info and mode in ("L", "RGB"):
            mode += "A"
        pixels = _pixels(picture if picture.mode == mode else _converted(picture, mode))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    alpha = pixels[..., -1] if mode.endswith("A") else None
    notes = (f"the first of {frames:,} frames",) if frames > 1 else ()
    return checked_image(Picture(pixels[..., : 1 if mode.startswith("L") else 3], alpha, None, notes))


def _frames(picture: Any) -> int:
    try:
        return int(getattr(picture, "n_frames", 1))
    except (MemoryError, ImportError):
        raise
    except Exception as error:
        raise _broken(picture.format, error) from error


def picture_size(data: bytes, kind: str) -> tuple[int, int]:
    """Width and height, no pixel decoded; RefusedObject `broken-picture` or `too-large`."""
    with _opened(data, kind, None) as picture:
        return int(picture.size[0]), int(picture.size[1])


def small_picture(data: bytes) -> UInt8[ndarray, "h w 3"]:
    """A texture's RGB pixels, row 0 on top, at most KEPT_SIDE on its longer side; transparency is left out.

    raises  RefusedObject `too-large`, or `unreadable` with what Pillow said
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=TEXTURE_FORMATS) as picture:
            if max(picture.size) > PICTURE_SIDE or min(picture.size) < 1:
                raise RefusedObject("too-large", f"{picture.size[0]}x{picture.size[1]} pixels; expected at most {PICTURE_SIDE}")
            picture.draft("RGB", (KEPT_SIDE, KEPT_SIDE))  # a JPEG is decoded at the eighth it is needed at
            return np.asarray(_reduced(picture.convert("RGB")))
    except (MemoryError, RefusedObject):
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, bombs ...
        raise RefusedObject("unreadable", f"{type(error).__name__}: {' '.join(str(error).split())[:100]}") from error


def _reduced(picture: Any) -> Any:
    from PIL import Image

    scale = KEPT_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


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


def _converted(picture: Any, mode: str = "RGB") -> Any:
    try:
        return picture.convert(mode)
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
