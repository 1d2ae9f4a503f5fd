"""ModelNet40 and ModelNet10 as Princeton gives them: `<class>/{train,test}/<class>_0001.off`; headers may be glued to their counts.

The split is the folder; there is no validation part. An OFF file anywhere else below the root is planned and quarantined.
source  Wu et al., 3D ShapeNets: a deep representation for volumetric shapes, CVPR 2015
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from l9.geometry.mesh import Axis, Mesh
from l9.readers.contract import REFUSE, Found
from l9.readers.files import files_below, printable
from l9.readers.lists import check_root
from l9.readers.meshes import read_mesh

VERSION = 2
SPLITS = ("train", "test")


def find(root: Path) -> Iterator[Found]:
    """Every OFF file below `root`: ids are paths, labels the first folder, splits the second.

    raises  UsageError where `root` has no class with a train or test folder
    """
    check_root(root, _has_class, "class folder with train/ and test/")
    for path in files_below(root, (".off",)):
        name = printable(str(path))
        placed = len(path.parts) == 3 and path.parts[1] in SPLITS
        facts = {} if placed else {REFUSE: ["wrong-place", "expected <class>/train or <class>/test"]}
        if name != str(path):
            facts = {REFUSE: ["file-name", "it holds a character that is no printable UTF-8; rename it"]}
        yield Found(name, (name,), "", printable(path.parts[0]) if placed else "", path.parts[1] if placed else "", facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Mesh:
    """The mesh of one OFF file; RefusedObject as `l9.readers.off.read_off` says."""
    return read_mesh(files[0], PurePosixPath(found.id).suffix.lower(), up)


def _has_class(root: Path) -> bool:
    return any((path / split).is_dir() for path in root.iterdir() if path.is_dir() for split in SPLITS)
