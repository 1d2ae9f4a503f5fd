"""ModelNet in its three forms: OFF files, 2,048 points in HDF5, 10,000 points with normals as text."""

import numpy as np
import pytest
from licensed_trees import modelnet, modelnet_h5, modelnet_resampled, put, rows_file

from l9.errors import RefusedObject, UsageError
from l9.geometry.mesh import Mesh
from l9.readers import modelnet as off
from l9.readers import modelnet_h5 as h5
from l9.readers import modelnet_resampled as resampled
from l9.readers.contract import REFUSE


def found_below(reader, root):
    return {one.id: one for one in reader.find(root)}


def read(reader, root, found, up):
    with (root / found.files[0]).open("rb") as stream:
        return reader.read([stream], found, up)


def test_off_files_have_class_and_split_from_their_folders(tmp_path):
    found = found_below(off, modelnet(tmp_path))
    assert len(found) == 10
    one = found["night_stand/test/night_stand_0004.off"]
    assert (one.label, one.split, one.facts) == ("night_stand", "test", {})
    assert found["airplane/train/airplane_0001.off"].split == "train"


def test_a_header_glued_to_its_counts_is_read(tmp_path):
    modelnet(tmp_path)
    glued = tmp_path / "airplane/train/airplane_0001.off"
    assert glued.read_text().startswith("OFF8 12 0")
    mesh = read(off, tmp_path, found_below(off, tmp_path)["airplane/train/airplane_0001.off"], "+Z")
    assert isinstance(mesh, Mesh) and (len(mesh.vertices), len(mesh.faces), mesh.up) == (8, 12, "+Z")


def test_an_off_file_anywhere_else_is_refused_and_hidden_ones_are_none(tmp_path):
    modelnet(tmp_path)
    for name in ("airplane/airplane_9.off", "airplane/valid/a.off", "airplane/train/._airplane_0001.off", "__MACOSX/._x.off"):
        put(tmp_path / name, "OFF")
    refused = {name: one.facts[REFUSE][0] for name, one in found_below(off, tmp_path).items() if one.facts}
    assert refused == {"airplane/airplane_9.off": "wrong-place", "airplane/valid/a.off": "wrong-place"}


@pytest.mark.parametrize(("reader", "tree"), [(off, modelnet), (h5, modelnet_h5), (resampled, modelnet_resampled)])
def test_the_folder_within_is_named_where_the_root_holds_it(tmp_path, reader, tree):
    tree(tmp_path / "unpacked")
    with pytest.raises(UsageError, match=r"give --root .*/unpacked"):
        list(reader.find(tmp_path))


def test_every_row_of_a_listed_file_is_an_object(tmp_path):
    found = found_below(h5, modelnet_h5(tmp_path))
    assert {one.id: (one.label, one.split) for one in found.values()} == {
        "ply_data_train0/00000": ("airplane", "train"),
        "ply_data_train0/00001": ("night_stand", "train"),
        "ply_data_train0/00002": ("airplane", "train"),
        "ply_data_train1/00000": ("night_stand", "train"),
        "ply_data_test0/00000": ("night_stand", "test"),
        "ply_data_test0/00001": ("airplane", "test"),
    }
    data = rows_file(tmp_path / "again.h5", [1, 0], normals=True, seed=2)
    cloud = read(h5, tmp_path, found["ply_data_test0/00001"], "+Y")
    np.testing.assert_array_equal(cloud.points, data[1].astype(np.float64))
    assert cloud.normals is not None and cloud.up == "+Y"


def test_a_listed_file_that_is_not_there_is_named(tmp_path):
    modelnet_h5(tmp_path)
    (tmp_path / "ply_data_train1.h5").unlink()
    with pytest.raises(RefusedObject, match=r"missing-file: ply_data_train1\.h5"):
        list(h5.find(tmp_path))
    (tmp_path / "test_files.txt").write_text("..\n")
    (tmp_path / "train_files.txt").write_text("/etc/ply_data_train0.h5\n")
    with pytest.raises(RefusedObject, match=r"bad-catalog: test_files\.txt: '\.\.' names no file"):
        list(h5.find(tmp_path))
    (tmp_path / "shape_names.txt").unlink()
    with pytest.raises(RefusedObject, match=r"missing-file: shape_names\.txt"):
        list(h5.find(tmp_path))


def test_a_class_ends_at_the_last_underscore(tmp_path):
    found = found_below(resampled, modelnet_resampled(tmp_path))
    assert len(found) == 10
    one = found["night_stand/night_stand_0004.txt"]
    assert (one.label, one.split, one.facts) == ("night_stand", "test", {})
    cloud = read(resampled, tmp_path, one, "+Y")
    assert cloud.points.shape == cloud.normals.shape == (2500, 3)
    np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), 1, atol=1e-5)


def test_a_listed_id_that_is_not_there_is_planned_and_refused(tmp_path):
    modelnet_resampled(tmp_path)
    (tmp_path / "airplane/airplane_0002.txt").unlink()
    put(tmp_path / "airplane/notes.txt", "no object")
    found = found_below(resampled, tmp_path)
    assert len(found) == 10
    refused = {name: one.facts[REFUSE] for name, one in found.items() if one.facts}
    assert refused == {"airplane/airplane_0002.txt": ["missing-file", "modelnet40_train.txt names it and it is not there"]}


@pytest.mark.parametrize("line", ["sofa_0001", "airplane", "../airplane_0001", "airplane_0001/../x_1"])
def test_an_id_of_no_class_is_named(tmp_path, line):
    modelnet_resampled(tmp_path)
    put(tmp_path / "modelnet40_test.txt", line)
    with pytest.raises(RefusedObject, match=r"bad-catalog: modelnet40_test\.txt: .* is of no class"):
        list(resampled.find(tmp_path))


def test_points_may_come_without_normals(tmp_path):
    modelnet_resampled(tmp_path)
    put(tmp_path / "airplane/airplane_0001.txt", "0,0,0\n1,1,1\n")
    assert read(resampled, tmp_path, found_below(resampled, tmp_path)["airplane/airplane_0001.txt"], "+Y").normals is None
