"""The scans that 3D-EPN was trained on as HDF5, without names: `h5_shapenet_dim32_sdf`.

`train_shape_voxel_data_list.txt` and `test_shape_voxel_data_list.txt` name the files, perhaps with the folder of the authors' own checkout:
only a line's last part counts. A file has `data` (n, 2, 32, 32, 32), the signed distance in voxels and +1 known or -1 unknown, and `target`
(n, 1, 32, 32, 32), the unsigned distance; each row is an object of one scan. Which row is which model, or its class, nothing says.
Known from the authors' code (torch/provider.lua); nobody here has had the files. Assumed: that x is the fastest axis, as in the .sdf files.
source  Dai, Qi, Niessner, Shape completion using 3D-encoder-predictor CNNs and shape synthesis, CVPR 2017
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.distance_fields import KNOWN, SIDE, UNKNOWN, DistanceFields, cut_partial
from l9.geometry.mesh import Axis
from l9.readers.cnncomplete import checked_complete, checked_numbers
from l9.readers.contract import Found
from l9.readers.hdf5 import dataset_of, open_hdf5, row_of
from l9.readers.lists import check_root, named, read_lines, safe_name

VERSION = 1
LISTS = {"train": "train_shape_voxel_data_list.txt", "test": "test_shape_voxel_data_list.txt"}
GRID = (SIDE, SIDE, SIDE)


def find(root: Path) -> Iterator[Found]:
    """Every row of every listed file: ids `train_shape_voxel_data0/00042`, `member` the row's number.

    raises  UsageError where `root` has no lists; RefusedObject naming the list or the file
    """
    check_root(root, lambda folder: (folder / LISTS["train"]).is_file(), f"{LISTS['train']} and {LISTS['test']}")
    for split, listed in LISTS.items():
        for line in read_lines(root, listed):
            name = PurePosixPath(line.replace("\\", "/")).name
            if not safe_name(name):
                raise RefusedObject("bad-catalog", f"{listed}: '{line[:60]}' names no file")
            if not (root / name).is_file():
                raise RefusedObject("missing-file", f"{name} is not there")
            with (root / name).open("rb") as stream, named(name):
                count = _rows(stream)
            for row in range(count):
                yield Found(f"{PurePosixPath(name).stem}/{row:05d}", (name,), str(row), "", split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> DistanceFields:
    """One row, cut at 3 voxels; where the two channels disagree the second counts.

    raises  RefusedObject as `l9.readers.hdf5` says; `not-finite`, `bad-mask` where the second channel is not +1 and -1, `negative-distance`
    """
    row = int(found.member)
    with open_hdf5(files[0]) as file:
        data = _numbers(row_of(dataset_of(file, "data", "f", (2, *GRID)), row))
        target = _numbers(row_of(dataset_of(file, "target", "f", (1, *GRID)), row))
    distance, known = data[0], data[1]
    if not np.isin(known, (-1, 1)).all():
        raise RefusedObject("bad-mask", f"a voxel of channel 1 is {known[~np.isin(known, (-1, 1))][0]:g}; expected 1 known or -1 unknown")
    partial = np.where(known > 0, np.maximum(distance, KNOWN), np.minimum(-np.abs(distance), UNKNOWN))
    return DistanceFields(cut_partial(partial)[None], checked_complete(target[0]), up)


def _numbers(values: ndarray) -> Float32[ndarray, "channels x y z"]:
    """Channels of a row, each indexed [x, y, z]."""
    with np.errstate(over="ignore"):
        return checked_numbers(values.astype(np.float32).transpose(0, 3, 2, 1))


def _rows(stream: BinaryIO) -> int:
    with open_hdf5(stream) as file:
        counts = len(dataset_of(file, "data", "f", (2, *GRID))), len(dataset_of(file, "target", "f", (1, *GRID)))
    if counts[0] != counts[1]:
        raise RefusedObject("uneven", f"{counts[0]:,} rows of data and {counts[1]:,} of target; expected as many")
    return counts[0]
