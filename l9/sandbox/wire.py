"""The sandbox's wire format over a unix stream socket: a length, a JSON header, then raw buffers. Never pickle.

    8 bytes   length of the header, big-endian
    header    {"body": ..., "buffers": [{"bytes": n} | {"dtype": "<f4", "shape": [2, 3], "bytes": 24} | {"same": 0}, ...]}
    buffers   one behind the other, C order

An object repeated in the list crosses once (`same`). What arrives is not trusted: lengths are bounded before memory is taken,
dtypes are plain numbers only, and a shape must agree with its bytes.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from l9.fingerprint import Json

HEADER_BYTES = 256 << 20  # plain values alone: a portrait, a report; a listing comes as buffers
PREFIX = struct.Struct(">Q")
Buffer = ndarray | bytes


class WireError(Exception):
    """What arrived is not this format, or is larger than allowed."""


def pack(body: Json, buffers: Sequence[Buffer] = ()) -> list[memoryview]:
    """A message as parts to send in order; TypeError or ValueError where something has no place in the format."""
    parts: list[memoryview] = []
    described: list[dict[str, Json]] = []
    first: dict[int, int] = {}
    for number, buffer in enumerate(buffers):
        if id(buffer) in first:
            described.append({"same": first[id(buffer)]})
            continue
        first[id(buffer)] = number
        about, part = _described(buffer)
        described.append(about)
        parts.append(part)
    header = json.dumps({"body": body, "buffers": described}, allow_nan=False).encode()
    if len(header) > HEADER_BYTES:
        raise ValueError(f"a header of {len(header):,} bytes; expected at most {HEADER_BYTES:,}")
    return [memoryview(PREFIX.pack(len(header))), memoryview(header), *parts]


def _described(buffer: Buffer) -> tuple[dict[str, Json], memoryview]:
    if isinstance(buffer, bytes):
        return {"bytes": len(buffer)}, memoryview(buffer)
    if not isinstance(buffer, ndarray) or buffer.dtype.kind not in "biuf":
        raise TypeError(f"a buffer is an array of numbers or bytes; got {getattr(buffer, 'dtype', type(buffer).__name__)}")
    array = np.ascontiguousarray(buffer, dtype=buffer.dtype.newbyteorder("<"))
    about: dict[str, Json] = {"dtype": array.dtype.str, "shape": list(buffer.shape), "bytes": array.nbytes}
    return about, array.reshape(-1).view(np.uint8).data


def send(connection: socket.socket, parts: Sequence[memoryview], *, deadline: float | None = None, descriptors: Sequence[int] = ()) -> None:
    """Send packed parts; open files travel with the first bytes. TimeoutError after `deadline` (time.monotonic seconds)."""
    first = parts[0]
    _bound(connection, deadline)
    sent = socket.send_fds(connection, [first], list(descriptors)) if descriptors else 0
    for part in (first[sent:], *parts[1:]):
        _bound(connection, deadline)
        connection.sendall(part)


def receive(
    connection: socket.socket, *, deadline: float | None = None, max_bytes: int = 1 << 40, max_descriptors: int = 0
) -> tuple[Any, list[Buffer], list[int]]:
    """Body, buffers and open descriptors of the next message.

    max_bytes  what all buffers together may take
    raises     EOFError when the other side has gone, TimeoutError after `deadline`, WireError on anything else
    """
    prefix = bytearray()
    descriptors: list[int] = []
    if max_descriptors:
        _bound(connection, deadline)
        data, descriptors, _, _ = socket.recv_fds(connection, PREFIX.size, max_descriptors)
        if not data:
            raise EOFError
        prefix += data
    prefix += _exactly(connection, PREFIX.size - len(prefix), deadline)
    (length,) = PREFIX.unpack(prefix)
    if length > HEADER_BYTES:
        raise WireError(f"a header of {length:,} bytes")
    body, described = _header(bytes(_exactly(connection, length, deadline)))
    return body, _buffers(connection, described, max_bytes, deadline), descriptors


def _header(raw: bytes) -> tuple[Any, list[dict[str, Any]]]:
    try:
        header = json.loads(raw)
        body, described = header["body"], header["buffers"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WireError(f"a header that is not JSON ({type(error).__name__})") from error
    if not isinstance(described, list) or not all(isinstance(about, dict) for about in described):
        raise WireError("a header without a list of buffers")
    return body, described


def _buffers(connection: socket.socket, described: list[dict[str, Any]], max_bytes: int, deadline: float | None) -> list[Buffer]:
    buffers: list[Buffer] = []
    left = max_bytes
    for about in described:
        if "same" in about:
            buffers.append(_earlier(buffers, about["same"]))
            continue
        dtype, shape, size = _layout(about)
        left -= size
        if left < 0:
            raise WireError(f"buffers of more than {max_bytes:,} bytes")
        raw = _exactly(connection, size, deadline)
        buffers.append(bytes(raw) if dtype is None else _shaped(np.frombuffer(raw, dtype), shape))
    return buffers


def _shaped(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return values.reshape(shape)
    except (ValueError, OverflowError) as error:  # 0 x 10^30 values are no bytes, and no shape that numpy has
        raise WireError(f"a buffer of shape {str(shape)[:100]}") from error


def _earlier(buffers: list[Buffer], number: Any) -> Buffer:
    if not isinstance(number, int) or not 0 <= number < len(buffers):
        raise WireError(f"a buffer said to be the same as number {number!r}")
    return buffers[number]


def _layout(about: dict[str, Any]) -> tuple[np.dtype[Any] | None, tuple[int, ...], int]:
    size = about.get("bytes")
    if not isinstance(size, int) or size < 0:
        raise WireError(f"a buffer of {size!r} bytes")
    if "dtype" not in about:
        return None, (), size
    shape = about.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 32:
        raise WireError(f"a buffer of shape {shape!r}")
    try:
        dtype = np.dtype(str(about["dtype"]))
    except (TypeError, ValueError) as error:
        raise WireError("a buffer of no known dtype") from error
    if dtype.kind not in "biuf" or dtype.shape or math.prod(shape) * dtype.itemsize != size:
        raise WireError(f"a buffer whose dtype {dtype} and shape {shape} are not {size:,} bytes")
    return dtype, tuple(shape), size


def _exactly(connection: socket.socket, size: int, deadline: float | None) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        _bound(connection, deadline)
        count = connection.recv_into(view)
        if count == 0:
            raise EOFError
        view = view[count:]
    return data


def _bound(connection: socket.socket, deadline: float | None) -> None:
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        raise TimeoutError
    connection.settimeout(left)
