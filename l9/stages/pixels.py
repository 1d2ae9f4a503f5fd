"""Yield: a picture as a square of pixels, cut and resampled; of digits also drawn black and white, once for all.

source  crops of CelebA: 108 pixels in the middle, carpedm20's DCGAN (after Radford, Metz, Chintala, ICLR 2016); 148 pixels, rows 40 to 187
        and columns 15 to 162, Larsen et al., Autoencoding beyond pixels using a learned similarity metric, ICML 2016
        binarisation: Salakhutdinov & Murray, On the quantitative analysis of deep belief networks, ICML 2008
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.image import Image
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_word
from l9.store.columns import Column, Row

Crop = Literal["square", "celeba108", "celeba148"]
CROPS = {"celeba108": (55, 35, 108), "celeba148": (40, 15, 148)}  # first row, first column, side, of 178x218 pixels
CELEBA = (218, 178)  # rows and columns
OPAQUE = 255


def _columns(
    size: int = 64,
    crop: Crop = "square",
    channels: int = 3,
    mask: bool = False,
    background: int = OPAQUE,
    binarised: bool = False,
    seed: int = 0,
) -> tuple[Column, ...]:
    check_number("pixels", "size", size, most=MAX_RESOLUTION)
    check_word("pixels", "crop", crop, ("square", *CROPS))
    check_number("pixels", "background", background, least=0, most=OPAQUE)
    if channels not in (1, 3):
        raise UsageError(f"stage pixels: channels is {channels!r}; expected 1 (grey) or 3 (red, green, blue)")
    if binarised and channels != 1:
        raise UsageError(f"stage pixels: binarised pictures are grey; channels is {channels}, expected 1")
    image = Column("image", "uint8", (channels, size, size), unit="intensity", axes="channel row column")
    return (image, Column("mask", "uint8", (size, size), unit="opacity", axes="row column")) if mask else (image,)


@yields(columns=_columns, version=1)
def pixels(
    image: Image,
    size: int = 64,
    crop: Crop = "square",
    channels: int = 3,
    mask: bool = False,
    background: int = OPAQUE,
    binarised: bool = False,
    seed: int = 0,
) -> Iterator[Row]:
    """One row: `image`, uint8 (channels, size, size), row 0 on top, 0 to 255; `mask`, uint8 (size, size), how opaque each pixel is.

    crop        "square": the largest square in the middle; "celeba108" and "celeba148": of a face of 178x218 pixels
    channels    3: red, green, blue (grey thrice); 1: grey, of colours .299 R + .587 G + .114 B
    mask        whether alpha is kept as a column; a picture that has none is refused then
    background  grey that shows where a picture is not opaque, 0 to 255
    binarised   each pixel drawn once: 255 with a probability of value / 255, else 0
    seed        of that draw, mixed with the object's id: one object is drawn alike in every run, whatever else is prepared with it
    raises      RefusedObject `no-alpha`, or `wrong-size` where a crop of CelebA meets another picture

    A smaller picture is made by the mean over each pixel's area (Pillow's BOX), a larger one by linear interpolation; one of that size is
    left as it is.
    """
    _columns(size, crop, channels, mask, background, binarised, seed)
    if mask and image.alpha is None:
        raise RefusedObject("no-alpha", "a picture without transparency; ask the stage for mask=False")
    colours = _coloured(_cut(_composed(image, background), crop), channels)
    square = np.stack([_resampled(colours[..., channel], size) for channel in range(channels)])
    row: Row = {"image": _drawn(square, seed) if binarised else square}
    if mask and image.alpha is not None:
        row["mask"] = _resampled(_cut(image.alpha[..., None], crop)[..., 0], size)
    yield row


def _composed(image: Image, background: int) -> UInt8[ndarray, "h w c"]:
    """The picture before a grey ground, rounded to the nearest."""
    if image.alpha is None:
        return image.pixels
    share = image.alpha[..., None].astype(np.uint32)
    return ((image.pixels * share + background * (OPAQUE - share) + OPAQUE // 2) // OPAQUE).astype(np.uint8)


def _cut(picture: UInt8[ndarray, "h w c"], crop: Crop) -> UInt8[ndarray, "side side c"]:
    height, width = picture.shape[:2]
    if crop == "square":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
    elif (height, width) != CELEBA:
        raise RefusedObject("wrong-size", f"a picture of {width}x{height} pixels; crop '{crop}' is of {CELEBA[1]}x{CELEBA[0]}")
    else:
        top, left, side = CROPS[crop]
    return picture[top : top + side, left : left + side]


def _coloured(picture: UInt8[ndarray, "side side c"], channels: int) -> UInt8[ndarray, "side side k"]:
    if picture.shape[2] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=2)
    weights = np.array([299, 587, 114], np.uint32)  # ITU-R BT.601, thousandths
    return ((picture @ weights + 500) // 1000).astype(np.uint8)[..., None]


def _resampled(plane: UInt8[ndarray, "side side"], size: int) -> UInt8[ndarray, "size size"]:
    from PIL import Image as Pillow

    if len(plane) == size:
        return np.ascontiguousarray(plane)
    method = Pillow.Resampling.BOX if len(plane) > size else Pillow.Resampling.BILINEAR
    return np.asarray(Pillow.fromarray(np.ascontiguousarray(plane)).resize((size, size), method))


def _drawn(square: UInt8[ndarray, "1 size size"], seed: int) -> UInt8[ndarray, "1 size size"]:
    """255 where a whole number from 0 to 254 lies below the value: a chance of exactly value / 255."""
    lots = np.random.default_rng(seed).integers(0, OPAQUE, square.shape, np.uint8)
    return np.where(lots < square, np.uint8(OPAQUE), np.uint8(0))
