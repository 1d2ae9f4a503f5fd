"""Pictures of bytes as the whole values that a PixelCNN predicts, and how likely it finds them.

B pictures   C channels   H W rows and columns   V values   O logits of a pixel and channel: V, or one for V = 2 (l9/models/pixel_cnn.py)
"""

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from l9.data.augment import draw_shifts, generators
from l9.data.batch import Batch
from l9.errors import TrainingError

BYTES = 256
DRAWN = 2  # a stream of random numbers apart from the augmentation's


def pixel_values(pictures_BCHW: UInt8[Tensor, "b c h w"], count: int) -> Int64[Tensor, "b c h w"]:
    """Bytes as values 0..count-1, evenly: floor(byte * count / 256). With 256 they stay; with 2 the bytes 0 and 255 become 0 and 1."""
    return pictures_BCHW.long() * count // BYTES


def unit_values(values_BCHW: Int64[Tensor, "b c h w"], count: int) -> Float[Tensor, "b c h w"]:
    """Values 0..count-1 as pictures for people, from 0 to 1."""
    return values_BCHW.float() / (count - 1)


def check_binary(pictures_BCHW: UInt8[Tensor, "b c h w"]) -> None:
    """TrainingError where a byte is neither 0 nor 255."""
    odd = pictures_BCHW[(pictures_BCHW != 0) & (pictures_BCHW != BYTES - 1)]
    if len(odd):
        raise TrainingError(
            f"a network of two values met a pixel of {int(odd[0])}; expected 0 and 255: pixels(channels=1, binarised=True) in the prep, "
            "values=256 in the model, or in training alone drawn=True in the task"
        )


def drawn_pictures(batch: Batch, pictures_BCHW: UInt8[Tensor, "b c h w"]) -> UInt8[Tensor, "b c h w"]:
    """Each pixel drawn black or white: 255 with a chance of byte / 255, by (seed, epoch, position) of its sample."""
    chances = [
        np.random.default_rng((batch.seed, batch.epoch, int(position), DRAWN)).integers(BYTES - 1, size=pictures_BCHW.shape[1:])
        for position in batch.positions
    ]
    if not chances:
        return pictures_BCHW
    below = torch.from_numpy(np.stack(chances)).to(pictures_BCHW.device) < pictures_BCHW
    return below.to(torch.uint8) * (BYTES - 1)


def shifted_pictures(batch: Batch, pictures_BCHW: UInt8[Tensor, "b c h w"], largest: int) -> UInt8[Tensor, "b c h w"]:
    """Each picture moved down and right by its own whole pixels, -largest..largest; the edge is repeated where nothing was."""
    moves = draw_shifts(generators(batch), largest)[:, :2].to(pictures_BCHW.device)
    down_BH, right_BW = (
        (torch.arange(size, device=moves.device)[None] - moves[:, axis : axis + 1]).clamp(0, size - 1)
        for axis, size in enumerate(pictures_BCHW.shape[2:])
    )
    number = torch.arange(len(pictures_BCHW), device=moves.device)[:, None, None]
    return pictures_BCHW.permute(0, 2, 3, 1)[number, down_BH[:, :, None], right_BW[:, None]].permute(0, 3, 1, 2)


def picture_nats(logits_BOCHW: Float[Tensor, "b o c h w"], values_BCHW: Int64[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """-ln of each picture's probability: the sum over pixels and channels of each one's, given all before it; nats."""
    if logits_BOCHW.shape[1] == 1:
        each = binary_cross_entropy_with_logits(logits_BOCHW[:, 0], values_BCHW.to(logits_BOCHW.dtype), reduction="none")
    else:
        each = cross_entropy(logits_BOCHW, values_BCHW, reduction="none")
    return each.flatten(1).sum(1)
