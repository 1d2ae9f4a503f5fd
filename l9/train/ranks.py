"""The processes that train one network together, and the two things they say to each other: sum and broadcast.

One process alone (world 1) pays nothing: every method returns at once. More than one talk through `torch.distributed`, whose
process group the caller has opened (gloo on processors, nccl on GPUs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """This process's place: `rank` of `world`, and the device its tensors live on."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    def all_reduce_sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace every tensor by its sum over all ranks, in place; one message for each dtype, not one for each tensor."""
        if self.world == 1:
            return
        for same in by_dtype(tensors):
            buffer = _flat(same)
            self._sum(buffer)
            _copy_back(buffer, same)

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Replace every tensor by rank 0's, in place."""
        if self.world == 1:
            return
        for same in by_dtype(tensors):
            buffer = _flat([tensor.to(self.device) for tensor in same])  # NCCL takes nothing on the processor, where counters may be
            self._spread(buffer)
            _copy_back(buffer, same)

    def broadcast_text(self, text: str) -> str:
        """Rank 0's text, on every rank (UTF-8 bytes in a tensor: no pickle)."""
        if self.world == 1:
            return text
        encoded = text.encode() if self.rank == 0 else b""
        length = torch.tensor([len(encoded)], dtype=torch.int64, device=self.device)
        self._spread(length)
        letters = torch.zeros(int(length), dtype=torch.uint8, device=self.device)
        if self.rank == 0 and encoded:
            letters.copy_(torch.frombuffer(bytearray(encoded), dtype=torch.uint8))
        self._spread(letters)
        return bytes(letters.tolist()).decode()

    def _sum(self, buffer: Tensor) -> None:
        torch.distributed.all_reduce(buffer)

    def _spread(self, buffer: Tensor) -> None:
        torch.distributed.broadcast(buffer, src=0)


def by_dtype(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """The tensors of each dtype together, dtypes in the order of their names."""
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.dtype, []).append(tensor)
    return [groups[dtype] for dtype in sorted(groups, key=str)]


def _flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _copy_back(buffer: Tensor, tensors: list[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, torch.split(buffer, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(value.view(tensor.shape))
