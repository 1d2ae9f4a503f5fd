"""3D-EPN's error by hand, what the baselines answer, and scans that saw nothing or everything."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scan_store import CLASSES, scan_store, shapes

from l9.data.loader import Loader
from l9.errors import TrainingError
from l9.tasks.completion import completion_report, network_input, unknown_errors
from l9.tasks.completion_baselines import ClassMean, NearestObject, ScanItself

SIDE = 8


def fields(*rows):
    return [torch.tensor(row).reshape(1, 4, 1, 1) for row in rows]


def batch_of(samples):
    return next(Loader(samples, ("partial", "complete"), seed=0, training=False).sequential(len(samples)))


def test_the_error_by_hand():
    """Voxels: known; unknown and near in truth; unknown and near in the answer alone; unknown and far in both."""
    answer, partial, complete = fields([0.0, 2.9, 2.0, 2.6], [-1.0, -1.01, -3.0, -3.0], [3.0, 1.0, 3.0, 3.0])
    errors, counts = unknown_errors(answer, partial, complete)
    assert counts.tolist() == [2]
    assert_allclose(errors, [(1.9 + 1.0) / 2], rtol=1e-6)


def test_two_and_a_half_voxels_do_not_count():
    answer, partial, complete = fields([2.5] * 4, [-3.0] * 4, [2.5] * 4)
    assert unknown_errors(answer, partial, complete)[1].tolist() == [0]
    assert unknown_errors(answer, partial, complete - 0.1)[1].tolist() == [4]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_the_error_does_not_depend_on_which_way_things_stand(seed, order, mirrored):
    """Axes exchanged and mirrored alike in all three; the sums differ in rounding alone."""
    random = np.random.default_rng(seed)
    three = [torch.from_numpy(random.uniform(low, 3, (2, 5, 5, 5)).astype(np.float32)) for low in (0, -3, 0)]
    turned = [one.permute(0, *(1 + axis for axis in order)).flip([1 + axis for axis in mirrored]) for one in three]
    errors, counts = unknown_errors(*three)
    again, counts_again = unknown_errors(*turned)
    assert_array_equal(counts, counts_again)
    assert_allclose(errors, again, rtol=1e-9)


def test_a_perfect_answer_has_no_error():
    complete = torch.rand(2, 4, 4, 4) * 3
    assert unknown_errors(complete, torch.full((2, 4, 4, 4), -3.0), complete)[0].tolist() == [0, 0]


def test_scans_are_averaged_within_objects_and_objects_weigh_alike(tmp_path):
    partial, complete, labels = shapes(4, 2, SIDE)
    samples = scan_store(tmp_path, partial, complete, labels)
    errors, counts = np.array([1.0, 3.0, 0.5, 0, 0, 0, 4.0, 2.0]), np.array([5, 9, 4, 0, 0, 0, 1, 1])
    report = completion_report(samples, errors, counts)
    assert_allclose(report.metrics["l1_unknown"], (2.0 + 0.5 + 3.0) / 3)
    assert report.metrics["objects"] == 3 and report.metrics["scans"] == 5 and report.metrics["scans_left_out"] == 3
    assert report.metrics["l1_unknown_low"] <= report.metrics["l1_unknown"] <= report.metrics["l1_unknown_high"]
    assert report.tables["classes"] == [
        {"class": "ball", "objects": 1, "l1_unknown": 2.0},
        {"class": "box", "objects": 2, "l1_unknown": 1.75},
    ]
    assert [row["l1_unknown"] for row in report.outcomes] == [1.0, 3.0, 0.5, None, None, None, 4.0, 2.0]
    assert [row["row"] for row in report.outcomes[:2]] == [0, 1]
    assert completion_report(samples, errors, counts).metrics == report.metrics


def test_input_of_the_network():
    partial = torch.tensor([3.0, -1.0, -1.01, -3.5]).reshape(1, 4, 1, 1)
    assert_allclose(network_input(partial).flatten(), [3.0, 1.0, 1.01, 3.0, 1, 1, -1, -1], rtol=1e-6)


def test_the_scan_itself_answers_3_where_it_knows_nothing(tmp_path):
    partial, complete, labels = shapes(2, 1, SIDE)
    samples = scan_store(tmp_path, partial, complete, labels)
    assert_allclose(ScanItself().answers(batch_of(samples)), np.abs(partial[:, 0]), atol=1e-3)
    report = ScanItself().evaluate(samples)
    near = (partial[:, 0].astype(np.float16) < -1) & (complete.astype(np.float16) < 2.5)
    expected = [np.abs(np.abs(p) - c)[mask].mean() for p, c, mask in zip(partial[:, 0], complete, near, strict=True)]
    assert_allclose([row["l1_unknown"] for row in report.outcomes], expected, atol=2e-3)  # float16 in the store


def test_means_of_classes(tmp_path):
    """A class that was not learnt from has the mean of all."""
    partial, complete, labels = shapes(5, 2, SIDE)
    samples = scan_store(tmp_path, partial, complete, labels)
    task = ClassMean()
    task.fit(samples)
    answers = task.answers(batch_of(samples))
    assert_allclose(answers[0], complete[0::2].mean(0), atol=2e-3)
    assert_allclose(answers[2], complete[1::2].mean(0), atol=2e-3)
    task.fit(samples.subset(np.flatnonzero(samples.labels == CLASSES.index("ball"))))
    assert_allclose(task.answers(batch_of(samples))[2], complete[0::2].mean(0), atol=2e-3)


def test_means_need_labels(tmp_path):
    partial, complete, _ = shapes(2, 1, SIDE)
    samples = scan_store(tmp_path, partial, complete, ["", ""])
    with pytest.raises(TrainingError, match="2 of 2 samples have no label"):
        ClassMean().fit(samples)


def test_the_nearest_object_is_found_by_what_is_known(tmp_path):
    """Each scan finds its own object; by hand the least squared difference over known voxels. Unknown voxels do not matter."""
    partial, complete, labels = shapes(6, 2, SIDE, seed=3)
    samples = scan_store(tmp_path, partial, complete, labels)
    task = NearestObject()
    task.fit(samples)
    batch = batch_of(samples)
    found = task.nearest(batch.fixed("partial").float())
    stored, whole = partial.reshape(12, 1, -1).astype(np.float16).astype(float), complete.reshape(1, 6, -1).astype(np.float16).astype(float)
    costs = ((stored >= -1) * (np.minimum(np.abs(stored), 3) - whole) ** 2).sum(axis=2)
    assert_array_equal(found[:, 0], costs.argmin(axis=1))
    assert_array_equal(task.answers(batch)[2], complete[1].astype(np.float16))
    assert task.evaluate(samples).metrics["l1_unknown"] < ScanItself().evaluate(samples).metrics["l1_unknown"]


def test_several_near_objects_are_averaged(tmp_path):
    """In the order of their costs; all of them, where fewer were learnt from than asked for."""
    partial, complete, labels = shapes(6, 2, SIDE, seed=3)
    samples = scan_store(tmp_path, partial, complete, labels)
    answers = {}
    for objects in (1, 3, 100):
        task = NearestObject(objects)
        task.fit(samples)
        nearest = task.nearest(batch_of(samples).fixed("partial").float())
        answers[objects] = nearest
        whole = complete.astype(np.float16).astype(np.float32)
        assert_allclose(task.answers(batch_of(samples))[4], whole[nearest[4].numpy()].mean(axis=0), atol=1e-6)
    assert_array_equal(answers[3][:, :1], answers[1])
    assert_array_equal(np.sort(answers[100], axis=1), np.tile(np.arange(6), (12, 1)))
    with pytest.raises(TrainingError, match="objects is 0; expected a number from 1 on"):
        NearestObject(0)


def test_a_scan_that_saw_nothing_is_compared_and_one_that_saw_everything_left_out(tmp_path):
    partial, complete, labels = shapes(3, 2, SIDE)
    partial[0] = -3.0  # saw nothing
    partial[1, 0] = complete[1]  # saw everything, once
    samples = scan_store(tmp_path, partial, complete, labels)
    for task in (ScanItself(), NearestObject(), ClassMean()):
        task.fit(samples)
        report = task.evaluate(samples)
        assert report.metrics["scans_left_out"] == 1 and report.metrics["objects"] == 3
        assert report.outcomes[2]["l1_unknown"] is None and report.outcomes[0]["voxels"] > 0
    everything = scan_store(tmp_path / "other", np.repeat(complete[:, None], 2, axis=1), complete, labels)
    with pytest.raises(TrainingError, match="none of 6 scans leaves a voxel unknown"):
        ScanItself().evaluate(everything)


def test_what_are_no_scans_is_refused(tmp_path):
    partial, complete, labels = shapes(2, 1, SIDE)
    lacking = scan_store(tmp_path / "a", partial, complete, labels, columns=("partial",))
    with pytest.raises(TrainingError, match="no column complete; expected the stage virtual_scans"):
        ScanItself().fit(lacking)
    with pytest.raises(TrainingError, match="no scans to complete"):
        ScanItself().fit(scan_store(tmp_path / "b", partial, complete, labels).take(0))
    other = scan_store(tmp_path / "c", *shapes(2, 1, 10), name="other")
    task = NearestObject()
    task.fit(other)
    with pytest.raises(TrainingError, match=r"\(8, 8, 8\), those learnt from \(10, 10, 10\)"):
        task.answers(batch_of(scan_store(tmp_path / "d", partial, complete, labels)))


def test_pictures_are_drawn_from_best_to_worst(tmp_path):
    samples = scan_store(tmp_path, *shapes(3, 2, 16))
    task = ScanItself()
    (picture,) = task.pictures(samples, task.evaluate(samples))
    assert picture.name == "completions" and picture.pixels.dtype == np.uint8
    assert len(np.unique(picture.pixels.reshape(-1, 3), axis=0)) > 50  # shaded surfaces in three colours
