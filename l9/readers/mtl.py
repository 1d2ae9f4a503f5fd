"""Material files (`.mtl`): the diffuse colour and picture of each material.

Nothing here fails an object: a line that cannot be read leaves its material plain.
"""

import math
import re
from dataclasses import dataclass

from l9.readers.lines import plain_text

MATERIALS = 4096  # of one file; the largest read here has 29
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
