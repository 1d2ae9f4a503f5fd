"""In which numbers a training computes: float32, or bfloat16 autocast where the processor is faster in it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from l9.errors import TrainingError


@dataclass(frozen=True)
class Precision:
    """bfloat16 autocast on `device_type` or not; parameters, gradients and optimizer states are float32 in both cases."""

    bfloat16: bool
    device_type: str = "cpu"

    @property
    def name(self) -> str:
        """ "float32" or "bfloat16", as checkpoints and results record it."""
        return "bfloat16" if self.bfloat16 else "float32"

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a loss is computed."""
        return torch.autocast(self.device_type, dtype=torch.bfloat16) if self.bfloat16 else nullcontext()


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster there than float32: AMX tiles, or CUDA's own answer.

    Vector instructions alone (AVX-512 BF16) are not enough: VoxNet trained at 0.81 and PointNet at 1.0 of their float32 speed with them.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_amx_tile_supported())


def can_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 autocast runs there at all, however slowly: on every processor, and on GPUs as CUDA says."""
    return device.type != "cuda" or torch.cuda.is_bf16_supported()


def choose_precision(setting: str, device: torch.device, model: nn.Module) -> Precision:
    """The precision of a training; `setting` is "auto", "float32" or "bfloat16".

    raises  TrainingError for bfloat16 on a device that cannot compute in it, and with 3D convolutions laid out channels-last: their
            gradients are NaN on processors (measured with torch 2.13)
    """
    bfloat16 = setting == "bfloat16" or (setting == "auto" and has_bfloat16(device))
    if bfloat16 and not can_bfloat16(device):
        raise TrainingError(
            f"{device.type} cannot compute in bfloat16, in which this training is; go on where it can, or train with --fresh"
        )
    if bfloat16 and any(_channels_last_3d(module) for module in model.modules()):
        raise TrainingError(
            "the model's 3D convolutions are laid out channels_last_3d, whose bfloat16 gradients are NaN; "
            "expected contiguous weights, or --set train.precision=float32"
        )
    return Precision(bfloat16, device.type)


def lay_out(model: nn.Module, precision: Precision) -> None:
    """Lay a model of 2D convolutions out channels-last, where bfloat16 is fastest; any model with 3D ones stays contiguous."""
    kinds = {type(module) for module in model.modules()}
    if precision.bfloat16 and nn.Conv2d in kinds and nn.Conv3d not in kinds:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _channels_last_3d(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() != 5:
        return False
    return weight.is_contiguous(memory_format=torch.channels_last_3d) and not weight.is_contiguous()
