"""A folder of mesh files: `<class>/<name>.obj`, `<class>/<name>/model.obj`, or files directly below the root.

An object's id is its path below the root, extension included; its label is the first folder, "" directly below the root. The material
file of an OBJ, `<name>.mtl` beside it, is its second input file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from l9.geometry.mesh import Axis, Mesh
from l9.readers.contract import REFUSE, Found
from l9.readers.files import files_below, printable
from l9.readers.materials import NOTES, material_file, with_materials
from l9.readers.meshes import FORMATS, read_mesh

VERSION = 4


def find(root: Path) -> Iterator[Found]:
    """Every mesh file below `root` in the order of ids, links followed, hidden files left out.

    raises  UsageError where the root is no folder
    """
    for path in files_below(root, tuple(FORMATS)):
        name = printable(str(path))
        label = printable(path.parts[0]) if len(path.parts) > 1 else ""
        if name != str(path):
            yield Found(name, (name,), "", label, "", {REFUSE: ["file-name", "it holds a character that is no printable UTF-8; rename it"]})
            continue
        materials, notes = material_file(root, path)
        yield Found(name, (name, *materials), "", label, "", {NOTES: list(notes)} if notes else {})


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Mesh:
    """The mesh of one file, by its ending, with notes on its materials; RefusedObject as `l9.readers.meshes.read_mesh` says."""
    return with_materials(read_mesh(files[0], PurePosixPath(found.id).suffix.lower(), up), files[1:], found)
