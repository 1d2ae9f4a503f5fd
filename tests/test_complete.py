"""Completion by a network: what it is fed, that a few steps learn, its loss by hand, its classifier, pictures, bad inputs."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scan_store import scan_store, shapes
from torch import nn

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.models.epn import EpnUnet
from l9.models.nin3d import Nin3d
from l9.tasks.classify_partial import ClassifyPartial
from l9.tasks.complete import Complete
from l9.tasks.completion_baselines import ScanItself
from l9.tasks.contract import Turn

COLUMNS = ("partial", "complete")
SIDE = 8


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Fixed(nn.Module):
    """Always the same answer, a parameter; keeps what it was fed."""

    def __init__(self, side, value=0.5):
        super().__init__()
        self.answer = nn.Parameter(torch.full((side,) * 3, value))

    def forward(self, x):
        self.fed = x.detach().clone()
        return self.answer.expand(len(x), -1, -1, -1)


class Small(nn.Module):
    """Three convolutions: enough for shapes of 8^3."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(2, 8, 5, padding=2), nn.ReLU(), nn.Conv3d(8, 8, 5, padding=2), nn.ReLU(), nn.Conv3d(8, 1, 3, padding=1)
        )

    def forward(self, x):
        return self.layers(x)[:, 0].abs().log1p()


def bound(model, **options):
    task = Complete(**options)
    task.bind(model)
    return task


def first_batch(samples, size=4, epoch=0):
    return next(Loader(samples, COLUMNS, seed=0, batch=size).epoch(epoch))


@pytest.fixture
def scans(tmp_path):
    return scan_store(tmp_path, *shapes(8, 2, SIDE))


def test_the_loss_is_smooth_l1_of_logarithms(scans):
    network, batch = Fixed(SIDE), first_batch(scans)
    for masked in (False, True):
        task = bound(network, augment=False, masked=masked)
        term = task.loss(Turn("model"), batch)["smooth_l1"]
        wanted = np.log(np.minimum(batch.fixed("complete").double().numpy(), 3) + 1)
        off = np.abs(0.5 - wanted)
        assert off.max() < 1  # the square part
        each = 0.5 * off**2 * ((batch.fixed("partial").numpy() < -1) if masked else 1)
        assert_allclose(float(term.detach()), each.reshape(4, -1).mean(axis=1).sum(), rtol=1e-5)
    assert_allclose(network.fed[:, 0], np.abs(batch.fixed("partial").float().numpy()), atol=1e-6)
    assert set(network.fed[:, 1].unique().tolist()) == {-1.0, 1.0}


def test_scan_and_truth_move_together(tmp_path):
    """Truth that is the scan itself stays so, however it is moved; what comes in is 3 voxels from any surface, and known."""
    random = np.random.default_rng(0)
    whole = random.uniform(0, 2.9, (6, SIDE, SIDE, SIDE))
    scans = scan_store(tmp_path, whole[:, None], whole, ["ball"] * 6)
    network = Fixed(SIDE)
    for mirror in (False, True):
        task = bound(network, mirror=mirror)
        batch = first_batch(scans, 6)
        partial, complete = task._moved(batch)
        assert torch.equal(partial, complete)
        assert (partial == 3).any() and not torch.equal(partial, batch.fixed("partial").float())
        task.loss(Turn("model"), batch)
        assert (network.fed[:, 1] == 1).all()
    again = bound(network, mirror=True)._moved(first_batch(scans, 6))[0]
    assert torch.equal(again, partial)
    assert not torch.equal(bound(network, mirror=True)._moved(first_batch(scans, 6, epoch=1))[0], partial)
    still = bound(network, augment=False)._moved(batch)[0]
    assert torch.equal(still, batch.fixed("partial").float())


def test_a_few_steps_learn_what_lies_behind(scans):
    torch.manual_seed(0)
    network = Small()
    task = bound(network, shift=1)
    task.fit(scans)
    (player,) = task.players().values()
    optimizer = torch.optim.Adam(player.parameters, lr=1e-2)
    for epoch in range(40):
        for batch in Loader(scans, COLUMNS, seed=0, batch=8).epoch(epoch):
            loss = sum(task.loss(Turn("model"), batch).values()) / batch.total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.train()
    learnt, alone = task.evaluate(scans).metrics["l1_unknown"], ScanItself().evaluate(scans).metrics["l1_unknown"]
    assert learnt < 0.6 * alone
    assert network.training


def test_answers_are_distances(scans):
    batch = first_batch(scans)
    answers = bound(Fixed(SIDE, float(np.log(2.75)))).answers(batch)
    assert_allclose(answers.detach(), 1.75, rtol=1e-6)


def test_pictures(tmp_path):
    scans = scan_store(tmp_path, *shapes(3, 1, 16))
    task = bound(Fixed(16))
    assert task.batch_picture(first_batch(scans, 3), scans).pixels.ndim == 3
    (picture,) = task.pictures(scans, task.evaluate(scans))  # a constant answer has no surface: white there, and no error
    assert picture.name == "completions"


def test_classify_partial_scans(tmp_path):
    """Fed 0 and 1; a few steps tell balls from boxes; the picture of a batch."""
    torch.manual_seed(0)
    scans = scan_store(tmp_path, *shapes(8, 2, 32))
    network = Nin3d(scans.classes, width=6)
    task = ClassifyPartial(scans.classes, mirror=True)
    task.bind(network)
    task.fit(scans)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for epoch in range(20):
        for batch in Loader(scans, task.columns, seed=0, batch=8).epoch(epoch):
            fed = task._fed(batch)
            assert fed.shape == (8, 2, 32, 32, 32) and set(fed.unique().tolist()) == {0.0, 1.0}
            loss = task.loss(Turn("model"), batch)["cross_entropy"] / batch.total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert task.evaluate(scans).metrics["accuracy"] >= 0.9
    assert task.batch_picture(batch, scans).pixels.ndim == 3
    assert {picture.name for picture in task.pictures(scans, task.evaluate(scans))} == {"confusion", "worst_mistakes"}


def test_what_cannot_be_trained_says_so(tmp_path, scans):
    with pytest.raises(TrainingError, match=r"Complete needs a network.*EpnUnet"):
        Complete().bind(None)
    with pytest.raises(TrainingError, match="scans have 8 voxels along each edge, and EpnUnet takes 32; expected resolution=32"):
        bound(EpnUnet(width=2)).fit(scans)
    with pytest.raises(TrainingError, match="no scans to complete"):
        bound(Fixed(SIDE)).fit(scans.take(0))
    with pytest.raises(TrainingError, match="its classifier has no weights; expected init"):
        bound(EpnUnet(scans.classes, True, width=2, classifier_width=3)).initialise(first_batch(scans))
    bound(EpnUnet(width=2)).initialise(first_batch(scans))
    bound(Fixed(SIDE)).initialise(first_batch(scans))
    unlabelled = scan_store(tmp_path / "other", *shapes(2, 1, SIDE)[:2], ["", ""])
    with pytest.raises(TrainingError, match="no label"):
        ClassifyPartial(()).fit(unlabelled)
