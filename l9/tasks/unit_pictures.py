"""Column `image` as networks of pictures take it, float32 from 0 to 1, and such pictures as tiles for people.

B pictures   C channels: 1 grey, 3 RGB   H W rows and columns, row 0 on top
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.draw.picture_tile import picture_tile
from l9.errors import TrainingError

COLUMN = "image"
AT_ONCE = 256  # pictures that are read together
STRIP_TILE = 56  # pixels of a picture's edge in a strip


def unit_pictures(batch: Batch) -> Float[Tensor, "b c h w"]:
    """The batch's pictures, value / 255."""
    return batch.fixed(COLUMN).float() / 255


def batches_of(samples: Samples) -> Iterator[Float[Tensor, "b c h w"]]:
    """All samples' pictures in their order, 256 together, on the processor."""
    return map(unit_pictures, Loader(samples, (COLUMN,), seed=0, training=False).sequential(AT_ONCE))


def stored_pictures(samples: Samples) -> Float[Tensor, "b c h w"]:
    """The same in one: 25 MB for 8,000 of 28 x 28 grey pixels."""
    return torch.cat(list(batches_of(samples)))


def spread(samples: Samples, most: int) -> Samples:
    """At most `most` of them, evenly spread, in their order."""
    if len(samples) <= most:
        return samples
    return samples.subset(np.unique(np.linspace(0, len(samples) - 1, most).astype(np.int64)))


def is_binary(x_BCHW: Float[Tensor, "b c h w"]) -> bool:
    """Whether every number is 0 or 1."""
    return bool(((x_BCHW == 0) | (x_BCHW == 1)).all())


def check_pictures(samples: Samples, channels: int, size: int, model: str) -> None:
    """TrainingError where there is no sample, or a store's pictures are not of (channels, size, size), which the network `model` takes."""
    if len(samples) == 0:
        raise TrainingError("no pictures to learn from; check fold, classes and labels with l9 data check")
    for store in samples.stores:
        shape = tuple(store.column(COLUMN).shape)
        if shape != (channels, size, size):
            raise TrainingError(
                f"store {store.id} has pictures of shape {shape} and {model} takes {(channels, size, size)}; "
                f"expected pixels(size={size}, channels={channels}) in the prep"
            )


def picture_bytes(x_BCHW: Float[Tensor, "b c h w"]) -> UInt8[ndarray, "b h w c"]:
    """Pictures of 0..1 as bytes, channels last; what is outside is cut off."""
    return (x_BCHW.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def picture_tiles(x_BCHW: Float[Tensor, "b c h w"], edge: int) -> list[ndarray]:
    """A tile (edge, edge, 3) of each picture of 0..1; small ones are enlarged without smoothing."""
    return [picture_tile(np.ascontiguousarray(one), edge) for one in picture_bytes(x_BCHW)]


def picture_strip(x_BCHW: Float[Tensor, "b c h w"]) -> UInt8[ndarray, "56 w2 3"]:
    """Pictures of 0..1 in one row without words: a row of the figure that a run makes of its trainings (l9/evaluate/strips.py)."""
    return np.concatenate(picture_tiles(x_BCHW, STRIP_TILE), axis=1)
