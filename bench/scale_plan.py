"""A driver's work alone, in a process of its own: listing, plan, index, quarantine and manifest of objects that are not there.

run     python bench/scale_plan.py COUNT FOLDER
prints  seconds of each part, on the clock and of the driver's processor; the driver's peak MiB after it, and the listing child's
Every object has one input file whose digest is known, and one row; one in 4,096 is refused. Shards have 2,048 objects in the mean.
"""

import hashlib
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l9.cards import Card
from l9.config import Prep, Use
from l9.prep.inputs import Input
from l9.prep.plan import Plan, find_objects, plan_of_inputs
from l9.prep.work import new_sandbox
from l9.stages import normalise, occupancy, surface_points
from l9.store.facts import Refusal, ShardFacts
from l9.store.store import write_store

OBJECTS_A_SHARD = 2048
STAGES = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=32), Use(surface_points, count=2048))


def card_of(count: int) -> Card:
    """A card of `count` objects."""
    shards = 1 << max(0, round(count / OBJECTS_A_SHARD).bit_length() - 1)
    return Card("scale", "objects that are not there", "none", "scale_objects:read", shards=shards, parameters={"count": count})


def input_of(name: str) -> Input:
    """An input file whose digest is known."""
    return Input(hashlib.sha256(name.encode()).hexdigest(), (1_000_000, 1_700_000_000_000_000_000))


def shards_of(plan: Plan) -> Iterator[ShardFacts]:
    """Facts as the making of every shard would leave them."""
    for shard in plan.shards:
        objects = shard.objects
        refused = [one for one in objects if one.key.startswith("000")]
        done = [one for one in objects if not one.key.startswith("000")]
        yield ShardFacts(
            key=shard.key,
            rows=len(done),
            objects=tuple((one.id, 1) for one in done),
            quarantined=tuple(Refusal(one.id, one.path, "no-faces", "0 faces") for one in refused),
            sha256=hashlib.sha256(shard.key.encode()).hexdigest(),
            bytes=len(done) * 90_000,
        )


def peak_mib(who: int = resource.RUSAGE_SELF) -> int:
    """Peak resident memory so far."""
    return resource.getrusage(who).ru_maxrss >> 10


def main() -> None:
    """Measure; the last line is JSON."""
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    row: dict[str, Any] = {"objects": count, "before_mib": peak_mib()}
    clock, processor = time.perf_counter(), time.process_time()

    def note(part: str) -> None:
        nonlocal clock, processor
        row[f"{part}_s"], row[f"{part}_cpu_s"] = round(time.perf_counter() - clock, 1), round(time.process_time() - processor, 1)
        row[f"{part}_mib"] = peak_mib()
        clock, processor = time.perf_counter(), time.process_time()

    card = card_of(count)
    with new_sandbox() as sandbox:
        found = find_objects(card, folder, sandbox)
    note("listing")
    row["child_mib"] = peak_mib(resource.RUSAGE_CHILDREN)
    plan = plan_of_inputs(card, STAGES, folder, found, input_of)
    del found
    _ = plan.facts.key
    note("plan")
    store = write_store(folder, "scale", plan.facts, shards_of(plan))
    note("store")
    assert len(store.labels()) <= 55
    note("labels")
    row["index_mb"] = round((store.path / "index.arrow").stat().st_size / 1e6)
    row["manifest_mb"] = round((store.path / "manifest.json").stat().st_size / 1e6, 1)
    row["counts"] = store.manifest["counts"]
    row["shards"] = len(store.manifest["shards"])
    shutil.rmtree(folder)
    print(json.dumps(row))


if __name__ == "__main__":
    main()
