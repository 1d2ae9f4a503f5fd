"""Task segment_parts: scores by ShapeNetPart's rules, answers within the object's own category, learning, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn
from toy_stores import store_of

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.models.pointnet_seg import PartSeg, PointNetSeg
from l9.tasks.contract import Turn
from l9.tasks.segment_parts import SegmentParts

PARTS = {"lamp": 1, "mug": 2, "table": 3}  # 0 | 1 2 | 3 4 5
CLASSES = ("mug", "table")


@pytest.fixture
def samples(home):
    """Mugs whose upper half is part 2, tables whose upper half is 5 and lower half 4; no table has part 3."""
    draw = np.random.default_rng(0)
    points = draw.uniform(-1, 1, (12, 48, 3)).astype(np.float32)
    tables = np.arange(12) % 2 == 1
    parts = (points[..., 1] > 0) + np.where(tables, 4, 1)[:, None]
    return store_of(home, {"points": points, "parts": parts.astype(np.uint8)}, [CLASSES[int(one)] for one in tables])


class Fixed(nn.Module):
    """The same scores for every point: greatest of part 0, which is of no category here, then of 5, 2, 4."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Parameter(torch.tensor([9.0, 0, 2, -1, 1, 3]))

    def forward(self, x):
        return self.scores + 0 * x[..., :1]


def bound(model, **options):
    task = SegmentParts(CLASSES, PARTS, **{"points": 32, **options})
    task.bind(model)
    return task


def test_answers_are_parts_of_the_objects_own_category(samples):
    task = bound(Fixed())
    task.fit(samples)
    report = task.evaluate(samples)
    stored = np.concatenate([batch.fixed("parts").numpy() for batch in Loader(samples, ("parts",), seed=0, training=False).sequential()])
    ious = []
    for label, parts in zip(samples.labels, stored, strict=True):
        upper = float((parts == (5 if label else 2)).mean())  # which all points are said to be
        ious.append(np.mean([upper, 0.0, 1.0] if label else [upper, 0.0]))  # part 3 is in neither: 1
    assert [one["iou"] for one in report.outcomes] == pytest.approx(ious)
    means = [np.mean([iou for iou, one in zip(ious, samples.labels, strict=True) if one == label]) for label in (0, 1)]
    assert report.metrics["instance_miou"] == pytest.approx(np.mean(ious)) and report.metrics["class_miou"] == pytest.approx(np.mean(means))
    assert report.tables["classes"] == [
        {"class": name, "count": 6, "iou": pytest.approx(mean)} for name, mean in zip(CLASSES, means, strict=True)
    ]
    assert report.metrics["accuracy"] == pytest.approx(np.isin(stored, [2, 5]).mean())


@pytest.mark.parametrize("build", [lambda: PointNetSeg(6), lambda: PartSeg(CLASSES, 6)])
def test_both_networks_learn_parts(samples, build):
    torch.manual_seed(0)
    task = bound(build())
    task.fit(samples)
    before = task.evaluate(samples).metrics["instance_miou"]
    (player,) = task.players().values()
    optimizer = torch.optim.Adam(player.parameters, lr=2e-3)
    for epoch in range(30):
        for batch in Loader(samples, task.columns, seed=0, batch=6).epoch(epoch):
            terms = task.loss(Turn("model"), batch)
            assert set(terms) == {"cross_entropy", "transform"}
            optimizer.zero_grad()
            (sum(terms.values()) / batch.total).backward()
            optimizer.step()
    report = task.evaluate(samples)
    assert report.metrics["instance_miou"] > max(0.75, before)
    assert task.evaluate(samples).metrics == report.metrics
    (picture,) = task.pictures(samples, report)
    assert picture.name == "worst_parts" and picture.pixels.ndim == 3
    assert task.batch_picture(batch, samples).name == "first_batch"


def test_what_cannot_be_learnt_or_tested_is_one_line(home, samples):
    with pytest.raises(TrainingError, match="parts says nothing of mug; it has lamp"):
        task = SegmentParts(CLASSES, {"lamp": 6})
        task.bind(Fixed())
        task.fit(samples)
    cells = {"points": np.zeros((2, 48, 3), np.float32), "parts": np.full((2, 48), 4, np.uint8)}
    strange = store_of(home / "strange", cells, ["mug", "table"])
    with pytest.raises(TrainingError, match=r"toy/0000.obj: a point of part 4; expected 1 to 2"):
        bound(Fixed()).evaluate(strange)
    with pytest.raises(TrainingError, match=r"toy/0000.obj: a point of part 4; expected 1 to 2"):
        bound(Fixed()).fit(strange)
    beyond = store_of(home / "beyond", cells | {"parts": np.full((2, 48), 6, np.uint8)}, ["table", "table"])
    with pytest.raises(TrainingError, match=r"toy/0000.obj: a point of part none; expected 3 to 5"):
        task = SegmentParts(("table",), PARTS, points=32)
        task.bind(Fixed())
        task.fit(beyond)
    bare = store_of(home / "bare", {"points": cells["points"]}, ["mug", "table"])
    with pytest.raises(TrainingError, match="has no column parts; expected the stage labelled_points"):
        bound(Fixed()).fit(bare)
