"""3D-EPN's published scans: which is which, x from z, what was never seen, and what is refused."""

import io

import h5py
import numpy as np
import pytest
from completion_trees import cnncomplete, cnncomplete_h5, complete_field, field_bytes, partial_field, scan_file
from numpy.testing import assert_allclose, assert_array_equal

from l9.cards import load_card
from l9.config import Prep, Use
from l9.errors import CardError, RefusedObject, UsageError
from l9.fingerprint import DigestCache
from l9.geometry.distance_fields import UNKNOWN, DistanceFields, cut_partial
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.show_card import show_card
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.readers import cnncomplete as reader
from l9.readers import cnncomplete_h5 as rows_reader
from l9.readers.contract import REFUSE, Found
from l9.stages import published_scans, virtual_scans
from l9.stages.contract import columns_of, run_stages

CHAIR = "03001627/1007e20d5e811b308351982a6e40cf41"


def found_below(root, **parameters):
    return {one.id: one for one in reader.find(root, **parameters)}


def read(*fields, names=("m__0__.df", "m__0__.sdf")):
    return reader.read([io.BytesIO(field) for field in fields], Found("03001627/m", names), "+Y")


def prepared(home, root, name, prep):
    card, digests = load_card(name), DigestCache(home / "digests.sqlite")
    with new_sandbox() as sandbox:
        try:
            plan = make_plan(card, prep, root, find_objects(card, root, sandbox), digests)
            return run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)[0]
        finally:
            digests.close()


def test_lists_decide_what_is_there_and_what_is_tested(tmp_path):
    found = found_below(cnncomplete(tmp_path))
    assert list(found) == [CHAIR, *(f"03001627/m{number}" for number in (1, 2, 3)), "04530566/m4", "04530566/m5"]
    assert [one.split for one in found.values()] == ["train"] * 4 + ["test"] * 2  # m5 stands in both lists
    assert [one.label for one in found.values()] == ["chair"] * 4 + ["vessel"] * 2
    one = found["03001627/m1"]
    assert one.files == ("shapenet_dim32_df/03001627/m1__0__.df", *(f"shapenet_dim32_sdf/03001627/m1__{walk}__.sdf" for walk in (0, 2, 10)))
    assert found["03001627/m2"].facts[REFUSE] == ["missing-file", "shapenet_dim32_df/03001627/m2__0__.df is not there"]
    assert found["03001627/m3"].facts[REFUSE] == ["missing-file", "shapenet_dim32_sdf/03001627/m3__<walk>__.sdf is not there"]


def test_the_benchmark_is_part_of_the_test(tmp_path):
    found = found_below(cnncomplete(tmp_path), test="benchmark")
    assert [name for name, one in found.items() if one.split == "test"] == ["04530566/m4"] and "04530566/m5" not in found
    with pytest.raises(UsageError, match=r"parameters\.test is 'all'; expected one of completion benchmark"):
        found_below(tmp_path, test="all")


def test_axes_are_x_y_z_and_distances_are_cut():
    """A box about no axis of symmetry, as the authors' code writes it: x fastest."""
    fields = read(field_bytes(complete_field()), field_bytes(partial_field()))
    assert_allclose(fields.complete, np.minimum(complete_field(), 3))
    assert (fields.complete != fields.complete.transpose(2, 1, 0)).any()
    assert_allclose(fields.partials[0], cut_partial(partial_field()))
    assert_array_equal(fields.partials[0, :, :, 28:], np.float32(-3))
    assert fields.up == "+Y" and fields.notes == ()


def test_what_float16_would_round_to_known_stays_unknown():
    values = np.array([-1.0002, -1.0, -0.9998, -np.inf, np.inf, -1 - 2**-10, -2.5])
    cut = cut_partial(values).astype(np.float16)
    assert_array_equal(cut >= -1, values >= -1)
    assert_array_equal(cut, np.float16([UNKNOWN, -1, -1, -3, 3, UNKNOWN, -2.5]))


@pytest.mark.parametrize(
    ("partial", "reason", "words"),
    [
        (b"", "truncated", "m__0__.sdf: 0 bytes; expected 24 of a header"),
        (field_bytes(partial_field())[:23], "truncated", "23 bytes"),
        (field_bytes(partial_field())[:-1], "truncated", "131,071 bytes of voxels; expected 131,072"),
        (field_bytes(partial_field()) + b"\0", "wrong-size", "bytes after the 32^3 voxels"),
        (field_bytes(np.zeros((16, 16, 16))), "wrong-size", "16 x 16 x 16 voxels; expected 32 x 32 x 32"),
        (field_bytes(partial_field(), sides=(32, 32, 31)), "wrong-size", "32 x 32 x 31"),
        (field_bytes(partial_field(), sides=(2**62, 2**62, 2**62)), "wrong-size", "4,611,686,018,427,387,904 x"),
        (field_bytes(np.where(complete_field() > 12, np.nan, 1)), "not-finite", "of 32,768 voxels are NaN"),
    ],
)
def test_a_field_of_another_form_is_refused_in_one_line(partial, reason, words):
    with pytest.raises(RefusedObject) as caught:
        read(field_bytes(complete_field()), partial)
    assert caught.value.reason == reason and words in str(caught.value) and "\n" not in str(caught.value)
    assert "m__0__.sdf: " in str(caught.value)


def test_a_complete_field_has_no_negative_distance():
    with pytest.raises(RefusedObject, match=r"negative-distance: m__0__\.df: the least of 32,768 voxels is -[\d.]+; expected 0 or more"):
        read(field_bytes(complete_field() - 1), field_bytes(partial_field()))
    far = complete_field()
    far[0, 0, 0] = np.inf
    assert read(field_bytes(far), field_bytes(partial_field())).complete[0, 0, 0] == 3


def test_no_more_is_read_than_the_voxels_take():
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, count):
            self.asked += count
            return field_bytes(complete_field())[self.asked - count : self.asked].ljust(count, b"x")

    stream = Endless()
    with pytest.raises(RefusedObject, match="wrong-size"):
        reader.read_field(stream)
    assert stream.asked == 24 + 4 * 32**3 + 1


@pytest.mark.parametrize(
    ("name", "text", "reason", "words"),
    [
        ("completion_test.txt", "ShapeNetCore.v1\\03001627\\..\\x\n", "bad-catalog", "completion_test.txt: 'ShapeNetCore.v1"),
        ("completion_test.txt", "ShapeNetCore.v1\\99999999\\x\n", "bad-catalog", "of one of its 8 synsets"),
        ("completion_train.txt", "03001627\n", "bad-catalog", "completion_train.txt: '03001627'"),
        ("completion_train.txt", "\n", "bad-catalog", "completion_train.txt is empty"),
        ("completion_test.txt", None, "missing-file", "completion_test.txt is not there"),
    ],
)
def test_a_list_that_cannot_be_understood_is_one_line(tmp_path, name, text, reason, words):
    cnncomplete(tmp_path)
    (tmp_path / name).unlink() if text is None else (tmp_path / name).write_text(text)
    with pytest.raises(RefusedObject) as caught:
        found_below(tmp_path)
    assert caught.value.reason == reason and words in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_of_something_else_says_where_the_lists_are(tmp_path):
    cnncomplete(tmp_path / "a")
    with pytest.raises(UsageError, match=r"no completion_train\.txt and completion_test\.txt there; give --root .*a"):
        found_below(tmp_path)
    with pytest.raises(UsageError, match="no train_shape_voxel_data_list"):
        list(rows_reader.find(tmp_path))


def test_rows_of_hdf5_are_the_same_fields(tmp_path):
    found = list(rows_reader.find(cnncomplete_h5(tmp_path)))
    assert [one.id for one in found] == ["train0/00000", "train0/00001", "train1/00000", "test0/00000"]
    assert [one.split for one in found] == ["train", "train", "train", "test"]
    with (tmp_path / "train0.h5").open("rb") as stream:
        fields = rows_reader.read([stream], found[1], "+Y")
    assert_allclose(fields.partials[0], cut_partial(partial_field(1)))
    assert_allclose(fields.complete, np.minimum(complete_field(), 3))


def test_of_two_channels_that_disagree_the_mask_counts(tmp_path):
    """As some keep distances without their sign."""
    known = np.ones((32, 32, 32))
    known[:16] = -1
    scan_file(tmp_path / "a.h5", 1, known)
    with (tmp_path / "a.h5").open("rb") as stream:
        partial = rows_reader.read([stream], Found("a/00000", ("a.h5",), "0"), "+Y").partials[0]
    assert (partial[16:] >= -1).all() and (partial[:16] < -1).all()
    assert_array_equal(np.maximum(np.abs(partial_field()[:16]), -UNKNOWN).clip(max=3).astype(np.float32), -partial[:16])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file["data"].__setitem__((0, 1, 0, 0, 0), 0), "bad-mask: a voxel of channel 1 is 0"),
        (lambda file: file["data"].__setitem__((0, 0, 0, 0, 0), np.nan), "not-finite: 1 of"),
        (lambda file: file["target"].__setitem__((0, 0, 0, 0, 0), -1), "negative-distance: the least of 32,768 voxels is -1"),
        (lambda file: file.pop("target"), "missing-dataset: no dataset 'target'"),
    ],
)
def test_a_row_of_another_form_is_refused_in_one_line(tmp_path, change, words):
    scan_file(tmp_path / "a.h5", 1)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        change(file)
    with (tmp_path / "a.h5").open("rb") as stream, pytest.raises(RefusedObject, match=words):
        rows_reader.read([stream], Found("a/00000", ("a.h5",), "0"), "+Y")


def test_rows_and_targets_that_differ_in_number_end_the_listing(tmp_path):
    root = cnncomplete_h5(tmp_path)
    with h5py.File(root / "test0.h5", "a") as file:
        del file["target"]
        file["target"] = np.zeros((2, 1, 32, 32, 32), np.float32)
    with pytest.raises(RefusedObject, match=r"uneven: test0\.h5: 1 rows of data and 2 of target"):
        list(rows_reader.find(root))
    (root / "test0.h5").unlink()
    with pytest.raises(RefusedObject, match=r"missing-file: test0\.h5 is not there"):
        list(rows_reader.find(root))


def test_the_columns_are_those_of_virtual_scans():
    columns = columns_of([(published_scans, {})])
    assert columns == columns_of([(virtual_scans, {})])[:2]
    fields = DistanceFields(np.stack([cut_partial(partial_field(walk)) for walk in (0, 3)]), np.minimum(complete_field(), 3))
    first, second = run_stages(fields, [(published_scans, {})], object_id="x")
    assert_array_equal(first["complete"], second["complete"])
    assert (first["partial"] != second["partial"]).any()
    assert_allclose(second["partial"], fields.partials[1], atol=2e-3)  # float16
    with pytest.raises(RefusedObject, match="published_scans takes a DistanceFields; this object is a int"):
        list(run_stages(7, [(published_scans, {})], object_id="x"))


def test_published_files_become_a_store(home, tmp_path):
    root = cnncomplete(tmp_path / "root")
    store = prepared(home, root, "cnncomplete", Prep(Use(published_scans)))
    assert {name: store.manifest["counts"][name] for name in ("planned", "done", "quarantined", "rows")} == {
        **{"planned": 6, "done": 4, "quarantined": 2, "rows": 12}
    }
    assert {row["id"] for row in store.quarantine()} == {"03001627/m2", "03001627/m3"}
    rows = prepared(home, cnncomplete_h5(tmp_path / "h5"), "cnncomplete_h5", Prep(Use(published_scans)))
    assert rows.manifest["counts"]["done"] == rows.manifest["counts"]["rows"] == 4


def test_fields_are_not_drawn_before_a_store_is_made(tmp_path):
    total, facts, _ = show_card(load_card("cnncomplete"), cnncomplete(tmp_path), [CHAIR], count=1, seed=0, say=quiet)
    assert total == 6 and facts[0].refused == "no-picture: a DistanceFields is drawn from its store alone"


def test_the_card_says_what_the_authors_publish():
    card = load_card("cnncomplete")
    assert card.counts["train"] + card.counts["test"] == card.counts["objects"] == 31_047
    assert card.class_names("cnncomplete8") == tuple(sorted(reader.CLASSES.values()))
    assert set(card.class_names("cnncomplete8")) <= set(load_card("shapenet_v1").class_names("shapenet55"))
    assert not card.source and not load_card("cnncomplete_h5").source


def test_a_list_that_leads_nowhere_ends_the_work_with_one_line(tmp_path):
    root = cnncomplete(tmp_path)
    (root / "completion_test.txt").write_text("ShapeNetCore.v1\\03001627\\..\n")
    with new_sandbox() as sandbox, pytest.raises(CardError, match=r"card cnncomplete: .*bad-catalog: completion_test\.txt"):
        find_objects(load_card("cnncomplete"), root, sandbox)
