"""Bytes of a mesh file into a Mesh, by the file's ending: the one table of formats.

OBJ and OFF are read by our own readers, which say why; PLY, STL and GLB by trimesh, from the bytes in hand alone: no resolver, so
that no reference in a file can open another file or an address, and no materials.
"""

import io
import re
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.obj import read_obj
from l9.readers.off import read_off

PLY_HEADER = 64 << 10  # bytes within which a PLY header must end
PLY_ELEMENT = re.compile(rb"^element\s+(\S+)\s+(\d+)\s*$", re.MULTILINE)


def read_mesh(stream: BinaryIO, ending: str, up: Axis) -> Mesh:
    """The mesh in `stream`, whose format is named by a lower-case file ending with its dot (".obj").

    raises  RefusedObject `unknown-format`, `empty-file`, `unreadable`, `truncated`, `no-faces`, `index-out-of-range`, `not-finite`
            or `no-area`
    """
    if ending not in FORMATS:
        raise RefusedObject("unknown-format", f"'{ending[:20]}'; expected one of {' '.join(FORMATS)}")
    return FORMATS[ending](stream, up)


def read_ply(stream: BinaryIO, up: Axis) -> Mesh:
    """A PLY file, ASCII or binary; counts in its header are held against the file's size before memory is taken."""
    data = _bytes(stream)
    header = data[:PLY_HEADER].partition(b"end_header")[0]
    for name, count in PLY_ELEMENT.findall(header.replace(b"\r", b"")):
        if int(count) > len(data):
            raise RefusedObject("truncated", f"{int(count):,} of {name[:20].decode('ascii', 'replace')} in a file of {len(data):,} bytes")
    _refuse_short_ascii(data, header)
    return _by_trimesh(data, "ply", up)


def _refuse_short_ascii(data: bytes, header: bytes) -> None:
    """An ASCII body has a line for every element, each ended but perhaps the last; trimesh takes what is there for the whole."""
    if not re.search(rb"^format\s+ascii", header, re.MULTILINE):
        return
    promised = sum(int(count) for _, count in PLY_ELEMENT.findall(header.replace(b"\r", b"")))
    lines = [line for line in data.partition(b"end_header")[2].splitlines() if line.strip()]
    if len(lines) < promised:
        raise RefusedObject("truncated", f"{len(lines):,} lines for the {promised:,} elements of the header")
    faces = lines[promised - 1].split() if promised else []
    is_list = b"property list" in header
    if is_list and faces and faces[0].isdigit() and len(faces) < 1 + int(faces[0]):
        raise RefusedObject("truncated", f"the last face names {len(faces) - 1} of its {int(faces[0])} vertices")


def read_stl(stream: BinaryIO, up: Axis) -> Mesh:
    """An STL file, ASCII or binary; corners stand once per triangle, as the format has them."""
    data = _bytes(stream)
    if len(data) >= 84 and data.lstrip()[:5].lower() != b"solid":
        (count,) = struct.unpack("<I", data[80:84])
        if 84 + 50 * count > len(data):
            raise RefusedObject("truncated", f"{count:,} triangles in a file of {len(data):,} bytes")
    return _by_trimesh(data, "stl", up)


def read_glb(stream: BinaryIO, up: Axis) -> Mesh:
    """A binary glTF file: all meshes of its scene, moved as its nodes say."""
    return _by_trimesh(_bytes(stream), "glb", up)


def _bytes(stream: BinaryIO) -> bytes:
    data = stream.read()
    if not data.strip():
        raise RefusedObject("empty-file", f"{len(data):,} bytes")
    return data


def _by_trimesh(data: bytes, kind: str, up: Axis) -> Mesh:
    import trimesh

    try:
        scene: Any = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=None, process=False, skip_materials=True)
        parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh)]
        vertices = [np.asarray(part.vertices, np.float64).reshape(-1, 3) for part in parts]
        faces = [np.asarray(part.faces, np.int64).reshape(-1, 3) for part in parts]
    except (MemoryError, RefusedObject, ImportError):
        raise
    except Exception as error:  # trimesh raises whatever its parsers meet; the object is refused with those words
        if isinstance(error, OSError) and error.errno is not None:  # from the system, not from the bytes in hand
            raise
        words = " ".join(str(error).split())[:200]
        raise RefusedObject("unreadable", f"{type(error).__name__}: {words}") from error
    if not parts:
        raise RefusedObject("no-faces", "0 vertices, 0 faces")
    for number, (v, f) in enumerate(zip(vertices, faces, strict=True)):
        if len(f) and (f.min() < 0 or f.max() >= len(v)):  # before parts are joined, where a wrong number would name another part
            named = int(f.max() if f.max() >= len(v) else f.min())
            raise RefusedObject("index-out-of-range", f"part {number + 1} names vertex {named:,} of {len(v):,}")
    starts = np.cumsum([0, *(len(v) for v in vertices)])
    joined = np.concatenate([f + start for f, start in zip(faces, starts[:-1], strict=True)])
    return checked_mesh(Mesh(np.concatenate(vertices), joined, up))


FORMATS: dict[str, Callable[[BinaryIO, Axis], Mesh]] = {
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".stl": read_stl,
    ".glb": read_glb,
}
