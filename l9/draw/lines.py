"""A page with one line of small pictures for each thing, its name and facts on the left, the columns' headings on top."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.draw.grid import CAPTION, GAP, LINE, TITLE
from l9.draw.text import font, legible, shortened, text_width
from l9.errors import ShapeError

WIDEST_SIDE = 300  # pixels of the text on the left; longer lines are shortened in the middle


def line_sheet(
    lines: Sequence[Sequence[UInt8[ndarray, "_h _w 3"]]], captions: Sequence[str], headings: Sequence[str], title: str = ""
) -> UInt8[ndarray, "h w 3"]:
    """Lines of tiles, each with its caption on the left.

    lines     of RGB tiles, all of one size, as many in each line as there are headings
    captions  one for each line; `\\n` starts a new line
    headings  one for each column, shortened in the middle to the width of a tile
    raises    ShapeError if they do not fit together
    """
    if len(lines) != len(captions) or any(len(line) != len(headings) for line in lines):
        raise ShapeError(f"line_sheet got {len(lines)} lines, {len(captions)} captions and {len(headings)} headings")
    height, width = lines[0][0].shape[:2] if lines and headings else (0, 0)
    texts = [[shortened(legible(text), WIDEST_SIDE, CAPTION) for text in caption.split("\n")] for caption in captions]
    height = max(height, LINE * max((len(text) for text in texts), default=0))
    side = max((text_width(text, CAPTION) for lines_of_text in texts for text in lines_of_text), default=0)
    left, top = GAP + side + 2 * GAP, TITLE + 2 * GAP + LINE + GAP // 2
    across = max(left + len(headings) * (width + GAP), text_width(legible(title), TITLE) + 2 * GAP)
    page = np.full((top + len(lines) * (height + GAP), across, 3), 255, np.uint8)
    for row, line in enumerate(lines):
        for column, tile in enumerate(line):
            y, x = top + row * (height + GAP), left + column * (width + GAP)
            page[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return _written(page, title, [shortened(legible(one), max(width, 1), CAPTION) for one in headings], texts, left, top, width, height)


def _written(
    page: UInt8[ndarray, "h w 3"],
    title: str,
    headings: list[str],
    texts: list[list[str]],
    left: int,
    top: int,
    width: int,
    height: int,
) -> UInt8[ndarray, "h w 3"]:
    """The page with its title, headings centred over their columns, and each caption in the middle of its line's height."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(page)
    pen = ImageDraw.Draw(image)
    pen.text((GAP, GAP), legible(title), fill="black", font=font(TITLE))
    for column, heading in enumerate(headings):
        place = (left + column * (width + GAP) + width // 2, TITLE + 2 * GAP)
        pen.text(place, heading, fill=(90, 90, 90), font=font(CAPTION), anchor="ma")
    for row, lines in enumerate(texts):
        y = top + row * (height + GAP) + (height - LINE * len(lines)) // 2
        for number, line in enumerate(lines):
            pen.text((GAP, y + number * LINE), line, fill="black" if number == 0 else (70, 70, 70), font=font(CAPTION))
    return np.array(image)
