"""What a preparation sets out to do: its objects with their keys, before any work, and the keys that follow from them.

The objects of a plan are columns (`PlannedTable`): of 10^7 of them a `PlannedObject` is made when it is asked for, a shard's at a time.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from l9.config import FOLDS
from l9.errors import StoreError
from l9.fingerprint import canonical, quoted
from l9.store.columns import Column
from l9.store.tables import Columns, columns_of_rows, rows_of_columns

FORMAT = 2  # version of the bytes of shards, sidecars, indexes and manifests that are written; 2 keeps what readers noted
READABLE = (1, 2)  # versions that are read; what was written before 2 has no notes
SPLITS = ("train", "validation", "test", "")
KEY_DIGITS = 12  # hex digits of a store's key in its folder's name

Compression = Literal["none", "lz4"]


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """One object of a plan.

    id     relative id, unique in the dataset
    path   its first file below the root (never absolute): what a person looks for when it is quarantined
    key    sha256 of reader version, input digests, stages, parameters and stage versions
    label  class name, "" where unknown
    split  "train", "validation", "test", or "" where folds or a seeded hash decide
    fold   0..4, -1 for none
    shard  number of its shard: `shard_number(id, count)`
    """

    id: str
    path: str
    key: str
    label: str = ""
    split: str = ""
    fold: int = -1
    shard: int = 0

    def __post_init__(self) -> None:
        if not (self.id.isprintable() and self.path.isprintable() and self.label.isprintable()):
            name = next(name for name in ("id", "path", "label") if not getattr(self, name).isprintable())
            raise StoreError(f"object {self.id!r}: its {name} holds a character that cannot be printed; rename it")
        if self.split not in SPLITS or not -1 <= self.fold < FOLDS:
            raise StoreError(f"object '{self.id}': split '{self.split}', fold {self.fold}; expected one of {SPLITS} and -1..{FOLDS - 1}")


PLANNED = pa.schema(
    [
        ("id", pa.large_string()),
        ("path", pa.large_string()),  # null: the id
        ("key", pa.large_string()),
        ("label", pa.dictionary(pa.int32(), pa.string())),
        ("split", pa.dictionary(pa.int32(), pa.string())),
        ("fold", pa.int8()),
        ("shard", pa.int32()),
    ]
)


class PlannedTable(Sequence[PlannedObject]):
    """Planned objects as columns, in ascending order of id: about 200 bytes each, most of them the id and the key."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    @staticmethod
    def of(objects: Iterable[PlannedObject], ids: pa.Array | None = None) -> "PlannedTable":
        """Objects in any order, of which a few are alive at a time; `ids`, where they are a column already, in its order."""
        rows = ((o.id, None if o.path == o.id else o.path, o.key, o.label, o.split, o.fold, o.shard) for o in objects)
        return PlannedTable(columns_of_rows(rows, PLANNED, ids))

    @property
    def ids(self) -> pa.Array:
        """Every id, ascending."""
        return self.columns["id"]

    @property
    def labels(self) -> set[str]:
        """Every label there is, "" among them where an object has none."""
        return set(self.columns["label"].unique().to_pylist())

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> PlannedObject: ...
    @overload
    def __getitem__(self, place: slice) -> list[PlannedObject]: ...
    def __getitem__(self, place: int | slice) -> PlannedObject | list[PlannedObject]:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        return self.take(np.array([range(len(self))[place]]))[0]

    def __iter__(self) -> Iterator[PlannedObject]:
        return (PlannedObject(*row) for row in self.rows())

    def take(self, places: Int[ndarray, "m"]) -> list[PlannedObject]:
        """The objects at these places."""
        return [PlannedObject(*row) for row in self.rows(places)]

    def describe(self, places: Int[ndarray, "m"]) -> list[dict[str, Any]]:
        """The objects at these places as plain JSON: the arguments of `PlannedObject`."""
        return [dict(zip(PLANNED.names, row, strict=True)) for row in self.rows(places)]

    def rows(self, places: Int[ndarray, "m"] | None = None) -> Iterator[tuple[Any, ...]]:
        """The fields of these objects, or of all, in the order of `PlannedObject`."""
        some = self.columns if places is None else {name: array.take(pa.array(places)) for name, array in self.columns.items()}
        for name, path, *others in rows_of_columns(some):
            yield name, name if path is None else path, *others

    @cached_property
    def shards(self) -> dict[int, Int[ndarray, "m"]]:
        """Number of each shard -> the places of its objects, in order of id."""
        numbers = self.columns["shard"].to_numpy()
        order = np.argsort(numbers, kind="stable").astype(np.int32 if len(numbers) < 1 << 31 else np.int64)
        distinct, starts = np.unique(numbers[order], return_index=True)
        return dict(zip(distinct.tolist(), np.split(order, starts[1:]), strict=True))

    def places_of(self, names: Sequence[str]) -> Int[ndarray, "m"]:
        """The place of each id, -1 where it is not planned; quick for ids of few shards, such as those that ended together."""
        wanted = pa.array(names, pa.large_string())
        places = np.full(len(names), -1, np.int64)
        for number, name in enumerate(names):
            if places[number] < 0 and (found := self._place_of(name)) is not None:
                members = self.shards[self.columns["shard"][found].as_py()]
                among = pc.index_in(wanted, value_set=self.ids.take(pa.array(members))).fill_null(-1).to_numpy()
                here = among >= 0
                places[here] = members[among[here]]
        return places

    def _place_of(self, name: str) -> int | None:
        place = bisect_left(range(len(self)), name, key=lambda number: self.ids[number].as_py())
        return place if place < len(self) and self.ids[place].as_py() == name else None


@dataclass(frozen=True)
class PlanFacts:
    """Everything about a store that is known before any object is read.

    card      name of the dataset's card
    up        the axis that points up in every stored object: "+Y"
    columns   what every row holds
    objects   in any order, each id once
    """

    card: str
    up: str
    columns: tuple[Column, ...]
    objects: Sequence[PlannedObject]

    @cached_property
    def table(self) -> PlannedTable:
        """The objects as columns, in order of id."""
        return self.objects if isinstance(self.objects, PlannedTable) else PlannedTable.of(self.objects)

    @cached_property
    def key(self) -> str:
        """sha256 of the plan: one store per key; the order in which objects are listed plays no part."""
        head = {"format": FORMAT, "card": self.card, "up": self.up, "columns": [column.describe() for column in self.columns]}
        state = hashlib.sha256(canonical(head).encode())
        for row in self.table.rows():
            state.update(_canonical(*row).encode())
        return state.hexdigest()


def _canonical(name: str, path: str, key: str, label: str, split: str, fold: int, shard: int) -> str:
    """`canonical` of the fields of a planned object, written out: 2 us instead of 10."""
    texts = f'"id":{quoted(name)},"key":{quoted(key)},"label":{quoted(label)},"path":{quoted(path)}'
    return f'{{"fold":{fold},{texts},"shard":{shard},"split":{quoted(split)}}}'


def shard_number(object_id: str, count: int) -> int:
    """Which of `count` (a power of two) shards an object belongs to: the leading bits of sha256(id)."""
    leading = int.from_bytes(hashlib.sha256(object_id.encode()).digest()[:8], "big")
    return leading >> (64 - (count.bit_length() - 1))


def shard_key(objects: Iterable[PlannedObject], columns: Sequence[Column], compression: Compression = "none") -> str:
    """sha256 of what one shard holds: its objects' ids and keys, its columns, its compression. Labels and folds are not in it."""
    return members_key(((planned.id, planned.key) for planned in objects), columns, compression)


def members_key(members: Iterable[tuple[str, str]], columns: Sequence[Column], compression: Compression = "none") -> str:
    """`shard_key` of (id, key) of its objects: `fingerprint.digest` of four fields, the last written out, 1 us an object instead of 6."""
    head = canonical({"columns": [column.describe() for column in columns], "compression": compression, "format": FORMAT})
    listed = ",".join(f"[{quoted(name)},{quoted(key)}]" for name, key in sorted(members))
    return hashlib.sha256(f'{head.removesuffix("}")},"objects":[{listed}]}}'.encode()).hexdigest()
