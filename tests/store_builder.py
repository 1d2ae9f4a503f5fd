"""A small store with one column of each kind, whose cells say which object and row they belong to."""

import numpy as np

from l9.store.columns import Column
from l9.store.planned import PlanFacts, PlannedObject, shard_key, shard_number
from l9.store.shards import ShardWriter
from l9.store.store import shards_folder, write_store

COLUMNS = (
    Column("grid", "float16", (2, 2, 2), unit="box", axes="x y z"),
    Column("points", "float32", (3,), "ragged", unit="box", axes="point xyz"),
    Column("picture", "uint8", (), "blob"),
)
SHARDS = 4


def number_of(name):
    return int(name.removeprefix("o").removesuffix(".obj"))


def row_of(name, row):
    """`number % 4` points, so that some rows have none."""
    number = number_of(name)
    return {
        "grid": np.full((2, 2, 2), number + row / 4, np.float16),
        "points": np.arange(3 * (number % 4), dtype=np.float32).reshape(-1, 3) + 100 * number + row,
        "picture": bytes([number, row]),
    }


def note_of(name):
    """What the reader of every fourth object left out."""
    return "2 lines left out; no material" if number_of(name) % 4 == 1 else ""


def planned(count=40, rows=2, **fields):
    names = [f"o{number:03}.obj" for number in range(count)]
    facts = {"label": lambda n: "ab"[n % 2], "fold": lambda n: n % 5, "split": lambda n: "", **fields}
    return tuple(
        PlannedObject(name, f"raw/{name}", f"key-{name}-{rows}", shard=shard_number(name, SHARDS), **{f: of(n) for f, of in facts.items()})
        for n, name in enumerate(names)
    )


def shards_of(home, objects, *, columns=COLUMNS, rows=2, refused=(7,), order=sorted, compression="none"):
    facts = []
    for number in range(SHARDS):
        members = [one for one in objects if one.shard == number]
        with ShardWriter(shards_folder(home), shard_key(members, columns, compression), columns, compression) as writer:
            for one in order(members, key=lambda one: one.id):
                if number_of(one.id) in refused:
                    writer.refuse(one.id, one.path, "no-faces", "0 faces")
                else:
                    writer.add(one.id, (row_of(one.id, row) for row in range(rows)), note_of(one.id))
        facts.append(writer.facts)
    return facts


def built(home, objects=None, *, name="toy", up="+Y", **options):
    objects = planned() if objects is None else objects
    return write_store(home, name, PlanFacts("toy", up, COLUMNS, objects), shards_of(home, objects, **options))
