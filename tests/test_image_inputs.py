"""Pictures as `Classify` is fed them: values, augmentation by sample, one vote, few labels, tiles, pages."""

import dataclasses

import numpy as np
import pytest
import torch
from picture_store import CLASSES, picture_store

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.image_vae import ImageClassifier
from l9.tasks.classify import Classify
from l9.tasks.contract import Turn
from l9.tasks.image_inputs import ImageInputs

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = {"shift": 0, "turn": 0, "stretch": 0}


def classify(channels=1, **settings):
    torch.manual_seed(0)
    task = Classify(CLASSES, inputs="image", **settings)
    task.bind(ImageClassifier(CLASSES, code=8, size=8, channels=channels, width=4))
    return task


def samples_of(home, channels=1, part="train"):
    return Samples.of(picture_store(home, channels=channels), part=part)


def batch_of(samples, task, count=12, epoch=0):
    batch = next(Loader(samples.take(count), task.columns, seed=5, training=False).sequential())
    return dataclasses.replace(batch, epoch=epoch)


def part_of(batch, first, last):
    """The samples from `first` to before `last`, as another rank or micro-batch has them."""
    arrays = (batch.samples, batch.items, batch.positions)
    columns = {name: values[first:last] for name, values in batch.columns.items()}
    return Batch(columns, batch.labels[first:last], *(array[first:last] for array in arrays), batch.seed, batch.epoch, batch.total)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_fed_from_0_to_1(tmp_path, channels):
    samples = samples_of(tmp_path, channels)
    task = classify(channels)
    batch = batch_of(samples, task)
    plain = task.inputs.plain(batch)
    assert plain.shape == (12, channels, 8, 8) and plain.dtype == torch.float32
    assert torch.equal((plain * 255).round().to(torch.uint8), batch.fixed("image"))
    assert torch.equal(task.inputs.turned(batch, 0, 1), plain)
    warped = task.inputs.augmented(batch)
    assert warped.shape == plain.shape and warped.min() >= 0 and warped.max() <= 1 + 1e-6
    assert (warped - plain).flatten(1).abs().amax(1).min() > 0.02  # every one is moved


@pytest.mark.parametrize("settings", [{}, {"elastic": 1.0}, {"mirror": True}])
def test_a_sample_is_moved_the_same_in_whatever_batch_it_is(tmp_path, settings):
    task = classify(**settings)
    batch = batch_of(samples_of(tmp_path), task)
    whole = task.inputs.augmented(batch)
    assert torch.equal(whole, torch.cat([task.inputs.augmented(part_of(batch, *ends)) for ends in ((0, 5), (5, 12))]))
    assert torch.equal(whole, task.inputs.augmented(batch))
    assert not torch.allclose(whole, task.inputs.augmented(dataclasses.replace(batch, epoch=1)), atol=0.01)


def test_each_option_moves_and_without_any_a_picture_stands_still(tmp_path):
    samples = samples_of(tmp_path)
    batch = batch_of(samples, classify())
    plain = classify().inputs.plain(batch)
    torch.testing.assert_close(classify(**STILL).inputs.augmented(batch), plain, rtol=0, atol=1e-5)
    for option, value in (("shift", 1), ("turn", 20), ("stretch", 0.2), ("elastic", 0.5)):
        moved = classify(**(STILL | {option: value})).inputs.augmented(batch)
        assert (moved - plain).flatten(1).abs().amax(1).median() > 0.02, option


def test_digits_are_not_mirrored_unless_asked(tmp_path):
    """By default no picture comes out mirrored; where asked, about half of them."""
    batch = batch_of(samples_of(tmp_path), classify(), count=36)
    plain = classify().inputs.plain(batch)
    lopsided = plain * torch.linspace(0.2, 1, 8)
    batch.columns["image"] = (lopsided * 255).to(torch.uint8)
    same = classify(**STILL).inputs.augmented(batch)
    asked = classify(**STILL, mirror=True).inputs.augmented(batch)
    mirrored = (asked - same).flatten(1).abs().amax(1) > 0.01
    assert 8 <= mirrored.sum() <= 28 and torch.allclose(asked[mirrored], same[mirrored].flip(3), atol=1e-4)
    torch.testing.assert_close(same, lopsided, rtol=0, atol=0.005)  # stored as bytes


def test_the_default_is_one_vote_and_more_are_refused_before_any_step(tmp_path):
    samples = samples_of(tmp_path)
    assert classify().votes == 1 and Classify(CLASSES).votes == 12
    classify().fit(samples)
    with pytest.raises(TrainingError, match="votes is 12 and pictures are not turned about an axis; expected 1"):
        classify(votes=12).fit(samples)


@pytest.mark.parametrize("settings", [{"stretch": 1.0}, {"turn": -1}, {"shift": -1}, {"elastic": -0.5}])
def test_settings_that_warp_nothing_sensible_are_refused(settings):
    with pytest.raises(TrainingError, match="expected 0 or more each, and stretch below 1"):
        classify(**settings)


def test_two_kinds_of_pictures_are_told_apart_from_few_labels(tmp_path):
    """A hand-made loop over 12 labels; held-out pictures are evaluated as they stand, and twice with one answer."""
    samples = samples_of(tmp_path)
    task = classify(labels=12, lr=0.01, shift=1)
    learnt = task.learnt(samples, seed=0)
    assert len(learnt) == 12
    task.fit(learnt)
    optimizer = torch.optim.Adam(task.players()["model"].parameters, 0.01)
    loader = Loader(learnt, task.columns, seed=0, batch=12)
    for epoch in range(60):
        for batch in loader.epoch(epoch):
            optimizer.zero_grad()
            (task.loss(Turn("model"), batch)["cross_entropy"] / batch.total).backward()
            optimizer.step()
    tested = samples_of(tmp_path / "tested", part="test")
    report = task.evaluate(tested)
    assert report.metrics["accuracy"] >= 0.9 and report.metrics == task.evaluate(tested).metrics
    assert {row["votes"] for row in report.outcomes} == {1}
    batch = next(Loader(tested, task.columns, seed=0, training=False).sequential())
    assert [best[0]["class"] for best in task.predict(batch)] == [row["predicted"] for row in report.outcomes]


@pytest.mark.parametrize("channels", [1, 3])
def test_pages_show_the_pictures(tmp_path, channels):
    """The batch as it is fed, and mistakes by the stored picture: bright pixels on black tiles."""
    samples = samples_of(tmp_path, channels)
    task = classify(channels)
    fed = task.batch_picture(batch_of(samples, task), samples)
    pages = {page.name: page for page in task.pictures(samples, task.evaluate(samples))}
    assert fed.name == "first_batch" and set(pages) == {"confusion", "worst_mistakes"}
    for page in (fed, pages["worst_mistakes"]):
        assert ((page.pixels < 10).all(-1)).mean() > 0.2 and page.pixels.shape[1] > 300


def test_a_tile_is_the_picture_enlarged():
    sample = torch.zeros(1, 4, 4)
    sample[0, 1, 2] = 1
    tile = ImageInputs(2, False, 15, 0.15, 0).tile(sample, 16)
    expected = np.zeros((16, 16, 3), np.uint8)
    expected[4:8, 8:12] = 255
    assert np.array_equal(tile, expected)
