"""ShapeNetPart: clouds with a part for every point, numbered over all categories."""

import json

import numpy as np
import pytest
from licensed_trees import put, shapenetpart

from l9.cards import load_card
from l9.errors import RefusedObject, UsageError
from l9.readers import shapenetpart as reader
from l9.readers.contract import REFUSE


def found_below(root):
    return {one.id: one for one in reader.find(root)}


def read(root, found):
    with (root / found.files[0]).open("rb") as points, (root / found.files[1]).open("rb") as labels:
        return reader.read([points, labels], found, "+Y")


def test_listed_models_with_category_and_split(tmp_path):
    found = found_below(shapenetpart(tmp_path))
    assert len(found) == 8
    assert [found[f"03797390/m{number}"].split for number in range(4)] == ["train", "train", "validation", "test"]
    one = found["03797390/m0"]
    assert (one.label, one.files) == ("Mug", ("03797390/points/m0.pts", "03797390/points_label/m0.seg"))
    assert found["02691156/m3"].facts[REFUSE] == ["missing-file", "02691156/points_label/m3.seg is not there"]


def test_parts_are_counted_over_all_categories(tmp_path):
    found = found_below(shapenetpart(tmp_path))
    airplane, mug = read(tmp_path, found["02691156/m0"]), read(tmp_path, found["03797390/m0"])
    assert airplane.labels.tolist() == [number % 4 for number in range(300)]
    assert mug.labels.tolist() == [36 + number % 2 for number in range(300)]
    assert mug.points.shape == (300, 3) and mug.normals is None


def test_fifty_parts_in_the_order_of_the_names():
    assert sum(reader.PARTS.values()) == 50 and list(reader.PARTS) == sorted(reader.PARTS)
    assert {name: reader.FIRST[name] for name in ("Airplane", "Chair", "Motorbike", "Table")} == {
        **{"Airplane": 0, "Chair": 12, "Motorbike": 30, "Table": 47}
    }
    assert load_card("shapenetpart").class_names("shapenetpart16") == tuple(reader.PARTS)


@pytest.mark.parametrize("labels", ["1\n3\n", "0\n1\n", "-1\n1\n", "1.5\n1\n", "nan\n1\n", "1e300\n1\n"])
def test_a_part_that_the_category_does_not_have_is_refused(tmp_path, labels):
    found = found_below(shapenetpart(tmp_path))["03797390/m0"]
    put(tmp_path / found.files[0], "0 0 0\n1 1 1\n")
    put(tmp_path / found.files[1], labels)
    with pytest.raises(RefusedObject, match=r"bad-label: line .* of Mug; expected 1 to 2"):
        read(tmp_path, found)


def test_points_and_labels_that_differ_in_number_are_refused(tmp_path):
    found = found_below(shapenetpart(tmp_path))["03797390/m0"]
    put(tmp_path / found.files[1], "1\n2\n")
    with pytest.raises(RefusedObject, match="uneven: 300 points and 2 labels"):
        read(tmp_path, found)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("synsetoffset2category.txt", "Airplane\n", "synsetoffset2category.txt: 'Airplane'"),
        ("synsetoffset2category.txt", "Sofa 04256520\n", "expected one of Airplane Bag"),
        ("synsetoffset2category.txt", "Mug ../x\n", "synsetoffset2category.txt: 'Mug ../x'"),
        ("train_test_split/shuffled_val_file_list.json", json.dumps(["shape_data/03797390/../x"]), "is of no synset"),
        ("train_test_split/shuffled_val_file_list.json", json.dumps(["shape_data/99999999/x"]), "is of no synset"),
        ("train_test_split/shuffled_val_file_list.json", json.dumps([7]), "entry 1 is '7'"),
    ],
)
def test_a_malformed_list_is_one_line(tmp_path, name, text, words):
    put(shapenetpart(tmp_path) / name, text)
    with pytest.raises(RefusedObject) as caught:
        list(reader.find(tmp_path))
    assert caught.value.reason == "bad-catalog" and words in str(caught.value) and "\n" not in str(caught.value)


def test_a_root_without_lists_is_named(tmp_path):
    shapenetpart(tmp_path / "v0")
    with pytest.raises(UsageError, match=r"no synsetoffset2category.txt there; give --root .*/v0"):
        list(reader.find(tmp_path))
    (tmp_path / "v0" / "train_test_split" / "shuffled_test_file_list.json").unlink()
    with pytest.raises(RefusedObject, match=r"missing-file: train_test_split/shuffled_test_file_list.json"):
        list(reader.find(tmp_path / "v0"))


def test_labels_are_whole_numbers_of_int64(tmp_path):
    found = found_below(shapenetpart(tmp_path))["02691156/m1"]
    assert read(tmp_path, found).labels.dtype == np.int64
