"""Run a plan: make the shards that are not there, in process or on Ray, then publish the store.

Nothing that is done is done again: a shard is found by its key, if its bytes are still those that were written. The store's manifest
is written last.
"""

import dataclasses
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from l9.fingerprint import DigestCache
from l9.prep.on_ray import Works, made_on_ray
from l9.prep.plan import Plan
from l9.prep.shelf import Shelf
from l9.prep.tally import Tally
from l9.prep.work import ShardTiming, make_shard, shard_work
from l9.progress import Progress, Say
from l9.sandbox.parent import Sandbox
from l9.store.collect import mark_used
from l9.store.facts import ShardLine, arrow_path, shard_done, sidecar_path
from l9.store.home import Home
from l9.store.publish import remove_leftovers
from l9.store.store import Store, shards_folder, standing_store, store_folder, write_store


@dataclasses.dataclass
class PrepCounts:
    """What a run of a plan had to do."""

    made: int = 0
    reused: int = 0
    lost_workers: int = 0
    lost_machines: int = 0
    machines: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def run_plan(
    plan: Plan,
    home: Path,
    *,
    workers: int,
    address: str | None,
    sandbox: Sandbox,
    digests: DigestCache,
    say: Say,
    remote: Home | None = None,
) -> tuple[Store, PrepCounts]:
    """The store of a plan: at once where it is there, else after making what is missing or damaged.

    workers  0: in this process; N: embedded Ray with N processors; at an `address`: as many of its processors, 0 for all
    digests  remembers which shards have been read: one that changed since, by its size, time or inode, is read once more
    remote   the remote home whose working folder `home` is, where there is one; the store is written to the folder alone
    """
    folder, shards = store_folder(home, plan.card.name, plan.facts.key), shards_folder(home)
    for place in (folder, shards):
        remove_leftovers(place)
    mark_used(folder / "timings.jsonl", *(sidecar_path(shards, shard.key) for shard in plan.shards))
    shelf = Shelf(remote or Home(home))
    there = shelf.there(plan, folder.name)
    done = shelf.all_of(there, _sound_shards(plan, shards, digests, say))
    if len(done) == len(plan.shards) and (store := standing_store(home, plan.card.name, plan.facts, done.values())) is not None:
        return store, PrepCounts(reused=len(plan.shards))
    missing = [shard for shard in plan.shards if shard.key not in done]
    counts = PrepCounts(reused=len(done))
    timings: list[ShardTiming] = []
    if missing:
        shards.mkdir(parents=True, exist_ok=True)
        tally = Tally(sum(map(len, missing)), time.monotonic())
        works = {shard.key: partial(shard_work, plan, shard, shards, shelf.home.url) for shard in missing}
        for timing in _told(_made(works, tally, workers, address, sandbox, say), plan.card.name, tally.total, say):
            timings.append(timing)
            done[timing.key] = shelf.made(timing.key, digests)
            shelf.keep_young(done)
        counts.lost_workers, counts.lost_machines = tally.lost_workers, tally.lost_machines
        counts.machines = tally.describe(time.monotonic())["nodes"]
    counts.made = len(timings)
    lines = [dataclasses.asdict(timing) for timing in timings] + [{"finished": time.time(), **dataclasses.asdict(counts)}]
    return write_store(home, plan.card.name, plan.facts, shelf.standing(done), lines), counts


def _sound_shards(plan: Plan, shards: Path, digests: DigestCache, say: Say) -> dict[str, ShardLine]:
    """The shards that are there with the bytes that were written, by key. Reads those that are new here or changed since."""
    done = {shard.key: facts.line for shard in plan.shards if (facts := shard_done(shards, shard.key)) is not None}
    found = {key: digests.remembered(arrow_path(shards, key)) for key in done}
    unread = [key for key, sha256 in found.items() if sha256 is None]
    if unread:
        with Progress(f"reading shards of {plan.card.name} once", len(unread), "shards", to=say) as progress:
            for key in unread:
                found[key] = digests.of(arrow_path(shards, key))
                progress.advance()
    for key in (key for key, line in done.items() if found[key] != line.sha256):
        say(f"shard {key[:12]} is not what was written (its sha256 differs); it is made again")
    return {key: line for key, line in done.items() if found[key] == line.sha256}


def _told(timings: Iterable[ShardTiming], card: str, total: int, say: Say) -> Iterator[ShardTiming]:
    """The same timings, with progress said."""
    refused = 0
    with Progress(f"prep {card}", total, "objects", to=say) as progress:
        for timing in timings:
            yield timing
            refused += timing.quarantined
            progress.advance(timing.objects, f"{refused} quarantined" if refused else "")


def _made(works: Works, tally: Tally, workers: int, address: str | None, sandbox: Sandbox, say: Say) -> Iterable[ShardTiming]:
    if workers == 0 and address is None:
        return (make_shard(work(), sandbox) for work in works.values())
    return made_on_ray(works, tally, workers, address, say)
