"""What became of every planned object, gathered shard by shard: a few numbers each, from which index, quarantine and manifest follow."""

from functools import cached_property

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import StoreError
from l9.store.facts import Refusal, ShardFacts, ShardLine
from l9.store.planned import PlannedTable


class Ended:
    """n planned objects and how they ended.

    shard     int32 (n): the shard an object ended in, in the order in which shards were added; -1: in none so far
    start     int64 (n): its first row there
    rows      int64 (n): its rows, 0 where it was refused
    refusals  place -> why it was refused
    notes     place -> what its reader had to leave out, in one line; objects of which there is nothing to say are not in it
    """

    def __init__(self, planned: PlannedTable) -> None:
        self.planned = planned
        self.shard = np.full(len(planned), -1, np.int32)
        self.start = np.zeros(len(planned), np.int64)
        self.rows = np.zeros(len(planned), np.int64)
        self.refusals: dict[int, Refusal] = {}
        self.notes: dict[int, str] = {}
        self._lines: list[ShardLine] = []
        self._items: list[dict[str, ndarray]] = []
        self._foreign: str | None = None
        self._twice = False

    def add(self, facts: ShardFacts) -> None:
        """Note the objects of one more shard."""
        done = self._end([name for name, _ in facts.objects])
        counts = np.array([rows for _, rows in facts.objects], np.int64)
        known = done >= 0
        self.start[done[known]] = (np.cumsum(counts) - counts)[known]
        self.rows[done[known]] = counts[known]
        refused = self._end([refusal.id for refusal in facts.quarantined])
        self.refusals |= dict(zip(refused.tolist(), facts.quarantined, strict=True))
        if facts.notes:
            names = [name for name, _ in facts.objects]
            self.notes |= {place: facts.notes[name] for place, name in zip(done.tolist(), names, strict=True) if name in facts.notes}
        self._items.append({name: np.array(items, np.int64) for name, items in facts.items.items()})
        self._lines.append(facts.line)

    def _end(self, names: list[str]) -> Int[ndarray, "m"]:
        """The places of these objects, -1 for one that was not planned; they ended in the shard that is being added."""
        places = self.planned.places_of(names)
        for number in np.flatnonzero(places < 0).tolist():
            self._foreign = min(names[number], self._foreign or names[number])
        known = places[places >= 0]
        self._twice |= bool((self.shard[known] >= 0).any()) or len(np.unique(known)) < len(known)
        self.shard[known] = len(self._lines)
        return places

    def assert_complete(self) -> None:
        """StoreError unless done + quarantined = planned, object by object."""
        missing = np.flatnonzero(self.shard < 0)
        if self._foreign is None and not self._twice and not len(missing):
            return
        example = "; some stand twice"
        if len(missing):
            example = f"; '{self.planned[int(missing[0])].id}' is missing"
        elif self._foreign is not None:
            example = f"; '{self._foreign}' was not planned"
        done, refused = sum(line.done for line in self._lines), sum(line.quarantined for line in self._lines)
        raise StoreError(f"done {done} + quarantined {refused} is not planned {len(self.planned)}{example}.  l9 prep again")

    @property
    def lines(self) -> list[ShardLine]:
        """The shards in the manifest's order, which is that of their keys."""
        return sorted(self._lines, key=lambda line: line.key)

    @cached_property
    def manifest_place(self) -> Int[ndarray, "s"]:
        """int32: position in the manifest of each shard, in the order in which they were added."""
        return np.argsort(sorted(range(len(self._lines)), key=lambda number: self._lines[number].key)).astype(np.int32)

    @cached_property
    def offsets(self) -> Int[ndarray, "s"]:
        """int64: rows of all shards that were added before each."""
        rows = np.array([line.rows for line in self._lines], np.int64)
        return np.cumsum(rows) - rows

    def items(self, column: str) -> Int[ndarray, "r"]:
        """int64: items of a ragged column in each row, shards in the order in which they were added."""
        return np.concatenate([np.zeros(0, np.int64), *(items[column] for items in self._items)])
