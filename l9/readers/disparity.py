"""True disparity as stereo sets store it: Middlebury's PFM, NumPy's NPZ, or a grey PNG of 8 bits.

Where nothing was measured a PFM has infinity, a PNG 0 and an NPZ NaN: all three are kept as they stand, since none of them is a disparity.
"""

import io
import re

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from l9.errors import RefusedObject
from l9.readers.pictures import colour_picture
from l9.readers.zipped import member_bytes, opened

PFM = re.compile(rb"Pf\s+(\d{1,9})\s+(\d{1,9})\s+([+-]?[\d.eE+-]{1,30})\s")  # one white space before the values, which may begin like one
NPY_HEADER = 10_000  # bytes; NumPy's own bound
GREY_8_BIT = b"\x08\x00"  # bit depth and colour type in a PNG's header
PNG = b"\x89PNG\r\n\x1a\n"


def read_disparity(data: bytes, size: tuple[int, int]) -> Float32[ndarray, "h w"]:
    """Disparity in pixels, row 0 on top; what is not finite or not above 0 was not measured.

    size    width and height it must have
    raises  RefusedObject `unknown-format`, `wrong-size`, `broken-disparity`, `broken-picture`, or as an NPZ's archive is refused
    """
    if data.startswith(b"Pf"):
        return _pfm(data, size)
    if data.startswith(b"PK"):
        return _npz(data, size)
    if data.startswith(PNG):
        return _png(data, size)
    raise RefusedObject("unknown-format", f"disparity begins with {data[:4]!r}; expected PFM of one channel, NPZ or PNG")


def _pfm(data: bytes, size: tuple[int, int]) -> Float32[ndarray, "h w"]:
    """The bottom row comes first, and the sign of the scale is the order of bytes; its size says nothing here."""
    header = PFM.match(data)
    if header is None:
        raise RefusedObject("broken-disparity", f"PFM begins with {data[:40]!r}; expected Pf, width, height, scale")
    try:
        scale = float(header[3])
    except ValueError:
        scale = 0.0
    if not np.isfinite(scale) or scale == 0:
        raise RefusedObject("broken-disparity", f"PFM of scale {header[3]!r}; expected a number, negative where little-endian")
    _check_size((int(header[1]), int(header[2])), size)
    values = _values(data[header.end() :], np.dtype("<f4" if scale < 0 else ">f4"), size)
    return _as_float32(values.reshape(size[1], size[0])[::-1])


def _npz(data: bytes, size: tuple[int, int]) -> Float32[ndarray, "h w"]:
    """One array of floating-point numbers, read without NumPy's loader: that would make room for any shape a header names."""
    with opened(io.BytesIO(data)) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise RefusedObject("broken-disparity", f"NPZ of {len(names):,} arrays; expected one")
        member = member_bytes(archive, names[0], 8 * size[0] * size[1] + NPY_HEADER)
    stream = io.BytesIO(member)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, kind = read(stream, max_header_size=NPY_HEADER)
    except Exception as error:  # ValueError for most of what is wrong, but the header is a literal, whose parser raises what it likes
        raise RefusedObject("broken-disparity", f"NPZ: {' '.join(str(error).split())[:200]}") from error
    if kind.kind != "f" or len(shape) != 2:
        raise RefusedObject("broken-disparity", f"NPZ of {kind} in {len(shape)} dimensions; expected floating-point numbers in 2")
    _check_size((shape[1], shape[0]), size)
    values = _values(member[stream.tell() :], kind, size)
    return _as_float32(values.reshape(shape, order="F" if by_columns else "C"))


def _png(data: bytes, size: tuple[int, int]) -> Float32[ndarray, "h w"]:
    if data[24:26] != GREY_8_BIT:
        raise RefusedObject("broken-disparity", f"PNG of bit depth and colour type {data[24:26]!r}; expected 8 bits of grey")
    return colour_picture(data, "PNG", size)[..., 0].astype(np.float32)


def _check_size(found: tuple[int, int], expected: tuple[int, int]) -> None:
    if found != expected:
        raise RefusedObject("wrong-size", f"disparity of {found[0]}x{found[1]} pixels; expected {expected[0]}x{expected[1]}")


def _values(data: bytes, kind: np.dtype, size: tuple[int, int]) -> ndarray:
    expected = kind.itemsize * size[0] * size[1]
    if len(data) != expected:
        raise RefusedObject("broken-disparity", f"{len(data):,} bytes of disparity; expected {expected:,}")
    return np.frombuffer(data, kind)


def _as_float32(values: ndarray) -> Float32[ndarray, "h w"]:
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit becomes infinite: not measured
        return np.ascontiguousarray(values, np.float32)
