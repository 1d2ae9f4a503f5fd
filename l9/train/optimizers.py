"""One optimizer for each player of a task, and its state as named tensors that a checkpoint can hold without pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from l9.errors import TrainingError
from l9.tasks.contract import Player

KINDS: dict[str, type[torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


@dataclass(frozen=True)
class Mover:
    """A player's parameters with their names in the model, the optimizer that moves them, and the rate before any factor."""

    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    optimizer: torch.optim.Optimizer
    lr: float

    def move(self, gradients: Sequence[Tensor], factor: float) -> None:
        """One optimizer step at rate lr * factor by gradients `laid_out_as` their parameters; none is left behind on them."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * factor
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None


def laid_out_as(parameter: nn.Parameter, gradient: Tensor) -> Tensor:
    """The gradient in the parameter's own layout, copied where it is another: fused optimizers go through both memories side by side.

    `Tensor.backward` sees to that; `torch.autograd.grad` may give a transposed or an expanded view.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def movers_of(players: Mapping[str, Player], model: nn.Module, lr: float | None) -> dict[str, Mover]:
    """A mover for each player; `lr` overrides the rate where there is exactly one player, else it is refused."""
    if lr is not None and len(players) != 1:
        raise TrainingError(
            f"schedule.lr is {lr}, but the task has {len(players)} players ({', '.join(players) or 'none'}); "
            "expected no schedule.lr: each player's rate is an argument of the task"
        )
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    given = {name: player if lr is None else replace(player, lr=lr) for name, player in players.items()}
    return {name: _mover(name, player, names) for name, player in given.items()}


def _mover(name: str, player: Player, names: Mapping[int, str]) -> Mover:
    parameters = tuple(player.parameters)
    if not parameters:
        raise TrainingError(f"player {name} has no parameters; expected at least one")
    for number, parameter in enumerate(parameters):
        if id(parameter) not in names:
            raise TrainingError(f"player {name}: parameter {number} is not in the model, so no checkpoint would hold it")
        if not parameter.requires_grad:
            raise TrainingError(f"player {name}: {names[id(parameter)]} takes no gradient; leave it out of players()")
    # one compiled pass over all parameters: torch's default on processors goes through them one by one, 0.3 ms a step for a small network
    options = {"fused": True, **player.options}
    optimizer = KINDS[player.optimizer](parameters, lr=player.lr, **options)  # type: ignore[call-arg]
    return Mover(tuple(names[id(p)] for p in parameters), parameters, optimizer, player.lr)


def optimizer_tensors(movers: Mapping[str, Mover]) -> dict[str, Tensor]:
    """`player/parameter/key` -> tensor, for every optimizer state there is yet (exp_avg, exp_avg_sq, step, momentum_buffer)."""
    found: dict[str, Tensor] = {}
    for player, mover in movers.items():
        for name, parameter in zip(mover.names, mover.parameters, strict=True):
            for key, value in mover.optimizer.state.get(parameter, {}).items():
                if value is not None:
                    found[f"{player}/{name}/{key}"] = torch.as_tensor(value)
    return found


def restore_optimizers(movers: Mapping[str, Mover], tensors: Mapping[str, Tensor]) -> None:
    """Put `optimizer_tensors` back, copied into tensors of their own; TrainingError for a tensor that belongs to nobody."""
    left = set(tensors)
    for player, mover in movers.items():
        for name, parameter in zip(mover.names, mover.parameters, strict=True):
            head = f"{player}/{name}/"
            mine = [key for key in tensors if key.startswith(head) and "/" not in key[len(head) :]]
            if mine:
                mover.optimizer.state[parameter] = {key[len(head) :]: _placed(key, tensors[key], parameter) for key in mine}
            left.difference_update(mine)
    if left:
        raise TrainingError(f"the checkpoint's optimizer state '{min(left)}' belongs to no player; start over with --fresh")


def _placed(key: str, value: Tensor, parameter: nn.Parameter) -> Tensor:
    """On the parameter's device, where a fused optimizer has its counters too; moments in its layout."""
    if key.endswith("/step"):
        return value.to(parameter.device, copy=True)
    if value.shape != parameter.shape:
        raise TrainingError(f"the checkpoint's {key} is {tuple(value.shape)}; expected {tuple(parameter.shape)}; start over with --fresh")
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
