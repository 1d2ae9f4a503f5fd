"""A few labels of many: by a seed, evenly over the classes, and no more than there are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_stores import store_of

from l9.config import Schedule, Training, Use
from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.models.voxnet import VoxNet
from l9.tasks.classify import Classify
from l9.tasks.few_labels import few_labelled
from l9.train.assemble import assemble
from l9.typed import to_plain

NAMES = ["cup"] * 9 + ["chair"] * 4 + ["sofa"] * 2


def samples_of(home):
    return store_of(home, {"occupancy": np.zeros((len(NAMES), 1, 12, 12, 12), np.uint8)}, NAMES)


def counts(samples):
    return {name: int((samples.labels == number).sum()) for number, name in enumerate(samples.classes)}


def test_classes_are_taken_in_turn(tmp_path):
    """Two turns take two of each class; of the sofas none is left then, the third takes a cup and a chair, the fourth one of these."""
    samples = samples_of(tmp_path)
    assert counts(few_labelled(samples, 3, seed=0)) == {"cup": 1, "chair": 1, "sofa": 1}
    assert counts(few_labelled(samples, 8, seed=0)) == {"cup": 3, "chair": 3, "sofa": 2}
    found = [counts(few_labelled(samples, 9, seed=seed)) for seed in range(8)]
    assert all(one["sofa"] == 2 and one["cup"] + one["chair"] == 7 for one in found)
    assert {one["cup"] for one in found} == {3, 4}  # which of them, the seed decides


def test_one_seed_gives_one_choice_and_fewer_are_a_part_of_more(tmp_path):
    samples = samples_of(tmp_path)
    few, again, more = (few_labelled(samples, count, seed=3).objects for count in (4, 4, 8))
    assert few == again and set(few) < set(more)
    assert len({tuple(few_labelled(samples, 4, seed=seed).objects) for seed in range(5)}) > 1
    assert few == sorted(few)


def test_all_labels_are_all_samples(tmp_path):
    samples = samples_of(tmp_path)
    assert few_labelled(samples, len(NAMES), 0).objects == samples.objects


@pytest.mark.parametrize("count", [2, 16])
def test_fewer_labels_than_asked_for_or_than_classes_are_refused(tmp_path, count):
    with pytest.raises(TrainingError, match=f"labels is {count} and there are 15 labelled training samples of 3 classes; expected 3 to 15"):
        few_labelled(samples_of(tmp_path), count, 0)


def test_samples_without_a_label_are_refused(tmp_path):
    samples = samples_of(tmp_path)
    with pytest.raises(TrainingError, match="15 of 15 samples have no label"):
        few_labelled(replace(samples, labels=np.full(len(samples), -1)), 4, 0)


def test_a_training_learns_from_these_alone_and_is_tested_on_all(tmp_path):
    """By the seed of the run: scratch and fine-tuned trainings of one seed see the same objects."""
    samples = samples_of(tmp_path)
    told = {"store": str(samples.stores[0].path), "classes": ["chair", "cup", "sofa"], "fold": None}
    schedule = Schedule(epochs=1, batch=4)
    training = Training(Use(Classify, labels=5, votes=1), Use(VoxNet, resolution=12), schedule, sets=("toy",), test=("toy",))
    job = {"training": to_plain(training), "train": {}, "sets": {"toy": told}, "up": "+Y", "init": None, "overfit": 0}
    found = [assemble(job | {"seed": seed}, torch.device("cpu")) for seed in (0, 0, 1)]
    assert [len(one.samples) for one in found] == [5, 5, 5] and found[0].learnt is found[0].samples
    assert found[0].samples.objects == found[1].samples.objects != found[2].samples.objects
    part = Samples.of(samples.stores[0], classes=("chair", "cup", "sofa"), part="train")
    assert found[0].samples.objects == few_labelled(part, 5, 0).objects
    assert found[0].tests["toy"].objects == Samples.of(samples.stores[0], classes=("chair", "cup", "sofa"), part="test").objects
