"""ScanObjectNN: 15 classes of objects cut out of indoor scans, as 2,048 points a row of HDF5.

`<part>/{training,test}_objectdataset<variant>.h5` with `data` (n, 2048, 3), `label` (n) and `mask`. Part `h5_files/main_split` has the
objects with their background, `h5_files/main_split_nobg` without; the variants move, turn and scale the box they are cut with:

    ""                        OBJ_BG, or OBJ_ONLY in main_split_nobg        "_augmented25_norot"   PB_T25
    "_augmented25rot"         PB_T25_R        "_augmentedrot"  PB_T50_R     "_augmentedrot_scale75"  PB_T50_RS, the hardest
source  Uy, Pham, Hua, Nguyen, Yeung, Revisiting point cloud classification, ICCV 2019
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from l9.geometry.cloud import PointCloud
from l9.geometry.mesh import Axis
from l9.readers.clouds import found_rows, read_row
from l9.readers.contract import Found
from l9.readers.lists import check_root

VERSION = 1
CLASSES = (  # in the order of their numbers
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door", "shelf", "table"),
    *("bed", "pillow", "sink", "sofa", "toilet"),
)
FILES = {"train": "training_objectdataset", "test": "test_objectdataset"}


def find(root: Path, part: str = "h5_files/main_split", variant: str = "_augmentedrot_scale75") -> Iterator[Found]:
    """Every row of the two files: ids `training_objectdataset_augmentedrot_scale75/00042`, `member` the row's number.

    raises  UsageError where `root` has no such part; RefusedObject `missing-file` naming the file
    """
    check_root(root, lambda folder: (folder / part).is_dir(), f"folder {part}")
    for split, name in FILES.items():
        yield from found_rows(root, f"{part}/{name}{variant}.h5", CLASSES, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, part: str = "", variant: str = "") -> PointCloud:
    """One row: its points, background included where the part has it."""
    return read_row(files[0], int(found.member), up)
