"""l9.readers.clouds: rows of HDF5 benchmarks, and tables of numbers."""

import io

import h5py
import numpy as np
import pytest
from licensed_trees import rows_file
from numpy.testing import assert_array_equal

from l9.errors import RefusedObject
from l9.readers import clouds
from l9.readers.contract import REFUSE


def test_each_row_is_an_object_with_its_label(tmp_path):
    data = rows_file(tmp_path / "deep" / "a.h5", [1, 0, 1], points=16)
    found = list(clouds.found_rows(tmp_path, "deep/a.h5", ["bag", "bin"], "train"))
    assert [(one.id, one.files, one.member, one.label, one.split) for one in found] == [
        ("a/00000", ("deep/a.h5",), "0", "bin", "train"),
        ("a/00001", ("deep/a.h5",), "1", "bag", "train"),
        ("a/00002", ("deep/a.h5",), "2", "bin", "train"),
    ]
    with (tmp_path / "deep" / "a.h5").open("rb") as stream:
        cloud = clouds.read_row(stream, 2, "+Z")
    assert_array_equal(cloud.points, data[2].astype(np.float64))
    assert cloud.normals is None and cloud.up == "+Z"


def test_normals_come_where_the_file_has_them(tmp_path):
    data = rows_file(tmp_path / "a.h5", [0], points=16, normals=True, label_shape=(-1, 1))
    with (tmp_path / "a.h5").open("rb") as stream:
        assert_array_equal(clouds.read_row(stream, 0, "+Y").normals, data[0].astype(np.float64))


def test_a_number_that_names_no_class_goes_to_quarantine(tmp_path):
    rows_file(tmp_path / "a.h5", [0, 9], points=4)
    good, bad = clouds.found_rows(tmp_path, "a.h5", ["bag", "bin"], "test")
    assert not good.facts
    assert bad.facts == {REFUSE: ["unknown-class", "class 9; expected 0 to 1"]} and bad.label == ""


def test_a_file_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(RefusedObject, match=r"missing-file: a\.h5 is not there"):
        list(clouds.found_rows(tmp_path, "a.h5", ["bag"], "train"))
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(RefusedObject, match=r"unreadable: a\.h5: "):
        list(clouds.found_rows(tmp_path, "a.h5", ["bag"], "train"))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"], file["label"] = np.zeros((3, 4, 3), np.float32), np.zeros(2, np.uint8)
    with pytest.raises(RefusedObject, match=r"uneven: a\.h5: 3 rows of data and 2 labels"):
        list(clouds.found_rows(tmp_path, "a.h5", ["bag"], "train"))


def test_a_row_that_is_not_finite_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"], file["label"] = np.full((1, 4, 3), np.nan, np.float32), np.zeros(1, np.uint8)
    with (tmp_path / "a.h5").open("rb") as stream, pytest.raises(RefusedObject, match="not-finite"):
        clouds.read_row(stream, 0, "+Y")


def table(data, columns=(3,), delimiter=None):
    return clouds.read_table(io.BytesIO(data), columns, delimiter)


def test_tables_of_either_delimiter_are_read():
    assert_array_equal(table(b"1 2 3\r\n4\t5  6e1\n\n"), [[1, 2, 3], [4, 5, 60]])
    assert_array_equal(table(b"1,2,3,0,0,1", (3, 6), ","), [[1, 2, 3, 0, 0, 1]])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty-file"),
        (b" \n\n", "empty-file"),
        (b"1 2 3\n4 5\n", "unreadable"),
        (b"1 2 three\n", "unreadable"),
        (b"1 2 \xff\n", "unreadable"),
        (b"1 2 3 # note\n", "unreadable"),
        (b"1 2\n", "wrong-shape"),
    ],
)
def test_a_table_of_something_else_is_refused(data, reason):
    with pytest.raises(RefusedObject) as caught:
        table(data)
    assert caught.value.reason == reason and "\n" not in str(caught.value)


def test_a_table_without_end_is_not_read_to_it(monkeypatch):
    monkeypatch.setattr(clouds, "MAX_POINTS", 3)
    assert len(table(b"1 2 3\n" * 3)) == 3
    with pytest.raises(RefusedObject, match="too-large"):
        table(b"1 2 3\n" * 4)
