"""How long a training lasts in steps, and the factor that multiplies every player's rate at each of them."""

import math
from dataclasses import dataclass
from typing import Protocol

from l9.config import Schedule


class Epochs(Protocol):
    """What knows how many steps an epoch has: `l9.data.loader.Loader`."""

    def steps_per_epoch(self, epoch: int) -> int:
        """Global cuts of that epoch, the dropped short one left out."""
        ...


@dataclass(frozen=True)
class Length:
    """How much a schedule is: `steps` in all, spread over `epochs` (the last one may be broken off)."""

    steps: int
    epochs: int


def length_of(schedule: Schedule, loader: Epochs) -> Length:
    """Steps and epochs of a schedule over this data; the loader's TrainingError where an epoch has not even one full batch."""
    if schedule.batch is not None:  # every epoch has as many steps
        each = loader.steps_per_epoch(0)
        steps = schedule.steps or each * (schedule.epochs or 0)
        return Length(steps, -(-steps // each))
    done = epoch = 0
    while epoch < schedule.epochs if schedule.epochs is not None else done < (schedule.steps or 0):
        done += loader.steps_per_epoch(epoch)
        epoch += 1
    return Length(schedule.steps or done, epoch)


def factor(schedule: Schedule, step: int, total: int, epoch: int, drops: int = 0) -> float:
    """What every rate is multiplied by at `step` (0-based) of `total`, in `epoch` (0-based), after `drops` plateaus.

    The first `warmup` share of the steps rises linearly, its first step already above 0; the rest follows the curve:
    "constant" stays at 1, "cosine" falls as (1 + cos(pi t)) / 2 to 0 at the end (Loshchilov & Hutter, ICLR 2017, without
    restarts), "step" is `decay` to the power of the number of times `every` epochs have passed, "plateau" to the power of `drops`.
    """
    warm = round(schedule.warmup * total)
    if step < warm:
        return (step + 1) / (warm + 1)
    if schedule.curve == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(total - warm, 1)))
    if schedule.curve == "step":
        return float(schedule.decay ** (epoch // schedule.every))
    if schedule.curve == "plateau":
        return float(schedule.decay**drops)
    return 1.0
