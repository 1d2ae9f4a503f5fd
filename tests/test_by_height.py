"""Baselines by height: the most frequent label of each height, of each category; kept and restored; no network."""

import numpy as np
import pytest
from test_segment_scenes import LABELS, Pointwise, room, samples_of
from toy_stores import store_of

from l9.errors import TrainingError
from l9.geometry.scan import Scan
from l9.tasks.by_height import PartsByHeight, ScenesByHeight


@pytest.fixture
def samples(home):
    return samples_of(home, {f"room{number}": room(number) for number in range(3)})


def fitted(task, samples):
    task.bind(None)
    task.fit(samples)
    assert task.players() == {} and task.buffers() == {}
    return task


def test_floor_and_chair_stand_at_different_heights(samples):
    by_height = fitted(ScenesByHeight(LABELS), samples).evaluate(samples)
    assert by_height.metrics == {"miou": 1.0, "accuracy": 1.0, "class_accuracy": 1.0}
    most = fitted(ScenesByHeight(LABELS, bins=1), samples).evaluate(samples)
    labels = np.concatenate([room(number).surface.labels for number in range(3)])
    share = (labels == 2).sum() / (labels > 0).sum()
    assert most.metrics["accuracy"] == pytest.approx(share) and most.metrics["miou"] == pytest.approx(share / 2)


def test_a_height_where_nothing_was_has_the_most_frequent_label(samples):
    task = fitted(ScenesByHeight(LABELS), samples)
    assert task._table.argmax(axis=2)[0].tolist() == [0] * 4 + [1] + [0] * 35


def test_the_baseline_answers_alike_where_a_minus_axis_points_up(home, samples):
    turned = {}
    for number in range(3):
        surface = room(number).surface
        surface.vertices[:, 2] *= -1
        turned[f"room{number}"] = Scan(surface=surface, up="-Z")
    flipped = samples_of(home / "flipped", turned, up="-Z")
    task = fitted(ScenesByHeight(LABELS, up="-Z"), flipped)
    np.testing.assert_array_equal(task._counts, fitted(ScenesByHeight(LABELS), samples)._counts)
    assert task.evaluate(flipped).metrics["accuracy"] == 1.0


def test_a_vertex_in_several_blocks_is_counted_once(home, samples):
    overlapping = samples_of(home / "overlapping", {f"room{number}": room(number) for number in range(3)}, stride=0.5)
    counts = fitted(ScenesByHeight(LABELS), overlapping)._counts
    assert len(overlapping) > len(samples)
    labels = np.concatenate([room(number).surface.labels for number in range(3)])
    assert counts.sum(axis=(0, 1)).tolist() == [(labels == number).sum() for number in LABELS.values()]
    np.testing.assert_array_equal(counts, fitted(ScenesByHeight(LABELS), samples)._counts)


def test_what_is_kept_answers_alike(samples):
    task, again = fitted(ScenesByHeight(LABELS, step=0.2), samples), ScenesByHeight(LABELS, step=0.2)
    again.restore(task.state())
    assert again.evaluate(samples).metrics == task.evaluate(samples).metrics
    with pytest.raises(TrainingError, match="ScenesByHeight is a baseline"):
        again.bind(Pointwise())


def test_parts_are_counted_category_by_category(home):
    """Mugs have part 1 above and 2 below, tables 3 below and 4 above; nobody mixes them up."""
    draw = np.random.default_rng(0)
    points = draw.uniform(-1, 1, (8, 200, 3)).astype(np.float32)
    tables = np.arange(8) % 2
    upper = points[..., 1] > 0
    parts = np.where(tables[:, None] == 1, np.where(upper, 4, 3), np.where(upper, 1, 2)).astype(np.uint8)
    samples = store_of(home, {"points": points, "parts": parts}, [("mug", "table")[one] for one in tables])
    task = fitted(PartsByHeight(("mug", "table"), {"lamp": 1, "mug": 2, "table": 2}), samples)
    assert task.evaluate(samples).metrics == {"instance_miou": 1.0, "class_miou": 1.0, "accuracy": 1.0}
    assert task._counts.shape == (2, 40, 5) and task._counts.sum() == 8 * 200
