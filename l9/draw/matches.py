"""Two pictures side by side, with lines from key points of one to those of the other."""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

RIGHT, WRONG = (30, 170, 60), (220, 40, 40)  # RGB
GAP = 4  # pixels between the pictures
DOT = 2  # pixels from a key point to its ring


def matches_picture(
    pictures: UInt8[ndarray, "2 h w 3"], first: Float[ndarray, "n 2"], second: Float[ndarray, "n 2"], right: Bool[ndarray, "n"]
) -> UInt8[ndarray, "h across 3"]:
    """The pictures with a line for each match, green where it is right, else red; wrong ones are drawn over right ones.

    first, second  column and row in either picture
    """
    from PIL import Image, ImageDraw

    height, width = pictures.shape[1:3]
    between = np.full((height, GAP, 3), 255, np.uint8)
    image = Image.fromarray(np.concatenate([pictures[0], between, pictures[1]], axis=1))
    draw = ImageDraw.Draw(image)
    for number in np.argsort(~right, kind="stable").tolist():
        colour = RIGHT if right[number] else WRONG
        ends = [tuple(first[number].tolist()), (float(second[number, 0]) + width + GAP, float(second[number, 1]))]
        draw.line(ends, fill=colour)
        for x, y in ends:
            draw.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), outline=colour)
    return np.asarray(image)
