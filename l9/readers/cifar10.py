"""CIFAR-10: 60,000 pictures of 32x32 RGB pixels in 10 classes, as its binary version or as its pickles for Python.

    data_batch_1.bin ... data_batch_5.bin, test_batch.bin   10,000 records each: the label, then 1,024 bytes of red, of green, of blue
    data_batch_1 ... data_batch_5, test_batch               a pickled dictionary: `data` uint8 (10,000, 3,072) in the same order, `labels`

The pickles are read without an unpickler and may hold nothing but numbers, text and arrays of bytes. The last of the training can be set
apart for validation; its pictures are in random order.
source  Krizhevsky, Learning multiple layers of features from tiny images, 2009; the layout is from the page that it is published on
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.image import Image, checked_image
from l9.geometry.mesh import Axis
from l9.readers.contract import Found
from l9.readers.last_files import LastFiles
from l9.readers.lists import check_root, named
from l9.readers.pickled_arrays import Bytes, read_arrays

VERSION = 1
SIDE, PLANES = 32, 3
VALUES = PLANES * SIDE**2
RECORD = 1 + VALUES
MOST_BYTES = 64 << 20  # of one batch; each has 31 MB
TRAINING, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Batch:
    """The pictures and labels of one file, row 0 on top."""

    pixels: UInt8[ndarray, "n 3 32 32"]
    labels: UInt8[ndarray, "n"]


def find(root: Path, validation: int = 0) -> Iterator[Found]:
    """Every picture of every batch: ids `data_batch_1/00042`; `member` is the picture's number in its file.

    validation  how many of the last training pictures are for validation
    raises      UsageError where `root` has no first batch, RefusedObject naming the file where one is missing or cannot be read
    """
    check_root(root, lambda folder: any((folder / name).is_file() for name in (TRAINING[0], f"{TRAINING[0]}.bin")), "data_batch_1[.bin]")
    ending = ".bin" if (root / f"{TRAINING[0]}.bin").is_file() else ""
    labels = {name: _labels(root, f"{name}{ending}") for name in (*TRAINING, TEST)}
    total = sum(len(labels[name]) for name in TRAINING)
    if not 0 <= validation <= total:
        raise UsageError(f"parameters.validation is {validation}; expected 0 to {total:,}, of the training pictures that there are")
    position = 0
    for name, numbers in labels.items():
        for number, label in enumerate(numbers.tolist()):
            split = "test" if name == TEST else "train" if position < total - validation else "validation"
            yield Found(f"{name}/{number:05d}", (f"{name}{ending}",), str(number), CLASSES[label], split)
            position += 1


def read(files: Sequence[BinaryIO], found: Found, up: Axis, validation: int = 0) -> Image:
    """One picture (32, 32, 3); RefusedObject as `read_binary` and `read_pickled` say, `missing-row` where the file has no such picture."""
    del up, validation
    pixels = (_binary if found.files[0].endswith(".bin") else _pickled).of(files[0]).pixels
    number = int(found.member)
    if not 0 <= number < len(pixels):
        raise RefusedObject("missing-row", f"picture {number:,} of {len(pixels):,}")
    return checked_image(Image(np.ascontiguousarray(pixels[number].transpose(1, 2, 0))))


def read_binary(stream: BinaryIO) -> Batch:
    """The batch of the binary version; RefusedObject `empty-file`, `too-large`, `truncated` or `bad-label`."""
    data = _bounded(stream)
    if len(data) % RECORD:
        raise RefusedObject("truncated", f"{len(data):,} bytes; expected {RECORD:,} for each picture")
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    return _checked(Batch(records[:, 1:].reshape(-1, PLANES, SIDE, SIDE), records[:, 0]))


def read_pickled(stream: BinaryIO) -> Batch:
    """The batch of a pickle.

    raises  RefusedObject as `read_binary`; `forbidden-opcode`, `forbidden-name`, `unreadable` or `bad-array` for anything but plain values
            and arrays, `wrong-shape`, or `label-counts` where pictures and labels differ in number
    """
    pickled = io.BytesIO(_bounded(stream))
    value = read_arrays(pickled)
    found = value.get("data") if type(value) is dict else None
    labels = value.get("labels") if type(value) is dict else None
    if type(found) is not Bytes or found.values is None or type(labels) is not list:
        raise RefusedObject("unreadable", "a pickle without an array `data` and a list `labels`; expected a batch of CIFAR-10")
    if found.values.ndim != 2 or found.values.shape[1] != VALUES:
        raise RefusedObject("wrong-shape", f"`data` has shape {found.values.shape}; expected (n, {VALUES:,})")
    if len(labels) != len(found.values):
        raise RefusedObject("label-counts", f"{len(found.values):,} pictures and {len(labels):,} labels")
    if not all(type(label) is int and 0 <= label <= 255 for label in labels):
        raise RefusedObject("bad-label", f"labels that are no whole numbers from 0 to {len(CLASSES) - 1}")
    return _checked(Batch(found.values.reshape(-1, PLANES, SIDE, SIDE), np.array(labels, np.uint8)))


_binary, _pickled = LastFiles(read_binary), LastFiles(read_pickled)


def _labels(root: Path, name: str) -> UInt8[ndarray, "n"]:
    if not (root / name).is_file():
        raise RefusedObject("missing-file", f"{name} is not there")
    with named(name), (root / name).open("rb") as stream:
        return (read_binary if name.endswith(".bin") else read_pickled)(stream).labels.copy()


def _bounded(stream: BinaryIO) -> bytes:
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise RefusedObject("too-large", f"more than {MOST_BYTES:,} bytes")
    if not data:
        raise RefusedObject("empty-file", "0 bytes")
    return data


def _checked(batch: Batch) -> Batch:
    if len(batch.labels) and batch.labels.max() >= len(CLASSES):
        raise RefusedObject("bad-label", f"label {int(batch.labels.max())}; expected 0 to {len(CLASSES) - 1}")
    return batch
