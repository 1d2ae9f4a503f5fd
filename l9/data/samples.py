"""Samples: which rows of which stores a training or a test sees, with their labels. Nothing is read but the index."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from numpy import ndarray

from l9.config import FOLDS
from l9.errors import UsageError
from l9.fingerprint import canonical, digest
from l9.store.cells import numbers_of
from l9.store.store import Store

Part = Literal["train", "validation", "test", "all"]
NAMED: tuple[Part, ...] = ("train", "validation", "test")
HASHED_TRAIN, HASHED_VALIDATION = 0.8, 0.1  # shares of objects that have neither fold nor split; the rest is test


@dataclass(frozen=True, eq=False)
class Samples:
    """n samples, in index order unless a subset says otherwise.

    stores         the stores they come from
    classes        class names; a label is a position in it
    labels         int64 (n): class numbers, -1 where there is no label
    store_numbers  int64 (n): position in `stores`
    rows           int64 (n): line of that store's index
    items          int64 (n): item within the row where samples are items of `item_column`, else 0
    item_column    the ragged column whose items are the samples; None: a sample is a row
    """

    stores: tuple[Store, ...]
    classes: tuple[str, ...]
    labels: Int[ndarray, "n"]
    store_numbers: Int[ndarray, "n"]
    rows: Int[ndarray, "n"]
    items: Int[ndarray, "n"]
    item_column: str | None = None

    @staticmethod
    def of(
        store: Store,
        *,
        classes: tuple[str, ...] | None = None,
        part: Part = "all",
        fold: int | None = None,
        item_column: str | None = None,
        whole: bool = False,
    ) -> "Samples":
        """The samples of one part of a store.

        classes  rows of other labels are left out; None: every label there is, sorted (rows without one are left out if any has one)
        part     with a fold k: test is fold k, validation fold (k + 1) mod 5, train the rest; without: the index's split, and where
                 that is "" a hash of the object's id decides 80 / 10 / 10
        whole    no hash: objects without a split are of every part, for a set that nothing is learnt from
        raises   UsageError for a fold where the store has none, classes that it does not have, or a column that is not ragged
        """
        index = store.index
        names, numbers = _distinct(index, "label")
        chosen = tuple(sorted(name for name in names if name)) if classes is None else classes
        if set(chosen) - set(names):
            lacking, there = ", ".join(sorted(set(chosen) - set(names))), ", ".join(sorted(filter(None, names))) or "none"
            raise UsageError(f"store {store.id} has no class {lacking}; it has {there}.  l9 quarantine {store.id} lists refused objects")
        positions = {name: number for number, name in enumerate(chosen)}
        labels = np.array([positions.get(name, -1) for name in names], np.int64)[numbers]
        kept = (labels >= 0) if chosen else np.ones(len(labels), bool)
        rows = np.flatnonzero(kept & _in_part(store, part, fold, whole))
        items = np.zeros(len(rows), np.int64)
        if item_column is not None:
            counts = _item_counts(store, item_column)[rows]
            items = np.arange(counts.sum(), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
            rows = np.repeat(rows, counts)
        return Samples((store,), chosen, labels[rows], np.zeros(len(rows), np.int64), rows, items, item_column)

    @staticmethod
    def concat(parts: Sequence["Samples"]) -> "Samples":
        """Samples one behind the other. Labels keep their meaning: classes are merged, sorted by name where they differ.

        raises  UsageError where samples are rows here and items there, or where stores differ in which axis points up
        """
        first = parts[0]
        if any(part.item_column != first.item_column or part.up != first.up for part in parts):
            raise UsageError(
                f"sets to learn from together differ in samples {[p.item_column for p in parts]} or up {[p.up for p in parts]}"
            )
        same = all(part.classes == first.classes for part in parts)
        classes = first.classes if same else tuple(sorted({name for part in parts for name in part.classes}))
        stores: list[Store] = []
        for store in (store for part in parts for store in part.stores):
            if all(store.digest != known.digest for known in stores):
                stores.append(store)
        place = {store.digest: number for number, store in enumerate(stores)}
        return Samples(
            tuple(stores),
            classes,
            np.concatenate([_lookup([classes.index(name) for name in part.classes], part.labels) for part in parts]),
            np.concatenate([_lookup([place[store.digest] for store in part.stores], part.store_numbers) for part in parts]),
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.items for part in parts]),
            first.item_column,
        )

    def __len__(self) -> int:
        """Samples."""
        return len(self.rows)

    @property
    def up(self) -> str:
        """The axis that points up in every object, such as "+Y"."""
        return self.stores[0].up

    @cached_property
    def objects(self) -> list[str]:
        """Object id of each sample."""
        return self._gathered([np.array(store.index.column("object").to_pylist(), object) for store in self.stores]).tolist()

    @cached_property
    def object_rows(self) -> Int[ndarray, "n"]:
        """Which of its object's rows each sample is (or is an item of), int64."""
        return self._gathered([numbers_of(store.index.column("row")) for store in self.stores]).astype(np.int64)

    def counts(self, column: str) -> Int[ndarray, "n"]:
        """Items of a ragged column in each sample's row, int64; UsageError if it is not ragged."""
        found = np.zeros(len(self), np.int64)
        for number, store in enumerate(self.stores):
            mine = self.store_numbers == number
            found[mine] = _item_counts(store, column)[self.rows[mine]]
        return found

    def subset(self, indices: Int[ndarray, "m"] | Sequence[int]) -> "Samples":
        """These samples, in this order; a number may stand more than once."""
        chosen = np.asarray(indices, np.int64)
        return Samples(
            self.stores,
            self.classes,
            self.labels[chosen],
            self.store_numbers[chosen],
            self.rows[chosen],
            self.items[chosen],
            self.item_column,
        )

    def take(self, first_n: int) -> "Samples":
        """The first n samples, or all where there are fewer."""
        return self.subset(np.arange(min(first_n, len(self))))

    @cached_property
    def identities(self) -> Int[ndarray, "n 2"]:
        """Two int64 that name each sample wherever it is stored: 64 bits of sha256 of (object id, row), and the item."""
        rows = zip(self.objects, self.object_rows.tolist(), strict=True)
        words = b"".join(hashlib.sha256(f"{name}\0{row}".encode()).digest()[:8] for name, row in rows)
        return np.stack([np.frombuffer(words, "<i8").astype(np.int64), self.items], 1)

    @cached_property
    def digest(self) -> str:
        """sha256 of the stores' manifests, the classes, and which samples these are, in order."""
        state = hashlib.sha256(canonical([[store.digest for store in self.stores], list(self.classes)]).encode())
        for array in (self.store_numbers, self.identities):
            state.update(np.ascontiguousarray(array, "<i8").tobytes())
        return state.hexdigest()

    def _gathered(self, arrays: list[ndarray]) -> ndarray:
        """Of one array for each store, a value for each row of its index, the value of each sample."""
        if len(arrays) == 1:
            return arrays[0][self.rows]
        starts = np.cumsum([0, *(len(array) for array in arrays[:-1])])
        return np.concatenate(arrays)[starts[self.store_numbers] + self.rows]


def hashed_part(object_id: str) -> Part:
    """Where an object belongs that has neither fold nor split: 80 % train, 10 % validation, 10 % test, by sha256 of its id (seed 0)."""
    share = int(digest([0, object_id])[:13], 16) / 16**13
    return "train" if share < HASHED_TRAIN else "validation" if share < HASHED_TRAIN + HASHED_VALIDATION else "test"


def _in_part(store: Store, part: Part, fold: int | None, whole: bool) -> ndarray:
    """Boolean, one per row of the index."""
    if part == "all":
        return np.ones(store.index.num_rows, bool)
    if fold is not None:
        folds = numbers_of(store.index.column("fold"))
        if not 0 <= fold < FOLDS or (len(folds) and folds.max() < 0):
            raise UsageError(f"store {store.id}: fold {fold} was asked for; expected 0..{FOLDS - 1}, and a card whose labels have folds")
        test, validation = folds == fold, folds == (fold + 1) % FOLDS
        return {"test": test, "validation": validation, "train": ~test & ~validation}[part]
    splits, numbers = _distinct(store.index, "split")
    part_of = np.array([NAMED.index(name) if name in NAMED else -1 for name in splits], np.int64)[numbers]
    if whole:
        return (part_of < 0) | (part_of == NAMED.index(part))
    objects, of_row = _distinct(store.index, "object")
    if (part_of < 0).any():
        hashed = np.array([NAMED.index(hashed_part(name)) for name in objects], np.int64)
        part_of = np.where(part_of < 0, hashed[of_row], part_of)
    return part_of == NAMED.index(part)


def _distinct(index: pa.Table, column: str) -> tuple[list[str], ndarray]:
    """The distinct values of a string column, and for each row the number of its value."""
    coded = index.column(column).combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), numbers_of(coded.indices).astype(np.int64)


def _item_counts(store: Store, column: str) -> ndarray:
    if store.column(column).kind != "ragged":
        raise UsageError(f"column {column} of store {store.id} is {store.column(column).kind}; expected a ragged one to count items of")
    return numbers_of(store.index.column(f"{column}_items"))


def _lookup(table: Sequence[int], numbers: ndarray) -> ndarray:
    """table[numbers], -1 staying -1."""
    return np.array([*table, -1], np.int64)[numbers]
