"""CIFAR-10: both layouts give the same pictures, and a pickle that holds or builds anything but arrays is refused."""

import io
import pickle
import struct

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from picture_bytes import binary_batch, cifar10, python2_batch, refused

from l9.errors import UsageError
from l9.readers import cifar10 as reader
from l9.readers.pickled_arrays import read_arrays


def pickled(data):
    return reader.read_pickled(io.BytesIO(data))


@pytest.mark.parametrize("binary", [True, False])
def test_ids_labels_splits_and_pictures(tmp_path, binary):
    root = cifar10(tmp_path, binary)
    found = {one.id: one for one in reader.find(root, validation=12)}
    assert len(found) == 60 and list(found)[10] == "data_batch_2/00000"
    assert [one.split for one in found.values()] == ["train"] * 38 + ["validation"] * 12 + ["test"] * 10
    assert [one.label for one in found.values()] == list(reader.CLASSES) * 6
    _, drawn = python2_batch(tuple(range(10)))
    one = found["test_batch/00007"]
    with (root / one.files[0]).open("rb") as stream:
        image = reader.read([stream], one, "+Y")
    assert_array_equal(image.pixels, drawn[7].transpose(1, 2, 0))
    assert image.pixels.shape == (32, 32, 3) and image.alpha is None


def test_both_layouts_are_one_dataset():
    batch, drawn = python2_batch()
    for found in (pickled(batch), reader.read_binary(io.BytesIO(binary_batch()))):
        assert_array_equal(found.pixels, drawn)
        assert_array_equal(found.labels, [3, 9])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_batches_that_python_3_wrote_again_are_read(protocol):
    drawn = np.arange(2 * 3072).reshape(2, 3072).astype(np.uint8)
    found = pickled(pickle.dumps({"data": drawn, "labels": [0, 1], "filenames": ["a.png", "b.png"]}, protocol))
    assert_array_equal(found.pixels.reshape(2, 3072), drawn)
    turned = pickled(pickle.dumps({"data": np.asfortranarray(drawn), "labels": [0, 1]}, protocol))
    assert_array_equal(turned.pixels.reshape(2, 3072), drawn)


class Deed:
    """What would run a command if it were built."""

    def __reduce__(self):
        import os

        return os.system, ("touch ran",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("where", ["data", "labels", "more"])
def test_a_pickle_that_builds_anything_but_arrays_is_refused(tmp_path, monkeypatch, protocol, where):
    monkeypatch.chdir(tmp_path)
    value = {"data": [1], "labels": [0], where: Deed()}
    refused(lambda: pickled(pickle.dumps(value, protocol)), "forbidden-name", "system")
    assert not list(tmp_path.iterdir())


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
KIND = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"


def state(shape=b"K\x02\x85", kind=KIND, data=b"U\x02ab"):
    return b"(K\x01" + shape + kind + b"\x89" + data + b"tb"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"cbuiltins\neval\n", "forbidden-name"),
        (b"cnumpy\nload\n", "forbidden-name"),
        (b"cnumpy\nndarray\n(K\x02tR", "forbidden-name"),  # the class is no maker
        (b"cnumpy\nndarray\nK\x01b", "unreadable"),  # and takes no state
        (b"cnumpy.core.multiarray\n_reconstruct\n(K\x01K\x00\x85U\x01btR", "bad-array"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x09\x85U\x01btR", "bad-array"),
        (ARRAY + b"K\x01b", "bad-array"),
        (ARRAY + state(shape=b"K\x03\x85"), "bad-array"),
        (ARRAY + state(shape=b"J\xff\xff\xff\xff\x85"), "bad-array"),
        (ARRAY + state(shape=b"(" + 9 * b"K\x01" + b"t"), "bad-array"),
        (ARRAY + state(shape=b"U\x01a"), "bad-array"),
        (ARRAY + state(data=b"]"), "bad-array"),
        (ARRAY + state(data=b"X\x02\x00\x00\x00\xc4\x80"), "bad-array"),
        (ARRAY + state(kind=b"U\x02u1"), "bad-array"),
        (ARRAY + state(kind=b"cnumpy\ndtype\nU\x01OK\x00K\x01\x87R"), "bad-array"),  # objects: pointers
        (ARRAY + state(kind=b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R"), "bad-array"),
        (ARRAY + state(kind=KIND + b"(K\x03U\x01<NNNK\x01K\x01K\x00tb"), "bad-array"),
        (ARRAY + state(kind=KIND + b"(K\x03U\x01|NX\x01\x00\x00\x00a}K\x01K\x01K\x00tb"), "bad-array"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7tR", "bad-array"),
        (b"T" + struct.pack("<i", -1), "unreadable"),
        (b"T\xff\xff\xff\x7fab", "unreadable"),
        (b"B\xff\xff\xff\xffab", "unreadable"),
    ],
)
def test_arrays_are_made_of_plain_bytes_alone(data, reason):
    refused(lambda: read_arrays(io.BytesIO(b"\x80\x02" + data + b".")), reason)


def test_a_plain_array_is_read():
    found = read_arrays(io.BytesIO(b"\x80\x02" + ARRAY + state() + b"."))
    assert_array_equal(found.values, [97, 98])


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (python2_batch(shape=(2, 3073))[0], "bad-array", r"shape \(2, 3073\) from 6,144 bytes"),
        (python2_batch(shape=(1, 6144))[0], "wrong-shape", r"shape \(1, 6144\); expected \(n, 3,072\)"),
        (python2_batch(dtype="i8")[0], "bad-array", "expected u1"),
        (python2_batch(order="<")[0], "bad-array", "expected plain bytes"),
        (python2_batch(module="numpy.core.other")[0], "forbidden-name", "other"),
        (python2_batch(labels=(3, 10))[0], "bad-label", "label 10; expected 0 to 9"),
        (python2_batch()[0][:-100], "unreadable", ".*"),
        (pickle.dumps([1], 2), "unreadable", "without an array `data`"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, 4), "label-counts", "2 pictures and 1 labels"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, -1]}, 4), "bad-label", "whole numbers"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, True]}, 4), "bad-label", "whole numbers"),
        (pickle.dumps({"data": np.zeros((2, 3072)), "labels": [1, 2]}, 4), "bad-array", "expected u1"),
        (pickle.dumps({"data": bytes(3072), "labels": [1]}, 4), "unreadable", "without an array"),
        (b"", "empty-file", "0 bytes"),
    ],
)
def test_batches_of_another_form_are_refused(data, reason, words):
    refused(lambda: pickled(data), reason, words)


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (binary_batch()[:-1], "truncated", "6,145 bytes; expected 3,073 for each picture"),
        (b"\x0a" + bytes(3072), "bad-label", "label 10"),
        (b"", "empty-file", "0 bytes"),
    ],
)
def test_records_of_another_form_are_refused(data, reason, words):
    refused(lambda: reader.read_binary(io.BytesIO(data)), reason, words)


def test_a_root_that_lacks_a_batch_says_which(tmp_path):
    root = cifar10(tmp_path / "cifar-10-batches-bin", binary=True)
    (root / "test_batch.bin").unlink()
    refused(lambda: list(reader.find(root)), "missing-file", "test_batch.bin is not there")
    (root / "data_batch_3.bin").write_bytes(b"1")
    refused(lambda: list(reader.find(root)), "truncated", "data_batch_3.bin: 1 bytes")
    with pytest.raises(UsageError, match=f"give --root {root}"):
        list(reader.find(tmp_path))
    with pytest.raises(UsageError, match=r"parameters\.validation is 51; expected 0 to 50"):
        list(reader.find(cifar10(tmp_path / "whole", binary=True), validation=51))
