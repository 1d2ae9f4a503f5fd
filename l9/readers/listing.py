"""What a reader's `find` lists, as columns in order of id, and in packets as it leaves the child: room for ten million objects.

A packet is the zlib-compressed JSON of a list of `[id, files, member, label, split, facts]`; `files` is null where the id is the only one.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l9.errors import RefusedObject, SandboxError, StoreError
from l9.readers.contract import Found
from l9.store.tables import Columns, columns_of_rows, rows_of_columns

PACKET_TEXT = 1 << 20  # characters after which a packet is closed
PACKET_MOST = 64 << 20  # bytes a packet may unpack to: the child is not trusted
LEVEL = 1  # of zlib: ids that repeat in the path of a file shrink to a third even so
FOUND = pa.schema(
    [
        ("id", pa.large_string()),
        ("files", pa.list_(pa.large_string())),  # null: the id alone
        ("member", pa.dictionary(pa.int32(), pa.large_string())),
        ("label", pa.dictionary(pa.int32(), pa.string())),
        ("split", pa.dictionary(pa.int32(), pa.string())),
        ("facts", pa.dictionary(pa.int32(), pa.large_string())),  # JSON; null: none
    ]
)


class Listing(Sequence[Found]):
    """n objects of a dataset, in ascending order of id; a `Found` is made when it is asked for."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    @staticmethod
    def of(found: Iterable[Found]) -> "Listing":
        """Objects in any order; RefusedObject `duplicate-id` where two have one id."""
        return _listing(_row(one) for one in found)

    @staticmethod
    def of_packets(packets: list[Any]) -> "Listing":
        """Back from `packed`. Packets are let go of one by one; SandboxError where they are not what `packed` makes."""
        return _listing(_rows_of_packets(packets))

    @property
    def ids(self) -> pa.Array:
        """Every id, ascending."""
        return self.columns["id"]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Found: ...
    @overload
    def __getitem__(self, place: slice) -> list[Found]: ...
    def __getitem__(self, place: int | slice) -> Found | list[Found]:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        return self.take(np.array([range(len(self))[place]]))[0]

    def __iter__(self) -> Iterator[Found]:
        return map(_found, rows_of_columns(self.columns))

    def take(self, places: np.ndarray) -> list[Found]:
        """The objects at these places."""
        return [_found(row) for row in self._rows(places, *FOUND.names)]

    def files(self, places: np.ndarray) -> list[list[str]]:
        """The files of the objects at these places."""
        return [[name] if files is None else files for name, files in self._rows(places, "id", "files")]

    def _rows(self, places: np.ndarray, *names: str) -> Iterator[tuple[Any, ...]]:
        taken = pa.array(places)
        return rows_of_columns({name: self.columns[name].take(taken) for name in names})


def packed(found: Iterable[Found]) -> list[bytes]:
    """The objects as packets, in the order in which they come."""
    packets: list[bytes] = []
    texts: list[str] = []
    size = 0
    for one in found:
        texts.append(json.dumps(_row(one), separators=(",", ":")))
        size += len(texts[-1])
        if size >= PACKET_TEXT:
            packets.append(_packet(texts))
            texts, size = [], 0
    return [*packets, _packet(texts)] if texts else packets


def _packet(texts: list[str]) -> bytes:
    return zlib.compress(f"[{','.join(texts)}]".encode(), LEVEL)


def _row(one: Found) -> tuple[Any, ...]:
    files = None if one.files == (one.id,) else list(one.files)
    facts = json.dumps(one.facts, separators=(",", ":")) if one.facts else None
    return one.id, files, one.member, one.label, one.split, facts


def _found(row: tuple[Any, ...]) -> Found:
    name, files, member, label, split, facts = row
    return Found(name, (name,) if files is None else tuple(files), member, label, split, json.loads(facts) if facts else {})


def _listing(rows: Iterable[tuple[Any, ...]]) -> Listing:
    try:
        listing = Listing(columns_of_rows(rows, FOUND))
    except UnicodeEncodeError as error:
        raise StoreError(f"object {error.object!r}: a name holds a character that is no UTF-8; rename it") from error
    ids = listing.ids
    doubled = pc.indices_nonzero(pc.equal(ids[1:], ids[:-1]))
    if len(doubled):
        raise RefusedObject("duplicate-id", f"'{ids[doubled[0].as_py()].as_py()}' stands for two objects; expected each id once")
    return listing


def _rows_of_packets(packets: list[Any]) -> Iterator[tuple[Any, ...]]:
    packets.reverse()
    while packets:
        try:
            yield from map(_sound, _unpacked(packets.pop()))
        except (TypeError, ValueError, RecursionError, zlib.error) as error:
            raise SandboxError("died", "the child sent a listing of another form") from error


def _unpacked(packet: Any) -> list[Any]:
    unpacking = zlib.decompressobj()
    rows = json.loads(unpacking.decompress(packet, PACKET_MOST))
    if not unpacking.eof or not isinstance(rows, list):
        raise ValueError
    return rows


def _sound(row: Any) -> tuple[Any, ...]:
    """The row as it is, where it has the form of one: the child is not trusted."""
    name, files, member, label, split, facts = row
    texts = type(name) is type(member) is type(label) is type(split) is str
    paths = files is None or (type(files) is list and all(type(file) is str for file in files))
    if not texts or not paths or not (facts is None or isinstance(json.loads(facts), dict)):
        raise TypeError
    return name, files, member, label, split, facts
