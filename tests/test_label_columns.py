"""Tasks label_columns and frequent_labels: weights, learning, whole scans, vertices, classes that are not there, wrong checkpoints."""

import numpy as np
import pytest
import torch
from column_scenes import CHAIR, FLOOR, NONE, TABLE, WALL, column_samples, columns_store, furnished, room
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.scan import Surface
from l9.models.column_net import ColumnNet
from l9.tasks.column_scans import IDS, column_report, scans_of
from l9.tasks.column_windows import column_windows
from l9.tasks.contract import Turn
from l9.tasks.frequent_labels import FrequentLabels, label_heights
from l9.tasks.label_columns import LabelColumns

SMALL = {"widths": (4, 4, 8), "hidden": 32}


def bound(net=None, **options):
    torch.manual_seed(0)
    task = LabelColumns(**options)
    task.bind(net or ColumnNet(**SMALL))
    return task


def steps(task, samples, epochs, rate, batch=24):
    (player,) = task.players().values()
    optimizer = torch.optim.Adam(player.parameters, lr=rate)
    losses = []
    for epoch in range(epochs):
        for part in Loader(samples, task.columns, views=task.cut, seed=0, batch=batch).epoch(epoch):
            loss = task.loss(Turn("model"), part)["cross_entropy"] / part.total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    return losses


def test_weights_are_the_papers(tmp_path):
    samples = column_samples(tmp_path, [room()], per_scan=5)
    task = bound()
    task.fit(samples)
    (scan,) = scans_of(samples)
    row = next(Loader(samples, ("centres",), seed=0, training=False).sequential(1))
    centres = row.columns["centres"].values.numpy()
    kept = scan.labels[centres[:, 0], centres[:, 1]]
    shares = {number: (kept == number).sum() / ((kept > 0) & (kept < 41)).sum() for number in IDS}
    weights = task.buffers()["class_weights"].numpy()
    for number in range(42):
        assert_allclose(weights[number], 1 / np.log(1.2 + shares[number]) if number in IDS else 0, rtol=1e-5)
    assert_allclose(float(task.buffers()["weight_of_column"]), weights[kept].sum() / len(kept), rtol=1e-5)
    assert np.isfinite(weights).all() and weights[TABLE] > weights[WALL]  # none to learn from: as rare as can be


def test_the_loss_is_the_weighted_cross_entropy_of_what_has_a_class(tmp_path):
    samples = column_samples(tmp_path, per_scan=6)
    task = bound(augment=False)
    task.fit(samples)
    task._network.eval()
    batch = next(Loader(samples, task.columns, views=task.cut, seed=0, batch=8).epoch(0))
    fed, labels = column_windows(batch, 2)
    with torch.no_grad():
        logits = task._network(fed)
        found = task.loss(Turn("model"), batch)["cross_entropy"]
    expected, weights = 0.0, task._weights
    for sample, height in np.ndindex(8, 62):
        label = int(labels[sample, height])
        expected -= float(weights[label] * torch.log_softmax(logits[sample, :, height], 0)[label]) if label in IDS else 0
    assert_allclose(float(found), expected / float(task._weight_of_column), rtol=1e-4)


@pytest.mark.timeout(120)
def test_a_few_steps_tell_chairs_from_tables(tmp_path):
    """Rooms that differ in where things stand; another one is tested. By height alone a seat is a table, or tables are seats.

    By IoU, as rare classes weigh more in the loss: .65 to .76 with two seeds on one thread and on two, .54 by height.
    """
    places = [((0.2, 0.2), (1.3, 1.3)), ((1.3, 0.2), (0.2, 1.3)), ((1.3, 1.3), (0.3, 0.2)), ((0.2, 1.3), (1.3, 0.3))]
    learnt = column_samples(tmp_path / "learnt", [furnished(*both) for both in places], per_scan=24)
    tested = column_samples(tmp_path / "tested", [furnished((0.3, 1.2), (1.4, 1.2))])
    height = FrequentLabels(by_height=True)
    height.fit(learnt)
    task = bound(ColumnNet(widths=(8, 8, 8), hidden=64), jitter=1)
    task.fit(learnt)
    losses = steps(task, learnt, epochs=48, rate=3e-3)
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])
    report, other = task.evaluate(tested), height.evaluate(tested)
    assert report.metrics["voxel_miou"] > other.metrics["voxel_miou"] + 0.05


def test_answers_are_those_of_each_columns_own_window(tmp_path):
    """Sliding in tiles gives every voxel what the network says of its column's neighbourhood."""
    samples = column_samples(tmp_path, [room(side=3.6)], per_scan=40)  # 76 columns a side: two tiles
    task = bound(augment=False)
    task.fit(samples)
    task._network.train()
    (scan,) = scans_of(samples)
    answers = task.answers(scan)
    assert task._network.training and answers.shape == scan.labels.shape
    assert_array_equal(answers > 0, scan.labels > 0)
    assert set(np.unique(answers)) <= {0, *IDS}
    around = np.pad(np.stack([scan.labels > 0, scan.known]), ((0, 0), (15, 15), (15, 15), (0, 0))).astype(np.float32)
    task._network.eval()
    for x, y in ((0, 0), (63, 5), (64, 64), (70, 3), (20, 75)):
        with torch.no_grad():
            alone = task._network(torch.from_numpy(around[None, :, x : x + 31, y : y + 31]).permute(0, 1, 4, 2, 3))[0, list(IDS)]
        best = np.array(IDS)[alone.argmax(dim=0).numpy()]
        occupied = scan.labels[x, y] > 0
        assert_array_equal(answers[x, y][occupied], best[occupied])


def test_the_report_by_hand(tmp_path):
    """All answered as wall: walls are right, all else is wrong; vertices are counted by what their own label says."""
    samples = column_samples(tmp_path, [room()], per_scan=2)
    (scan,) = scans_of(samples)
    report = column_report(samples, IDS, lambda one: np.where(one.labels > 0, WALL, 0).astype(np.uint8))
    voxels = scan.labels[scan.labels > 0]
    walls = (voxels == WALL).mean()
    assert_allclose(report.metrics["voxel_accuracy"], walls)
    assert_allclose(report.metrics["voxel_miou"], walls / 3)  # of wall, floor and chair
    assert_allclose(report.metrics["vertex_accuracy"], 8 / 20)
    assert_allclose(report.metrics["miou"], 8 / 20 / 3)
    by_class = {row["class"]: row for row in report.tables["classes"]}
    assert by_class["wall"]["iou"] == 8 / 20 and by_class["floor"]["iou"] == 0 and by_class["table"]["iou"] is None
    assert {(row["true"], row["predicted"], row["count"]) for row in report.tables["confusion"]} == {
        ("wall", "wall", 8),
        ("floor", "wall", 4),
        ("chair", "wall", 8),
    }
    assert report.outcomes == [{"object": "scene0000_00", "miou": pytest.approx(8 / 60), "voxel_accuracy": pytest.approx(walls)}]


def test_a_scans_miou_is_the_metric_of_the_report(tmp_path):
    """Half of the walls' voxels answered as a table, which is nowhere: it has no IoU of its own, in the outcomes as in the report."""
    samples = column_samples(tmp_path, [room(labels=(WALL, WALL, WALL))], per_scan=2)

    def answer(scan):
        answers = np.where(scan.labels > 0, WALL, 0).astype(np.uint8)
        answers[:25] = np.where(answers[:25] > 0, TABLE, 0)
        return answers

    report = column_report(samples, IDS, answer)
    assert report.outcomes[0]["miou"] == report.metrics["miou"] == report.metrics["vertex_accuracy"]
    assert 0.1 < report.metrics["miou"] < 0.9


def test_vertices_outside_the_columns_are_missed(tmp_path):
    plain = room()
    high = Surface(np.concatenate([plain.vertices, [[1.0, 1, 50]]]), plain.faces, None, np.append(plain.labels, CHAIR), None)
    samples = Samples.of(columns_store(tmp_path, [high], per_scan=2), part="all", item_column="shares")
    report = column_report(samples, IDS, lambda one: one.labels)
    assert report.metrics["voxel_accuracy"] == 1 and report.metrics["vertex_accuracy"] < 1
    assert {"true": "chair", "predicted": "none", "count": 1} in report.tables["confusion"]


def test_frequent_labels_by_hand(tmp_path):
    samples = column_samples(tmp_path, per_scan=3)
    counts = sum(label_heights(scan.labels) for scan in scans_of(samples))
    assert counts[:, 1:].sum() == sum(int((scan.labels > 0).sum()) for scan in scans_of(samples))
    majority, height = FrequentLabels(), FrequentLabels(by_height=True)
    majority.fit(samples)
    height.fit(samples)
    assert_array_equal(majority.state()["answers"], WALL if counts[:, WALL].sum() > counts[:, FLOOR].sum() else FLOOR)
    answers = height.state()["answers"]
    assert answers[2] == FLOOR and answers[20] == WALL
    assert answers[60] == majority.state()["answers"][0]  # nothing is so high
    again = FrequentLabels(by_height=True)
    again.restore(height.state())
    assert again.evaluate(samples).metrics == height.evaluate(samples).metrics
    assert height.evaluate(samples).metrics["miou"] > majority.evaluate(samples).metrics["miou"]


def test_pictures(tmp_path):
    samples = column_samples(tmp_path, per_scan=3)
    height = FrequentLabels(by_height=True)
    height.fit(samples)
    pictures = {one.name: one.pixels for one in height.pictures(samples, height.evaluate(samples))}
    assert set(pictures) == {"confusion", "labels"} and all(one.dtype == np.uint8 for one in pictures.values())
    task = bound()
    task.fit(samples)
    batch = next(Loader(samples, task.columns, views=task.cut, seed=0, batch=12).epoch(0))
    assert task.batch_picture(batch, samples).pixels.shape[2] == 3


def test_a_class_that_is_not_there_to_learn_from_breaks_nothing(tmp_path):
    learnt = column_samples(tmp_path / "a", per_scan=6)
    tested = column_samples(tmp_path / "b", [room(labels=(FLOOR, WALL, TABLE))], per_scan=6)
    task = bound()
    task.fit(learnt)
    losses = steps(task, tested, epochs=1, rate=1e-3, batch=6)
    assert np.isfinite(losses).all()
    by_class = {row["class"]: row for row in task.evaluate(tested).tables["classes"]}
    assert by_class["table"]["count"] == 8 and by_class["chair"]["iou"] is None
    with pytest.raises(TrainingError, match="no voxel to learn from has one of the 1 classes, bed"):
        bound(ids=(4,)).fit(learnt)
    with pytest.raises(TrainingError, match="no voxel to learn from has one of the classes bed"):
        FrequentLabels(ids=(4,)).fit(learnt)
    with pytest.raises(TrainingError, match="no vertex of the tested scans has a class"):
        column_report(tested, (4,), lambda one: one.labels)


def test_weights_of_other_classes_are_refused(tmp_path):
    samples = column_samples(tmp_path, per_scan=6)
    task, other = bound(), bound(ids=(WALL, FLOOR, CHAIR))
    task.fit(samples)
    batch = next(Loader(samples, task.columns, views=task.cut, seed=0, batch=6).epoch(0))
    task.initialise(batch)
    task._network.load_state_dict(other._network.state_dict())  # what `init` and `eval` do
    for refused in (lambda: task.initialise(batch), lambda: task.evaluate(samples)):
        with pytest.raises(TrainingError, match=r"learnt for the classes wall, floor, chair, ... \(3\); expected the 20"):
            refused()


def test_what_is_no_column_task_is_told(tmp_path):
    from toy_stores import store_of

    with pytest.raises(TrainingError, match=r"needs a network of columns.*ColumnNet"):
        LabelColumns().bind(None)
    with pytest.raises(TrainingError, match="needs a network of columns"):
        LabelColumns().bind(nn.Linear(2, 2))
    with pytest.raises(TrainingError, match="has 21 labels; expected more than the greatest id, 39"):
        LabelColumns().bind(ColumnNet(**SMALL, labels=21))
    for ids in ((), (0, 1), (41,), (3, 3)):
        with pytest.raises(TrainingError, match="ids are"):
            LabelColumns(ids=ids)
    toys = store_of(tmp_path / "toys", {"box_size": np.ones((2, 3), np.float32)}, ["", ""])
    for task in (bound(), FrequentLabels()):
        with pytest.raises(TrainingError, match="no column shares; expected the stage scene_columns"):
            task.fit(toys)
        with pytest.raises(TrainingError, match="no columns to learn from"):
            task.fit(column_samples(tmp_path / "some").take(0))
    assert bound(optimizer="sgd").players()["model"].options == {"weight_decay": 1e-3, "momentum": 0.9}
    assert bound(optimizer="adam").players()["model"].options == {"weight_decay": 1e-3}
    assert_allclose(bound().start_loss(), np.log(42))


def test_scans_without_a_column_to_learn_from_are_tested(tmp_path):
    """Of the second scan no column can be learnt from, but 12 of its 20 vertices have a class; the third has no label."""
    plain = room()
    bare = Surface(plain.vertices, plain.faces)
    store = columns_store(tmp_path, [plain, room(labels=(FLOOR, NONE, CHAIR)), bare], ["train", "test", "validation"], per_scan=4)
    learnt = Samples.of(store, part="train", item_column="shares")
    assert len(Samples.of(store, part="test", item_column="shares")) == 0
    for task in (bound(), FrequentLabels()):
        assert task.samples == "shares" and task.whole_tests
        task.fit(learnt)
        tested = Samples.of(store, part="test")
        assert task.labelled(tested) and not task.labelled(Samples.of(store, part="validation"))
        report = task.evaluate(tested)
        assert report.metrics["scans"] == 1
        assert sum(row["count"] for row in report.tables["classes"]) == 12
        assert {one.name for one in task.pictures(tested, report)} == {"confusion", "labels"}
    assert not FrequentLabels(ids=(4,)).labelled(tested)


def test_what_is_not_annotated_is_never_learnt(tmp_path):
    """A network of 40 labels, up to the greatest id, 39: voxels labelled 40 and 41 weigh as empty ones, nothing."""
    samples = column_samples(tmp_path, per_scan=6)
    task = bound(ColumnNet(**SMALL, labels=40), augment=False)
    task.fit(samples)
    assert task._weights[39] > 0
    known = task._known(torch.tensor([0, 5, 39, 40, 41]))
    assert_array_equal(known, [0, 5, 39, 0, 0])
    assert_array_equal(task._weights[known] > 0, [False, True, True, False, False])


def test_matterports_net_takes_occupancy_alone(tmp_path):
    samples = column_samples(tmp_path, per_scan=6)
    task = bound(ColumnNet(1, (4, 4, 4), 8))
    task.fit(samples)
    batch = next(Loader(samples, task.columns, views=task.cut, seed=0, batch=6).epoch(0))
    assert torch.isfinite(task.loss(Turn("model"), batch)["cross_entropy"])
    assert task.evaluate(samples).metrics["scans"] == 4
