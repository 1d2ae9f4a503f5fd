"""Text in pictures: one typeface for all of them, and names from foreign files made drawable."""

import unicodedata
from functools import cache
from typing import Any


def legible(text: str) -> str:
    """`text` on one line with every character that the typeface lacks, or that cannot be seen, replaced by `?`.

    Class and object names come from foreign files: a missing glyph would warn, a line break would tear the layout.
    """
    known = _characters()
    return "".join(letter if ord(letter) in known and unicodedata.category(letter)[0] != "C" else "?" for letter in text)


def shortened(text: str, width: int, size: int) -> str:
    """`text` cut in the middle with an ellipsis so that it takes at most `width` pixels at `size` pixels height."""
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        cut = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if text_width(cut, size) <= width:
            return cut
    return "…"


def wrapped(text: str, width: int, size: int) -> list[str]:
    """`text` in lines of at most `width` pixels at `size` pixels height, broken between words; a longer word is shortened."""
    lines: list[str] = []
    for word in legible(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, width, size))
    return lines


def text_width(text: str, size: int) -> int:
    """Pixels that one line takes at `size` pixels height."""
    return int(font(size).getlength(text) + 0.5)


@cache
def font(size: int) -> Any:
    """The typeface for Pillow: DejaVu Sans, which comes with matplotlib."""
    from PIL import ImageFont

    return ImageFont.truetype(_typeface(), size)


def _typeface() -> str:
    import matplotlib

    return f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"


@cache
def _characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(_typeface()).get_charmap())
