"""l9.readers.hdf5: good files are read, hostile ones are refused from their headers, and no other file is opened."""

import io

import h5py
import numpy as np
import pytest
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st

from l9.errors import RefusedObject, SandboxError
from l9.readers.contract import Found
from l9.readers.hdf5 import MAX_ROWS, dataset_of, has_dataset, open_hdf5, row_of
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox

ROWS = np.arange(60, dtype=np.float32).reshape(4, 5, 3)


def written(fill, folder):
    """Bytes of an HDF5 file in `folder`, after `fill` put into it what it likes."""
    path = folder / "made.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    return io.BytesIO(path.read_bytes())


def read(stream, name="data", kinds="f", *row_shapes):
    with open_hdf5(stream) as file:
        return np.asarray(dataset_of(file, name, kinds, *(row_shapes or ((None, 3),)))[()])


@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf", "fletcher32": True}])
def test_rows_come_back_whatever_the_packing(tmp_path, options):
    stream = written(lambda file: file.create_dataset("data", data=ROWS, **options), tmp_path)
    with open_hdf5(stream) as file:
        found = dataset_of(file, "data", "f", (None, 3))
        for number in range(4):
            np.testing.assert_array_equal(row_of(found, number), ROWS[number])
        for wrong in (-1, 4):
            with pytest.raises(RefusedObject, match="missing-row"):
                row_of(found, wrong)
        assert has_dataset(file, "data") and not has_dataset(file, "normal")


def external_storage(folder):
    def fill(file):
        file.create_dataset("data", shape=(4, 5, 3), dtype="f4", external=[(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)])

    return fill


def virtual(folder):
    def fill(file):
        layout = h5py.VirtualLayout(shape=(4, 5, 3), dtype="f4")
        layout[:] = h5py.VirtualSource(str(folder / "secret"), "data", shape=(4, 5, 3))
        file.create_virtual_dataset("data", layout)

    return fill


def soft_to_external(folder):
    def fill(file):
        file["other"] = h5py.ExternalLink(str(folder / "secret"), "data")
        file["data"] = h5py.SoftLink("/other")

    return fill


OUTSIDE = {
    "external link": lambda folder: lambda file: file.__setitem__("data", h5py.ExternalLink(str(folder / "secret"), "data")),
    "soft link": soft_to_external,
    "external storage": external_storage,
    "virtual dataset": virtual,
}


@pytest.mark.parametrize("kind", OUTSIDE)
def test_what_leads_out_of_the_file_is_refused_though_it_is_there(tmp_path, kind):
    """The other file is real and readable, so that following it would succeed."""
    with h5py.File(tmp_path / "secret", "w") as file:
        file["data"] = ROWS
    stream = written(OUTSIDE[kind](tmp_path), tmp_path)
    with pytest.raises(RefusedObject, match="outside-link"):
        read(stream)


def test_a_filter_that_would_be_loaded_from_disk_is_refused(tmp_path):
    def fill(file):
        header = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        header.set_chunk((4, 5, 3))
        header.set_filter(4242, h5py.h5z.FLAG_OPTIONAL, (1,))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((4, 5, 3)), header)

    with pytest.raises(RefusedObject, match="unknown-filter: 'data' is packed by filter 4242; expected gzip"):
        read(written(fill, tmp_path))


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (lambda file: None, "missing-dataset"),
        (lambda file: file.create_group("data"), "missing-dataset"),
        (lambda file: file.create_dataset("data", data=ROWS[0]), "wrong-shape"),
        (lambda file: file.create_dataset("data", data=ROWS[:, :, :2]), "wrong-shape"),
        (lambda file: file.create_dataset("data", data=ROWS[:, :0]), "wrong-shape"),
        (lambda file: file.create_dataset("data", data=7.0), "wrong-shape"),
        (lambda file: file.create_dataset("data", data=h5py.Empty("f")), "wrong-shape"),
        (lambda file: file.create_dataset("data", data=ROWS.astype(np.int32)), "wrong-type"),
        (lambda file: file.create_dataset("data", data=np.zeros((4, 5, 3), [("x", "f4")])), "wrong-type"),
        (lambda file: file.create_dataset("data", shape=(4, 5, 3), dtype=h5py.string_dtype()), "wrong-type"),
        (lambda file: file.create_dataset("data", shape=(4, 5, 3), dtype=h5py.vlen_dtype(np.float32)), "wrong-type"),
        (lambda file: file.create_dataset("data", shape=(MAX_ROWS + 1, 5, 3), dtype="f4", chunks=(1, 5, 3)), "too-large"),
        (lambda file: file.create_dataset("data", shape=(2, 1 << 30, 3), dtype="f4", chunks=(1, 64, 3)), "too-large"),
        (lambda file: file.create_dataset("data", shape=(1, 1 << 25, 3), dtype="f4", chunks=(1, 1 << 25, 3)), "too-large"),
    ],
)
def test_what_is_not_the_rows_it_should_be_is_refused_unread(tmp_path, fill, reason):
    with pytest.raises(RefusedObject) as caught:
        read(written(fill, tmp_path))
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


def test_one_of_several_shapes_will_do(tmp_path):
    for shape in ((4,), (4, 1)):
        stream = written(lambda file, shape=shape: file.create_dataset("label", data=np.arange(4).reshape(shape)), tmp_path)
        assert read(stream, "label", "iu", (), (1,)).shape == shape
    stream = written(lambda file: file.create_dataset("label", data=np.zeros((4, 2), int)), tmp_path)
    with pytest.raises(RefusedObject, match=r"'label' has shape \(4, 2\); expected \(n,\) or \(n, 1\)"):
        read(stream, "label", "iu", (), (1,))


def test_what_is_no_hdf5_is_refused():
    for data, reason in ((b"", "empty-file"), (b"OFF 3 1 0\n" * 99, "unreadable"), (b"\x89HDF\r\n\x1a\n", "unreadable")):
        with pytest.raises(RefusedObject) as caught:
            read(io.BytesIO(data))
        assert caught.value.reason == reason


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    fill = lambda file: file.create_dataset("data", data=ROWS, chunks=(1, 5, 3), compression="gzip")  # noqa: E731
    return written(fill, tmp_path_factory.mktemp("whole")).getvalue()


@few
@given(share=st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_refused(whole, share):
    with pytest.raises(RefusedObject):
        read(io.BytesIO(whole[: int(len(whole) * share)]))


def test_damaged_files_end_as_rows_or_refusals_and_take_nobody_with_them(whole, tmp_path):
    """libhdf5 may crash on damage: that costs the child, never the work, and what is not damaged is still read after it."""
    draw, path = np.random.default_rng(0), tmp_path / "a.h5"
    found = Found("a/00001", ("a.h5",), "1").describe()
    arguments = {"reader": "l9.readers.modelnet_h5:read", "found": found, "up": "+Y", "parameters": {}, "stages": []}
    ends = []
    with Sandbox(Limits(wall_seconds=30.0), imports=("l9.stages.process",)) as sandbox:
        for _ in range(60):
            data = np.frombuffer(whole, np.uint8).copy()
            places = draw.integers(0, len(data), draw.integers(1, 40))
            data[places] = draw.integers(0, 256, len(places))
            path.write_bytes(data.tobytes())
            try:
                sandbox.call("l9.stages.process:process_object", arguments, [path])
                ends.append("read")
            except (RefusedObject, SandboxError) as refusal:
                ends.append(refusal.reason)
        path.write_bytes(whole)
        assert sandbox.call("l9.stages.process:process_object", arguments, [path]).value["rows"] == 1
    assert len(ends) == 60 and {"read", "unreadable"} <= set(ends)
