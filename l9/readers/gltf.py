"""The data behind a glTF 2.0 document: its JSON, its buffers, and its accessors as arrays, every number of them checked.

Nothing but the bytes in hand is read: a buffer in another file is a refusal, images are never opened.
source  glTF 2.0 specification, Khronos Group, ISO/IEC 12113:2022, sections 3.6 and 5
"""

import base64
import binascii
import json
import struct
from types import UnionType
from typing import Any

import numpy as np
from numpy import ndarray

from l9.errors import RefusedObject

JSON_BYTES = 32 << 20  # the largest read here has 3 MB; Python takes 30 times the bytes of its text
MAX_VALUES = 30_000_000  # values of one accessor that has no bytes of its own
DTYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_", "KHR_mesh_quantization")  # the same triangles without them
Kind = type | UnionType


def wrong(what: str) -> RefusedObject:
    """The refusal of a document that is not what the specification says."""
    return RefusedObject("unreadable", what)


class Document:
    """A glTF document and its binary chunk."""

    def __init__(self, data: bytes) -> None:
        text, self._chunk = _chunks(data)
        try:
            tree = json.loads(text.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise wrong(f"its JSON is none: {type(error).__name__}: {' '.join(str(error).split())[:100]}") from error
        if not isinstance(tree, dict):
            raise wrong("its JSON is no object")
        self._tree: dict[str, Any] = tree
        self._buffers: dict[int, bytes] = {}
        if needed := [name for name in self.items("extensionsRequired", str) if not name.startswith(HARMLESS)]:
            raise wrong(f"it needs the extension {needed[0]}, which l9 does not read; export it without")

    def items(self, name: str, kind: Kind) -> list[Any]:
        """A list at the top of the document, every entry of one type; empty where it is not there."""
        return listed(self._tree, name, kind)

    def item(self, name: str, number: Any) -> dict[str, Any]:
        """One object of a list at the top of the document."""
        items = self._tree.get(name, [])
        if not isinstance(items, list) or not is_count(number) or number >= len(items) or not isinstance(items[number], dict):
            raise wrong(f"it has no number {str(number)[:20]} of its {name}")
        found: dict[str, Any] = items[number]
        return found

    def scene(self) -> dict[str, Any]:
        """The scene that is shown first."""
        if not self._tree.get("scenes"):
            raise RefusedObject("no-faces", "it has no scene, and so shows nothing")
        return self.item("scenes", self._tree.get("scene", 0))

    def array(self, number: Any) -> ndarray:
        """An accessor as (count, width), in its own dtype, or float64 in [-1, 1] where it is normalised."""
        about, name = self.item("accessors", number), f"accessor {number}"
        kind, width = about.get("componentType"), about.get("type")
        if not is_count(kind) or kind not in DTYPES or not isinstance(width, str) or width not in WIDTHS:
            raise wrong(f"{name} is of type {str(kind)[:20]} {str(width)[:20]}")
        dtype, shape = np.dtype(DTYPES[kind]), (count_of(about, "count", name), WIDTHS[width])
        if "bufferView" in about:
            values = self._view(about["bufferView"], about, dtype, shape, name)
        elif shape[0] * shape[1] > MAX_VALUES:
            raise RefusedObject("too-large", f"{name} has {shape[0]:,} rows of zeros; at most {MAX_VALUES:,} values")
        else:
            values = np.zeros(shape, dtype)
        if "sparse" in about:
            values = self._replaced(values, about["sparse"], name)
        return np.maximum(values / np.iinfo(dtype).max, -1) if about.get("normalized") is True and dtype.kind in "iu" else values

    def _replaced(self, values: ndarray, sparse: Any, name: str) -> ndarray:
        """`values` with those rows replaced that a sparse accessor lists."""
        if not isinstance(sparse, dict) or not all(isinstance(sparse.get(part), dict) for part in ("indices", "values")):
            raise wrong(f"{name}: sparse is no object of indices and values")
        count, indices = count_of(sparse, "count", name), sparse["indices"]
        if count > len(values):
            raise wrong(f"{name}: {count:,} sparse rows of {len(values):,}")
        if not is_count(indices.get("componentType")) or indices["componentType"] not in (5121, 5123, 5125):
            raise wrong(f"{name}: sparse indices are no whole numbers")
        dtype = np.dtype(DTYPES[indices["componentType"]])
        rows = self._view(indices.get("bufferView"), indices, dtype, (count, 1), name)[:, 0].astype(np.int64)
        if len(rows) and rows.max() >= len(values):
            raise RefusedObject("index-out-of-range", f"{name}: sparse row {rows.max():,} of {len(values):,}")
        changed = values.copy()
        shape = (count, values.shape[1])
        changed[rows] = self._view(sparse["values"].get("bufferView"), sparse["values"], values.dtype, shape, name)
        return changed

    def _view(self, number: Any, about: dict[str, Any], dtype: np.dtype, shape: tuple[int, int], name: str) -> ndarray:
        """Rows of a buffer view, whose stride may be wider than a row."""
        view = self.item("bufferViews", number)
        size, start = count_of(view, "byteLength", name), count_of(view, "byteOffset", name, 0)
        row = dtype.itemsize * shape[1]
        stride, offset = count_of(view, "byteStride", name, row) or row, count_of(about, "byteOffset", name, 0)
        buffer = self._buffer(view.get("buffer"))
        if start + size > len(buffer) or (shape[0] and offset + stride * (shape[0] - 1) + row > size):
            raise RefusedObject("truncated", f"{name}: {shape[0]:,} rows of {row} bytes lie beyond its view or buffer")
        if stride < row:
            raise wrong(f"{name}: rows of {row} bytes every {stride} bytes")
        if shape[0] == 0:
            return np.zeros(shape, dtype)
        return np.ndarray(shape, dtype, buffer, start + offset, (stride, dtype.itemsize))

    def _buffer(self, number: Any) -> bytes:
        about = self.item("buffers", number)
        if number not in self._buffers:
            self._buffers[number] = self._bytes(about, number)
        return self._buffers[number]

    def _bytes(self, about: dict[str, Any], number: int) -> bytes:
        uri = about.get("uri")
        if uri is None and number == 0:
            data = self._chunk
        elif isinstance(uri, str) and uri.startswith("data:") and ";base64," in uri[:200]:
            try:
                data = base64.b64decode(uri.partition(";base64,")[2], validate=True)
            except (binascii.Error, ValueError) as error:
                raise wrong(f"buffer {number}: {error}") from error
        else:
            raise wrong(f"buffer {number} is another file ({str(uri)[:60]!r}): not opened")
        size = count_of(about, "byteLength", f"buffer {number}")
        if size > len(data):
            raise RefusedObject("truncated", f"buffer {number} has {len(data):,} of its {size:,} bytes")
        return data[:size]


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """The JSON and the first binary chunk of a GLB file."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise wrong("the file does not begin with glTF")
    version, length, size, kind = struct.unpack_from("<IIII", data, 4)
    if version != 2 or kind != JSON_CHUNK:
        raise wrong(f"glTF version {version}; expected 2, its JSON first")
    if length > len(data) or 20 + size > length:
        raise RefusedObject("truncated", f"{max(length, 20 + size):,} bytes in a file of {len(data):,}")
    if size > JSON_BYTES:
        raise RefusedObject("too-large", f"JSON of {size:,} bytes; expected at most {JSON_BYTES:,}")
    start = 20 + size + -size % 4
    while start + 8 <= length:
        chunk, kind = struct.unpack_from("<II", data, start)
        if start + 8 + chunk > length:
            raise RefusedObject("truncated", f"a chunk of {chunk:,} bytes in a file of {len(data):,}")
        if kind == BINARY_CHUNK:
            return data[20 : 20 + size], data[start + 8 : start + 8 + chunk]
        start += 8 + chunk + -chunk % 4
    return data[20 : 20 + size], b""


def listed(about: dict[str, Any], name: str, kind: Kind) -> list[Any]:
    """A list within an object of the document, every entry of one type; empty where it is not there."""
    items = about.get(name, [])
    if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
        raise wrong(f"{name} is no list of its kind")
    return items


def is_count(value: Any) -> bool:
    """Whether a value of JSON is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def count_of(about: dict[str, Any], name: str, of: str, default: int | None = None) -> int:
    """A whole number of at least 0 within an object of the document."""
    value = about.get(name, default)
    if not is_count(value):
        raise wrong(f"{of}: {name} is {str(value)[:20]}; expected a whole number from 0 on")
    assert isinstance(value, int)
    return value
