"""Bytes of a mesh file into a Mesh, by the file's ending: the one table of formats.

Every reader is given the bytes in hand alone: no reference in a file can open another file or an address. General loaders guess where a
mesh must be refused, and take memory for whatever a header promises; each reader says of which loader that was seen, and how.
"""

from collections.abc import Callable
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh
from l9.readers.glb import read_glb
from l9.readers.obj import read_obj
from l9.readers.off import read_off
from l9.readers.ply import read_ply
from l9.readers.stl import read_stl


def read_mesh(stream: BinaryIO, ending: str, up: Axis) -> Mesh:
    """The mesh in `stream`, whose format is named by a lower-case file ending with its dot (".obj").

    raises  RefusedObject `unknown-format`, `empty-file`, `line-too-long`, `unreadable`, `truncated`, `too-large`, `no-faces`,
            `index-out-of-range`, `not-finite` or `no-area`
    """
    if ending not in FORMATS:
        raise RefusedObject("unknown-format", f"'{ending[:20]}'; expected one of {' '.join(FORMATS)}")
    return FORMATS[ending](stream, up)


FORMATS: dict[str, Callable[[BinaryIO, Axis], Mesh]] = {
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".stl": read_stl,
    ".glb": read_glb,
}
