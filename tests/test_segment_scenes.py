"""Task segment_scenes: what carries loss, that it learns, that vertices are answered by all their blocks, and what it refuses."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.geometry.scan import Scan, Surface
from l9.models.pointnet_seg import PointNetSeg
from l9.stages import scene_points
from l9.stages.contract import run_stages
from l9.stages.scene_points import _columns
from l9.store.planned import PlanFacts, PlannedObject, shard_key
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store
from l9.tasks.contract import Turn
from l9.tasks.label_scores import label_counts, label_metrics
from l9.tasks.segment_scenes import SegmentScenes

LABELS = {"floor": 2, "chair": 5, "table": 7}  # tables stand in no room
COUNT = 64


def room(seed, labelled=True):
    """A floor of 2 m by 1.5 m, a red chair above it, and a tenth of all vertices without a label."""
    draw = np.random.default_rng(seed)
    chair = draw.random(500) < 0.4
    vertices = draw.random((500, 3)) * [2, 1.5, 0.02] + np.where(chair, 0.4, 0.0)[:, None] * [0, 0, 1]
    colours = np.where(chair[:, None], [200, 40, 40], [90, 90, 90]) + draw.integers(-30, 30, (500, 3))
    labels = np.where(draw.random(500) < 0.1, 0, np.where(chair, 5, 2))
    known = {"labels": labels, "instances": labels} if labelled else {}
    return Scan(surface=Surface(vertices, np.zeros((0, 3), np.int64), colours.astype(np.uint8), **known))


def samples_of(home, rooms, up="+Z", **arguments):
    """A store of these rooms by name, as the stage cuts them."""
    arguments = {"count": COUNT, **arguments}
    columns = _columns(**arguments)
    objects = tuple(PlannedObject(name, name, f"key {name} {arguments}", "") for name in sorted(rooms))
    with ShardWriter(shards_folder(home), shard_key(objects, columns), columns) as writer:
        for planned in objects:
            writer.add(planned.id, list(run_stages(rooms[planned.id], [(scene_points, arguments)], object_id=planned.id)))
        facts = writer.close()
    return Samples.of(write_store(home, "toy", PlanFacts("toy", up, columns, objects), [facts]), part="all")


@pytest.fixture
def samples(home):
    return samples_of(home, {f"room{number}": room(number) for number in range(3)}, stride=0.5)


class Pointwise(nn.Module):
    """Scores of each point by itself."""

    def __init__(self, labels=3):
        super().__init__()
        self.layer = nn.Linear(9, labels)

    def forward(self, x):
        return self.layer(x)


def bound(model=None, **options):
    torch.manual_seed(0)
    task = SegmentScenes(LABELS, **{"points": 32, **options})
    task.bind(Pointwise() if model is None else model)
    return task


def batches(task, samples, size=6, epochs=1):
    for epoch in range(epochs):
        yield from Loader(samples, task.columns, seed=0, batch=size).epoch(epoch)


def trained(task, samples, epochs, lr=0.05):
    task.fit(samples)
    (player,) = task.players().values()
    optimizer = torch.optim.Adam(player.parameters, lr=lr)
    for batch in batches(task, samples, epochs=epochs):
        loss = sum(task.loss(Turn("model"), batch).values()) / batch.total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return task


@pytest.mark.parametrize("options", [{}, {"class_weights": True, "turn": "quarter", "jitter": 0.005, "drop": 0.5}])
def test_a_few_steps_learn(samples, options):
    task = bound(**options)
    task.fit(samples)
    before = task.evaluate(samples).metrics
    after = trained(task, samples, 6).evaluate(samples).metrics
    assert set(after) == {"miou", "accuracy", "class_accuracy"} and after["miou"] > max(0.95, before["miou"])


def test_pointnet_learns_a_room(samples):
    torch.manual_seed(0)
    task = bound(PointNetSeg(3, channels=9, transforms=False), turn="quarter")
    assert trained(task, samples, 4, lr=1e-3).evaluate(samples).metrics["accuracy"] > 0.9


def test_every_vertex_is_answered_by_the_sum_over_all_its_blocks(samples):
    task = trained(bound(), samples, 1)
    (name, found), *_ = task.scans(samples)
    surface = room(0).surface
    assert name == "room0" and len(found.labels) == 500
    assert_array_equal(found.labels, np.select([surface.labels == 2, surface.labels == 5], [0, 1], -1))
    assert_allclose(found.places, surface.vertices - surface.vertices.min(axis=0), atol=1e-5)
    votes, times = np.zeros((500, 3)), np.zeros(500)
    for batch in Loader(samples, ("points", "vertices"), seed=0, training=False).sequential(1):
        if samples.objects[int(batch.samples[0])] == "room0":
            with torch.no_grad():
                shares = task._network(batch.fixed("points")).softmax(dim=2)[0].numpy()
            for vertex in set(batch.fixed("vertices")[0].tolist()):
                votes[vertex] += shares[batch.fixed("vertices")[0].tolist().index(vertex)]
                times[vertex] += 1
    assert times.min() >= 1 and times.max() >= 4  # blocks of 1 m every half metre
    assert_array_equal(found.predicted, votes.argmax(axis=1))


def test_a_vertex_that_a_row_repeats_counts_once(home):
    """13 vertices in rows of 64, seen by two overlapping blocks, whose answers for one vertex differ in strength."""
    rooms = {"few": room(0)}
    surface = rooms["few"].surface
    kept = Surface(surface.vertices[:13], surface.faces, surface.colours[:13], surface.labels[:13], surface.instances[:13])
    samples = samples_of(home, {"few": Scan(surface=kept)}, stride=0.5)
    task = trained(bound(points=64), samples_of(home, rooms), 1)
    found = dict(task.scans(samples))["few"]
    votes = np.zeros((13, 3))
    for batch in Loader(samples, ("points", "vertices"), seed=0, training=False).sequential(1):
        vertices, first = np.unique(batch.fixed("vertices")[0].numpy(), return_index=True)
        assert len(vertices) < 14
        with torch.no_grad():
            votes[vertices] += task._network(batch.fixed("points")).softmax(dim=2)[0].numpy()[first]
    assert_array_equal(found.predicted, votes.argmax(axis=1))


def test_metrics_are_those_of_all_labelled_vertices_together(samples):
    task = trained(bound(), samples, 1)
    report = task.evaluate(samples)
    counts = sum(label_counts(found.labels, found.predicted, 3) for _, found in task.scans(samples))
    assert report.metrics == label_metrics(counts) and counts.sum() == sum((room(seed).surface.labels > 0).sum() for seed in range(3))
    assert [row["class"] for row in report.tables["classes"]] == list(LABELS) and report.tables["classes"][2]["iou"] is None
    assert [(one["object"], one["vertices"]) for one in report.outcomes] == [("room0", 500), ("room1", 500), ("room2", 500)]
    assert task.evaluate(samples).metrics == report.metrics


def test_points_without_a_label_carry_no_loss(samples):
    task = bound()
    task.fit(samples)
    (batch, *_) = batches(task, samples)
    fed = task.fed(batch)
    targets = task.targets(batch, fed)
    assert (targets == -1).any() and set(targets.unique().tolist()) == {-1, 0, 1}
    logs = task._network(fed.x).log_softmax(dim=2)
    known = targets != -1
    expected = -logs[known].gather(1, targets[known][:, None]).sum() / 32
    torch.testing.assert_close(task.loss(Turn("model"), batch)["cross_entropy"], expected)
    batch.fixed("labels").zero_()
    assert float(task.loss(Turn("model"), batch)["cross_entropy"].detach()) == 0


def test_dropped_points_carry_no_loss(samples):
    task = bound(drop=0.875)
    (batch, *_) = batches(task, samples)
    fed = task.fed(batch)
    assert fed.dropped.any() and (task.targets(batch, fed)[fed.dropped] == -1).all()


def test_classes_weigh_by_their_share_and_one_that_never_occurs_is_finite(samples):
    task = bound(class_weights=True)
    task.fit(samples)
    labels = np.concatenate([room(seed).surface.labels for seed in range(3)])  # a vertex counts once, though blocks overlap
    shares = np.array([(labels == number).sum() for number in LABELS.values()]) / (labels > 0).sum()
    assert_allclose(task.buffers()["class_weights"].numpy(), 1 / np.log(1.2 + shares), rtol=1e-6)
    assert shares[2] == 0 and task.buffers()["class_weights"][2] == pytest.approx(5.48, abs=0.01)
    plain = bound()
    plain.fit(samples)
    assert plain.buffers()["class_weights"].tolist() == [1, 1, 1]


def test_every_vertex_is_counted_once_whatever_the_order_of_rows(samples):
    task, found = bound(), {}
    mixed = samples.subset(np.random.default_rng(0).permutation(len(samples)))
    for batch, once in task.once(mixed, task.columns):
        for number, vertices, mine in zip(batch.samples.tolist(), batch.fixed("vertices"), once, strict=True):
            found.setdefault(mixed.objects[number], []).extend(vertices[mine].tolist())
    assert {name: sorted(vertices) for name, vertices in found.items()} == {f"room{number}": list(range(500)) for number in range(3)}


def test_weights_of_classes_live_where_the_network_does():
    task = bound(Pointwise().to("meta"))
    assert {buffer.device.type for buffer in task.buffers().values()} == {"meta"}


def test_a_learnt_transform_is_held_near_a_rotation(samples):
    task = bound(PointNetSeg(3, channels=9))
    task.fit(samples)
    with torch.no_grad():
        task._network.feature_transform.matrix.bias.mul_(2)  # A = 2 I of size 64: ||A A^T - I||^2 = 9 * 64
    (batch, *_) = batches(task, samples)
    terms = task.loss(Turn("model"), batch)
    assert set(terms) == {"cross_entropy", "transform"}
    assert float(terms["transform"].detach()) == pytest.approx(0.0005 * 9 * 64 * 6 * 6, rel=1e-4)  # of 6 samples, times their number


def test_pictures_are_drawn(samples):
    task = trained(bound(), samples, 1)
    report = task.evaluate(samples)
    (picture,) = task.pictures(samples, report)
    assert picture.name == "predictions" and picture.pixels.dtype == np.uint8 and picture.pixels.ndim == 3
    (batch, *_) = batches(task, samples)
    assert task.batch_picture(batch, samples).name == "first_batch"
    assert task._network.training  # its mode is put back


def test_what_cannot_be_learnt_or_tested_is_one_line(home, samples):
    with pytest.raises(TrainingError, match=r"SegmentScenes needs a network.*PointNetSeg"):
        SegmentScenes(LABELS).bind(None)
    with pytest.raises(TrainingError, match="the network gives 20 scores a point, and there are 3: labels=3"):
        bound(Pointwise(20)).fit(samples)
    with pytest.raises(TrainingError, match="points is 65 and column points holds 64"):
        bound(points=65).fit(samples)
    for wrong in ({}, {"a": 300}, {"a": 0}, {"a": 1, "b": 1}):
        with pytest.raises(TrainingError, match=r"SegmentScenes: labels are \{.*\}; expected different ids, 1 to 255"):
            SegmentScenes(wrong)
    bare = samples_of(home, {"bare": room(0, labelled=False)})
    with pytest.raises(TrainingError, match=r"none of \d+ rows to learn from has a labelled point"):
        bound().fit(bare)
    with pytest.raises(TrainingError, match="none of the 1 scans to be tested has a labelled vertex"):
        trained(bound(), samples, 1).evaluate(bare)


def test_a_scan_without_labels_beside_others_is_answered_and_not_counted(home, samples):
    task = trained(bound(), samples, 4)
    both = samples_of(home, {"bare": room(0, labelled=False), "known": room(1)})
    report = task.evaluate(both)
    assert [one["miou"] is None for one in report.outcomes] == [True, False]
    assert report.outcomes[1]["accuracy"] == pytest.approx(report.metrics["accuracy"])
    assert next(iter(task.pictures(both, report))).pixels.ndim == 3
