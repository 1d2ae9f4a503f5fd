"""Rebuilding toy grids: losses by hand, metrics by hand, one seed one result, neighbours, pictures, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_classify import CLASSES, R, batch_of, ink, labels_of, shapes, trained
from toy_stores import store_of

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.models.voxel_vae import VoxelAutoencoder
from l9.models.voxnet import VoxNet
from l9.tasks.code_pictures import shown_numbers
from l9.tasks.contract import Report, Turn
from l9.tasks.neighbours import Nearest, code_distances, grid_distances, two_dimensions
from l9.tasks.normal_codes import kl_to_standard_normal
from l9.tasks.reconstruct import Reconstruct
from l9.tasks.voxel_codes import rebuilt_rows
from l9.tasks.voxel_losses import CLIP, stretched_cross_entropy, voxel_cross_entropy

pytestmark = pytest.mark.usefixtures("one_thread")


def reconstruct(variational=False, **settings):
    torch.manual_seed(0)
    task = Reconstruct(**settings)
    task.bind(VoxelAutoencoder(code=6, variational=variational, resolution=R, width=4))
    return task


def toys(home, count=16):
    return store_of(home, {"occupancy": shapes(count)}, labels_of(count))


def of_network(task, batch):
    """Terms of the loss as the loop asks for them."""
    return task.loss(Turn("model"), batch)


def test_weighted_cross_entropy_by_hand():
    """One occupied voxel answered 0.8, one empty answered 0.3."""
    logits = torch.logit(torch.tensor([[0.8, 0.3]], dtype=torch.float64))
    occupied = torch.tensor([[True, False]])
    for gamma in (0.5, 0.97):
        expected = -2 * gamma * math.log(0.8) - 2 * (1 - gamma) * math.log(0.7)
        assert voxel_cross_entropy(logits, occupied, gamma).item() == pytest.approx(expected)


def test_stretched_cross_entropy_by_hand():
    """Targets 2 and -1, outputs 0.1 + 0.9 p."""
    logits = torch.logit(torch.tensor([[0.8, 0.3]], dtype=torch.float64))
    one, other, gamma = 0.1 + 0.9 * 0.8, 0.1 + 0.9 * 0.3, 0.97
    expected = -2 * gamma * (2 * math.log(one) - math.log(other)) - 2 * (1 - gamma) * (-math.log(1 - one) + 2 * math.log(1 - other))
    assert stretched_cross_entropy(logits, torch.tensor([[True, False]]), gamma).item() == pytest.approx(expected)


def test_stretched_cross_entropy_has_a_lower_bound():
    """However sure the answer, 1 - output counts as 1e-7 at least: and there the gradient is 0 and finite."""
    logits = torch.tensor([[500.0]], requires_grad=True)
    loss = stretched_cross_entropy(logits, torch.tensor([[True]]), 0.97)
    loss.backward()
    assert loss.item() == pytest.approx(2 * 0.03 * math.log(CLIP), rel=1e-5) and logits.grad.item() == 0.0


def test_stretched_gradients_are_larger_where_the_answer_is_nearly_right():
    """What the paper changes the ranges for."""
    slopes = []
    for loss in (voxel_cross_entropy, stretched_cross_entropy):
        logits = torch.logit(torch.tensor([[0.95]])).requires_grad_()
        loss(logits, torch.tensor([[True]]), 0.97).backward()
        slopes.append(-logits.grad.item())
    assert slopes[1] > 1.5 * slopes[0] > 0


def test_divergence_from_the_standard_normal():
    """0 for it itself; else the integral of p ln(p / q), here summed over a fine lattice."""
    assert kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0
    mean, deviation = 0.7, 0.4
    x = np.linspace(-6, 6, 200_001)
    p = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    ratio = -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation) + 0.5 * x**2
    expected = float((p * ratio).sum() * (x[1] - x[0]))
    found = kl_to_standard_normal(torch.tensor([[mean]]), torch.tensor([[2 * math.log(deviation)]])).item()
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("settings", [{}, {"gamma": 0.97}, {"gamma": 0.97, "stretched": True}])
def test_loss_is_a_sum_over_samples(settings):
    """A batch of eight gives what its two halves give together, augmentation and noise included."""
    task = reconstruct(variational=True, **settings)
    task.model.eval()
    whole = of_network(task, batch_of({"occupancy": shapes(8)}, total=8))
    halves = [of_network(task, batch_of({"occupancy": shapes(8)[at : at + 4]}, start=at, total=8)) for at in (0, 4)]
    assert set(whole) == {"cross_entropy", "kl"}
    for name, term in whole.items():
        torch.testing.assert_close(term, halves[0][name] + halves[1][name], rtol=1e-4, atol=1e-3)


def test_codes_are_drawn_in_training_by_seed_epoch_and_position():
    task = reconstruct(variational=True, augment=False)
    task.model.eval()
    first, again, later = (of_network(task, batch_of({"occupancy": shapes(4)}, epoch=epoch))["cross_entropy"] for epoch in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, later)
    plain = reconstruct(augment=False)
    plain.model.eval()
    terms = [of_network(plain, batch_of({"occupancy": shapes(4)}, epoch=epoch)) for epoch in (0, 1)]
    assert set(terms[0]) == {"cross_entropy"} and torch.equal(terms[0]["cross_entropy"], terms[1]["cross_entropy"])


def test_the_weight_of_the_divergence():
    terms = []
    for weight in (1.0, 0.25):
        task = reconstruct(variational=True, kl_weight=weight)
        task.model.eval()
        terms.append(of_network(task, batch_of({"occupancy": shapes(4)}))["kl"].item())
    assert terms[1] == pytest.approx(0.25 * terms[0]) and terms[0] > 0


@pytest.mark.parametrize("variational", [False, True])
def test_two_shapes_are_rebuilt_and_told_apart(tmp_path, variational):
    samples = toys(tmp_path)
    task = reconstruct(variational, augment=False, lr=0.01)
    task.fit(samples)
    before = task.evaluate(samples).metrics["iou"]
    metrics = trained(task, samples, steps=60).evaluate(samples).metrics
    assert metrics["iou"] > 0.6 > before and metrics["bce"] < 0.1
    assert metrics["knn_accuracy"] == 1.0 and ("kl" in metrics) == variational


def test_evaluation_is_deterministic_and_leaves_the_network_as_it_was(tmp_path):
    samples = toys(tmp_path, 6)
    task = reconstruct(variational=True)
    task.fit(samples)
    task.model.train()
    statistics = {name: value.clone() for name, value in task.model.state_dict().items()}
    reports = [task.evaluate(samples) for _ in range(2)]
    list(task.pictures(samples, reports[0]))
    assert reports[0].outcomes == reports[1].outcomes and reports[0].metrics == reports[1].metrics
    assert task.model.training and all(torch.equal(value, statistics[name]) for name, value in task.model.state_dict().items())


def test_overlap_and_entropy_by_hand():
    """Of two voxels answered one is right and one of three true ones is missed: 1 of 4. An empty grid answered empty is right."""
    occupied = torch.zeros(3, 1, 2, 2, 2, dtype=torch.bool)
    logits = torch.full((3, 1, 2, 2, 2), -2.0)
    occupied[0, 0, 0, 0] = occupied[1, 0, 0, 0] = True
    logits[0, 0, 0, 0, 0] = logits[0, 0, 1, 1, 1] = 2.0
    rows = rebuilt_rows(logits, occupied)
    assert [row["iou"] for row in rows] == [pytest.approx(1 / 3), 0.0, 1.0]
    right, wrong = -math.log(1 / (1 + math.exp(-2.0))), -math.log(1 / (1 + math.exp(2.0)))
    assert rows[0]["bce"] == pytest.approx((6 * right + 2 * wrong) / 8, rel=1e-5)


def test_an_empty_grid_is_learnt_from_and_judged(tmp_path):
    grids = shapes(8)
    grids[3] = 0
    samples = store_of(tmp_path, {"occupancy": grids}, labels_of(8))
    task = reconstruct(variational=True)
    task.fit(samples)
    assert all(term.isfinite() for term in of_network(task, batch_of({"occupancy": grids})).values())
    report = task.evaluate(samples)
    assert 0 <= report.outcomes[3]["iou"] <= 1 and math.isfinite(report.outcomes[3]["bce"])
    assert [picture.name for picture in task.pictures(samples, report)] == ["reconstructions", "morph", "codes", "drawn"]


def test_grids_of_another_resolution_are_refused_before_any_step(tmp_path):
    samples = store_of(tmp_path, {"occupancy": np.zeros((2, 1, 16, 16, 16), np.uint8)}, labels_of(2))
    task = reconstruct()
    with pytest.raises(TrainingError, match=r"grids of 16 voxels and the network takes 12; expected VoxelAutoencoder\(resolution=16\)"):
        task.fit(samples)
    with pytest.raises(TrainingError, match="no samples to rebuild"):
        task.fit(samples.take(0))


def test_only_an_autoencoder_can_rebuild():
    for model in (None, VoxNet(CLASSES, resolution=R)):
        with pytest.raises(TrainingError, match="needs an autoencoder"):
            Reconstruct().bind(model)


@pytest.mark.parametrize("settings", [{"gamma": 0.0}, {"gamma": 1.0}, {"kl_weight": -1.0}, {"neighbours": 0}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(TrainingError, match="expected between 0 and 1"):
        Reconstruct(**settings)


def test_without_labels_nothing_is_said_of_neighbours(tmp_path):
    samples = toys(tmp_path, 4)
    bare = replace(samples, labels=np.full(4, -1))
    task = reconstruct()
    task.fit(bare)
    report = task.evaluate(samples)
    assert set(report.metrics) == {"iou", "bce"} and "predicted" not in report.outcomes[0]
    assert [picture.name for picture in task.pictures(bare, report)] == ["reconstructions", "morph", "codes", "drawn"]
    with pytest.raises(TrainingError, match="no training object of this autoencoder has a label"):
        task.predict(next(Loader(samples, task.columns, seed=0).sequential()))


def test_neighbours_answer_by_votes_then_by_nearness():
    distances = np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    labels = np.array([0, 1, 1, 2])

    def ranked(neighbours, parts=((0, 4),)):
        nearest = Nearest(neighbours)
        for start, stop in parts:
            nearest.see(distances[:, start:stop], labels[start:stop])
        return nearest.ranked()

    assert ranked(1) == [[(0, 1.0)], [(2, 1.0)]]
    assert ranked(2) == [[(0, 0.5), (1, 0.5)], [(2, 0.5), (1, 0.5)]]  # one vote each: the nearer one
    assert [row[0] for row in ranked(3)] == [(1, pytest.approx(2 / 3))] * 2
    assert ranked(9) == [[(1, 0.5), (0, 0.25), (2, 0.25)], [(1, 0.5), (2, 0.25), (0, 0.25)]]  # of all there are
    for parts in (((0, 1), (1, 4)), ((0, 2), (2, 3), (3, 4))):
        assert all(ranked(count, parts) == ranked(count) for count in (1, 2, 3, 9))


def test_a_prediction_is_what_the_evaluation_says(tmp_path):
    """Ties between classes too: three neighbours of three classes, of which the nearest counts."""
    samples = toys(tmp_path, 12)
    ties = replace(samples, labels=np.arange(12) % 6, classes=("a", "b", "c", "d", "e", "f"))
    task = reconstruct(neighbours=3)
    task.fit(ties)
    outcomes = task.evaluate(ties).outcomes
    answers = [row for batch in Loader(ties, task.columns, seed=0, training=False).sequential(5) for row in task.predict(batch)]
    assert [row[0]["class"] for row in answers] == [outcome["predicted"] for outcome in outcomes]
    assert any(row[0]["probability"] < 0.5 for row in answers)


def test_distances():
    random = np.random.default_rng(0)
    one, other = random.normal(size=(3, 5)), random.normal(size=(4, 5))
    np.testing.assert_allclose(code_distances(one, other), np.square(one[:, None] - other).sum(axis=2), atol=1e-12)
    grids = (random.random((300, 40)) < 0.5).astype(np.uint8)
    assert np.array_equal(grid_distances(grids, grids[:7]), (grids[:, None] != grids[:7]).sum(axis=2))


def test_two_dimensions_hold_most_of_the_variance():
    """Points along (3, 4) / 5 and a little across it: the shares are those of the variances, signs are fixed."""
    along, across = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.1, -0.1, -0.1, 0.1])
    codes = along[:, None] * [0.6, 0.8, 0.0] + across[:, None] * [-0.8, 0.6, 0.0] + [5.0, 6.0, 7.0]
    places, shares = two_dimensions(codes)
    np.testing.assert_allclose(places[:, 0], along, atol=1e-9)
    np.testing.assert_allclose(np.abs(places[:, 1]), 0.1, atol=1e-9)
    assert shares == (pytest.approx(10 / 10.04), pytest.approx(0.04 / 10.04))
    flat, none = two_dimensions(np.ones((1, 1)))
    assert flat.tolist() == [[0.0, 0.0]] and none == (0.0, 0.0)


def test_predict_gives_the_classes_of_the_nearest_codes(tmp_path):
    samples = toys(tmp_path, 6)
    task = reconstruct(neighbours=1)
    task.fit(samples)
    answers = task.predict(next(Loader(samples, task.columns, seed=0).sequential()))
    assert [best[0] for best in answers] == [{"class": name, "probability": 1.0} for name in labels_of(6)]  # each is its own neighbour


def test_pictures_show_objects_and_what_is_rebuilt(tmp_path):
    """Eight columns of two surfaces, and a strip of nine; where the network answers nothing, nothing is drawn."""
    samples = toys(tmp_path, 10)
    task = reconstruct(augment=False, lr=0.01, morph="slab")
    task.fit(samples)
    trained(task, samples, steps=40)
    report = task.evaluate(samples)
    page, strip, codes, drawn = task.pictures(samples, report)
    assert ink(page)[40:190, :200].sum() > 500 and ink(page)[210:350, :200].sum() > 500
    assert strip.pixels.shape[1] > 9 * 168 and ink(strip)[:, -200:].sum() > 500
    assert (codes.name, drawn.name) == ("codes", "drawn") and codes.pixels.shape[:2] == (640, 940)
    with torch.no_grad():
        task.model.decoder[-1].bias.fill_(-100.0)
    silent = next(iter(task.pictures(samples, Report({}, outcomes=report.outcomes))))
    assert ink(silent)[40:190, :200].sum() > 500 and ink(silent)[210:345, :200].sum() == 0


def test_the_first_batch_is_drawn_as_it_is_fed(tmp_path):
    samples = toys(tmp_path, 4)
    pictures = [reconstruct().batch_picture(batch_of({"occupancy": shapes(4)}, epoch=epoch), samples) for epoch in (0, 1)]
    assert pictures[0].name == "first_batch" and not np.array_equal(pictures[0].pixels, pictures[1].pixels)


def test_shown_numbers_are_evenly_spread():
    assert shown_numbers(3) == [0, 1, 2] and shown_numbers(15) == [0, 2, 4, 6, 8, 10, 12, 14] and shown_numbers(1) == [0]
