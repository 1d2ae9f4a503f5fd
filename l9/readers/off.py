"""OFF, as ModelNet has it: the header may be glued to its counts (`OFF490 518 0`).

Our own because trimesh 5.2 reads a file that ends early as a smaller mesh, without a word.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.lines import plain_text, read_whole
from l9.readers.polygons import Polygons

HEADER = re.compile(rb"(?:ST)?C?N?4?OFF(?![A-Z])", re.IGNORECASE)


def read_off(stream: BinaryIO, up: Axis) -> Mesh:
    """The mesh of an ASCII OFF file: float64 vertices, polygons cut into triangles; colours and normals are left unread.

    raises  RefusedObject `empty-file`, `line-too-long`, `unreadable`, `truncated`, `no-faces`, `index-out-of-range`, `not-finite`
            or `no-area`
    """
    data = plain_text(read_whole(stream)).lstrip()
    header = HEADER.match(data)
    if header is None or b"4" in header.group():
        raise RefusedObject("unreadable", "the file does not begin with OFF")
    lines = [line for line in (line.partition(b"#")[0].strip() for line in data[header.end() :].splitlines()) if line]
    vertex_count, face_count = _counts(lines)
    if len(lines) < 1 + vertex_count + face_count:
        raise RefusedObject("truncated", f"{len(lines) - 1:,} lines; expected {vertex_count:,} vertices and {face_count:,} faces")
    try:
        flat = np.fromiter((float(word) for line in lines[1 : 1 + vertex_count] for word in _three(line)), np.float64, 3 * vertex_count)
        polygons = _polygons(lines[1 + vertex_count : 1 + vertex_count + face_count])
    except (ValueError, OverflowError) as error:
        raise RefusedObject("unreadable", f"a line that is not made of numbers ({error})") from error
    vertices = flat.reshape(-1, 3)
    faces, notes = polygons.within(vertex_count, first=0).triangles(vertices)
    return checked_mesh(Mesh(vertices, faces, up, notes))


def _counts(lines: list[bytes]) -> tuple[int, int]:
    try:
        vertices, faces = (int(word) for word in lines[0].split()[:2])
    except (ValueError, IndexError) as error:
        raise RefusedObject("unreadable", "no counts of vertices and faces behind OFF") from error
    if vertices < 0 or faces < 0:
        raise RefusedObject("unreadable", f"{vertices:,} vertices and {faces:,} faces")
    return vertices, faces


def _three(line: bytes) -> list[bytes]:
    words = line.split(None, 3)[:3]
    if len(words) < 3:
        raise ValueError(f"a vertex of {len(words)} numbers")
    return words


def _polygons(lines: list[bytes]) -> Polygons:
    counts: list[int] = []

    def corners() -> Iterator[int]:
        for line in lines:
            face = _face(line)
            counts.append(len(face))
            yield from face

    numbers = np.fromiter(corners(), np.int64)
    return Polygons(numbers, np.array(counts, np.int64))


def _face(line: bytes) -> list[int]:
    words = line.split()
    count = int(words[0])
    if not 0 <= count <= len(words) - 1:
        raise ValueError(f"a face of {count:,} corners lists {len(words) - 1:,}")
    return [int(word) for word in words[1 : 1 + count]]
