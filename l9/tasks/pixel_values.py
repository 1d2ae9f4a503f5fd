"""Pictures as the whole values that a PixelCNN predicts, and how likely it finds them.

B pictures   C channels   H W rows and columns   V values   O logits of a pixel and channel: V, or one for V = 2 (l9/models/pixel_cnn.py)
"""

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from l9.errors import TrainingError

BYTES = 256


def pixel_values(x_BCHW: Float[Tensor, "b c h w"], count: int) -> Int64[Tensor, "b c h w"]:
    """Pictures of 0..1 as values 0..count-1, evenly: floor(byte * count / 256), byte = 255 x. So 256 are the bytes, 2 are cut at 128."""
    return (x_BCHW * (BYTES - 1)).round().long() * count // BYTES


def unit_values(values_BCHW: Int64[Tensor, "b c h w"], count: int) -> Float[Tensor, "b c h w"]:
    """Values 0..count-1 as pictures for people, from 0 to 1."""
    return values_BCHW.float() / (count - 1)


def check_binary(x_BCHW: Float[Tensor, "b c h w"]) -> None:
    """TrainingError where a number is neither 0 nor 1."""
    odd = x_BCHW[(x_BCHW != 0) & (x_BCHW != 1)]
    if len(odd):
        raise TrainingError(
            f"a network of two values met a pixel of {float(odd[0]) * (BYTES - 1):.0f}; expected 0 and 255: "
            "pixels(channels=1, binarised=True) in the prep, "
            "values=256 in the model, or in training alone binarise=True in the task"
        )


def picture_nats(logits_BOCHW: Float[Tensor, "b o c h w"], values_BCHW: Int64[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """-ln of each picture's probability: the sum over pixels and channels of each one's, given all before it; nats."""
    if logits_BOCHW.shape[1] == 1:
        each = binary_cross_entropy_with_logits(logits_BOCHW[:, 0], values_BCHW.to(logits_BOCHW.dtype), reduction="none")
    else:
        each = cross_entropy(logits_BOCHW, values_BCHW, reduction="none")
    return each.flatten(1).sum(1)
