"""Arrays of bytes in a pickle, as NumPy writes them with Python 2 and 3, by `plain_pickle`: whatever else the pickle names is refused.

An array is `_reconstruct(ndarray, (0,), b"b")`, then told (version, shape, dtype, by columns, bytes); its dtype is `dtype("u1", 0, 1)`,
then told of order and fields. Format: numpy/core/src/multiarray/methods.c, `array_reduce` and `array_setstate`; descriptor.c.
"""

import math
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.readers.plain_pickle import Maker, Unfinished, read_pickle

MOST_DIMENSIONS = 8
NDARRAY = object()  # what stands for the class


class Kind(Unfinished):
    """The dtype uint8; no other can be made."""

    def told(self, state: Any) -> None:
        """(version, order, None, None, None, -1, -1, 0): of one byte there is nothing to say."""
        plain = type(state) is tuple and 8 <= len(state) <= 9 and state[1] == "|" and state[2:5] == (None, None, None)
        if not plain:
            raise RefusedObject("bad-array", "a dtype with fields or an order; expected plain bytes (uint8)")


class Bytes(Unfinished):
    """An array of uint8 in the making; `values` is None until it was told."""

    def __init__(self) -> None:
        self.values: UInt8[ndarray, ...] | None = None

    def told(self, state: Any) -> None:
        """(version, shape, dtype, whether its columns lie together, the bytes)."""
        if type(state) is not tuple or len(state) != 5 or type(state[2]) is not Kind:
            raise RefusedObject("bad-array", "an array without shape, dtype uint8 and bytes")
        _, shape, _, by_columns, data = state
        if isinstance(data, str):  # Python 2 knows no bytes
            data = _latin(data)
        sound = type(shape) is tuple and len(shape) <= MOST_DIMENSIONS and all(type(side) is int and side >= 0 for side in shape)
        if not sound or type(data) is not bytes or math.prod(shape) != len(data):
            length = f"{len(data):,} bytes" if type(data) is bytes else f"a {type(data).__name__}"
            raise RefusedObject("bad-array", f"an array of shape {str(shape)[:60]} from {length}")
        self.values = np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_columns else "C")


def read_arrays(stream: BinaryIO) -> Any:
    """The value of a pickle; arrays in it are `Bytes`.

    stream  held in memory by the caller, and so bounded
    raises  RefusedObject `bad-array`, or as `read_pickle` says
    """
    return read_pickle(stream, NAMES)


def _array(arguments: tuple[Any, ...]) -> Bytes:
    if len(arguments) != 3 or arguments[0] is not NDARRAY or arguments[1] != (0,):
        raise RefusedObject("bad-array", "an array made of something; expected an empty one that is filled")
    return Bytes()


def _kind(arguments: tuple[Any, ...]) -> Kind:
    if not arguments or arguments[0] not in ("u1", "|u1"):
        raise RefusedObject("bad-array", f"an array of dtype {str(arguments[:1])[:60]}; expected u1 (uint8)")
    return Kind()


def _encoded(arguments: tuple[Any, ...]) -> bytes:
    """_codecs.encode(text, "latin1"): how Python 3 writes bytes for Python 2."""
    if len(arguments) != 2 or type(arguments[0]) is not str or arguments[1] not in ("latin1", "latin-1"):
        raise RefusedObject("bad-array", "text that is encoded otherwise than as Latin-1")
    return _latin(arguments[0])


def _latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise RefusedObject("bad-array", "bytes written as text with letters beyond 255") from error


NAMES: dict[str, Any] = {
    "numpy ndarray": NDARRAY,
    "numpy dtype": Maker(_kind),
    "numpy.core.multiarray _reconstruct": Maker(_array),
    "numpy._core.multiarray _reconstruct": Maker(_array),
    "_codecs encode": Maker(_encoded),
}
