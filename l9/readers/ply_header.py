"""The header of a PLY file: which elements follow, how many of each, and of which properties.

source  Turk, the PLY polygon file format, 1994
"""

import re
from dataclasses import dataclass

import numpy as np

from l9.errors import RefusedObject

HEADER_BYTES = 64 << 10  # within which a header must end; the longest have about 2 KB
END = re.compile(rb"(?:^|\r)end_header[ \t]*(\r\n|\n|\r)", re.MULTILINE)
TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
    "int64": "i8", "uint64": "u8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """One property: `dtype` of its values; `count` the dtype of a list's length, None where it is one value."""

    name: str
    dtype: np.dtype
    count: np.dtype | None = None


@dataclass(frozen=True)
class Element:
    """`count` rows, each of all properties in order."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def least_bytes(self) -> int:
        """What one binary row takes where all its lists are empty."""
        return sum((one.count or one.dtype).itemsize for one in self.properties)

    @property
    def has_lists(self) -> bool:
        """Whether rows may differ in length."""
        return any(one.count is not None for one in self.properties)


@dataclass(frozen=True)
class Header:
    """order "" for text, "<" or ">" for binary; `end` is where the first element begins; `comments` as they stand."""

    order: str
    elements: tuple[Element, ...]
    end: int
    comments: tuple[str, ...]


def read_header(data: bytes) -> Header:
    """The header that `data` begins with; RefusedObject `unreadable` saying what is wrong with it."""
    head = data[:HEADER_BYTES]
    end = END.search(head)
    if not re.match(rb"ply[ \t]*[\r\n]", head) or end is None:
        raise RefusedObject("unreadable", "no header from ply to end_header")
    lines = [line.split() for line in head[: end.start()].decode("utf-8", "backslashreplace").splitlines()[1:]]
    comments = tuple(" ".join(words[1:]) for words in lines if words and words[0] in ("comment", "obj_info"))
    body = [words for words in lines if words and words[0] not in ("comment", "obj_info")]
    if not body or body[0][0] != "format" or body[0][1:2] == [] or body[0][1] not in ORDERS:
        raise RefusedObject("unreadable", f"the header names no format; expected one of {', '.join(ORDERS)}")
    order = ORDERS[body[0][1]]
    return Header(order, _elements(body[1:], order), end.end(), comments)


def _elements(lines: list[list[str]], order: str) -> tuple[Element, ...]:
    elements: list[Element] = []
    for words in lines:
        if words[0] == "element" and len(words) == 3 and re.fullmatch(r"[0-9]{1,18}", words[2]):
            elements.append(Element(words[1], int(words[2]), ()))
        elif words[0] == "property" and elements:
            last = elements[-1]
            elements[-1] = Element(last.name, last.count, (*last.properties, _property(words, order)))
        else:
            raise RefusedObject("unreadable", f"the header has the line '{' '.join(words)[:60]}'")
    return tuple(elements)


def _property(words: list[str], order: str) -> Property:
    types = words[2:4] if words[1:2] == ["list"] else words[1:2]
    if len(words) != len(types) + (3 if words[1:2] == ["list"] else 2) or not set(types) <= TYPES.keys():
        raise RefusedObject("unreadable", f"the header has the property '{' '.join(words)[:60]}'")
    dtypes = [np.dtype((order or "=") + TYPES[name]) for name in types]
    if len(dtypes) == 2 and dtypes[0].kind not in "iu":
        raise RefusedObject("unreadable", f"property {words[-1][:40]} has lists whose length is a {types[0]}")
    return Property(words[-1], dtypes[-1], dtypes[0] if len(dtypes) == 2 else None)
