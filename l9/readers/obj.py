"""Wavefront OBJ: vertices and faces of a hostile file, nothing else of it.

Our own because general loaders guess where a mesh must be refused: trimesh 5.2 lets relative indices wrap past the vertices read so
far, reads index 0 as the first vertex and drops indented lines, and fails on comments behind a face, all without a word. Materials,
textures, normals, groups and free-form curves are not geometry here; no other file is ever opened, and material files that lead out of
the object's folder are noted.
"""

import itertools
import re
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.lines import plain_text, read_whole
from l9.readers.materials import library_notes
from l9.readers.polygons import Polygons

VERTEX = re.compile(rb"^[ \t]*v[ \t]+(.*)$", re.MULTILINE)
FACE = re.compile(rb"^[ \t]*f[ \t]+(.*)$", re.MULTILINE)
COMMENT = re.compile(rb"#[^\r\n]*")
BLOCK = 1 << 16  # lines whose words are held at once: words take ten times the bytes of the numbers they become
AFTER_SLASH = re.compile(rb"/\S*")  # texture and normal numbers of a corner


def read_obj(stream: BinaryIO, up: Axis) -> Mesh:
    """The mesh of a whole OBJ file: all objects and groups together, float64 vertices, polygons cut into triangles.

    raises  RefusedObject `empty-file`, `line-too-long`, `unreadable` (with the line), `no-faces`, `index-out-of-range`, `not-finite`
            or `no-area`
    """
    data = obj_text(stream)
    vertices, polygons = obj_polygons(data)
    faces, notes = polygons.triangles(vertices)
    return checked_mesh(Mesh(vertices, faces, up, notes + library_notes(data)))


def obj_text(stream: BinaryIO) -> bytes:
    """A whole file without comments, with continued lines joined; RefusedObject `empty-file` or `line-too-long`."""
    data = read_whole(stream)
    if b"#" in data:  # before lines are joined: a comment may end in a folder's backslash
        data = COMMENT.sub(b"", data)
    return plain_text(data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" "))


def obj_polygons(data: bytes) -> tuple[Float[ndarray, "v 3"], Polygons]:
    """Vertices and faces of a file's text, vertex numbers from 0; RefusedObject as `read_obj` says."""
    vertex_lines, face_lines = VERTEX.findall(data), FACE.findall(data)
    if not face_lines:
        raise RefusedObject("no-faces", f"{len(vertex_lines):,} vertices, 0 faces")
    polygons = _polygons(face_lines, data).within(len(vertex_lines), first=1)
    return _vertices(vertex_lines), polygons


def _vertices(lines: list[bytes]) -> Float[ndarray, "v 3"]:
    """x y z of each line; a weight or colour behind them is left unread."""
    try:
        words = (number for line in lines for number in line.split(None, 3)[:3])
        return np.fromiter(map(float, words), np.float64, 3 * len(lines)).reshape(-1, 3)
    except ValueError as error:
        raise _first_wrong(b"v", lines, float, 3) from error


def _polygons(lines: list[bytes], data: bytes) -> Polygons:
    try:
        blocks = [_numbers(lines[start : start + BLOCK]) for start in range(0, len(lines), BLOCK)]
        numbers, counts = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    except (ValueError, OverflowError) as error:
        raise _first_wrong(b"f", lines, _vertex_number, 0) from error
    if not (numbers < 0).any():
        return Polygons(numbers - 1, counts)
    return Polygons(_absolute(numbers, counts, data), counts)


def _numbers(lines: list[bytes]) -> tuple[Int[ndarray, "c"], Int[ndarray, "p"]]:
    """Vertex numbers as they stand in the lines, and how many each line has."""
    words = [AFTER_SLASH.sub(b"", line).split() for line in lines] if b"/" in b"".join(lines) else [line.split() for line in lines]
    counts = np.fromiter(map(len, words), np.int64, len(words))
    return np.fromiter(map(int, itertools.chain.from_iterable(words)), np.int64, int(counts.sum())), counts


def _absolute(numbers: Int[ndarray, "c"], counts: Int[ndarray, "p"], data: bytes) -> Int[ndarray, "c"]:
    """Vertex numbers from 0; those below 0 count back from the vertices that stand before their face in the file."""
    vertex_places = np.array([match.start() for match in VERTEX.finditer(data)], np.int64)
    face_places = np.array([match.start() for match in FACE.finditer(data)], np.int64)
    before = np.repeat(np.searchsorted(vertex_places, face_places), counts)
    corners = np.where(numbers < 0, before + numbers, numbers - 1)
    wrong = np.flatnonzero((numbers < 0) & (corners < 0))
    if len(wrong):
        face = int(np.searchsorted(np.cumsum(counts), wrong[0], side="right"))
        raise RefusedObject("index-out-of-range", f"face {face + 1:,} names vertex {numbers[wrong[0]]:,} after {before[wrong[0]]:,}")
    return corners


def _vertex_number(corner: bytes) -> int:
    number = int(corner.partition(b"/")[0])
    if abs(number) >= 1 << 63:
        raise OverflowError("beyond 64 bits")
    return number


def _first_wrong(kind: bytes, lines: list[bytes], number: Callable[[bytes], float], at_least: int) -> RefusedObject:
    """The refusal that names the first line of a kind that cannot be read."""
    for count, line in enumerate(lines, 1):
        words = line.split()
        try:
            if len(words) < at_least:
                raise ValueError
            for word in words[:3] if at_least else words:
                number(word)
        except (ValueError, OverflowError):
            shown = " ".join(line[:60].decode("ascii", "replace").split())
            return RefusedObject("unreadable", f"line {count:,} of those that begin with '{kind.decode()}' is not made of numbers: {shown}")
    return RefusedObject("unreadable", f"lines that begin with '{kind.decode()}' are not made of numbers")
