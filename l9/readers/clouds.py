"""Point clouds as benchmarks store them: rows of an HDF5 file, and tables of numbers as text.

An HDF5 benchmark has `data` (n, points, 3), a class number for each row in `label` (n) or (n, 1), and perhaps `normal` (n, points, 3).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud, checked_cloud
from l9.geometry.mesh import Axis
from l9.readers.contract import REFUSE, Found
from l9.readers.hdf5 import dataset_of, has_dataset, open_hdf5, row_of

MAX_POINTS = 1_000_000  # lines of one table; the largest read here has 10,000


def found_rows(root: Path, file: str, classes: Sequence[str], split: str) -> Iterator[Found]:
    """Every row of the HDF5 file `file` below `root`: ids `ply_data_train0/00042`, labels by the row's class number.

    A row whose number names no class goes to quarantine (`unknown-class`).
    raises  RefusedObject naming the file where it is missing or its labels cannot be read
    """
    path = root / file
    if not path.is_file():
        raise RefusedObject("missing-file", f"{file} is not there")
    try:
        with path.open("rb") as stream:
            numbers = row_labels(stream)
    except RefusedObject as refusal:
        raise RefusedObject(refusal.reason, f"{file}: {refusal.detail}") from refusal
    name = PurePosixPath(file).stem
    for row, number in enumerate(numbers.tolist()):
        known = 0 <= number < len(classes)
        facts = {} if known else {REFUSE: ["unknown-class", f"class {number:,}; expected 0 to {len(classes) - 1}"]}
        yield Found(f"{name}/{row:05d}", (file,), str(row), classes[number] if known else "", split, facts)


def row_labels(stream: BinaryIO) -> Int[ndarray, "n"]:
    """The class number of each row.

    raises  RefusedObject as `l9.readers.hdf5` says, or `uneven` where labels and rows of `data` differ in number
    """
    with open_hdf5(stream) as file:
        numbers = np.asarray(dataset_of(file, "label", "iu", (), (1,))[()]).reshape(-1)
        count = len(dataset_of(file, "data", "f", (None, 3)))
    if len(numbers) != count:
        raise RefusedObject("uneven", f"{count:,} rows of data and {len(numbers):,} labels; expected as many")
    return numbers


def read_row(stream: BinaryIO, row: int, up: Axis) -> PointCloud:
    """One row of an HDF5 benchmark, float64, with normals where the file has them.

    raises  RefusedObject as `l9.readers.hdf5` and `checked_cloud` say
    """
    with open_hdf5(stream) as file:
        points = _float64(row_of(dataset_of(file, "data", "f", (None, 3)), row))
        normals = None
        if has_dataset(file, "normal"):
            normals = _float64(row_of(dataset_of(file, "normal", "f", (None, 3)), row))
    return checked_cloud(PointCloud(points, normals, up=up))


def _float64(values: ndarray) -> ndarray:
    with np.errstate(invalid="ignore"):  # numbers that are none are refused with their point
        return values.astype(np.float64)


def read_table(stream: BinaryIO, columns: tuple[int, ...], delimiter: str | None = None) -> Float[ndarray, "n c"]:
    """A text file of numbers, a line a point, as float64.

    columns    how many numbers a line may have, each line as many
    delimiter  between them; None: white space
    raises     RefusedObject `empty-file`, `unreadable`, `wrong-shape` or `too-large`
    """
    data = stream.read()
    if not data.strip():
        raise RefusedObject("empty-file", f"{len(data):,} bytes")
    try:
        lines = [line for line in data.decode("ascii").splitlines() if line.strip()]
        if not lines:  # text knows more white space than bytes do
            raise RefusedObject("empty-file", f"{len(data):,} bytes")
        if len(lines) > MAX_POINTS:
            raise RefusedObject("too-large", f"{len(lines):,} lines; expected at most {MAX_POINTS:,}")
        table = np.loadtxt(lines, np.float64, comments=None, delimiter=delimiter, ndmin=2)
    except ValueError as error:
        raise RefusedObject("unreadable", " ".join(str(error).split())[:200]) from error
    if table.shape[1] not in columns:
        raise RefusedObject("wrong-shape", f"{table.shape[1]:,} numbers a line; expected {' or '.join(map(str, columns))}")
    return table
