"""Weights averaged over the steps of a training: what generates and is evaluated, where the last step's weights are noisy.

A(n+1) = d A(n) + (1 - d) W(n+1), with d = min(decay, (1 + n) / (10 + n)) after n updates: so early weights are forgotten early. The first
update copies.
source  Polyak & Juditsky, Acceleration of stochastic approximation by averaging, SIAM J. Control Optim. 30, 1992, in the exponential form
        usual for generators; the warm-up is that of TensorFlow's ExponentialMovingAverage
"""

import copy

import torch
from torch import Tensor, nn

from l9.errors import TrainingError


class Averaged:
    """A copy of a module that follows it, in evaluation mode and without gradients.

    decay   what of the average stays at each update, 0 to below 1; 0: the weights of the last update
    raises  TrainingError for another decay
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise TrainingError(f"decay of averaged weights is {decay}; expected 0 or more, and below 1")
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._updates = torch.zeros((), dtype=torch.int64)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards the module's present state: floats by the decay (running statistics too), whole numbers are copied."""
        before = int(self._updates)
        kept = min(self.decay, (1 + before) / (10 + before)) if before else 0.0
        now = module.state_dict()
        for name, average in self.module.state_dict().items():
            if kept and average.is_floating_point():
                average.lerp_(now[name], 1 - kept)
            else:
                average.copy_(now[name])
        self._updates += 1

    def buffers(self, prefix: str) -> dict[str, Tensor]:
        """`prefix/<name>` of each tensor, and `prefix/updates`: for `Task.buffers`, which are restored in place."""
        return {f"{prefix}/{name}": tensor for name, tensor in self.module.state_dict().items()} | {f"{prefix}/updates": self._updates}
