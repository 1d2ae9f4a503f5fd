"""PLY, as text or binary of either byte order: vertices and faces of a hostile file, nothing else of it.

Our own because trimesh 5.2 refuses binary files that mix triangles with other polygons, and takes a text that ends early for the whole
without a word.
"""

import re
import struct
from array import array
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.lines import plain_text, read_whole
from l9.readers.materials import outside_notes
from l9.readers.ply_header import Element, Header, read_header
from l9.readers.polygons import Polygons

COLOURS = ("red", "green", "blue")
CORNERS = ("vertex_indices", "vertex_index")
LENGTHS = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}  # NumPy's letters -> struct's
MAX_LISTS = 5_000_000  # lists of differing length, which are read one by one: about a million in a second
TEXTURE = re.compile(r"TextureFile\s+(.*)", re.IGNORECASE)


def read_ply(stream: BinaryIO, up: Axis) -> Mesh:
    """The mesh of a whole PLY file: float64 vertices, polygons cut into triangles; colours, normals and edges are left unread.

    Counts in the header are held against the file's size before memory is taken.
    raises  RefusedObject `empty-file`, `line-too-long`, `unreadable`, `truncated`, `no-faces`, `index-out-of-range`, `not-finite`
            or `no-area`
    """
    return _read(stream, up)[0]


def read_coloured_ply(stream: BinaryIO, up: Axis) -> tuple[Mesh, UInt8[ndarray, "v 3"] | None]:
    """As `read_ply`, with the red, green and blue of each vertex; None where the file is text, or has none as bytes."""
    mesh, data, header = _read(stream, up)
    return mesh, _colours(data, header)


def _read(stream: BinaryIO, up: Axis) -> tuple[Mesh, bytes, Header]:
    data = read_whole(stream).removeprefix(b"\xef\xbb\xbf")
    header = read_header(data)
    for name in ("vertex", "face"):
        if sum(element.name == name for element in header.elements) > 1:
            raise RefusedObject("unreadable", f"the header has element {name} twice")
    vertices, polygons = _text(data, header) if header.order == "" else _binary(data, header)
    if vertices is None or polygons is None:
        raise RefusedObject("no-faces", f"{0 if vertices is None else len(vertices):,} vertices, and no lists of their numbers")
    polygons = polygons.within(len(vertices), first=0)
    textures = [found.group(1) for comment in header.comments if (found := TEXTURE.fullmatch(comment))]
    faces, notes = polygons.triangles(vertices)
    return checked_mesh(Mesh(vertices, faces, up, notes + outside_notes(textures))), data, header


def _colours(data: bytes, header: Header) -> UInt8[ndarray, "v 3"] | None:
    """Of a body whose vertices were read before, and come first."""
    element = header.elements[0]
    kinds = {one.name: one.dtype for one in element.properties}
    if header.order == "" or element.name != "vertex" or any(kinds.get(name) != np.uint8 for name in COLOURS):
        return None
    rows = _rows(_Place(data, header.end, header.order), element)
    names = [one.name for one in element.properties]
    return np.stack([rows[str(names.index(name))] for name in COLOURS], axis=1)


def _places(element: Element) -> list[int]:
    """Which of an element's properties are x, y and z."""
    names = [one.name for one in element.properties]
    if element.has_lists or not {"x", "y", "z"} <= set(names):
        raise RefusedObject("unreadable", f"vertices have {' '.join(names)[:60] or 'no properties'}; expected x y z, and no lists")
    return [names.index(axis) for axis in "xyz"]


def _corners(element: Element) -> int | None:
    """Which of an element's properties lists vertex numbers."""
    for place, one in enumerate(element.properties):
        if one.name in CORNERS and one.count is not None and one.dtype.kind in "iu":
            return place
    return None


def _text(data: bytes, header: Header) -> tuple[Float[ndarray, "v 3"] | None, Polygons | None]:
    lines = [line for line in plain_text(data[header.end :]).split(b"\n") if line.strip()]
    promised = sum(element.count for element in header.elements if element.properties)
    if len(lines) < promised:
        raise RefusedObject("truncated", f"{len(lines):,} lines for the {promised:,} elements of the header")
    vertices, polygons, start = None, None, 0
    for element in header.elements:
        rows = lines[start : start + element.count] if element.properties else []
        start += len(rows)
        try:
            if element.name == "vertex":
                vertices = _text_vertices(rows, element)
            elif element.name == "face" and (place := _corners(element)) is not None:
                polygons = _text_polygons(rows, element, place)
        except (ValueError, OverflowError) as error:
            words = " ".join(str(error).split())[:100]
            raise RefusedObject("unreadable", f"a line of element {element.name} is not made of its numbers ({words})") from error
    return vertices, polygons


def _text_vertices(rows: list[bytes], element: Element) -> Float[ndarray, "v 3"]:
    places, least = _places(element), len(element.properties)

    def words(row: bytes) -> list[bytes]:
        found = row.split()
        if len(found) < least:
            raise RefusedObject("truncated", f"a vertex of {len(found)} numbers; expected {least}")
        return [found[place] for place in places]

    return np.fromiter((float(word) for row in rows for word in words(row)), np.float64, 3 * len(rows)).reshape(-1, 3)


def _text_polygons(rows: list[bytes], element: Element, place: int) -> Polygons:
    counts: list[int] = []

    def corners(row: bytes) -> list[bytes]:
        words, at, chosen = row.split(), 0, slice(0, 0)
        for number, one in enumerate(element.properties):
            length = 1 if one.count is None else int(words[at]) if at < len(words) else 0
            first = at + (one.count is not None)
            at = first + length
            if length < 0 or at > len(words):
                raise RefusedObject("truncated", f"a face of {length:,} corners on a line of {len(words):,} words")
            if number == place:
                chosen = slice(first, at)
        counts.append(chosen.stop - chosen.start)
        return words[chosen]

    numbers = np.fromiter((int(word) for row in rows for word in corners(row)), np.int64)
    return Polygons(numbers, np.array(counts, np.int64))


@dataclass
class _Place:
    """How far a binary body has been read."""

    data: bytes
    at: int
    order: str

    def need(self, size: int, element: Element) -> int:
        """Step over `size` bytes and return where they begin; RefusedObject `truncated` where the file ends before."""
        start = self.at
        if size > len(self.data) - start:
            raise RefusedObject("truncated", f"{element.count:,} of {element.name[:20]} in a file of {len(self.data):,} bytes")
        self.at += size
        return start


def _binary(data: bytes, header: Header) -> tuple[Float[ndarray, "v 3"] | None, Polygons | None]:
    vertices, polygons, place = None, None, _Place(data, header.end, header.order)
    for element in header.elements:
        if element.name == "vertex":
            vertices = _binary_vertices(place, element)
        elif element.has_lists:
            found = _binary_lists(place, element, _corners(element) if element.name == "face" else None)
            polygons = found if element.name == "face" else polygons
        else:
            place.need(element.count * element.least_bytes, element)
        if vertices is not None and polygons is not None:
            break
    return vertices, polygons


def _rows(place: _Place, element: Element) -> ndarray:
    """The rows of an element without lists; fields are the numbers of its properties."""
    dtype = np.dtype([(str(number), one.dtype) for number, one in enumerate(element.properties)])
    return np.frombuffer(place.data, dtype, element.count, place.need(element.count * dtype.itemsize, element))


def _binary_vertices(place: _Place, element: Element) -> Float[ndarray, "v 3"]:
    wanted, rows = _places(element), _rows(place, element)
    with np.errstate(invalid="ignore"):  # numbers that are none are refused with their vertex
        return np.stack([rows[str(number)].astype(np.float64) for number in wanted], axis=1)


def _binary_lists(place: _Place, element: Element, wanted: int | None) -> Polygons | None:
    """The lists of property number `wanted`, None where it is None; either way `place` is behind the element."""
    if element.count * element.least_bytes > len(place.data) - place.at:
        raise RefusedObject("truncated", f"{element.count:,} of {element.name[:20]} in a file of {len(place.data):,} bytes")
    even = _even_lists(place, element, wanted)
    return _uneven_lists(place, element, wanted) if even is None else even if wanted is not None else None


def _even_lists(place: _Place, element: Element, wanted: int | None) -> Polygons | None:
    """As `_binary_lists`, at once, where every row has the lengths of the first; None, and nothing read, where one differs."""
    fields: list[tuple[str, np.dtype] | tuple[str, np.dtype, tuple[int]]] = []
    size, lengths = 0, {}
    for number, one in enumerate(element.properties):
        if one.count is not None:
            if element.count == 0 or place.at + size + one.count.itemsize > len(place.data):
                return None
            lengths[number] = int(np.frombuffer(place.data, one.count, 1, place.at + size)[0])
            fields.append((f"count {number}", one.count))
            size += one.count.itemsize
        length = lengths.get(number, 1)
        size += length * one.dtype.itemsize
        if length < 0 or size * element.count > len(place.data) - place.at:
            return None
        fields.append((str(number), one.dtype, (length,)))
    rows = np.frombuffer(place.data, np.dtype(fields), element.count, place.at)
    if any((rows[f"count {number}"] != length).any() for number, length in lengths.items()):
        return None
    place.at += size * element.count
    corners = np.zeros(0, np.int64) if wanted is None else rows[str(wanted)].astype(np.int64).reshape(-1)
    return Polygons(corners, np.full(element.count, 0 if wanted is None else lengths[wanted], np.int64))


def _uneven_lists(place: _Place, element: Element, wanted: int | None) -> Polygons | None:
    """As `_binary_lists`, row by row."""
    lists, tail = _steps(element, place.order)
    if element.count * len(lists) > MAX_LISTS:
        raise RefusedObject("too-large", f"{element.count:,} of {element.name[:20]} with lists of differing length; at most {MAX_LISTS:,}")
    data, at = place.data, place.at
    starts, counts = array("q"), array("q")
    try:
        for _ in range(element.count):
            for gap, length_of, size, number in lists:
                (length,) = length_of.unpack_from(data, at + gap)
                if length < 0:
                    raise RefusedObject("unreadable", f"a list of {length:,} in element {element.name[:20]}")
                at += gap + length_of.size
                if number == wanted:
                    starts.append(at)
                    counts.append(length)
                at += length * size
            at += tail
    except (struct.error, OverflowError):  # a place beyond the end, or beyond what a place can be
        at = len(data) + 1
    place.need(at - place.at, element)
    if wanted is None:
        return None
    dtype, lengths = element.properties[wanted].dtype, np.array(counts, np.int64)
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.repeat(np.array(starts, np.int64), lengths) + step * dtype.itemsize
    bytes_of = np.frombuffer(data, np.uint8)[places[:, None] + np.arange(dtype.itemsize)]
    return Polygons(bytes_of.reshape(-1).view(dtype).astype(np.int64), lengths)


def _steps(element: Element, order: str) -> tuple[list[tuple[int, struct.Struct, int, int]], int]:
    """For each list of a row: bytes before it, how its length is read, bytes of one value, its number; and the bytes behind the last."""
    lists, gap = [], 0
    for number, one in enumerate(element.properties):
        if one.count is None:
            gap += one.dtype.itemsize
        else:
            lists.append((gap, struct.Struct(order + LENGTHS[one.count.str[1:]]), one.dtype.itemsize, number))
            gap = 0
    return lists, gap
