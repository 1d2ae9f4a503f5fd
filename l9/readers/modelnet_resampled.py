"""ModelNet40 as 10,000 points with normals a shape, made by the authors of PointNet++: `modelnet40_normal_resampled`.

`<class>/<class>_0001.txt` has lines `x,y,z,nx,ny,nz`; `modelnet40_train.txt` and `modelnet40_test.txt` list the ids, and
`modelnet40_shape_names.txt` the classes. The lists are the catalog: what they name is planned, and quarantined where it is not there.
A class's name may hold underscores (night_stand_0001): the last one ends it.
source  Qi, Yi, Su, Guibas, PointNet++, NIPS 2017; its code turns these clouds about +Y (utils/provider.py of charlesq34/pointnet2)
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud, checked_cloud
from l9.geometry.mesh import Axis
from l9.readers.clouds import read_table
from l9.readers.contract import REFUSE, Found
from l9.readers.lists import check_root, read_lines, safe_name

VERSION = 1
LISTS = {"train": "modelnet40_train.txt", "test": "modelnet40_test.txt"}
NAMES = "modelnet40_shape_names.txt"


def find(root: Path) -> Iterator[Found]:
    """Every listed id: `night_stand/night_stand_0001.txt`.

    raises  UsageError where `root` has no lists; RefusedObject `missing-file` or `bad-catalog` naming the list
    """
    check_root(root, lambda folder: (folder / LISTS["train"]).is_file(), f"{LISTS['train']}")
    classes = set(read_lines(root, NAMES))
    for split, listed in LISTS.items():
        for line in read_lines(root, listed):
            label = line.rpartition("_")[0]
            if label not in classes or not (safe_name(line) and safe_name(label)):
                raise RefusedObject("bad-catalog", f"{listed}: '{line[:60]}' is of no class of {NAMES}")
            path = f"{label}/{line}.txt"
            facts = {} if (root / path).is_file() else {REFUSE: ["missing-file", f"{listed} names it and it is not there"]}
            yield Found(path, (path,), "", label, split, facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> PointCloud:
    """The points of one file, with normals where its lines have six numbers."""
    table = read_table(files[0], columns=(3, 6), delimiter=",")
    return checked_cloud(PointCloud(table[:, :3], table[:, 3:] if table.shape[1] == 6 else None, up=up))
