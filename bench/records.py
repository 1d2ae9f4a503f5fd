"""Stores of made-up records, for benches that measure what comes after preparation."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from l9.store.columns import Column, Row
from l9.store.planned import PlanFacts, PlannedObject, shard_key, shard_number
from l9.store.shards import ShardWriter
from l9.store.store import Store, find_store, shards_folder, write_store


def store_of(home: Path, name: str, columns: Sequence[Column], count: int, row: Callable[[int], Row], *, shards: int = 16) -> Store:
    """A store of `count` records, labels "a" and "b" in turn, every fifth in fold 0; what is there from an earlier time is used again."""
    if (home / "store").is_dir():
        return find_store(home, name)
    ids = [f"{number:06d}" for number in range(count)]
    objects = tuple(
        PlannedObject(one, one, hashlib.sha256(one.encode()).hexdigest(), "ab"[n % 2], fold=n // 2 % 5, shard=shard_number(one, shards))
        for n, one in enumerate(ids)
    )
    facts = []
    shards_folder(home).mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        members = [planned for planned in objects if planned.shard == shard]
        with ShardWriter(shards_folder(home), shard_key(members, columns), columns) as writer:
            for planned in members:
                writer.add(planned.id, [row(int(planned.id))])
        assert writer.facts is not None
        facts.append(writer.facts)
    return write_store(home, name, PlanFacts(name, "+Y", tuple(columns), objects), facts)
