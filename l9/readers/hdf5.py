"""HDF5 from an open file, as if its writer meant harm: the one place where h5py is called.

An HDF5 file may name other files (external links, external storage, virtual datasets) and filters that the library would load from
disk; a few bytes may declare arrays of any size. All of it is refused from the headers, before a value is read, so that no file but
the one in hand is ever opened. libhdf5 itself may still crash on foreign bytes: it runs in the sandbox's child alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy import ndarray

from l9.errors import RefusedObject

if TYPE_CHECKING:
    from h5py import Dataset, File

MAX_ROWS = 10_000_000  # of one dataset; the largest read here has 11,416
MAX_ROW_BYTES = 64 << 20  # of one row; 10,000 points with normals in float64 have 480 KB
MAX_CHUNK_BYTES = 256 << 20  # what one compressed chunk may unpack to
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # built into h5py; any other is a library loaded from disk


@contextmanager
def open_hdf5(stream: BinaryIO) -> Iterator["File"]:
    """The HDF5 file in an open stream; whatever h5py raises on its bytes, within the block too, is a refusal.

    raises  RefusedObject `empty-file` or `unreadable`
    """
    import h5py

    if not stream.read(1):
        raise RefusedObject("empty-file", "0 bytes")
    stream.seek(0)
    try:
        with h5py.File(stream, "r") as file:
            yield file
    except (MemoryError, RefusedObject, ImportError):
        raise
    except Exception as error:  # libhdf5 has an error for every byte; the object is refused with those words
        if isinstance(error, OSError) and error.errno is not None:  # from the system, not from the bytes in hand
            raise
        words = " ".join(str(error).split())[:200]
        raise RefusedObject("unreadable", f"{type(error).__name__}: {words}") from error


def dataset_of(file: "File", name: str, kinds: str, *row_shapes: tuple[int | None, ...]) -> "Dataset":
    """The dataset `name` at the top of the file, checked and unread.

    kinds       letters of NumPy's kinds of numbers that are allowed: "f" floats, "iu" integers
    row_shapes  shapes that one row may have: the dataset has one dimension more; None: any length from 1 on
    raises      RefusedObject `missing-dataset`, `outside-link`, `unknown-filter`, `wrong-shape`, `wrong-type` or `too-large`
    """
    import h5py

    link = file.get(name, getlink=True)
    if link is None:
        raise RefusedObject("missing-dataset", f"no dataset '{name}'; it has {', '.join(sorted(map(_shown, file))[:8]) or 'none'}")
    if not isinstance(link, h5py.HardLink):  # soft and external links: where they lead is the file's to say
        raise RefusedObject("outside-link", f"'{name}' is a {type(link).__name__}; expected the dataset itself")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise RefusedObject("missing-dataset", f"'{name}' is a {type(found).__name__}; expected a dataset")
    _check_storage(found, name)
    _check_form(found, name, kinds, row_shapes)
    return found


def has_dataset(file: "File", name: str) -> bool:
    """Whether something of that name is there, without following it."""
    return file.get(name, getlink=True) is not None


def row_of(found: "Dataset", row: int) -> ndarray:
    """One row; RefusedObject `missing-row` where there are fewer."""
    if not 0 <= row < len(found):
        raise RefusedObject("missing-row", f"row {row:,} of {len(found):,}")
    return np.asarray(found[row])


def _check_storage(found: "Dataset", name: str) -> None:
    """Where the values lie and how they are packed, from the dataset's header."""
    header: Any = found.id.get_create_plist()
    if found.is_virtual or header.get_external_count():
        raise RefusedObject("outside-link", f"'{name}' keeps its values in other files; expected them in this one")
    for number in range(header.get_nfilters()):
        code = int(header.get_filter(number)[0])
        if code not in FILTERS:
            raise RefusedObject("unknown-filter", f"'{name}' is packed by filter {code}; expected {', '.join(FILTERS.values())}")
    if found.chunks is not None and _bytes(found.chunks, found.dtype) > MAX_CHUNK_BYTES:
        raise RefusedObject("too-large", f"'{name}' has chunks of {_bytes(found.chunks, found.dtype):,} bytes; at most {MAX_CHUNK_BYTES:,}")


def _check_form(found: "Dataset", name: str, kinds: str, row_shapes: tuple[tuple[int | None, ...], ...]) -> None:
    if found.dtype.kind not in kinds:
        raise RefusedObject("wrong-type", f"'{name}' is {str(found.dtype)[:40]}; expected numbers of kind {' or '.join(kinds)}")
    shape: tuple[int, ...] | None = found.shape  # None: a dataset that holds nothing at all
    if shape is None or not any(_fits(shape, row_shape) for row_shape in row_shapes):
        expected = " or ".join(str(("n", *("any" if length is None else length for length in row))) for row in row_shapes)
        raise RefusedObject("wrong-shape", f"'{name}' has shape {shape}; expected {expected.replace(chr(39), '')}")
    if shape[0] > MAX_ROWS or _bytes(shape[1:], found.dtype) > MAX_ROW_BYTES:
        raise RefusedObject("too-large", f"'{name}' has shape {shape}; at most {MAX_ROWS:,} rows of {MAX_ROW_BYTES >> 20} MiB")


def _fits(shape: tuple[int, ...], row_shape: tuple[int | None, ...]) -> bool:
    pairs = zip(shape[1:], row_shape, strict=False)
    return len(shape) == 1 + len(row_shape) and all(length > 0 if wanted is None else length == wanted for length, wanted in pairs)


def _bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    count = 1
    for length in shape:
        count *= int(length)
    return count * dtype.itemsize


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode("ascii")[:40]
