"""A page of small pictures with a caption under each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.draw.text import font, legible, shortened, text_width
from l9.errors import ShapeError

CAPTION = 12  # height of a caption's letters, pixels
LINE = 16  # from one line of a caption to the next, pixels
TITLE = 16  # height of the title's letters, pixels
GAP = 8  # between pictures, pixels
SWATCH, SWATCHES = 28, 7  # pixels of a colour in a legend, and colours in a row of it
WIDEST_CAPTION = 220  # pixels, or a tile's width where that is more; longer lines are shortened in the middle


def sample_grid(
    tiles: Sequence[UInt8[ndarray, "_h _w 3"]], captions: Sequence[str] = (), columns: int = 6, title: str = ""
) -> UInt8[ndarray, "h w 3"]:
    """Tiles in rows of `columns`, each centred in a cell as large as the largest, captions below.

    tiles     RGB, of any sizes; none at all gives a page with the title alone
    captions  one for each tile, or none; `\\n` starts a new line, lines above 220 pixels and the widest tile are shortened in the middle
    raises    ShapeError if there are captions and not one for each tile
    """
    if captions and len(captions) != len(tiles):
        raise ShapeError(f"sample_grid got {len(tiles)} tiles and {len(captions)} captions; expected one for each")
    widest = max((WIDEST_CAPTION, *(tile.shape[1] for tile in tiles)))
    texts = [[shortened(legible(line), widest, CAPTION) for line in caption.split("\n")] for caption in captions]
    cell_height, cell_width = _cell(tiles, texts)
    across = max(1, min(columns, len(tiles)))
    down = -(-len(tiles) // across)
    top = TITLE + 2 * GAP if title else GAP
    heading = legible(title)
    width = max(GAP + across * (cell_width + GAP), text_width(heading, TITLE) + 2 * GAP)
    page = np.full((top + down * (cell_height + GAP), width, 3), 255, np.uint8)
    corners = [(top + row * (cell_height + GAP), GAP + column * (cell_width + GAP)) for row in range(down) for column in range(across)]
    picture_height = cell_height - _caption_height(texts)
    for tile, (y, x) in zip(tiles, corners, strict=False):
        y, x = y + (picture_height - tile.shape[0]) // 2, x + (cell_width - tile.shape[1]) // 2
        page[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return _written(page, heading, texts, [(y + picture_height + 2, x + cell_width // 2) for y, x in corners])


def stacked(pages: Sequence[UInt8[ndarray, "_h _w 3"]]) -> UInt8[ndarray, "h w 3"]:
    """Pages one below the other, white to the right of the narrower ones."""
    width = max(page.shape[1] for page in pages)
    return np.concatenate([np.pad(page, ((0, 0), (0, width - page.shape[1]), (0, 0)), constant_values=255) for page in pages])


def legend(names: Sequence[str], colours: UInt8[ndarray, "n 3"]) -> UInt8[ndarray, "h w 3"]:
    """A square of each colour over its name, seven in a row."""
    return sample_grid([np.tile(colour, (SWATCH, SWATCH, 1)) for colour in colours], list(names), SWATCHES)


def _caption_height(texts: list[list[str]]) -> int:
    return LINE * max((len(lines) for lines in texts), default=0)


def _cell(tiles: Sequence[ndarray], texts: list[list[str]]) -> tuple[int, int]:
    """Height and width that hold every tile and every caption."""
    height = max((tile.shape[0] for tile in tiles), default=0) + _caption_height(texts)
    widths = [tile.shape[1] for tile in tiles] + [text_width(line, CAPTION) for lines in texts for line in lines]
    return height, max(widths, default=0)


def _written(page: UInt8[ndarray, "h w 3"], title: str, texts: list[list[str]], places: list[tuple[int, int]]) -> UInt8[ndarray, "h w 3"]:
    """The page with its title, and each caption centred below its place (y, x)."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(page)
    pen = ImageDraw.Draw(image)
    pen.text((GAP, GAP), title, fill="black", font=font(TITLE))
    for lines, (y, x) in zip(texts, places, strict=False):
        for number, line in enumerate(lines):
            pen.text((x, y + number * LINE), line, fill=(40, 40, 40), font=font(CAPTION), anchor="ma")
    return np.array(image)
