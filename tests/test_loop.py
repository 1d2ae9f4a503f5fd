import copy
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from toys import Game, Label, Pair, Plain, toy_store

from l9.config import Schedule
from l9.data.batch import Batch, Packed
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.contract import Player, Task, Turn
from l9.train.curve import factor, length_of
from l9.train.loop import Compute, Hooks, State, run_loop, run_step
from l9.train.microbatches import micro_batches
from l9.train.optimizers import movers_of
from l9.train.precision import Precision, choose_precision, has_bfloat16, lay_out
from l9.train.ranks import Ranks

FLOAT32 = Precision(False)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return Samples.of(toy_store(tmp_path_factory.mktemp("home")))


def _classifier(lr=None, **arguments):
    task, model = Label(("high", "low"), **arguments), Plain(("high", "low"))
    drawn = torch.Generator().manual_seed(0)  # ranks that are threads share torch's own generator, and seed it at each step
    for weights in model.parameters():
        nn.init.uniform_(weights, -0.4, 0.4, generator=drawn)
    task.bind(model)
    return task, model, State(5, movers_of(task.players(), model, lr))


def _run(samples, schedule, ranks=None, **arguments):
    ranks = ranks or Ranks()
    task, model, state = _classifier(schedule.lr, **arguments)
    records = []
    loader = Loader(samples, task.columns, seed=5, batch=schedule.batch, rank=ranks.rank, world=ranks.world)
    run_loop(task, model, loader, schedule, state, ranks, FLOAT32, Hooks(step=records.append))
    return records, model.state_dict()


def _same(first, second):
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-5, atol=1e-6)


class ThreadRanks(Ranks):
    """Ranks that are threads of one process: sums and broadcasts through a shared list, in the order of ranks."""

    def __init__(self, rank, world, board):
        super().__init__(rank, world)
        object.__setattr__(self, "board", board)

    def _sum(self, buffer):
        self._exchange(buffer, lambda slots: torch.stack(slots).sum(0))

    def _spread(self, buffer):
        self._exchange(buffer, lambda slots: slots[0])

    def _exchange(self, buffer, combine):
        slots, barrier = self.board
        slots[self.rank] = buffer.clone()
        barrier.wait()
        result = combine(list(slots))
        barrier.wait()
        buffer.copy_(result)


def _with_ranks(world, work):
    """`work(ranks)` of every rank, each in a thread."""
    board, results, errors = ([None] * world, threading.Barrier(world)), [None] * world, []

    def one(rank):
        try:
            results[rank] = work(ThreadRanks(rank, world, board))
        except BaseException as error:
            errors.append(error)
            board[1].abort()

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.mark.parametrize("world", [2, 3])
def test_more_ranks_take_the_same_steps_as_one(samples, world):
    """Batches of 7 over 2 or 3 ranks: uneven parts, and the same weights as one process."""
    schedule = Schedule(epochs=2, batch=7)
    records, weights = _run(samples, schedule)
    for others, theirs in _with_ranks(world, lambda ranks: _run(samples, schedule, ranks)):
        _same(weights, theirs)
        assert_allclose([r["loss"] for r in others], [r["loss"] for r in records], rtol=1e-5)
        assert [r.get("order") for r in others] == [r.get("order") for r in records]


def test_a_rank_without_samples_takes_part_with_zeros(samples):
    """A batch of 2 over 3 ranks leaves the third one empty at every step, the first included."""
    schedule = Schedule(steps=5, batch=2)
    records, weights = _run(samples, schedule)
    for others, theirs in _with_ranks(3, lambda ranks: _run(samples, schedule, ranks)):
        _same(weights, theirs)
        assert [r["samples"] for r in others] == [r["samples"] for r in records]


@pytest.mark.parametrize("accumulate", [2, 3, 8, 20])
def test_accumulated_micro_batches_take_the_same_steps(samples, accumulate):
    """Also where there are more micro-batches than samples."""
    records, weights = _run(samples, Schedule(epochs=2, batch=8))
    others, theirs = _run(samples, Schedule(epochs=2, batch=8, accumulate=accumulate))
    _same(weights, theirs)
    assert_allclose([r["loss"] for r in others], [r["loss"] for r in records], rtol=1e-5)


def test_a_step_is_plain_gradient_descent_on_the_mean_loss(samples):
    """One step by hand: weights - lr * gradient of the mean cross entropy."""
    task, model, state = _classifier(optimizer="sgd", lr=0.5)
    task.augment = False
    reference = Plain(("high", "low"))
    reference.load_state_dict(model.state_dict())
    batch = next(Loader(samples, task.columns, seed=5, batch=8).epoch(0))
    metrics = run_step(task, batch, state, 0.25, Compute(Ranks(), FLOAT32))
    loss = nn.functional.cross_entropy(reference(batch.fixed("vector")), batch.labels)
    loss.backward()
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(model.state_dict()[name], parameter.detach() - 0.5 * 0.25 * parameter.grad)
    assert metrics == {"loss": pytest.approx(loss.item())}


def test_the_gradient_reaches_the_turns_player_alone(samples):
    """The generator's turns leave the critic as it is, though its loss runs through it, and the other way round."""
    torch.manual_seed(0)
    task, model = Game(), Pair()
    task.bind(model)
    state = State(5, movers_of(task.players(), model, None))
    batch = next(Loader(samples, task.columns, seed=5, batch=8).epoch(0))
    for turns, moved in (([Turn("critic")], "critic"), ([Turn("generator", 0), Turn("generator", 1)], "generator")):
        task.turns = lambda step, turns=turns: turns
        before = {name: value.clone() for name, value in model.state_dict().items()}
        run_step(task, batch, state, 1.0, Compute(Ranks(), FLOAT32))
        changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert changed == {moved}
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_games_metrics_name_the_player_and_average_its_turns(samples):
    torch.manual_seed(0)
    task, model = Game(), Pair()
    task.bind(model)
    state = State(5, movers_of(task.players(), model, None))
    seen = []
    observe = task.observe
    task.observe = lambda turn, terms: (seen.append((turn, dict(terms))), observe(turn, terms))
    metrics = run_step(task, next(Loader(samples, task.columns, seed=5, batch=8).epoch(0)), state, 1.0, Compute(Ranks(), FLOAT32))
    assert [turn for turn, _ in seen] == [Turn("critic"), Turn("generator", 0), Turn("generator", 1)]
    assert set(metrics) == {"loss", "critic/real", "critic/made", "generator/fool"}
    assert metrics["generator/fool"] == pytest.approx((seen[1][1]["fool"] + seen[2][1]["fool"]) / 2)
    assert metrics["loss"] == pytest.approx(sum(value for name, value in metrics.items() if name != "loss"))


def test_a_turn_may_decline(samples):
    task, model = Game(limit=0.0), Pair()
    task.bind(model)
    state = State(5, movers_of(task.players(), model, None))
    records = []
    hooks = Hooks(step=records.append)
    run_loop(task, model, Loader(samples, task.columns, seed=5, batch=8), Schedule(steps=2, batch=8), state, Ranks(), FLOAT32, hooks)
    assert "generator/fool" not in records[1]


def test_draws_inside_a_turn_depend_on_seed_step_turn_and_rank_alone(samples):
    """What was drawn before a step, by whomever, changes nothing in it."""
    batch = next(Loader(samples, ("vector",), seed=5, batch=8).epoch(0))
    losses = []
    for drawn in (0, 1000):
        torch.manual_seed(0)
        task, model = Game(), Pair()
        task.bind(model)
        torch.rand(drawn)
        losses.append(run_step(task, batch, State(5, movers_of(task.players(), model, None)), 1.0, Compute(Ranks(), FLOAT32)))
    assert losses[0] == losses[1]
    torch.manual_seed(0)
    task, model = Game(), Pair()
    task.bind(model)
    assert run_step(task, batch, State(6, movers_of(task.players(), model, None)), 1.0, Compute(Ranks(), FLOAT32)) != losses[0]


class _Root(Task):
    """The gradient of sqrt at 0 is infinite, though its value is not."""

    columns = ("vector",)

    def players(self):
        return {"model": Player(list(self.model.parameters()))}

    def loss(self, turn, batch):
        return {"root": torch.sqrt((self.model(batch.fixed("vector")) ** 2).sum() * 0.0)}


def test_a_gradient_that_is_not_finite_is_named_and_not_applied(samples):
    model = nn.Linear(6, 2)
    before = model.weight.detach().clone()
    task = _Root()
    task.bind(model)
    state = State(5, movers_of(task.players(), model, None))
    batch = next(Loader(samples, task.columns, seed=5, batch=8).epoch(0))
    with pytest.raises(TrainingError, match="step 0, turn 0 of player model: the gradient of weight is not finite"):
        run_step(task, batch, state, 1.0, Compute(Ranks(), FLOAT32))
    assert torch.equal(model.weight, before)


class _Steep(_Root):
    """Gradients of 3e38 each: finite, though their sum is not."""

    def loss(self, turn, batch):
        return {"steep": 3e38 * self.model.bias.sum() + 0.0 * self.model.weight.sum()}


def test_large_gradients_are_no_error_though_their_sum_has_no_float(samples):
    model = nn.Linear(6, 2)
    task = _Steep()
    task.bind(model)
    state = State(5, movers_of({"model": Player(list(model.parameters()), "sgd", 1e-37)}, model, None))
    batch = next(Loader(samples, task.columns, seed=5, batch=1).epoch(0))
    before = model.bias.detach().clone()
    run_step(task, batch, state, 1.0, Compute(Ranks(), FLOAT32))
    assert_allclose((before - model.bias).detach(), [30.0, 30.0], rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_step_is_what_torchs_own_optimizer_makes_of_it(samples, optimizer):
    """Weights whose gradients come transposed or expanded, as `torch.autograd.grad` may give them."""
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3, bias=False))
    again = copy.deepcopy(model)

    def loss(network, vectors):
        return ((vectors @ network[0].weight.t() + network[0].bias) @ network[1].weight.t()).sum() + network[1].weight.sum()

    class Sums(Task):
        columns = ("vector",)

        def players(self):
            return {"model": Player(list(model.parameters()), optimizer, 0.05)}

        def loss(self, turn, batch):
            return {"sum": loss(model, batch.fixed("vector")) * batch.total}

    task = Sums()
    state = State(5, movers_of(task.players(), model, None))
    plain = kinds[optimizer](again.parameters(), lr=0.05, foreach=False, fused=False)
    for batch in Loader(samples, task.columns, seed=5, batch=4).epoch(0):
        run_step(task, batch, state, 1.0, Compute(Ranks(), FLOAT32))
        plain.zero_grad()
        loss(again, batch.fixed("vector")).backward()
        plain.step()
    for mine, theirs in zip(model.parameters(), again.parameters(), strict=True):
        assert_allclose(mine.detach(), theirs.detach(), rtol=1e-4, atol=1e-5)


def test_the_rate_is_overridden_for_one_player_alone():
    task, model = Label(("high", "low")), Plain(("high", "low"))
    task.bind(model)
    assert movers_of(task.players(), model, 0.7)["model"].lr == 0.7
    game, pair = Game(), Pair()
    game.bind(pair)
    with pytest.raises(TrainingError, match="2 players"):
        movers_of(game.players(), pair, 0.7)


def test_a_parameter_outside_the_model_is_refused():
    """No checkpoint would hold it."""
    with pytest.raises(TrainingError, match="not in the model"):
        movers_of({"model": Player([nn.Parameter(torch.zeros(2))])}, nn.Linear(2, 2), None)


def test_factor_curves():
    constant = Schedule(steps=100)
    assert factor(constant, 0, 100, 0) == factor(constant, 99, 100, 0) == 1.0
    cosine = Schedule(steps=100, curve="cosine", warmup=0.1)
    rising = [factor(cosine, step, 100, 0) for step in range(10)]
    assert_allclose(np.diff(rising), 1 / 11)
    assert rising[0] == pytest.approx(1 / 11) and factor(cosine, 10, 100, 0) == 1.0
    assert factor(cosine, 55, 100, 0) == pytest.approx(0.5) and 0 < factor(cosine, 99, 100, 0) < 1e-3
    step = Schedule(epochs=50, curve="step", decay=0.1, every=20)
    assert [factor(step, 0, 1, epoch) for epoch in (0, 19, 20, 40)] == pytest.approx([1, 1, 0.1, 0.01])


class _Uneven:
    """Epochs of 3, 4, 3, 4 ... steps, as greedy cuts give."""

    def steps_per_epoch(self, epoch):
        return 3 + epoch % 2


def test_length_counts_uneven_epochs():
    assert length_of(Schedule(epochs=3, batch=None, elements=9), _Uneven()).steps == 10
    assert length_of(Schedule(steps=8, batch=None, elements=9), _Uneven()).epochs == 3


def test_micro_batches_cut_every_kind_of_column():
    packed = Packed(torch.arange(10), torch.tensor([0, 1, 3, 6, 10]))
    columns = {"fixed": torch.arange(8).view(4, 2), "ragged": packed, "blob": [b"a", b"b", b"c", b"d"]}
    numbers = np.arange(4)
    batch = Batch(columns, torch.arange(4), numbers, numbers, numbers + 7, seed=1, epoch=2, total=9)
    parts = micro_batches(batch, 3)
    assert [len(part) for part in parts] == [1, 1, 2] and {part.total for part in parts} == {9}
    assert parts[2].columns["blob"] == [b"c", b"d"] and parts[2].positions.tolist() == [9, 10]
    assert parts[2].columns["ragged"].values.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert parts[2].columns["ragged"].offsets.tolist() == [0, 3, 7]
    assert parts[1].generator(0).random() == batch.generator(1).random()


def test_bfloat16_with_channels_last_3d_is_refused():
    """That pair gives NaN gradients on processors."""
    model = nn.Sequential(nn.Conv3d(2, 4, 3)).to(memory_format=torch.channels_last_3d)
    with pytest.raises(TrainingError, match="channels_last_3d"):
        choose_precision("bfloat16", CPU, model)
    assert choose_precision("float32", CPU, model) == FLOAT32
    assert choose_precision("bfloat16", CPU, nn.Sequential(nn.Conv3d(2, 4, 3))).bfloat16


def test_precision_lays_out_2d_models_alone():
    flat, solid = nn.Conv2d(2, 4, 3), nn.Conv3d(2, 4, 3)
    lay_out(flat, Precision(True))
    lay_out(solid, Precision(True))
    assert flat.weight.is_contiguous(memory_format=torch.channels_last) and solid.weight.is_contiguous()
    assert choose_precision("auto", CPU, solid).bfloat16 == has_bfloat16(CPU)


def test_bfloat16_steps_keep_float32_weights(samples):
    task, model, state = _classifier()
    batch = next(Loader(samples, task.columns, seed=5, batch=8).epoch(0))
    seen = []
    forward = model.forward
    model.forward = lambda vectors: (seen.append(torch.is_autocast_enabled("cpu")), forward(vectors))[1]
    metrics = run_step(task, batch, state, 1.0, Compute(Ranks(), Precision(True)))
    assert seen == [True] and np.isfinite(metrics["loss"])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_ranks_agree_on_text_and_tensors():
    def work(ranks):
        text = ranks.broadcast_text("loss\nßum" if ranks.rank == 0 else "something else")
        mixed = [torch.full((2, 3), ranks.rank + 1.0), torch.tensor(ranks.rank + 1), torch.full((2,), ranks.rank + 1.0)]
        ranks.all_reduce_sum(mixed)
        same = [torch.tensor([float(ranks.rank)])]
        ranks.broadcast(same)
        return text, [tensor.tolist() for tensor in mixed], same[0].item()

    for text, mixed, same in _with_ranks(2, work):
        assert text == "loss\nßum" and mixed == [[[3.0] * 3] * 2, 3, [3.0, 3.0]] and same == 0.0
