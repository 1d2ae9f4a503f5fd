"""ScanObjectNN: rows of two HDF5 files, and its variants."""

import pytest
from licensed_trees import rows_file, scanobjectnn

from l9.cards import load_card
from l9.errors import RefusedObject, UsageError
from l9.readers import scanobjectnn as reader


def test_rows_of_both_parts_with_their_classes(tmp_path):
    found = list(reader.find(scanobjectnn(tmp_path)))
    assert [(one.label, one.split) for one in found] == [
        *(("bag", "train"), ("chair", "train"), ("toilet", "train"), ("chair", "train")),
        *(("chair", "test"), ("bag", "test")),
    ]
    assert found[2].id == "training_objectdataset_augmentedrot_scale75/00002"
    with (tmp_path / found[2].files[0]).open("rb") as stream:
        cloud = reader.read([stream], found[2], "+Y")
    assert cloud.points.shape == (2048, 3) and cloud.normals is None


def test_another_variant_is_a_parameter_of_the_card(tmp_path):
    part = tmp_path / "h5_files" / "main_split_nobg"
    rows_file(part / "training_objectdataset.h5", [1], points=8)
    rows_file(part / "test_objectdataset.h5", [2], points=8)
    found = list(reader.find(tmp_path, part="h5_files/main_split_nobg", variant=""))
    assert [(one.id, one.label, one.split) for one in found] == [
        ("training_objectdataset/00000", "bin", "train"),
        ("test_objectdataset/00000", "box", "test"),
    ]
    with pytest.raises(RefusedObject, match=r"missing-file: h5_files/main_split_nobg/training_objectdataset_augmentedrot_scale75.h5"):
        list(reader.find(tmp_path, part="h5_files/main_split_nobg"))
    with pytest.raises(UsageError, match="no folder h5_files/main_split there"):
        list(reader.find(tmp_path))


def test_the_card_lists_the_readers_classes():
    card = load_card("scanobjectnn")
    assert card.class_names("scanobjectnn15") == tuple(sorted(reader.CLASSES))
