"""l9.train.assemble: tests are whole scans whatever the samples are, and what cannot be tested is told before the first step."""

import numpy as np
import pytest
import torch
from column_scenes import FLOOR, NONE, columns_store, room
from toy_stores import store_of

from l9.config import Training, Use
from l9.errors import TrainingError
from l9.geometry.scan import Surface
from l9.tasks.frequent_labels import FrequentLabels
from l9.tasks.segment_scenes import SegmentScenes
from l9.train.assemble import assemble, check_tests
from l9.typed import to_plain

SPARSE = room(labels=(FLOOR, NONE, NONE))  # 4 of 20 vertices have a class: no column can be learnt from
BARE = Surface(room().vertices, room().faces)


def assembled(store, parts="train/test", **job):
    training = to_plain(Training(Use(FrequentLabels), None, name="majority", parts=parts))
    sets = {"rooms": {"store": str(store.path), "classes": None, "fold": None}}
    rest = {"train": {"workers": 0, "gpus": "auto", "precision": "float32"}, "seed": 0, "up": "+Z", "overfit": 0, "init": None}
    whole = {"training": training, "sets": sets, **rest, **job}
    assembly = assemble(whole, torch.device("cpu"))
    check_tests(assembly, whole)
    return assembly


def test_tests_are_whole_scans_and_what_is_learnt_are_shares(tmp_path):
    store = columns_store(tmp_path, [room(), SPARSE, BARE, room()], ["train", "test", "test", "test"], per_scan=5)
    assembly = assembled(store)
    assert assembly.samples.objects == ["scene0000_00"] * 5
    assert assembly.tests["rooms"].objects == ["scene0001_00", "scene0002_00", "scene0003_00"]
    assembly.task.fit(assembly.samples)
    assert assembly.task.evaluate(assembly.tests["rooms"]).metrics["scans"] == 3


def test_a_part_without_labels_is_told_from_one_that_is_not_there(tmp_path):
    unlabelled = columns_store(tmp_path / "a", [room(), room(), BARE, BARE], ["train", "validation", "test", "test"], per_scan=5)
    with pytest.raises(TrainingError) as told:
        assembled(unlabelled)
    assert str(told.value) == (
        "none of the 2 objects of the part test of set rooms has a label to compare answers with; "
        "--set trainings.*.parts=train/validation reports the validation part instead"
    )
    assert assembled(unlabelled, "train/validation").tests["rooms"].objects == ["scene0001_00"]
    assert len(assembled(unlabelled, overfit=2).tests["rooms"]) == 2  # what is learnt by heart is tested: the part is not
    absent = columns_store(tmp_path / "b", [room(), room()], ["train", "validation"], per_scan=5)
    with pytest.raises(TrainingError, match=r"has no object of the part test, all are of train or validation; --set .*=train/validation"):
        assembled(absent)
    with pytest.raises(TrainingError, match=r"part validation of set rooms has a label .*; check the card's labels and split"):
        assembled(columns_store(tmp_path / "c", [room(), BARE], ["train", "validation"], per_scan=5), "train/validation")


def test_objects_without_a_split_are_told_of_the_hash(tmp_path):
    hashed = columns_store(tmp_path, [room()], ["train"], per_scan=5)
    more = columns_store(tmp_path / "more", [room(), room()], ["train", ""], per_scan=5)
    with pytest.raises(TrainingError, match="all are of train; --set"):
        assembled(hashed)
    with pytest.raises(TrainingError, match="a hash of each id puts about 1 object in 10 into the test part, and none came there"):
        assembled(more)


def test_points_are_labelled_where_one_has_a_class(tmp_path):
    labels = np.zeros((2, 8), np.uint8)
    task = SegmentScenes(labels={"wall": 1, "chair": 5}, points=8)
    for number, expected in ((0, False), (7, False), (5, True)):
        labels[1, 3] = number
        columns = {"points": np.zeros((2, 8, 9), np.float32), "labels": labels, "vertices": np.zeros((2, 8), np.int32)}
        samples = store_of(tmp_path / str(number), {**columns, "room": np.ones((2, 3), np.float32)}, ["", ""])
        assert task.labelled(samples) == expected
    with pytest.raises(TrainingError, match="has no column labels; expected the stage scene_points"):
        task.labelled(store_of(tmp_path / "other", {"points": np.zeros((2, 8, 9), np.float32)}, ["", ""]))
