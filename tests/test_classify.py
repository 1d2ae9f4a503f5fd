"""Classification of toy shapes: sums, poses, votes, metrics on hand-made confusions, pictures."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_stores import store_of

from l9.data.batch import Batch
from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.models.pointnet import PointNet
from l9.models.voxnet import VoxNet
from l9.tasks.classify import Classify
from l9.tasks.contract import Report, Turn
from l9.tasks.inputs import log_box_size
from l9.tasks.pictures import classification_pictures
from l9.tasks.scores import accuracies, best_answers, classification_report, confusion_counts

CLASSES = ("pole", "slab")
R = 12  # voxels along an edge


pytestmark = pytest.mark.usefixtures("one_thread")


def shapes(count, rotations=4, seed=0):
    """`count` grids (n, rotations, R, R, R): even ones a thin pole along y, odd ones a slab in x and z; thickness varies."""
    random = np.random.default_rng(seed)
    grids = np.zeros((count, R, R, R), np.uint8)
    for number in range(count):
        thick = int(random.integers(1, 3))
        grids[number, 5 : 5 + thick, 1:11, 5:7] = 1 - number % 2
        if number % 2:
            grids[number, 1:11, 5 : 5 + thick, 2:10] = 1
    return np.stack([np.rot90(grids, -quarter, axes=(1, 3)) for quarter in range(rotations)], axis=1)


def clouds(count, points=64, seed=0):
    """Points of the same two shapes, in the unit sphere."""
    random = np.random.default_rng(seed)
    thin = random.uniform(-0.05, 0.05, (count, points, 3))
    thin[0::2, :, 1] = random.uniform(-0.9, 0.9, (len(thin[0::2]), points))
    thin[1::2, :, 0] = random.uniform(-0.6, 0.6, (len(thin[1::2]), points))
    thin[1::2, :, 2] = random.uniform(-0.6, 0.6, (len(thin[1::2]), points))
    return thin.astype(np.float32)


def batch_of(columns, start=0, total=None, epoch=0):
    count = len(next(iter(columns.values())))
    numbers = np.arange(start, start + count)
    return Batch(
        {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in columns.items()},
        torch.from_numpy(numbers % 2),
        numbers,
        np.zeros(count, np.int64),
        numbers,
        seed=7,
        epoch=epoch,
        total=total or count,
    )


def classify(model=None, **settings):
    torch.manual_seed(0)
    task = Classify(CLASSES, **settings)
    task.bind(model or VoxNet(CLASSES, resolution=R))
    return task


def labels_of(count):
    return [CLASSES[number % 2] for number in range(count)]


def trained(task, samples, steps=30):
    """A hand-made loop: sums divided by the total, as the contract says."""
    player = task.players()["model"]
    optimizer = torch.optim.Adam(player.parameters, player.lr)
    loader = Loader(samples, task.columns, seed=0, batch=8)
    task.model.train()
    while steps:
        for batch in loader.epoch(steps):
            optimizer.zero_grad()
            (sum(task.loss(Turn("model"), batch).values()) / batch.total).backward()
            optimizer.step()
            steps -= 1
            if not steps:
                break
    return task


class Fixed(torch.nn.Module):
    """Scores that are a stated function of the input alone."""

    def __init__(self, function):
        super().__init__()
        self.function, self.scale = function, torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.function(x) * self.scale


def test_voxels_two_shapes_are_told_apart(tmp_path):
    samples = store_of(tmp_path, {"occupancy": shapes(16)}, labels_of(16))
    task = trained(classify(votes=4, shift=1), samples)
    assert task.evaluate(samples).metrics["accuracy"] == 1.0


def test_points_two_shapes_are_told_apart(tmp_path):
    samples = store_of(tmp_path, {"points": clouds(16)}, labels_of(16))
    task = trained(classify(PointNet(CLASSES), inputs="points", points=32, votes=3, lr=1e-4), samples, steps=55)
    assert task.evaluate(samples).metrics["accuracy"] == 1.0


@pytest.mark.parametrize("inputs", ["occupancy", "points"])
def test_loss_is_a_sum_over_samples(inputs):
    """A batch of eight gives what its two halves give together, augmentation and regulariser included."""
    values = {"occupancy": shapes(8), "points": clouds(8)}[inputs]
    task = classify(VoxNet(CLASSES, R) if inputs == "occupancy" else PointNet(CLASSES), inputs=inputs, points=40)
    if inputs == "points":
        torch.nn.init.normal_(task.model.feature_transform.matrix.weight, std=0.05)  # away from the identity: something to penalise
    task.model.eval()
    whole = task.loss(Turn("model"), batch_of({inputs: values}, total=8))
    halves = [task.loss(Turn("model"), batch_of({inputs: values[at : at + 4]}, start=at, total=8)) for at in (0, 4)]
    assert set(whole) == ({"cross_entropy"} if inputs == "occupancy" else {"cross_entropy", "transform"})
    for name, term in whole.items():
        assert term.item() > 0
        torch.testing.assert_close(term, halves[0][name] + halves[1][name], rtol=1e-4, atol=1e-5)


def test_regulariser_is_the_sum_over_the_batch_once_divided():
    """0.0005 * sum of ||A A^T - I||^2: with A = 2 I for each of 4 samples of a cut of 10, 0.0005 * 4 * 576."""
    task = classify(PointNet(CLASSES), inputs="points", points=40)
    with torch.no_grad():
        task.model.feature_transform.matrix.bias.copy_(2 * torch.eye(64).flatten())
    term = task.loss(Turn("model"), batch_of({"points": clouds(4)}, total=10))["transform"]
    assert term.item() / 10 == pytest.approx(0.0005 * 4 * 576, rel=1e-5)


def test_loss_starts_at_knowing_nothing():
    task = classify()
    loss = task.loss(Turn("model"), batch_of({"occupancy": shapes(8)}))["cross_entropy"].item() / 8
    assert task.start_loss() == math.log(2) and loss == pytest.approx(math.log(2), abs=0.1)


def test_label_smoothing_is_used():
    batch = batch_of({"occupancy": shapes(4)})
    sure = Fixed(lambda x: torch.nn.functional.one_hot(torch.arange(len(x)) % 2, 2) * 20.0)
    plain, smooth = (classify(sure, label_smoothing=share).loss(Turn("model"), batch)["cross_entropy"] for share in (0.0, 0.1))
    assert plain.item() < 1e-3 and smooth.item() == pytest.approx(4 * 0.05 * 20, rel=1e-3)


def test_grids_are_fed_as_minus_and_plus_one():
    fed = classify(augment=False).inputs.plain(batch_of({"occupancy": shapes(2)}))
    assert fed.shape == (2, 1, R, R, R) and fed.dtype == torch.float32 and set(fed.unique().tolist()) == {-1.0, 1.0}


def test_poses_differ_by_epoch_and_repeat_for_one_seed():
    task, columns = classify(), {"occupancy": shapes(8)}
    first, again, later = (task.inputs.augmented(batch_of(columns, epoch=epoch)) for epoch in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, later)


def test_every_rotation_mirror_and_shift_is_drawn():
    """One voxel, marked by rotation, over many epochs: every stored rotation, both mirrors, and every shift up to 2 turn up."""
    grid = np.zeros((1, 3, R, R, R), np.uint8)
    for rotation in range(3):
        grid[0, rotation, 2, 3 + 2 * rotation, 5] = 1
    task = classify()
    found = [np.argwhere(task.inputs.augmented(batch_of({"occupancy": grid}, epoch=epoch))[0, 0].numpy() > 0)[0] for epoch in range(600)]
    x, y, z = np.array(found).T
    assert set(x) == {0, 1, 2, 3, 4} | {7, 8, 9, 10, 11}  # 2 +- 2, and mirrored 9 +- 2
    assert set(z) == {3, 4, 5, 6, 7} | {4, 5, 6, 7, 8}
    assert set(y) == set(range(1, 10))  # 3, 5 and 7 +- 2: up is never mirrored


def test_rotation_and_shift_are_drawn_apart():
    """No shift is tied to a rotation: all pairs of the two occur."""
    grid = np.zeros((1, 2, R, R, R), np.uint8)
    grid[0, 0, 5, 5, 5] = grid[0, 1, 5, 5:7, 5] = 1
    task = classify(mirror=False)
    pairs = set()
    for epoch in range(300):
        fed = task.inputs.augmented(batch_of({"occupancy": grid}, epoch=epoch))[0, 0].numpy() > 0
        pairs.add((int(fed.sum()), int(np.argwhere(fed)[0, 0])))
    assert pairs == {(size, x) for size in (1, 2) for x in (3, 4, 5, 6, 7)}


def test_without_augmentation_objects_are_fed_as_they_stand():
    columns = {"occupancy": shapes(3), "points": clouds(3)}
    grids = classify(augment=False)._fed(batch_of(columns))
    assert torch.equal(grids[:, 0] > 0, torch.from_numpy(columns["occupancy"][:, 0].copy()) > 0)
    points = classify(PointNet(CLASSES), inputs="points", points=40, augment=False)._fed(batch_of(columns))
    assert torch.equal(points, torch.from_numpy(columns["points"][:, :40]))


def test_points_are_turned_about_up_and_jittered():
    """Heights and distances from the vertical stay as they are but for noise of at most 0.05."""
    stored = clouds(4, points=40)
    fed = classify(PointNet(CLASSES), inputs="points", points=40).inputs.augmented(batch_of({"points": stored})).numpy()
    heights, radii = np.sort(fed[..., 1], axis=1), np.sort(np.hypot(fed[..., 0], fed[..., 2]), axis=1)
    assert np.abs(heights - np.sort(stored[..., 1], axis=1)).max() <= 0.05 + 1e-6
    assert np.abs(radii - np.sort(np.hypot(stored[..., 0], stored[..., 2]), axis=1)).max() <= 0.05 * math.sqrt(2) + 1e-6
    assert np.abs(np.sort(fed[..., 0], axis=1) - np.sort(stored[..., 0], axis=1)).max() > 0.1


def test_votes_make_the_answer_the_same_for_every_turn(tmp_path):
    """Summed over all four quarter turns, scores cannot depend on which of them the object was stored in."""
    grids = shapes(6)
    turned = np.roll(grids, 1, axis=1)
    task = classify(VoxNet(CLASSES, R), votes=4)
    reports = [
        task.evaluate(store_of(tmp_path / str(number), {"occupancy": values}, labels_of(6)))
        for number, values in enumerate((grids, turned))
    ]
    alone = [
        classify(task.model, votes=1).evaluate(store_of(tmp_path / f"{number} alone", {"occupancy": values}, labels_of(6)))
        for number, values in enumerate((grids, turned))
    ]
    assert reports[0].metrics["loss"] == pytest.approx(reports[1].metrics["loss"], rel=1e-9)
    assert alone[0].metrics["loss"] != pytest.approx(alone[1].metrics["loss"], rel=1e-9)


def test_scores_are_summed_before_the_argmax(tmp_path):
    """One vote of 10 for "slab" beats three of 1 for "pole": scores are summed, not counted."""
    grids = np.zeros((2, 4, R, R, R), np.uint8)
    grids[0, 2] = 1
    model = Fixed(lambda x: torch.where(x.flatten(1).mean(1, keepdim=True) > 0, torch.tensor([[0.0, 10.0]]), torch.tensor([[1.0, 0.0]])))
    report = classify(model, votes=4).evaluate(store_of(tmp_path, {"occupancy": grids}, labels_of(2)).subset([0]))
    assert report.outcomes == [
        {
            "object": "toy/0000.obj",
            "label": "pole",
            "predicted": "slab",
            "probability": pytest.approx(1 / (1 + math.exp(-(10 - 3) / 4))),
            "votes_agreeing": 1,
            "votes": 4,
        }
    ]


def hand_made(tmp_path):
    """Seven objects of three classes, one class never seen, and their probabilities."""
    labels = ["a", "a", "a", "a", "b", "b", "c"]
    samples = store_of(tmp_path, {"occupancy": np.zeros((7, 1, 4, 4, 4), np.uint8)}, labels)
    rows = [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0.0], [0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]]
    return samples, np.array(rows)


def test_metrics_of_a_hand_made_confusion(tmp_path):
    samples, probabilities = hand_made(tmp_path)
    report = classification_report(samples, probabilities)
    right = [0.8, 0.6, 0.2, 0.1, 0.25, 0.8, 1.0]
    assert report.metrics == {
        "accuracy": pytest.approx(4 / 7),
        "class_accuracy": pytest.approx((2 / 4 + 1 / 2 + 1) / 3),
        "loss": pytest.approx(-np.log(right).mean()),
    }
    assert report.tables["classes"] == [
        {"class": "a", "count": 4, "accuracy": 0.5, "most_confused_with": "b", "times": 2},
        {"class": "b", "count": 2, "accuracy": 0.5, "most_confused_with": "a", "times": 1},
        {"class": "c", "count": 1, "accuracy": 1.0, "most_confused_with": "", "times": 0},
    ]
    assert report.tables["confusion"] == [
        {"true": "a", "predicted": "a", "count": 2},
        {"true": "a", "predicted": "b", "count": 2},
        {"true": "b", "predicted": "a", "count": 1},
        {"true": "b", "predicted": "b", "count": 1},
        {"true": "c", "predicted": "c", "count": 1},
    ]
    assert report.outcomes[3] == {"object": "toy/0003.obj", "label": "a", "predicted": "b", "probability": 0.9}


def test_a_class_without_samples_counts_in_no_mean():
    counts = confusion_counts(np.array([0, 0, 2]), np.array([0, 1, 2]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert accuracies(counts) == {"accuracy": pytest.approx(2 / 3), "class_accuracy": pytest.approx(0.75)}


def test_a_probability_of_nothing_gives_a_finite_loss(tmp_path):
    samples, _ = hand_made(tmp_path)
    assert math.isfinite(classification_report(samples, np.tile([1.0, 0.0, 0.0], (7, 1))).metrics["loss"])


def test_five_best_answers_in_order():
    names = tuple("abcdefg")
    answers = best_answers(np.array([[0.1, 0.3, 0.05, 0.3, 0.05, 0.15, 0.05]]), names)[0]
    assert [answer["class"] for answer in answers] == ["b", "d", "f", "a", "c"]
    assert answers[0] == {"class": "b", "probability": 0.3}


def test_predict_agrees_with_evaluate(tmp_path):
    samples = store_of(tmp_path, {"occupancy": shapes(4)}, labels_of(4))
    task = classify(votes=4)
    answers = task.predict(next(Loader(samples, task.columns, seed=0).sequential()))
    outcomes = task.evaluate(samples).outcomes
    assert [(best[0]["class"], best[0]["probability"]) for best in answers] == [(row["predicted"], row["probability"]) for row in outcomes]


def test_evaluation_leaves_the_network_as_it_was(tmp_path):
    """Twice the same numbers (dropout off), no gradients, and back in training mode."""
    samples = store_of(tmp_path, {"occupancy": shapes(4)}, labels_of(4))
    task = classify(votes=2)
    task.model.train()
    assert task.evaluate(samples).outcomes == task.evaluate(samples).outcomes
    assert task.model.training and all(parameter.grad is None for parameter in task.model.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"votes": 3}, "votes is 3 and column occupancy holds 4 rotations"),
        ({"votes": 8}, "votes is 8 and column occupancy holds 4 rotations"),
        ({"inputs": "points", "points": 65}, "points is 65 and column points holds 64"),
    ],
)
def test_settings_that_do_not_fit_the_store_fail_before_any_step(tmp_path, settings, message):
    samples = store_of(tmp_path, {"occupancy": shapes(4), "points": clouds(4)}, labels_of(4))
    with pytest.raises(TrainingError, match=message):
        classify(**settings).fit(samples)


def test_samples_that_cannot_be_learnt_from_are_refused(tmp_path):
    samples = store_of(tmp_path, {"occupancy": shapes(4)}, labels_of(4))
    with pytest.raises(TrainingError, match=r"2 of 4 samples have no label, such as toy/0001\.obj"):
        classify(votes=4).fit(replace(samples, labels=np.array([0, -1, 0, -1])))
    with pytest.raises(TrainingError, match="no samples"):
        classify(votes=4).evaluate(samples.take(0))
    with pytest.raises(TrainingError, match="classes pole, slab; the task was built for x, y"):
        Classify(("x", "y")).fit(samples)
    with pytest.raises(TrainingError, match="needs a network"):
        Classify(CLASSES).bind(None)


def test_optimizer_settings_reach_the_player():
    player = classify(optimizer="sgd", lr=0.02, weight_decay=1e-4).players()["model"]
    assert (player.optimizer, player.lr, dict(player.options)) == ("sgd", 0.02, {"weight_decay": 1e-4, "momentum": 0.9})
    assert "momentum" not in classify().players()["model"].options


def ink(picture):
    return (picture.pixels < 250).any(axis=-1)


@pytest.mark.parametrize("column", ["views", "occupancy", "points", "coarse_occupancy"])
def test_worst_mistakes_show_the_objects(tmp_path, column):
    """Two mistakes make a page of two tiles with something drawn in each, whatever column there is to draw from."""
    values = {
        "views": np.full((4, 2, 20, 20), 90, np.uint8),
        "occupancy": shapes(4),
        "points": clouds(4),
        "coarse_occupancy": shapes(4)[:, 0],
    }[column]
    samples = store_of(tmp_path, {column: values}, labels_of(4))
    report = classification_report(samples, np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]))
    confusion, page = classification_pictures(samples, report)
    assert (confusion.name, page.name) == ("confusion", "worst_mistakes")
    assert page.pixels.shape[1] < 3 * 160
    middle = page.pixels.shape[1] // 2
    assert ink(page)[40:150, :middle].sum() > 100 and ink(page)[40:150, middle:].sum() > 100


def test_mistakes_come_most_certain_first_and_at_most_24(tmp_path, monkeypatch):
    samples = store_of(tmp_path, {"occupancy": np.zeros((30, 1, 4, 4, 4), np.uint8)}, labels_of(30))
    sure = np.linspace(0.6, 0.9, 30)
    report = classification_report(
        samples, np.stack([np.where(samples.labels == 0, 1 - sure, sure), np.where(samples.labels == 0, sure, 1 - sure)], 1)
    )
    told = {}
    monkeypatch.setattr(
        "l9.tasks.pictures.sample_grid", lambda tiles, captions, *rest: told.update(captions=captions) or np.zeros((1, 1, 3), np.uint8)
    )
    classification_pictures(samples, report)
    assert len(told["captions"]) == 24 and told["captions"][0] == "slab\n→ pole 90 %" and told["captions"][1] == "pole\n→ slab 89 %"


def test_no_mistakes_make_a_page_that_says_so(tmp_path):
    samples = store_of(tmp_path, {"occupancy": shapes(2)}, labels_of(2))
    report = Report({}, {"confusion": [{"true": "pole", "predicted": "pole", "count": 2}]}, [{"label": "pole", "predicted": "pole"}] * 2)
    page = classification_pictures(samples, report)[1]
    assert ink(page).sum() > 200 and page.pixels.shape[0] < 60


def test_the_first_batch_is_drawn_as_it_is_fed(tmp_path):
    """At most 24 tiles; what is drawn is the augmented tensor, so another epoch gives another picture."""
    samples = store_of(tmp_path, {"occupancy": shapes(30)}, labels_of(30))
    task = classify()
    pictures = [task.batch_picture(batch_of({"occupancy": shapes(30)}, epoch=epoch), samples) for epoch in (0, 0, 1)]
    assert np.array_equal(pictures[0].pixels, pictures[1].pixels) and not np.array_equal(pictures[0].pixels, pictures[2].pixels)
    assert pictures[0].name == "first_batch" and pictures[0].pixels.shape[0] < 4 * 190 + 60


def test_the_size_of_the_box_tells_apart_what_shape_cannot(tmp_path):
    """Equal grids: only the logarithms of the box's sides differ between the classes."""
    sizes = np.where(np.arange(24)[:, None] % 2 == 0, 0.1, 2.0).astype(np.float32) * np.ones(3, np.float32)
    samples = store_of(tmp_path, {"occupancy": np.repeat(shapes(1), 24, axis=0), "box_size": sizes}, labels_of(24))
    task = trained(classify(VoxNet(CLASSES, resolution=R, extra=3), votes=2, box_size=True, lr=0.01), samples)
    assert task.evaluate(samples).metrics["accuracy"] == 1.0
    blind = trained(classify(votes=2, lr=0.01), samples)
    assert blind.evaluate(samples).metrics["accuracy"] == 0.5


def test_a_flat_box_has_a_logarithm():
    flat = batch_of({"box_size": np.array([[1.0, 0.0, np.e]], np.float32)})
    torch.testing.assert_close(log_box_size(flat), torch.tensor([[0.0, math.log(0.001), 1.0]]))
