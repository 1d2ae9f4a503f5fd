"""ModelNet40 as 2,048 surface points a shape in HDF5, made by the authors of PointNet: `modelnet40_ply_hdf5_2048`.

`train_files.txt` and `test_files.txt` name the HDF5 files, `shape_names.txt` the classes in the order of their numbers. The lists are the
catalog: every row of a file they name is an object, every file they name must be there. Lines may carry the folder of the authors' own
checkout, so only a line's last part counts.
source  Qi, Su, Mo, Guibas, PointNet, CVPR 2017
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud
from l9.geometry.mesh import Axis
from l9.readers.clouds import found_rows, read_row
from l9.readers.contract import Found
from l9.readers.lists import check_root, read_lines, safe_name

VERSION = 1
LISTS = {"train": "train_files.txt", "test": "test_files.txt"}
NAMES = "shape_names.txt"


def find(root: Path) -> Iterator[Found]:
    """Every row of every listed file: ids `ply_data_train0/00042`, `member` the row's number.

    raises  UsageError where `root` has no lists; RefusedObject `missing-file` or `bad-catalog` naming a list or a listed file
    """
    check_root(root, lambda folder: (folder / LISTS["train"]).is_file(), f"{LISTS['train']}")
    classes = read_lines(root, NAMES)
    for split, listed in LISTS.items():
        for line in read_lines(root, listed):
            name = PurePosixPath(line).name
            if not safe_name(name):
                raise RefusedObject("bad-catalog", f"{listed}: '{line[:60]}' names no file")
            yield from found_rows(root, name, classes, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> PointCloud:
    """One row: 2,048 points in the unit sphere, with normals where the file has them."""
    return read_row(files[0], int(found.member), up)
