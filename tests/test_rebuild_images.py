"""Rebuilding drawn bars and discs: losses by hand, metrics, one seed one result, pictures, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from picture_store import drawn_picture, picture_store
from test_image_codes import means

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.image_vae import ImageAutoencoder
from l9.models.voxnet import VoxNet
from l9.tasks.contract import Turn
from l9.tasks.normal_codes import kl_to_standard_normal
from l9.tasks.rebuild_images import RebuildImages

SIZE = 8

pytestmark = pytest.mark.usefixtures("one_thread")


def rebuild(variational=False, channels=1, code=3, **settings):
    torch.manual_seed(0)
    task = RebuildImages(**settings)
    task.bind(ImageAutoencoder(code=code, variational=variational, kind="mlp", size=SIZE, channels=channels, hidden=(32,)))
    return task


def samples_of(home, count=60, channels=1):
    return Samples.of(picture_store(home, count, SIZE, channels))


def batch_of(count, start=0, epoch=0, scale=1.0, channels=1):
    numbers = np.arange(start, start + count)
    x = np.stack([drawn_picture(int(number), SIZE, channels) for number in numbers])
    columns = {"image": torch.from_numpy((x * scale).astype(np.uint8))}
    return Batch(columns, torch.from_numpy(numbers % 2), numbers, np.zeros(count, np.int64), numbers, seed=7, epoch=epoch, total=count)


def terms(task, batch):
    return {name: term.item() for name, term in task.loss(Turn("model"), batch).items()}


def trained(task, samples, steps=150):
    player = task.players()["model"]
    optimizer = torch.optim.Adam(player.parameters, 0.01)
    batches = (batch for epoch in range(steps) for batch in Loader(samples, task.columns, seed=0, batch=len(samples)).epoch(epoch))
    for batch in batches:
        optimizer.zero_grad()
        (sum(task.loss(Turn("model"), batch).values()) / batch.total).backward()
        optimizer.step()
    return task


@pytest.fixture
def fitted(tmp_path):
    """A variational autoencoder after some steps, its training pictures, and tested ones."""
    samples = samples_of(tmp_path)
    known, tested = samples.subset(np.arange(40)), samples.subset(np.arange(40, 60))
    task = rebuild(variational=True)
    task.fit(known)
    return trained(task, known), known, tested


def test_losses_by_hand():
    """Sums over pixels and pictures of a plain network."""
    batch = batch_of(4)
    x = batch.fixed("image").float() / 255
    for loss in ("cross_entropy", "l2"):
        task = rebuild(loss=loss)
        p = torch.sigmoid(task.model(x)).double()
        wanted = -(x * p.log() + (1 - x) * (1 - p).log()) if loss == "cross_entropy" else (x - p) ** 2
        assert terms(task, batch) == {loss: pytest.approx(wanted.sum().item(), rel=1e-5)}


def test_the_divergence_has_its_weight():
    x = batch_of(4).fixed("image").float() / 255
    whole, quarter = (terms(rebuild(True, kl_weight=weight), batch_of(4)) for weight in (1.0, 0.25))
    mean, log_variance = rebuild(True).model.encode(x)
    assert whole["kl"] == pytest.approx(kl_to_standard_normal(mean, log_variance).sum().item()) and whole["kl"] > 0
    assert quarter == {"cross_entropy": whole["cross_entropy"], "kl": pytest.approx(0.25 * whole["kl"])}


@pytest.mark.parametrize("settings", [{}, {"shift": 1, "binarise": True}, {"loss": "l2"}])
def test_a_batch_costs_what_its_halves_cost(settings):
    task = rebuild(True, **settings)
    whole = terms(task, batch_of(8, scale=0.5))
    halves = [terms(task, batch_of(4, start=at, scale=0.5)) for at in (0, 4)]
    assert whole == {name: pytest.approx(halves[0][name] + halves[1][name], rel=1e-5) for name in whole}


def test_codes_shifts_and_pixels_are_drawn_anew_in_each_epoch():
    for settings in ({"binarise": True}, {"shift": 2}):
        task = rebuild(**settings)
        first, again, later = (terms(task, batch_of(6, epoch=epoch, scale=0.5)) for epoch in (0, 0, 1))
        assert first == again != later
    plain, variational = rebuild(), rebuild(True)
    assert terms(plain, batch_of(4)) == terms(plain, batch_of(4, epoch=1))
    assert terms(variational, batch_of(4))["cross_entropy"] != terms(variational, batch_of(4, epoch=1))["cross_entropy"]


def test_two_kinds_are_rebuilt_and_told_apart(tmp_path, fitted):
    task, known, tested = fitted
    new = rebuild(variational=True)
    new.fit(known)
    before, after = new.evaluate(tested).metrics, task.evaluate(tested).metrics
    assert after["mse"] < 0.5 * before["mse"] and after["elbo_nats"] < 0.7 * before["elbo_nats"]
    assert after["probe_accuracy"] > 0.8 and after["kmeans_accuracy"] >= 0.5
    assert after["iwae_nats"] < after["elbo_nats"]  # the tighter bound
    assert after["psnr"] == pytest.approx(-10 * math.log10(after["mse"] / 64))
    assert after["bits_per_dim"] == pytest.approx(after["elbo_nats"] / (64 * math.log(2)))


def test_outcomes_are_of_each_picture_and_metrics_their_means(fitted):
    task, _, tested = fitted
    report = task.evaluate(tested)
    assert [row["object"] for row in report.outcomes] == tested.objects
    assert {row["label"] for row in report.outcomes} == {"bar", "disc"}
    numbers = [{name: row[name] for name in ("mse", "elbo_nats", "iwae_nats", "kl")} for row in report.outcomes]
    assert means(numbers) == {name: pytest.approx(report.metrics[name]) for name in numbers[0]}
    right = np.mean([row["predicted"] == row["label"] for row in report.outcomes])
    assert report.metrics["probe_accuracy"] == pytest.approx(right)


@pytest.mark.parametrize("variational, loss", [(False, "cross_entropy"), (False, "l2"), (True, "l2")])
def test_what_is_no_likelihood_has_no_bounds(tmp_path, variational, loss):
    samples = samples_of(tmp_path, 20, channels=3)
    task = rebuild(variational, channels=3, loss=loss)
    task.fit(samples)
    names = {"mse", "psnr", "probe_accuracy", "kmeans_accuracy"} | ({"kl"} if variational else set())
    assert set(task.evaluate(samples).metrics) == names


def test_evaluation_is_deterministic_and_leaves_the_network_as_it_was(fitted):
    task, _, tested = fitted
    task.model.train()
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    reports = [task.evaluate(tested) for _ in range(2)]
    pictures = [[picture.pixels for picture in task.pictures(tested, reports[0])] for _ in range(2)]
    assert reports[0] == reports[1] and task.model.training
    assert all(np.array_equal(one, other) for one, other in zip(*pictures, strict=True))
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())


def test_without_labels_nothing_is_said_of_classes(tmp_path):
    samples = samples_of(tmp_path, 12)
    bare = replace(samples, labels=np.full(12, -1))
    task = rebuild()
    task.fit(bare)
    report = task.evaluate(bare)
    assert set(report.metrics) == {"mse", "psnr"} and "predicted" not in report.outcomes[0] and report.outcomes[0]["label"] == ""
    assert len(list(task.pictures(bare, report))) == 7
    with pytest.raises(TrainingError, match="have no labels of two classes"):
        task.predict(batch_of(1))


def test_predict_says_what_the_evaluation_says(fitted):
    task, _, tested = fitted
    outcomes = task.evaluate(tested).outcomes
    answers = [row for batch in Loader(tested, task.columns, seed=0, training=False).sequential(7) for row in task.predict(batch)]
    assert [row[0]["class"] for row in answers] == [outcome["predicted"] for outcome in outcomes]
    assert all(sum(one["probability"] for one in row) == pytest.approx(1) for row in answers)


def test_pictures_have_their_names_and_sizes(fitted):
    task, _, tested = fitted
    pictures = {picture.name: picture.pixels for picture in task.pictures(tested, task.evaluate(tested))}
    assert set(pictures) == {"reconstructions", "interpolation", "drawn", "manifold", "codes", "strip", "strip_truth"}
    assert pictures["strip"].shape == pictures["strip_truth"].shape == (56, 560, 3)
    manifold = pictures["manifold"]
    assert manifold.shape[0] > 15 * 42 and manifold.shape[1] > 15 * 42


def test_the_strip_of_the_truth_is_the_stored_pictures(fitted):
    task, _, tested = fitted
    truth = next(picture.pixels for picture in task.pictures(tested, task.evaluate(tested)) if picture.name == "strip_truth")
    first = drawn_picture(int(tested.objects[0][:4]), SIZE, 1)[0]
    assert np.array_equal(truth[:, :56, 0], np.kron(first, np.ones((7, 7), np.uint8)))


def test_an_autoencoder_that_answers_nothing_draws_black(fitted):
    """So pictures show what the network says, and not the truth."""
    task, _, tested = fitted
    report = task.evaluate(tested)
    with torch.no_grad():
        task.model.decoder[-2].weight.zero_()
        task.model.decoder[-2].bias.fill_(-100.0)
    strip = next(picture.pixels for picture in task.pictures(tested, report) if picture.name == "strip")
    assert strip.max() == 0


def test_the_first_batch_is_drawn_as_it_is_fed(tmp_path):
    samples = samples_of(tmp_path, 10)
    pictures = [rebuild(shift=2).batch_picture(batch_of(4, epoch=epoch), samples) for epoch in (0, 1)]
    assert pictures[0].name == "first_batch" and not np.array_equal(pictures[0].pixels, pictures[1].pixels)


@pytest.mark.parametrize("settings", [{"loss": "l1"}, {"kl_weight": -1.0}, {"kl_weight": math.nan}, {"shift": -1}, {"hide": 1.0}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(TrainingError, match="expected cross_entropy or l2, 0 or more"):
        RebuildImages(**settings)


def test_hidden_pixels_are_hidden_from_the_encoder_and_still_to_be_rebuilt(tmp_path):
    """A network that ignores its code loses the same whatever the encoder sees; another one does not, and its batch is drawn hidden."""
    samples, batch = samples_of(tmp_path, 10), batch_of(4)
    whole, part = rebuild(), rebuild(hide=0.9)
    with torch.no_grad():
        assert terms(whole, batch) != terms(part, batch)
        for task in (whole, part):
            next(layer for layer in task.model.decoder if isinstance(layer, torch.nn.Linear)).weight.zero_()
        assert terms(whole, batch) == terms(part, batch)
    shown = [task.batch_picture(batch, samples).pixels for task in (whole, part)]
    assert not np.array_equal(*shown)


def test_only_an_autoencoder_of_pictures_can_rebuild():
    for model in (None, VoxNet(("a", "b"), resolution=12)):
        with pytest.raises(TrainingError, match="needs an autoencoder of pictures"):
            RebuildImages().bind(model)


def test_pictures_that_do_not_fit_are_refused(tmp_path):
    samples = samples_of(tmp_path, 10, channels=3)
    with pytest.raises(TrainingError, match="expected pixels"):
        rebuild().fit(samples)
    task = rebuild(channels=3)
    task.fit(samples)
    with pytest.raises(TrainingError, match="no pictures"):
        task.evaluate(samples.take(0))


def test_grey_pictures_are_not_tested_where_binary_ones_are_learnt(tmp_path):
    binary, grey = samples_of(tmp_path / "a", 10), samples_of(tmp_path / "b", 10, channels=3)  # colours of 180 to 255
    rebuild(binarise=True).check_test(binary)
    rebuild(channels=3).check_test(grey)
    with pytest.raises(TrainingError, match=r"expected a test set of pixels\(binarised=True\)"):
        rebuild(channels=3, binarise=True).check_test(grey)
    with pytest.raises(TrainingError, match="expected pixels"):
        rebuild().check_test(grey)


def test_without_augmentation_nothing_is_moved_or_hidden_and_held_out_pictures_are_still_drawn():
    """As learning by heart wants it: the same at each visit. What is held out is as comparable as what is tested."""
    grey = batch_of(4, scale=0.5)
    task = rebuild(shift=2, hide=0.5, binarise=True, augment=False)
    first, again = (terms(task, replace(grey, epoch=epoch)) for epoch in (0, 1))
    assert first == again == terms(rebuild(), batch_of(4, scale=0.0))  # 127 of 255 is cut to 0
    task.model.eval()
    assert terms(task, grey) == terms(rebuild(binarise=True), grey)
