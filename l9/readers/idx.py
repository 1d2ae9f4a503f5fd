"""IDX, the format of MNIST: big-endian counts, then bytes; gzip'd or not, told by the first two bytes.

    images   0x00000803, count, rows, columns (uint32 each), then count x rows x columns uint8, row 0 on top, 0 the ground
    labels   0x00000801, count, then count uint8
source  LeCun, Cortes, Burges, the MNIST database of handwritten digits
"""

import gzip
import struct
import zlib
from typing import BinaryIO, cast

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject

IMAGES, LABELS = 0x803, 0x801  # unsigned bytes in three dimensions, and in one
SIDE = 28  # pixels
MOST = 1_000_000  # pictures of one file; the largest of its kin, EMNIST, has 697,932
GZIP = b"\x1f\x8b"


def read_images(stream: BinaryIO) -> UInt8[ndarray, "n 28 28"]:
    """Every picture of a file.

    raises  RefusedObject `wrong-magic`, `wrong-size` (other sides, or bytes after the last), `too-large`, `truncated` or `unreadable`
    """
    plain = _plain(stream)
    count = _image_count(plain)
    return np.frombuffer(_body(plain, count * SIDE * SIDE), np.uint8).reshape(count, SIDE, SIDE)


def read_labels(stream: BinaryIO) -> UInt8[ndarray, "n"]:
    """Every label of a file; refused as `read_images`."""
    plain = _plain(stream)
    (count,) = _header(plain, LABELS, 1)
    return np.frombuffer(_body(plain, count), np.uint8)


def count_images(stream: BinaryIO) -> int:
    """How many pictures the header says that there are; refused as `read_images`."""
    return _image_count(_plain(stream))


def _plain(stream: BinaryIO) -> BinaryIO:
    start = stream.read(len(GZIP))
    stream.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb")) if start == GZIP else stream


def _image_count(plain: BinaryIO) -> int:
    count, rows, columns = _header(plain, IMAGES, 3)
    if (rows, columns) != (SIDE, SIDE):
        raise RefusedObject("wrong-size", f"pictures of {columns:,}x{rows:,} pixels; expected {SIDE}x{SIDE}")
    return count


def _header(plain: BinaryIO, magic: int, dimensions: int) -> list[int]:
    form = struct.Struct(f">{1 + dimensions}I")
    head = _read(plain, form.size)
    if len(head) >= 4 and struct.unpack(">I", head[:4])[0] != magic:
        raise RefusedObject("wrong-magic", f"it begins with 0x{head[:4].hex()}; expected 0x{magic:08x}")
    if len(head) < form.size:
        raise RefusedObject("truncated", f"{len(head)} bytes; expected {form.size} of a header")
    lengths = list(form.unpack(head)[1:])
    if lengths[0] > MOST:
        raise RefusedObject("too-large", f"{lengths[0]:,} items; expected at most {MOST:,}")
    return lengths


def _body(plain: BinaryIO, size: int) -> bytes:
    data = _read(plain, size)
    if len(data) < size:
        raise RefusedObject("truncated", f"{len(data):,} bytes after the header; expected {size:,}")
    if _read(plain, 1):
        raise RefusedObject("wrong-size", f"bytes after the {size:,} that the header says")
    return data


def _read(plain: BinaryIO, size: int) -> bytes:
    try:
        return plain.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RefusedObject("unreadable", f"gzip: {' '.join(str(error).split())[:100]}") from error
