"""What a preparation sets out to do: its objects with their keys, before any work, and the keys that follow from them."""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from l9.config import FOLDS
from l9.errors import StoreError
from l9.fingerprint import Json, canonical, digest
from l9.store.columns import Column

FORMAT = 2  # version of the bytes of shards, sidecars, indexes and manifests that are written; 2 keeps what readers noted
READABLE = (1, 2)  # versions that are read; what was written before 2 has no notes
SPLITS = ("train", "validation", "test", "")
KEY_DIGITS = 12  # hex digits of a store's key in its folder's name

Compression = Literal["none", "lz4"]


@dataclass(frozen=True, slots=True)  # a driver holds one for every object
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
        for name in ("id", "path", "label"):
            if not getattr(self, name).isprintable():
                raise StoreError(f"object {self.id!r}: its {name} holds a character that cannot be printed; rename it")
        if self.split not in SPLITS or not -1 <= self.fold < FOLDS:
            raise StoreError(f"object '{self.id}': split '{self.split}', fold {self.fold}; expected one of {SPLITS} and -1..{FOLDS - 1}")


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
    objects: tuple[PlannedObject, ...]

    @cached_property
    def key(self) -> str:
        """sha256 of the plan: one store per key; the order in which objects are listed plays no part."""
        head = {"format": FORMAT, "card": self.card, "up": self.up, "columns": [column.describe() for column in self.columns]}
        state = hashlib.sha256(canonical(head).encode())
        for planned in sorted(self.objects, key=lambda planned: planned.id):
            state.update(canonical(dataclasses.asdict(planned)).encode())
        return state.hexdigest()


def shard_number(object_id: str, count: int) -> int:
    """Which of `count` (a power of two) shards an object belongs to: the leading bits of sha256(id)."""
    leading = int.from_bytes(hashlib.sha256(object_id.encode()).digest()[:8], "big")
    return leading >> (64 - (count.bit_length() - 1))


def shard_key(objects: Iterable[PlannedObject], columns: Sequence[Column], compression: Compression = "none") -> str:
    """sha256 of what one shard holds: its objects' ids and keys, its columns, its compression. Labels and folds are not in it."""
    members = sorted((planned.id, planned.key) for planned in objects)
    described: list[Json] = [column.describe() for column in columns]
    return digest({"format": FORMAT, "columns": described, "compression": compression, "objects": members})
