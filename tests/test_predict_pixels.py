"""Predicting pixels: likelihoods by hand, classes by Bayes' rule, sums over samples, what is drawn, averages, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from picture_store import CLASSES, drawn_picture, picture_store
from toy_stores import store_of

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.pixel_cnn import GatedPixelCnn, PixelCnn, as_input
from l9.models.voxnet import VoxNet
from l9.tasks.contract import Turn
from l9.tasks.pixel_judge import Judge
from l9.tasks.pixel_pictures import _gradients, blind_spot
from l9.tasks.pixel_values import picture_nats, pixel_values, unit_values
from l9.tasks.predict_pixels import PredictPixels

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = 8
SMALL = {"width": 6, "layers": 3, "first": 3, "head": 8}


def network(conditional=False, **more):
    torch.manual_seed(0)
    return GatedPixelCnn(CLASSES if conditional else (), conditional, **{**SMALL, **more})


def samples_of(home, part="train", **more):
    return Samples.of(picture_store(home, size=SIZE, **more), part=part)


def task_of(samples, model=None, **settings):
    task = PredictPixels(CLASSES, **settings)
    task.bind(model or network())
    task.fit(samples)
    return task


def batch_of(pictures, start=0, total=None, epoch=0):
    numbers = np.arange(start, start + len(pictures))
    columns = {"image": torch.from_numpy(np.ascontiguousarray(pictures))}
    labels = torch.from_numpy(numbers % 2)
    return Batch(columns, labels, numbers, np.zeros(len(numbers), np.int64), numbers, seed=7, epoch=epoch, total=total or len(numbers))


def greys(count, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, channels, SIZE, SIZE)).astype(np.uint8)


def trained(task, samples, epochs=12):
    player = task.players()["model"]
    optimizer = torch.optim.Adam(player.parameters, 0.02)
    losses = []
    for epoch in range(epochs):
        for batch in Loader(samples, task.columns, seed=0, batch=8).epoch(epoch):
            terms = task.loss(Turn("model"), batch)
            optimizer.zero_grad()
            (sum(terms.values()) / batch.total).backward()
            optimizer.step()
            losses.append(terms["nll"].item() / batch.total)
            task.observe(Turn("model"), {"nll": losses[-1]})
    return losses


def test_values_are_taken_evenly_from_bytes():
    every = torch.arange(256).float().reshape(1, 1, 16, 16) / 255
    assert torch.equal(pixel_values(every, 256).flatten(), torch.arange(256))
    assert pixel_values(every, 4).flatten().bincount().tolist() == [64] * 4
    assert pixel_values(every, 2).flatten()[[0, 255]].tolist() == [0, 1]
    assert unit_values(torch.tensor([0, 1, 3]).reshape(1, 1, 1, 3), 4).flatten().tolist() == pytest.approx([0, 1 / 3, 1])


def test_nats_by_hand():
    """One logit is that of value 1; several go through a softmax. Two channels of two pixels add up."""
    logits = torch.logit(torch.tensor([0.9, 0.2])).reshape(1, 1, 1, 1, 2)
    assert picture_nats(logits, torch.tensor([1, 0]).reshape(1, 1, 1, 2)).item() == pytest.approx(-math.log(0.9) - math.log(0.8), rel=1e-6)
    chances = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.7, 0.2]])  # (pixel, value), for each channel the same
    logits = chances.log().T.reshape(1, 3, 1, 1, 2).expand(1, 3, 2, 1, 2)
    values = torch.tensor([[0, 1], [2, 2]]).reshape(1, 2, 1, 2)
    expected = -math.log(0.5) - math.log(0.7) - math.log(0.25) - math.log(0.2)
    assert picture_nats(logits, values).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("values", [2, 3])
def test_a_network_gives_every_small_picture_its_probability(values):
    """Over all pictures of 2 x 2 pixels the probabilities sum to 1: what is reported is a likelihood."""
    model = network(values=values).double()
    every = torch.cartesian_prod(*[torch.arange(values)] * 4).reshape(-1, 1, 2, 2)
    nats = picture_nats(model(as_input(every, values, torch.float64)), every)
    assert (-nats).exp().sum().item() == pytest.approx(1.0, abs=1e-9)


def test_bayes_rule_by_hand():
    judge = Judge(network(conditional=True), np.array([0.25, 0.75]))
    chances = np.array([[0.4, 0.1], [0.001, 0.003]])  # p(x | class)
    joint = chances * [0.25, 0.75]
    np.testing.assert_allclose(judge.marginal(-np.log(chances)), -np.log(joint.sum(1)))
    np.testing.assert_allclose(judge.probabilities(-np.log(chances)), joint / joint.sum(1, keepdims=True))
    far = judge.marginal(-np.log(chances) + 5_000)  # beyond what a float64 probability can be
    np.testing.assert_allclose(far, -np.log(joint.sum(1)) + 5_000)


@pytest.mark.parametrize("settings", [{}, {"shift": 1}, {"binarise": True}, {"binarise": True, "shift": 2}])
def test_loss_is_a_sum_over_samples(tmp_path, settings):
    task = task_of(samples_of(tmp_path), **settings)
    pictures = greys(8) if "binarise" in settings else np.stack([drawn_picture(number, SIZE, 1) for number in range(8)])
    whole = task.loss(Turn("model"), batch_of(pictures, total=8))
    halves = [task.loss(Turn("model"), batch_of(pictures[at : at + 4], at, 8)) for at in (0, 4)]
    assert set(whole) == {"nll"}
    torch.testing.assert_close(whole["nll"], halves[0]["nll"] + halves[1]["nll"], rtol=1e-5, atol=1e-3)


def test_an_empty_part_of_a_cut_takes_part(tmp_path):
    for settings in ({}, {"shift": 1, "binarise": True}):
        assert task_of(samples_of(tmp_path), **settings).loss(Turn("model"), batch_of(greys(0), total=4))["nll"].item() == 0


def test_the_start_is_what_nothing_known_costs(tmp_path):
    samples = samples_of(tmp_path)
    task = task_of(samples)
    assert task.start_loss() == pytest.approx(SIZE * SIZE * math.log(2))
    first = next(Loader(samples, task.columns, seed=0, batch=16).epoch(0))
    found = task.loss(Turn("model"), first)["nll"].item() / 16
    assert found == pytest.approx(task.start_loss(), rel=0.15)  # first weights are small but not 0
    model = GatedPixelCnn(channels=3, values=16, width=6, layers=2, head=9)
    assert task_of(samples_of(tmp_path / "rgb", channels=3), model).start_loss() == pytest.approx(3 * SIZE * SIZE * math.log(16))


def test_what_is_learnt_is_reported(tmp_path):
    samples, tested = samples_of(tmp_path), samples_of(tmp_path, "test")
    task = task_of(samples)
    before = task.evaluate(tested).metrics["nll_nats"]
    losses = trained(task, samples)
    report = task.evaluate(tested)
    assert report.metrics["nll_nats"] < 0.5 * before and losses[-1] < 0.5 * losses[0]
    assert report.metrics["bits_per_dim"] == pytest.approx(report.metrics["nll_nats"] / (math.log(2) * SIZE * SIZE))
    assert set(report.metrics) == {"nll_nats", "bits_per_dim"}
    assert [row["object"] for row in report.outcomes] == tested.objects and set(report.outcomes[0]) == {"object", "label", "nll_nats"}
    assert np.mean([row["nll_nats"] for row in report.outcomes]) == pytest.approx(report.metrics["nll_nats"])
    batch = next(Loader(tested, task.columns, seed=0, training=False).sequential())
    assert task.loss(Turn("model"), batch)["nll"].item() == pytest.approx(sum(row["nll_nats"] for row in report.outcomes), rel=1e-5)


def test_a_network_of_classes_tells_bars_from_discs(tmp_path):
    """By Bayes' rule; and no picture is less likely than its joint probability with its class says."""
    samples, tested = samples_of(tmp_path), samples_of(tmp_path, "test")
    task = task_of(samples, network(conditional=True))
    trained(task, samples, epochs=30)
    report = task.evaluate(tested)
    assert report.metrics["accuracy"] > 0.8  # 12 pictures; by chance half
    prior = np.bincount(samples.labels) / len(samples)
    given = np.array([row["nll_nats_given_class"] for row in report.outcomes])
    whole = np.array([row["nll_nats"] for row in report.outcomes])
    assert (whole <= given - np.log(prior[tested.labels]) + 1e-9).all()
    assert report.metrics["nll_nats_given_class"] == pytest.approx(given.mean())
    answers = task.predict(next(Loader(tested, task.columns, seed=0, training=False).sequential()))
    assert [row[0]["class"] for row in answers] == [row["predicted"] for row in report.outcomes]
    assert all(sum(one["probability"] for one in row) == pytest.approx(1.0) for row in answers)


def test_tested_pictures_without_a_label_are_judged_all_the_same(tmp_path):
    samples, tested = samples_of(tmp_path), samples_of(tmp_path, "test")
    task = task_of(samples, network(conditional=True))
    whole = task.evaluate(tested).metrics
    half = replace(tested, labels=np.where(np.arange(len(tested)) % 2 == 0, tested.labels, -1))
    found = task.evaluate(half)
    assert found.metrics["nll_nats"] == whole["nll_nats"] and found.outcomes[1]["nll_nats_given_class"] is None
    assert found.metrics["nll_nats_given_class"] == pytest.approx(np.mean([row["nll_nats_given_class"] for row in found.outcomes[::2]]))
    none = task.evaluate(replace(tested, labels=np.full(len(tested), -1))).metrics
    assert set(none) == {"nll_nats", "bits_per_dim"}


def test_averaged_weights_are_what_is_evaluated_stored_and_restored(tmp_path):
    samples, tested = samples_of(tmp_path), samples_of(tmp_path, "test")
    task = task_of(samples, averaging=0.9)
    trained(task, samples, epochs=2)
    found = task.evaluate(tested).metrics["nll_nats"]
    plain = task_of(samples, task.model).evaluate(tested).metrics["nll_nats"]
    assert found != plain
    again = task_of(samples, averaging=0.9)
    for name, tensor in again.buffers().items():
        tensor.copy_(task.buffers()[name])
    assert again.evaluate(tested).metrics["nll_nats"] == found
    assert task_of(samples).buffers() == {}


@pytest.mark.parametrize("model", [lambda: network(), lambda: network(conditional=True), lambda: PixelCnn(width=4, blocks=2, head=8)])
def test_pictures(tmp_path, model):
    samples, tested = samples_of(tmp_path), samples_of(tmp_path, "test")
    task = task_of(samples, model())
    report = task.evaluate(tested)
    state = torch.get_rng_state()
    with torch.no_grad():
        pages = {page.name: page.pixels for page in task.pictures(tested, report)}
    assert torch.equal(torch.get_rng_state(), state)
    assert set(pages) == {"samples", "inpainting", "receptive_field"}
    again = {page.name: page.pixels for page in task.pictures(tested, report)}
    for name, page in pages.items():
        assert page.dtype == np.uint8 and page.shape[2] == 3 and page.min() < 255
        np.testing.assert_array_equal(page, again[name])
    first = next(Loader(samples, task.columns, seed=0, batch=8).epoch(0))
    assert task.batch_picture(first, samples).name == "first_batch"


def test_the_plain_network_has_a_blind_spot_and_the_gated_one_has_none(tmp_path):
    """On 8 x 8 pixels, first kernel 3 and two blocks: 1 + 2 up and right, blind one row up right of 1 + min(0, 2), two up of 1 + 1."""
    samples = samples_of(tmp_path)
    plain = task_of(samples, PixelCnn(width=8, blocks=2, first=3, head=8))
    found = blind_spot(_gradients(plain._judge, samples))
    assert np.argwhere(found).tolist() == [[2, 7], [3, 6], [3, 7]]
    assert not blind_spot(_gradients(task_of(samples, network(width=8))._judge, samples)).any()
    assert not blind_spot(np.zeros((5, 5))).any()


def test_three_channels_of_many_values(tmp_path):
    samples = samples_of(tmp_path, channels=3)
    task = task_of(samples, GatedPixelCnn(channels=3, values=8, width=6, layers=2, first=3, head=9))
    report = task.evaluate(samples.take(4))
    assert report.metrics["bits_per_dim"] == pytest.approx(3, rel=0.15)  # 8 values, nothing learnt
    assert {page.name for page in task.pictures(samples.take(4), report)} == {"samples", "inpainting", "receptive_field"}


def test_half_of_what_is_painted_stays_as_it_was_given(tmp_path):
    task = task_of(samples_of(tmp_path))
    judge = task._judge
    given = (torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) > 0.5).long()
    known = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    known[:, : SIZE // 2] = True
    painted = judge.draw(0, 2, (1, SIZE, SIZE), (), given, known)
    assert torch.equal(painted[:, :, : SIZE // 2], given[:, :, : SIZE // 2]) and not torch.equal(painted, given)


def test_the_glimpse_at_the_end_of_an_epoch_disturbs_nothing(tmp_path):
    task = task_of(samples_of(tmp_path), averaging=0.5)
    assert task.glimpse(4, ends_epoch=False) is None
    state, mode = torch.get_rng_state(), task.model.training
    first, again = task.glimpse(4, ends_epoch=True), task.glimpse(4, ends_epoch=True)
    np.testing.assert_array_equal(first.pictures[0].pixels, again.pictures[0].pixels)
    assert first.pictures[0].name == "samples" and torch.equal(torch.get_rng_state(), state) and task.model.training == mode
    assert task_of(samples_of(tmp_path), shown=False).glimpse(4, ends_epoch=True) is None


def test_learnt_by_heart_nothing_is_drawn(tmp_path):
    grey = store_of(tmp_path, {"image": greys(6)}, [CLASSES[number % 2] for number in range(6)])
    task = task_of(grey, shift=2, binarise=True, augment=False)
    batch = batch_of(greys(6))
    terms = [task.loss(Turn("model"), replace(batch, epoch=epoch))["nll"].item() for epoch in (0, 1)]
    assert terms[0] == terms[1] == pytest.approx(6 * task.evaluate(grey).metrics["nll_nats"], rel=1e-5)


def test_what_is_refused(tmp_path):
    samples = samples_of(tmp_path)
    with pytest.raises(TrainingError, match="PredictPixels needs a PixelCNN"):
        PredictPixels().bind(VoxNet(CLASSES, resolution=12))
    with pytest.raises(TrainingError, match="shift is -1"):
        PredictPixels(shift=-1)
    with pytest.raises(TrainingError, match="decay of averaged weights is 1"):
        PredictPixels(averaging=1.0).bind(network())
    with pytest.raises(TrainingError, match="binarise makes pixels of two values, and the network has values=4"):
        PredictPixels(binarise=True).bind(network(values=4))
    with pytest.raises(TrainingError, match=r"expected pixels\(size=8, channels=3\)"):
        task_of(samples, network(channels=3, width=6, head=9))
    with pytest.raises(TrainingError, match="samples have no label"):
        task_of(replace(samples, labels=np.full(len(samples), -1)), network(conditional=True))
    with pytest.raises(TrainingError, match="this PixelCNN knows no classes"):
        task_of(samples).predict(batch_of(greys(1)))
    with pytest.raises(TrainingError, match="no pictures"):
        task_of(samples).evaluate(samples.subset([]))


def test_grey_pictures_are_no_matter_of_two_values(tmp_path):
    """Refused before the first step; in training alone they may be drawn; with 256 values they are taken as they are."""
    grey = store_of(tmp_path, {"image": greys(6)}, [CLASSES[number % 2] for number in range(6)])
    with pytest.raises(TrainingError, match=r"met a pixel of \d+; expected 0 and 255: pixels\(channels=1, binarised=True\)"):
        task_of(grey)
    task = task_of(grey, binarise=True)
    for asked in (task.evaluate, task.check_test):
        with pytest.raises(TrainingError, match="expected 0 and 255"):
            asked(grey)
    task.check_test(samples_of(tmp_path / "black and white", "test"))
    assert task_of(grey, network(values=256)).evaluate(grey).metrics["bits_per_dim"] == pytest.approx(8, rel=0.1)
