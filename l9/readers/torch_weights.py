"""PyTorch checkpoints as arrays, in both of its formats, without PyTorch and without an unpickler.

    since 1.6   a zip: FOLDER/data.pkl, and the bytes of each storage as FOLDER/data/KEY, never compressed
    before      five pickles one behind the other (magic number, version, system, the value, the storages' keys), then for each
                key the count of its numbers as int64 and the numbers

The value is a dictionary of tensors, or one that has such a dictionary as its `state_dict`. The pickles are read by
`plain_pickle` with the names that tensors need; whatever else a checkpoint holds (a whole module, settings of a class of its own) is
refused. A tensor is a view of a storage by offset and strides, which are held against the storage's bytes before anything is read.
Format: torch/serialization.py, `_save` and `_legacy_save`.
"""

import io
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from l9.errors import RefusedObject
from l9.readers.files import printable
from l9.readers.plain_pickle import Maker, read_pickle
from l9.readers.zipped import member_bytes, opened

MOST_PICKLE = 16 << 20  # bytes; EfficientNet-lite0's has 42 kB for 296 tensors
MOST_TENSORS = 100_000
MOST_BYTES = 1 << 30  # of all tensors as they are given out
MOST_MEMBERS = 200_000  # of the zip: a storage for each tensor, and a few more
MOST_DIMENSIONS = 16
MOST_PLACE = 1 << 40  # of an offset, a size or a stride: no file that is read here has as many numbers
MOST_NAME = 512  # characters of a tensor's name
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of the older format
RESERVED = "__metadata__"  # what safetensors keeps for itself
CURE = "save it where you trust it with torch.save(model.state_dict(), FILE)"


@dataclass(frozen=True)
class Kind:
    """A storage's numbers: how they lie in the file, little-endian, and the dtype they are given out in."""

    stored: str
    given: str


KINDS = {
    "DoubleStorage": Kind("<f8", "float64"),
    "FloatStorage": Kind("<f4", "float32"),
    "HalfStorage": Kind("<f2", "float16"),
    "BFloat16Storage": Kind("<u2", "float32"),  # the upper half of a float32, which NumPy has no dtype for
    "LongStorage": Kind("<i8", "int64"),
    "IntStorage": Kind("<i4", "int32"),
    "ShortStorage": Kind("<i2", "int16"),
    "CharStorage": Kind("|i1", "int8"),
    "ByteStorage": Kind("|u1", "uint8"),
    "BoolStorage": Kind("|u1", "bool"),
}


@dataclass(frozen=True)
class Storage:
    """A flat run of `count` numbers outside the pickle, found by its key."""

    kind: Kind
    key: str
    count: int

    @property
    def bytes(self) -> int:
        """What the numbers take in the file."""
        return self.count * np.dtype(self.kind.stored).itemsize


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count numbers, as the file states them."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def values(self, data: bytes) -> ndarray:
        """The numbers as an array of their own, from the bytes of the storage."""
        flat = np.frombuffer(data, self.storage.kind.stored, self.storage.count)[self.offset :]
        steps = [flat.itemsize * stride for stride in self.strides]
        return _given(np.array(np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False), order="C"), self.storage.kind)


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file, checked and unread.

    aside  what else the file holds beside `state_dict`: names of entries, which are left alone
    """

    tensors: Mapping[str, Tensor]
    aside: tuple[str, ...]
    storage_bytes: Callable[[Storage], bytes]

    def arrays(self) -> Iterator[tuple[str, ndarray]]:
        """Name and values of each tensor in the order of the file; one storage is held at a time."""
        key, data = None, b""
        for name, tensor in self.tensors.items():
            if tensor.storage.key != key:
                key, data = tensor.storage.key, self.storage_bytes(tensor.storage)
            yield name, tensor.values(data)


@contextmanager
def opened_checkpoint(stream: BinaryIO) -> Iterator[Checkpoint]:
    """The checkpoint in an open file; tensors can be read within the block.

    raises  RefusedObject `empty-file`, `unreadable`, `forbidden-opcode`, `forbidden-name`, `not-weights`, `bad-name`, `bad-tensor`,
            `bad-member`, `missing-member` or `too-large`
    """
    start = stream.read(4)
    stream.seek(0)
    if not start:
        raise RefusedObject("empty-file", "0 bytes")
    if start.startswith(b"PK"):
        with opened(stream) as archive:
            yield _of_zip(archive)
    elif start.startswith(b"\x80"):
        yield _of_pickles(stream)
    else:
        raise RefusedObject("unreadable", f"neither a zip nor a pickle; expected what torch.save writes: {CURE}")


def _of_zip(archive: zipfile.ZipFile) -> Checkpoint:
    members = _checked_members(archive)
    values = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(values) != 1:
        raise RefusedObject("not-weights", f"a zip with {len(values)} files FOLDER/data.pkl; expected one, as torch.save writes: {CURE}")
    folder = values[0].removesuffix("data.pkl")
    if f"{folder}constants.pkl" in members:
        raise RefusedObject("not-weights", f"a TorchScript archive, which is a program; {CURE}")
    if f"{folder}byteorder" in members and member_bytes(archive, f"{folder}byteorder", 16) != b"little":
        raise RefusedObject("unreadable", "its numbers are not little-endian")
    storages: dict[str, Storage] = {}
    pickled = io.BytesIO(member_bytes(archive, values[0], MOST_PICKLE))
    tensors, aside = _tensors_of(read_pickle(pickled, NAMES, partial(_storage, storages)))
    for storage in storages.values():
        _check_member(members.get(f"{folder}data/{storage.key}"), storage)
    return Checkpoint(tensors, aside, lambda storage: member_bytes(archive, f"{folder}data/{storage.key}", storage.bytes))


def _checked_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """name -> member; RefusedObject where a name stands twice or leads out of the archive, or where bytes are packed."""
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise RefusedObject("too-large", f"a zip of {len(listed):,} files; expected at most {MOST_MEMBERS:,}")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in listed:
        name = info.orig_filename
        if name.startswith("/") or {"", ".", ".."} & set(name.removesuffix("/").split("/")) or "\\" in name or "\0" in name:
            raise RefusedObject("bad-member", f"'{printable(name)[:100]}' reaches outside the archive")
        if name in members:
            raise RefusedObject("bad-member", f"'{printable(name)[:100]}' stands there twice")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise RefusedObject("bad-member", f"'{printable(name)[:100]}' is compressed; expected the bytes as they are")
        members[name] = info
    return members


def _check_member(info: zipfile.ZipInfo | None, storage: Storage) -> None:
    if info is None:
        raise RefusedObject("missing-member", f"data/{printable(storage.key)[:40]}, a storage that tensors name, is not in the archive")
    if info.file_size != storage.bytes:
        there = f"{info.file_size:,} bytes; its {storage.count:,} numbers take {storage.bytes:,}"
        raise RefusedObject("bad-member", f"data/{printable(storage.key)[:40]} has {there}")


def _of_pickles(stream: BinaryIO) -> Checkpoint:
    """The older format."""
    pickled = io.BytesIO(stream.read(MOST_PICKLE))
    magic = read_pickle(pickled)
    if type(magic) is not int or magic != MAGIC:
        raise RefusedObject("not-weights", f"a pickle, but not one that torch.save writes; {CURE}")
    version, system = read_pickle(pickled), read_pickle(pickled)
    if type(version) is not int or version != VERSION or type(system) is not dict or system.get("little_endian") is not True:
        raise RefusedObject("unreadable", f"not version {VERSION} of the older format, with little-endian numbers; {CURE}")
    storages: dict[str, Storage] = {}
    tensors, aside = _tensors_of(read_pickle(pickled, NAMES, partial(_storage, storages)))
    keys = read_pickle(pickled)
    places = _places(stream, pickled.tell(), keys, storages)
    return Checkpoint(tensors, aside, lambda storage: _piece(stream, places[storage.key], storage.bytes))


def _places(stream: BinaryIO, behind: int, keys: Any, storages: Mapping[str, Storage]) -> dict[str, int]:
    """key -> the byte at which its numbers begin; every storage is there once, and within the file."""
    if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(storages):
        raise RefusedObject("bad-tensor", "the storages that the file lists are not those that its tensors name")
    places: dict[str, int] = {}
    for key in keys:
        (count,) = struct.unpack("<q", _piece(stream, behind, 8))
        if count != storages[key].count:
            raise RefusedObject("bad-tensor", f"storage {printable(key)[:40]} has {count:,} numbers; expected {storages[key].count:,}")
        places[key] = behind + 8
        behind = places[key] + storages[key].bytes
    size = stream.seek(0, io.SEEK_END)
    if behind > size:
        raise RefusedObject("unreadable", f"its numbers end at byte {behind:,} of {size:,}")
    return places


def _storage(storages: dict[str, Storage], identity: Any) -> Storage:
    """The storage that a persistent id tells of: ("storage", its class, key, device, count), in the older format also a view or None."""
    fits = type(identity) is tuple and len(identity) in (5, 6) and identity[0] == "storage" and identity[5:] in ((), (None,))
    if not fits or type(identity[1]) is not Kind or type(identity[2]) is not str or type(identity[4]) is not int or identity[4] < 0:
        raise RefusedObject("unreadable", "a value outside the pickle that is no storage of numbers")
    found = Storage(identity[1], identity[2], identity[4])
    if storages.setdefault(found.key, found) != found:
        raise RefusedObject("bad-tensor", f"storage {printable(found.key)[:40]} is said to be of two kinds or sizes")
    return found


def _tensor(arguments: tuple[Any, ...]) -> Tensor:
    """torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])."""
    if len(arguments) not in (6, 7) or type(arguments[0]) is not Storage:
        raise RefusedObject("bad-tensor", "a tensor that is no view of a storage")
    storage, offset, shape, strides = arguments[:4]
    for numbers in ((offset,), shape, strides):
        if type(numbers) is not tuple or any(type(number) is not int or not 0 <= number <= MOST_PLACE for number in numbers):
            raise RefusedObject("bad-tensor", f"offset, size and stride of a tensor; expected whole numbers from 0 to {MOST_PLACE:,}")
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS:
        raise RefusedObject("bad-tensor", f"a tensor with {len(shape)} sizes and {len(strides)} strides; at most {MOST_DIMENSIONS}")
    return _checked(storage, offset, shape, strides)


def _checked(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """The view, if all it shows lies in its storage; what has nothing to show begins at 0."""
    numbers = math.prod(shape)
    if numbers == 0:
        if math.prod(filter(None, shape)) > MOST_BYTES:
            raise RefusedObject("bad-tensor", "a tensor without numbers whose other sizes no array can have")
        return Tensor(storage, 0, shape, (0,) * len(shape))
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if numbers > storage.count or last >= storage.count:
        raise RefusedObject("bad-tensor", f"a tensor shows {numbers:,} numbers up to place {last:,} of a storage of {storage.count:,}")
    return Tensor(storage, offset, shape, tuple(0 if length == 1 else stride for length, stride in zip(shape, strides, strict=True)))


def _parameter(arguments: tuple[Any, ...]) -> Tensor:
    """torch._utils._rebuild_parameter(data, requires_grad, hooks)."""
    if len(arguments) != 3 or type(arguments[0]) is not Tensor:
        raise RefusedObject("bad-tensor", "a parameter that is no tensor")
    return arguments[0]


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise RefusedObject("unreadable", "an OrderedDict made of something; expected an empty one that is filled")
    return {}


NAMES: dict[str, Any] = {
    "collections OrderedDict": Maker(_ordered_dict),
    "torch._utils _rebuild_tensor_v2": Maker(_tensor),
    "torch._utils _rebuild_parameter": Maker(_parameter),
    **{f"torch {name}": kind for name, kind in KINDS.items()},
}


def _tensors_of(value: Any) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The dictionary of tensors that a checkpoint is or wraps, and the names of what lies beside it."""
    aside: tuple[str, ...] = ()
    if type(value) is dict and type(value.get("state_dict")) is dict:
        aside = tuple(printable(str(name))[:40] for name in value if name != "state_dict")
        value = value["state_dict"]
    if type(value) is not dict or not value:
        raise RefusedObject("not-weights", f"no dictionary of tensors, nor one as `state_dict`; {CURE}")
    if len(value) > MOST_TENSORS:
        raise RefusedObject("too-large", f"{len(value):,} tensors; expected at most {MOST_TENSORS:,}")
    left = MOST_BYTES
    for name, tensor in value.items():
        _check_name(name)
        if type(tensor) is not Tensor:
            kind = f"'{name[:100]}' is a {type(tensor).__name__}"
            raise RefusedObject("not-weights", f"{kind}; expected tensors alone, or a dictionary of them as `state_dict`: {CURE}")
        left -= math.prod(tensor.shape) * np.dtype(tensor.storage.kind.given).itemsize
        if left < 0:
            raise RefusedObject("too-large", f"tensors of more than {MOST_BYTES:,} bytes")
    return value, aside


def _check_name(name: Any) -> None:
    if type(name) is not str or not 1 <= len(name) <= MOST_NAME or not name.isprintable() or name == RESERVED:
        shown = printable(str(name))[:40]
        raise RefusedObject("bad-name", f"a tensor called '{shown}'; expected 1 to {MOST_NAME} printable characters, not {RESERVED}")


def _piece(stream: BinaryIO, start: int, count: int) -> bytes:
    stream.seek(start)
    data = stream.read(count)
    if len(data) != count:
        raise RefusedObject("unreadable", f"it ends within the numbers at byte {start:,}")
    return data


def _given(values: ndarray, kind: Kind) -> ndarray:
    if kind.stored == "<u2":
        return (values.astype("<u4") << np.uint32(16)).view("<f4")
    return values.astype(kind.given, copy=False)
