"""The one loop: steps of turns, each moving one player by the gradient of its own summed loss over the global cut.

Per step: this rank's part of the next global cut; then for each turn of the task
    seed torch with (seed, step, place of the turn, rank) -> terms of the loss, each a sum over samples, in micro-batches
    -> gradient of sum(terms) / samples of the global cut, for the turn's player alone -> summed over ranks
    -> checked to be finite -> optimizer step at rate * factor(step) -> the task observes the all-reduced terms.
A classifier has one turn, a two-player game several; a rank whose part of a cut is empty takes part with zeros.
"""

import functools
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from l9.config import Schedule
from l9.data.batch import Batch
from l9.errors import TrainingError
from l9.tasks.contract import Task, Turn
from l9.train.checkpoints import Progress
from l9.train.curve import Length, factor, length_of
from l9.train.microbatches import micro_batches
from l9.train.optimizers import Mover, laid_out_as
from l9.train.precision import Precision
from l9.train.ranks import Ranks, by_dtype
from l9.train.records import Record


class Batches(Protocol):
    """What hands out batches in the global order: `l9.data.loader.Loader`."""

    def steps_per_epoch(self, epoch: int) -> int:
        """Global cuts of that epoch, the dropped short one left out."""
        ...

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """This rank's part of each global cut, from `start_step` on."""
        ...

    def order_digest(self, epoch: int) -> str:
        """A fingerprint of the epoch's global order."""
        ...


@dataclass
class State:
    """What a step changes besides the network: the movers' optimizers and where the training stands."""

    seed: int
    movers: Mapping[str, Mover]
    progress: Progress = field(default_factory=Progress)
    names: dict[Turn, list[str]] = field(default_factory=dict)  # the terms of each turn, agreed on between ranks


@dataclass(frozen=True)
class Compute:
    """With whom and in which numbers a step is computed; `accumulate` micro-batches of each rank's part."""

    ranks: Ranks
    precision: Precision
    accumulate: int = 1


@dataclass(frozen=True)
class Hooks:
    """What the caller wants done.

    step        after each finished step, with its record
    checkpoint  when a checkpoint is due: every `checkpoint_every` epochs, at the end, and on `stop`
    stop        asked after each step: true ends the training early
    held_out    asked at the end of each epoch where the curve is "plateau": the mean loss on what is not learnt from, equal on every rank
    """

    step: Callable[[Record], None] = lambda record: None
    checkpoint: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[Record], bool] = lambda record: False
    held_out: Callable[[], float] = lambda: math.nan


def run_loop(
    task: Task, model: nn.Module, loader: Batches, schedule: Schedule, state: State, ranks: Ranks, precision: Precision, hooks: Hooks
) -> None:
    """Train from `state.progress` to the end of the schedule; `state` and the network are changed in place.

    raises  TrainingError at a step whose gradients are not finite: nothing of that turn is applied, checkpoints stay as they are
    """
    length = length_of(schedule, loader)
    compute = Compute(ranks, precision, schedule.accumulate)
    model.train()
    ended = state.progress.step >= length.steps
    while not ended:
        stopped = _run_epoch(task, loader, schedule, length, state, compute, hooks)
        ended = stopped or state.progress.step >= length.steps
        if ended or state.progress.epoch % schedule.checkpoint_every == 0:
            hooks.checkpoint(state.progress)


def _run_epoch(task: Task, loader: Batches, schedule: Schedule, length: Length, state: State, compute: Compute, hooks: Hooks) -> bool:
    """The rest of the current epoch; true if the training was stopped early."""
    progress, epoch = state.progress, state.progress.epoch
    order = {"order": loader.order_digest(epoch)}
    for batch in loader.epoch(epoch, progress.step_in_epoch):
        rate = factor(schedule, progress.step, length.steps, epoch, progress.plateau.drops)
        head: Record = {"step": progress.step, "epoch": epoch, **(order if progress.step_in_epoch == 0 else {})}
        metrics = run_step(task, batch.to(compute.ranks.device), state, rate, compute)
        _advance(progress, loader.steps_per_epoch(epoch))
        record: Record = {**head, **metrics, "lr_factor": rate, "samples": batch.total}
        if schedule.curve == "plateau" and progress.epoch != epoch:
            record["held_out_loss"] = loss = hooks.held_out()
            progress.plateau.tell(loss, schedule.every)
        hooks.step(record)
        if hooks.stop(record):
            return True
        if progress.step >= length.steps or progress.epoch != epoch:
            break
    return False


def _advance(progress: Progress, steps: int) -> None:
    progress.step += 1
    progress.step_in_epoch += 1
    if progress.step_in_epoch == steps:
        progress.epoch, progress.step_in_epoch = progress.epoch + 1, 0


def run_step(task: Task, batch: Batch, state: State, rate: float, compute: Compute) -> dict[str, float]:
    """Every turn of one step; returns the step's metrics, equal on every rank.

    rate     what multiplies each player's own rate
    returns  "loss" (all terms) and each term alone where there are several: "term", or "player/term" in games; means over samples
    """
    parts = micro_batches(batch, compute.accumulate)
    moves: list[tuple[Turn, dict[str, float]]] = []
    for place, turn in enumerate(task.turns(state.progress.step)):
        seed_draws(mixed_seed(state.seed, state.progress.step, place, compute.ranks.rank), compute.ranks.device)
        terms = _move(task, turn, parts, batch.total, state, rate, compute)
        task.observe(turn, terms)
        moves.append((turn, terms))
    return _metrics(moves, players=len(state.movers))


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what a turn draws from: the processor's generator, and the GPU's where that computes.

    torch.manual_seed would do it for every backend, but where there is none it keeps each call with a stack trace for later: about
    1 ms and a little memory for every turn.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def mixed_seed(*numbers: int) -> int:
    """One 64-bit seed of several 64-bit numbers, by BLAKE2b (RFC 7693) of them in little-endian order."""
    words = b"".join((number % 2**64).to_bytes(8, "little") for number in numbers)
    return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little")


def _move(task: Task, turn: Turn, parts: Sequence[Batch], total: int, state: State, rate: float, compute: Compute) -> dict[str, float]:
    mover = state.movers.get(turn.player)
    if mover is None:
        raise TrainingError(f"a turn names the player '{turn.player}'; the task's players are {', '.join(state.movers)}")
    gradients, sums = _gradients(task, turn, mover, parts, total, compute.precision)
    names = _agreed_names(turn, sums, state, compute.ranks)
    values = torch.stack([sums[name] for name in names]) if sums else torch.zeros(len(names), device=compute.ranks.device)
    compute.ranks.all_reduce_sum([*gradients, values])
    *sums_told, odd = torch.stack([*values.unbind(), _any_odd(gradients, compute.ranks.device)]).tolist()  # one wait for the device
    terms = {name: value / total for name, value in zip(names, sums_told, strict=True)}
    if odd or not all(map(math.isfinite, sums_told)):
        _refuse_odd(turn, state.progress.step, terms, mover, gradients)
    mover.move(gradients, rate)
    return terms


def _gradients(
    task: Task, turn: Turn, mover: Mover, parts: Sequence[Batch], total: int, precision: Precision
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Gradients of sum(terms) / total for this player alone, and the terms' sums, over this rank's micro-batches."""
    gradients = [torch.zeros_like(parameter) for parameter in mover.parameters] if len(parts) != 1 else []
    sums: dict[str, Tensor] = {}
    for part in parts:
        with precision.autocast():
            terms = task.loss(turn, part)
        loss = functools.reduce(torch.add, (term.float() for term in terms.values())) / total
        found = torch.autograd.grad(loss, mover.parameters, allow_unused=True, materialize_grads=True)
        if gradients:
            gradients = [old.add_(new) for old, new in zip(gradients, found, strict=True)]
        else:
            gradients = [laid_out_as(parameter, new) for parameter, new in zip(mover.parameters, found, strict=True)]
        for name, term in terms.items():
            value = term.detach().float()
            sums[name] = sums[name] + value if name in sums else value
    return gradients, sums


def _agreed_names(turn: Turn, sums: Mapping[str, Tensor], state: State, ranks: Ranks) -> list[str]:
    """The turn's term names in one order: rank 0, whose part of a cut is never empty, tells the others once."""
    if turn not in state.names:
        state.names[turn] = ranks.broadcast_text("\n".join(sums)).split("\n")
    names = state.names[turn]
    if sums and set(names) != set(sums):
        raise TrainingError(f"player {turn.player} gave the terms {sorted(sums)} after {sorted(names)}; expected the same at every step")
    return names


def _any_odd(gradients: Sequence[Tensor], device: torch.device) -> Tensor:
    """1 where any number in them is not finite, else 0: torch's own check of mixed-precision training, one call for all of them."""
    found, one = torch.zeros((), device=device), torch.ones((), device=device)
    for same in by_dtype(gradients):
        torch._amp_foreach_non_finite_check_and_unscale_(same, found, one)  # times 1: they stay as they are
    return found


def _refuse_odd(turn: Turn, step: int, terms: Mapping[str, float], mover: Mover, gradients: Sequence[Tensor]) -> None:
    """TrainingError naming what is not finite. All is all-reduced, so every rank comes to the same answer without another message."""
    odd = [f"term {name} is {value}" for name, value in terms.items() if not math.isfinite(value)]
    for name, gradient in zip(mover.names, gradients, strict=True):
        if not bool(gradient.isfinite().all()):
            odd.append(f"the gradient of {name} is not finite, though {', '.join(terms)} is")
    place = f"step {step}, turn {turn.number} of player {turn.player}"
    raise TrainingError(f"{place}: {odd[0]}; the last checkpoint is kept.  Try a lower rate or --set train.precision=float32")


def _metrics(moves: Sequence[tuple[Turn, Mapping[str, float]]], players: int) -> dict[str, float]:
    """Several turns of one player in a step are averaged: a step has one value for each name."""
    found: dict[str, list[float]] = {}
    for turn, terms in moves:
        for name, value in terms.items():
            found.setdefault(name if players == 1 else f"{turn.player}/{name}", []).append(value)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    if not means:
        return {}
    alone = {name: value for name, value in means.items() if name != "loss"} if len(means) > 1 else {}
    return {"loss": sum(means.values()), **alone}
