"""Material files (`.mtl`): the diffuse colour and picture of each material, and the pictures' pixels.

Nothing here fails an object: a line that cannot be read leaves its material plain, and a picture that cannot be read gives None.
"""

import io
import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from l9.errors import RefusedObject
from l9.readers.lines import plain_text

MATERIALS = 4096  # of one file; the largest read here has 29
PICTURE_SIDE = 4096  # pixels of a picture's longer side before it is decoded
KEPT_SIDE = 512  # pixels of the longer side that are kept: 2 mm on a piece of furniture 1 m long
FORMATS = ("PNG", "JPEG", "GIF", "BMP")  # of all that Pillow opens; furniture comes with the first two
STATEMENT = re.compile(rb"^[ \t]*(newmtl|Kd|map_Kd)[ \t]+(.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Described:
    """What a material file says of one material.

    colour   RGB, 0..1
    picture  the path as it stands in the file, "" for none
    """

    colour: tuple[float, float, float] | None = None
    picture: str = ""


def read_mtl(data: bytes) -> dict[str, Described]:
    """Materials by their names, the first MATERIALS of them; RefusedObject `line-too-long`."""
    text = re.sub(rb"#[^\r\n]*", b"", plain_text(data))  # as names in an OBJ end where a comment begins
    materials: dict[str, Described] = {}
    name, current = "", Described()
    for word, rest in STATEMENT.findall(text):
        if word == b"newmtl":
            if len(materials) >= MATERIALS:
                break
            name, current = rest.decode("utf-8", "replace"), Described()
        elif word == b"Kd":
            current = Described(_colour(rest), current.picture)
        else:
            current = Described(current.colour, _path(rest))
        materials[name] = current
    return materials


def _colour(words: bytes) -> tuple[float, float, float] | None:
    """Three numbers held to 0..1; None where they are something else, such as a spectrum's file."""
    try:
        red, green, blue = (float(word) for word in words.split()[:3])
    except ValueError:
        return None
    if not all(map(math.isfinite, (red, green, blue))):
        return None
    return min(max(red, 0.0), 1.0), min(max(green, 0.0), 1.0), min(max(blue, 0.0), 1.0)


def _path(words: bytes) -> str:
    """The picture's path; behind options (`-s 2 2 1 wood.jpg`) it is the last word, as their numbers of values differ."""
    text = words.decode("utf-8", "replace")
    return text.split()[-1] if text.startswith("-") else text


def decoded_picture(data: bytes) -> UInt8[ndarray, "h w 3"]:
    """A picture's RGB pixels, row 0 on top, at most KEPT_SIDE on its longer side; transparency is left out.

    raises  RefusedObject `too-large`, or `unreadable` with what Pillow said
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if max(picture.size) > PICTURE_SIDE or min(picture.size) < 1:
                raise RefusedObject("too-large", f"{picture.size[0]}x{picture.size[1]} pixels; expected at most {PICTURE_SIDE}")
            picture.draft("RGB", (KEPT_SIDE, KEPT_SIDE))  # a JPEG is decoded at the eighth it is needed at
            return np.asarray(_reduced(picture.convert("RGB")))
    except (MemoryError, RefusedObject):
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, bombs ...
        raise RefusedObject("unreadable", f"{type(error).__name__}: {' '.join(str(error).split())[:100]}") from error


def _reduced(picture: Image.Image) -> Image.Image:
    scale = KEPT_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)
