"""STL, as text or binary: the triangles of a hostile file, corners once per triangle, as the format has them.

Our own because trimesh 5.2 builds a scene of one object for each solid of a text: 3,000 of them, 200 KB, took it 6 s.
"""

import re
import struct
from typing import BinaryIO

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.lines import plain_text, read_whole

HEADER_BYTES = 84  # 80 of anything, then the count of triangles
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
FACET = re.compile(rb"^[ \t]*facet\b", re.MULTILINE | re.IGNORECASE)
CORNER = re.compile(rb"^[ \t]*vertex[ \t]+(.*)$", re.MULTILINE | re.IGNORECASE)
START = re.compile(rb"^[ \t]*solid\b", re.MULTILINE | re.IGNORECASE)
END = re.compile(rb"^[ \t]*endsolid\b", re.MULTILINE | re.IGNORECASE)


def read_stl(stream: BinaryIO, up: Axis) -> Mesh:
    """The mesh of an STL file: float64 vertices; normals and attributes are left unread.

    A file of exactly the size that its count of triangles asks for is binary, whatever it begins with.
    raises  RefusedObject `empty-file`, `line-too-long`, `unreadable`, `truncated`, `no-faces`, `not-finite` or `no-area`
    """
    data = read_whole(stream)
    size = _binary_size(data)
    if size != len(data) and data.removeprefix(b"\xef\xbb\xbf").lstrip()[:5].lower() == b"solid":
        corners = _text_corners(plain_text(data))
    elif size > len(data):
        raise RefusedObject("truncated", f"{(size - HEADER_BYTES) // TRIANGLE.itemsize:,} triangles in a file of {len(data):,} bytes")
    elif size < len(data):
        raise RefusedObject("unreadable", f"{len(data) - size:,} bytes behind the last triangle")
    else:
        with np.errstate(invalid="ignore"):  # numbers that are none are refused with their vertex
            corners = np.frombuffer(data, TRIANGLE, offset=HEADER_BYTES)["corners"].astype(np.float64).reshape(-1, 3)
    return checked_mesh(Mesh(corners, np.arange(len(corners), dtype=np.int64).reshape(-1, 3), up))


def _binary_size(data: bytes) -> int:
    """Bytes that the file would have, were it binary."""
    if len(data) < HEADER_BYTES:
        return HEADER_BYTES
    (count,) = struct.unpack_from("<I", data, HEADER_BYTES - 4)
    return HEADER_BYTES + TRIANGLE.itemsize * int(count)


def _text_corners(text: bytes) -> np.ndarray:
    lines, facets = CORNER.findall(text), len(FACET.findall(text))
    begun, ended = len(START.findall(text)), len(END.findall(text))
    if ended < max(1, begun):
        raise RefusedObject("truncated", f"{facets:,} facets of {begun:,} solids, {ended:,} of which end")
    if len(lines) != 3 * facets:
        raise RefusedObject("unreadable", f"{facets:,} facets with {len(lines):,} vertices; expected 3 each")
    try:
        words = (word for line in lines for word in line.split(None, 3)[:3])
        return np.fromiter(map(float, words), np.float64, 3 * len(lines)).reshape(-1, 3)
    except ValueError as error:
        raise RefusedObject("unreadable", f"a vertex that is not made of 3 numbers ({' '.join(str(error).split())[:100]})") from error
