"""One picture, as a reader gives it and as stages take it."""

from dataclasses import dataclass

from jaxtyping import Int8, UInt8
from numpy import ndarray

from l9.errors import RefusedObject


@dataclass(frozen=True)
class Image:
    """A picture of 8 bits a channel.

    pixels      grey (c = 1) or red, green, blue (c = 3), as the file states them: in sRGB as a rule; row 0 on top
    alpha       how opaque each pixel is: 0 not at all, 255 wholly; None where the file does not say. Colours are not multiplied by it
    attributes  what is said of the picture, -1 no and 1 yes, in the order of its dataset; None where nothing is
    notes       what the reader had to leave out, one line each
    """

    pixels: UInt8[ndarray, "h w c"]
    alpha: UInt8[ndarray, "rows columns"] | None = None  # as many as pixels: `checked_image` refuses others
    attributes: Int8[ndarray, "a"] | None = None
    notes: tuple[str, ...] = ()


def checked_image(image: Image) -> Image:
    """`image` if it can be used, else RefusedObject: `no-pixels`, `channels` or `uneven`. Every reader's picture passes here."""
    height, width, channels = image.pixels.shape
    if height < 1 or width < 1:
        raise RefusedObject("no-pixels", f"a picture of {width}x{height} pixels")
    if channels not in (1, 3):
        raise RefusedObject("channels", f"{channels} channels beside alpha; expected 1 (grey) or 3 (red, green, blue)")
    if image.alpha is not None and image.alpha.shape != (height, width):
        raise RefusedObject("uneven", f"{width}x{height} pixels with alpha of {image.alpha.shape[1]}x{image.alpha.shape[0]}")
    return image
