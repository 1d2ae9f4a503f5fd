"""A GAN at play on drawn pictures: losses by hand, draws by position, two ranks as one, resume to the same bytes, trouble told."""

import json
import math
import os
import signal

import pytest
import torch
from picture_store import picture_store
from test_classify import batch_of
from test_loop import FLOAT32, _with_ranks
from toys import lines_of, write_facts

from l9.config import Schedule
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.evaluate.restored import restored
from l9.models.dcgan import Dcgan
from l9.models.mlp_gan import MlpGan
from l9.models.voxnet import VoxNet
from l9.store.home import Home
from l9.tasks.contract import Turn
from l9.tasks.play_gan import SNAPSHOTS, PlayGan, shifted
from l9.train.checkpoints import latest
from l9.train.fit import fit
from l9.train.loop import Hooks, State, run_loop
from l9.train.optimizers import movers_of
from l9.train.ranks import Ranks

pytestmark = pytest.mark.usefixtures("one_thread")
DISCRIMINATOR, GENERATOR = Turn("discriminator"), Turn("generator")
NORMS = torch.nn.BatchNorm2d


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home):
    return picture_store(home, count=60, size=28)


@pytest.fixture(scope="module")
def samples(store):
    return Samples.of(store, part="train")


def network(**settings):
    torch.manual_seed(0)
    return Dcgan(**({"size": 28, "channels": 1, "noise": 8, "width": 4, "norm": False} | settings))


def playing(samples, model=None, **settings):
    task = PlayGan(**settings)
    task.bind(model or network())
    task.fit(task.learnt(samples, 3))
    return task


def batch(samples, start=0, count=8, total=8, epoch=0):
    pictures = next(Loader(samples, ("image",), seed=0, training=False).sequential(len(samples))).fixed("image")
    return batch_of({"image": pictures[start : start + count].numpy()}, start=start, total=total, epoch=epoch)


def train(task, samples, schedule, ranks=None, seed=5):
    ranks = ranks or Ranks()
    state, records, shown = State(seed, movers_of(task.players(), task.model, None)), [], []
    loader = Loader(samples, task.columns, seed=seed, batch=schedule.batch, rank=ranks.rank, world=ranks.world)
    task.initialise(next(iter(loader.epoch(0))))

    def seen(record):
        records.append(record)
        shown.append(task.glimpse(record["step"], state.progress.step_in_epoch == 0))

    run_loop(task, task.model, loader, schedule, state, ranks, FLOAT32, Hooks(step=seen))
    return records, shown


def test_losses_by_hand(samples):
    """A discriminator that says 0.4 to everything; smoothing changes `real` alone."""
    model = network()
    with torch.no_grad():
        model.discriminator[-2].weight.zero_()
        model.discriminator[-2].bias.fill_(0.4)
    yes, no = math.log(1 + math.exp(-0.4)), math.log(1 + math.exp(0.4))
    plain, smooth = playing(samples, model), playing(samples, model, smoothing=0.1)
    found = {name: term.item() for name, term in plain.loss(DISCRIMINATOR, batch(samples)).items()}
    assert found == {"real": pytest.approx(8 * yes, rel=1e-5), "made": pytest.approx(8 * no, rel=1e-5)}
    assert plain.loss(GENERATOR, batch(samples))["fool"].item() == pytest.approx(8 * yes, rel=1e-5)
    smoothed = {name: term.item() for name, term in smooth.loss(DISCRIMINATOR, batch(samples)).items()}
    assert smoothed == {"real": pytest.approx(8 * (0.9 * yes + 0.1 * no), rel=1e-5), "made": pytest.approx(8 * no, rel=1e-5)}


@pytest.mark.parametrize(("noise", "shift"), [("normal", 0), ("uniform", 0), ("normal", 3)])
def test_losses_are_sums_over_samples(samples, noise, shift):
    """A batch of eight gives what its two halves give together, noise and shifts included."""
    task = playing(samples, noise=noise, discriminator_shift=shift)
    for turn in (DISCRIMINATOR, GENERATOR, Turn("generator", 1)):
        whole = task.loss(turn, batch(samples))
        halves = [task.loss(turn, batch(samples, start, 4)) for start in (0, 4)]
        for name, term in whole.items():
            torch.testing.assert_close(term, halves[0][name] + halves[1][name], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("noise", "deviation", "largest"), [("normal", 1.0, 6.0), ("uniform", 3**-0.5, 1.0)])
def test_noise_is_of_its_kind_and_of_epoch_position_and_turn(samples, noise, deviation, largest):
    task = playing(samples, network(noise=200), noise=noise)
    drawn = [task._noises(batch(samples, epoch=epoch), stream) for epoch, stream in ((0, 10), (0, 10), (1, 10), (0, 11))]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[3])
    assert len({tuple(row.tolist()) for row in drawn[0]}) == 8
    assert float(drawn[0].std()) == pytest.approx(deviation, rel=0.1) and 0.8 * deviation < float(drawn[0].abs().max()) <= largest


def test_real_and_generated_pictures_have_statistics_of_their_own(samples):
    """With batch norm the logits of real pictures do not depend on the generator."""
    task = playing(samples, network(norm=True))
    before = task.loss(DISCRIMINATOR, batch(samples))
    with torch.no_grad():
        for parameter in task.model.generator.parameters():
            parameter.mul_(5)
    after = task.loss(DISCRIMINATOR, batch(samples))
    assert torch.equal(before["real"], after["real"]) and not torch.equal(before["made"], after["made"])


def test_pictures_are_shifted_and_their_edges_repeated():
    """By hand: down by one and left by two; the gradient of what left the picture is 0, of what is repeated it is summed."""
    x = torch.arange(18.0).reshape(2, 1, 3, 3).requires_grad_()
    found = shifted(x, torch.tensor([[1, -2], [0, 0]]))
    assert found[0, 0].tolist() == [[2, 2, 2], [2, 2, 2], [5, 5, 5]] and torch.equal(found[1], x[1])
    found[0].sum().backward()
    assert x.grad[0, 0].tolist() == [[0, 0, 6], [0, 0, 3], [0, 0, 0]]


def test_what_the_discriminator_sees_is_shifted(samples):
    """Real and generated pictures, each by draws of its own; the generator learns through it."""
    seen, task = [], playing(samples, discriminator_shift=3)
    plain = playing(samples, task.model)
    task.model.discriminator.register_forward_pre_hook(lambda _layer, given: seen.append(given[0].detach()))
    for one in (task, plain):
        one.loss(DISCRIMINATOR, batch(samples))
    moves = [(a - b).abs().sum((1, 2, 3)) > 0 for a, b in zip(seen[:2], seen[2:], strict=True)]
    assert all(int(moved.sum()) >= 6 for moved in moves)
    terms = task.loss(GENERATOR, batch(samples))
    assert all(one.any() for one in torch.autograd.grad(terms["fool"], list(task.model.generator.parameters())[-2:]))


def test_each_players_gradient_is_its_own_and_the_generators_moves_follow(samples):
    task = playing(samples, generator_steps=2)
    assert task.turns(0) == [DISCRIMINATOR, GENERATOR, Turn("generator", 1)]
    made = sum(task.loss(DISCRIMINATOR, batch(samples)).values())
    found = torch.autograd.grad(made, list(task.model.generator.parameters()), allow_unused=True)
    assert all(one is None for one in found)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_together_do_what_one_does_alone(samples, world):
    """Without batch norm and dropout: the same losses, weights and averaged weights, to float32's rounding."""
    schedule = Schedule(epochs=2, batch=10)

    def work(ranks):
        torch.manual_seed(0)
        task = playing(samples, generator_steps=2)
        with torch.no_grad():
            drawn = torch.Generator().manual_seed(0)
            for parameter in task.model.parameters():
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=drawn))
        records, _ = train(task, samples, schedule, ranks)
        return records, {**task.model.state_dict(), **task.buffers()}

    alone, expected = work(Ranks())
    for records, found in _with_ranks(world, work):
        assert [record.get("order") for record in records] == [record.get("order") for record in alone]
        for key in ("loss", "discriminator/real", "discriminator/made", "generator/fool"):
            assert [record[key] for record in records] == pytest.approx([record[key] for record in alone], rel=1e-4)
        for name, value in expected.items():
            if value.is_floating_point():
                torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5)


def test_averaged_weights_are_shown_and_evaluated(samples):
    """By hand over three steps: the first copies, then the warm-up's 2/11 and 3/12 of what there was."""
    task = playing(samples)
    expected, kept = None, iter((0.0, 2 / 11, 3 / 12))
    for step in range(3):
        task.turns(step)
        task.observe(DISCRIMINATOR, {"real": 1.0, "made": 1.0})
        with torch.no_grad():
            task.model.generator[1].weight.add_(1.0)
        task.observe(GENERATOR, {"fool": 1.0})
        share = next(kept)
        weight = task.model.generator[1].weight.detach()
        expected = weight.clone() if expected is None else share * expected + (1 - share) * weight
    torch.testing.assert_close(task.buffers()["averaged/1.weight"], expected)
    made = task.glimpse(2, True)
    with torch.no_grad():
        for parameter in task.model.generator.parameters():
            parameter.zero_()
    assert (task.glimpse(2, True).pictures[0].pixels == made.pictures[0].pixels).all()


def test_the_statistics_of_batch_norm_are_averaged_too(samples):
    task = playing(samples, network(norm=True))
    train(task, samples, Schedule(epochs=1, batch=9))
    norm = next(layer for layer in task._averaged.module if isinstance(layer, NORMS))
    assert norm.running_mean.any() and norm.running_var.std() > 0 and not norm.training


def test_an_epochs_end_shows_samples_and_metrics(samples):
    task = playing(samples, network(norm=True))
    records, shown = train(task, samples, Schedule(epochs=2, batch=9))
    ends = [number for number, record in enumerate(records) if shown[number] is not None]
    assert len(records) == 8 and ends == [3, 7]
    for number in ends:
        assert set(shown[number].metrics) == {"diversity", "discriminator_accuracy"} and shown[number].said == []
        assert [picture.name for picture in shown[number].pictures] == ["samples"]
        assert 0 <= shown[number].metrics["discriminator_accuracy"] <= 1 and shown[number].metrics["diversity"] > 0


def test_looking_changes_nothing(samples):
    task = playing(samples, network(norm=True))
    train(task, samples, Schedule(steps=2, batch=9))
    task.model.train()
    before = {name: value.clone() for name, value in (task.model.state_dict() | task.buffers()).items()}
    random = torch.get_rng_state()
    task.glimpse(7, True)
    report = task.evaluate(samples)
    list(task.pictures(samples, report))
    assert all(torch.equal(value, before[name]) for name, value in (task.model.state_dict() | task.buffers()).items())
    assert task.model.training and torch.equal(random, torch.get_rng_state())
    assert task.evaluate(samples).metrics == report.metrics


def test_a_stuck_generator_is_told_and_a_good_one_is_not(samples, monkeypatch):
    """One that answers every noise alike from the first step on; and one of whole, different pictures. Here after 10, 15 ... steps."""
    monkeypatch.setattr("l9.tasks.gan_health.CHECKED", 5)
    monkeypatch.setattr("l9.tasks.gan_health.SETTLED", 10)
    task = playing(samples, discriminator_lr=1e-9, generator_lr=1e-9)
    with torch.no_grad():
        task.model.generator[1].weight.zero_()
    _, shown = train(task, samples, Schedule(steps=20, batch=2))
    said = [(step, line) for step, one in enumerate(shown) if one is not None for line in one.said]
    assert [step for step, _ in said] == [9] and "samples collapse: diversity 0.00" in said[0][1]
    task._generated = lambda z: task._real  # pictures as different as the training's
    task._health.check(24, task._diversity(task._generated(None)))
    assert task.glimpse(24, False) is None and float(task._health.diversity) == 1


def test_of_one_training_picture_samples_may_be_alike(samples, monkeypatch):
    monkeypatch.setattr("l9.tasks.gan_health.CHECKED", 2)
    monkeypatch.setattr("l9.tasks.gan_health.SETTLED", 2)
    alone = samples.subset([0, 0])
    _, shown = train(playing(alone), alone, Schedule(steps=6, batch=2))
    assert not any(one.said for one in shown if one is not None)


def test_snapshots_are_kept_at_chosen_steps(samples):
    task = playing(samples)
    train(task, samples, Schedule(steps=60, batch=4))
    assert task.buffers()["snapshot_steps"][:4].tolist() == [0, 25, 50, -1] and SNAPSHOTS[:4] == (0, 25, 50, 100)
    kept = task.buffers()["snapshots"]
    assert kept[0].any() and kept[2].any() and not kept[3].any() and not torch.equal(kept[0], kept[2])
    names = [picture.name for picture in task.pictures(samples, task.evaluate(samples))]
    assert names == ["strip", "samples", "over_time", "interpolation"]


def test_a_small_gan_learns_where_the_ink_is(samples):
    """After 100 steps the mean sample is nearer to the mean training picture than any flat picture is; before, it was not."""
    task = playing(samples, network(norm=True), discriminator_lr=2e-3, generator_lr=4e-3, decay=0.9)
    mean = task._real.mean(0)

    def distance():
        return float((task._generated(task._fixed).mean(0) - mean).norm())

    flat, before = float((mean - mean.mean()).norm()), distance()
    train(task, samples, Schedule(steps=100, batch=12))
    assert distance() < 0.7 * flat < before


def facts_of(home, store, norm, run_dir, steps=30):
    arguments = {"size": 28, "channels": 1, "noise": 8, "width": 4, "norm": norm}
    training = {
        "task": {"target": "l9.tasks.play_gan:PlayGan", "arguments": {"generator_steps": 2}},
        "model": {"target": "l9.models.dcgan:Dcgan", "arguments": arguments},
        "name": "",
        "schedule": {"steps": steps, "batch": 9},
    }
    sets = {"drawn": {"store": os.path.relpath(store.path, home), "manifest": store.digest, "classes": None, "fold": None}}
    head = {"kind": "training", "recipe": "drawn", "key": "0" * 64, "training": training, "seed": 3, "sets": sets, "up": "+Y"}
    return write_facts(run_dir, {**head, "train": {"workers": 0, "gpus": "auto", "precision": "float32"}, "overfit": 0, "init": None})


@pytest.mark.parametrize("norm", [False, True])
def test_an_interrupted_game_ends_in_the_same_bytes(home, store, tmp_path, monkeypatch, norm):
    """Ctrl-C in step 26, between two snapshots: weights, buffers, metrics and result are those of the game that nobody disturbed."""
    place = Home(home)
    whole = facts_of(home, store, norm, tmp_path / "whole")
    fit(whole, place=place, say=lambda line: None)
    turns = PlayGan.turns

    def interrupted(self, step):
        if step == 26:
            signal.raise_signal(signal.SIGINT)
        return turns(self, step)

    cut = facts_of(home, store, norm, tmp_path / "cut")
    monkeypatch.setattr(PlayGan, "turns", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(cut, place=place, say=lambda line: None)
    monkeypatch.undo()
    fit(cut, place=place, say=lambda line: None)
    for name in ("metrics.jsonl", "result.json", "pictures/over_time.png", "pictures/samples.png"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name
    for part in ("model", "optimizer", "buffers"):
        files = [(latest(run).folder / f"{part}.safetensors").read_bytes() for run in (whole, cut)]
        assert files[0] == files[1], part
    shown = [record for record in lines_of(whole / "metrics.jsonl") if "diversity" in record]
    assert len(shown) == 7 and all(0 <= record["discriminator_accuracy"] <= 1 for record in shown)


def test_evaluated_again_it_answers_the_same(home, store, tmp_path):
    """By the averaged weights of the checkpoint, not by the last ones."""
    run = facts_of(home, store, False, tmp_path / "run", steps=12)
    stored = fit(run, place=Home(home), say=lambda line: None)["metrics"]
    assembly = restored(run, home)
    (tests,) = assembly.tests.values()
    assert assembly.task.evaluate(tests).metrics == stored == json.loads((run / "result.json").read_text())["metrics"]
    assert not torch.equal(assembly.task.buffers()["averaged/1.weight"], assembly.model.generator[1].weight)


def test_what_does_not_fit_is_refused_in_one_line(samples):
    for model in (None, VoxNet(("a", "b"), resolution=12)):
        with pytest.raises(TrainingError, match=r"needs a generator and a discriminator; give its training a model, such as Use\(Dcgan\)"):
            PlayGan().bind(model)
    with pytest.raises(TrainingError, match=r"Dcgan takes \(3, 32, 32\); expected pixels\(size=32, channels=3\)"):
        playing(samples, network(size=32, channels=3))
    for settings in ({"generator_steps": 0}, {"smoothing": 0.5}, {"smoothing": -0.1}, {"discriminator_shift": -1}):
        with pytest.raises(TrainingError, match=r"expected at least 1, 0 to below 0\.5, and 0 or more"):
            PlayGan(**settings)


def test_the_fully_connected_pair_plays_too(samples):
    task = playing(samples, MlpGan(size=28, channels=1, noise=8, width=16, units=4))
    records, _ = train(task, samples, Schedule(steps=3, batch=9))
    assert len(records) == 3 and all(math.isfinite(record["loss"]) for record in records)


def test_the_first_batch_is_drawn(samples):
    picture = playing(samples).batch_picture(batch(samples), samples)
    assert picture.name == "first_batch" and picture.pixels.shape[1] > 8 * 84
