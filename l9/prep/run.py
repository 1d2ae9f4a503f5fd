"""Run a plan: make the shards that are not there, in process or on Ray, then publish the store.

Nothing that is done is done again: a shard is found by its key, if its bytes are still those that were written. The store's manifest
is written last.
"""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from l9.errors import StoreError
from l9.fingerprint import DigestCache
from l9.prep.on_ray import Works, made_on_ray
from l9.prep.plan import Plan
from l9.prep.tally import Tally
from l9.prep.work import ShardTiming, make_shard, shard_work
from l9.progress import Progress, Say
from l9.sandbox.parent import Sandbox
from l9.store.collect import mark_used
from l9.store.facts import ShardFacts, ShardLine, arrow_path, read_facts, shard_done, sidecar_path
from l9.store.publish import remove_leftovers
from l9.store.store import Store, shards_folder, standing_store, store_folder, write_store

MARK_SECONDS = 3600.0  # after which what is made already is made young again, so that `l9 store gc` leaves it


@dataclasses.dataclass
class PrepCounts:
    """What a run of a plan had to do."""

    made: int = 0
    reused: int = 0
    lost_workers: int = 0
    lost_machines: int = 0
    machines: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def run_plan(
    plan: Plan, home: Path, *, workers: int, address: str | None, sandbox: Sandbox, digests: DigestCache, say: Say
) -> tuple[Store, PrepCounts]:
    """The store of a plan: at once where it is there, else after making what is missing or damaged.

    workers  0: in this process; N: embedded Ray with N processors; at an `address`: as many of its processors, 0 for all
    digests  remembers which shards have been read: one that changed since, by its size, time or inode, is read once more
    """
    folder, shards = store_folder(home, plan.card.name, plan.facts.key), shards_folder(home)
    for place in (folder, shards):
        remove_leftovers(place)
    mark_used(folder / "timings.jsonl", *(sidecar_path(shards, shard.key) for shard in plan.shards))
    done = _sound_shards(plan, shards, digests, say)
    if len(done) == len(plan.shards) and (store := standing_store(home, plan.card.name, plan.facts, done.values())) is not None:
        return store, PrepCounts(reused=len(plan.shards))
    missing = [shard for shard in plan.shards if shard.key not in done]
    counts = PrepCounts(reused=len(done))
    timings: list[ShardTiming] = []
    if missing:
        shards.mkdir(parents=True, exist_ok=True)
        with Progress(f"prep {plan.card.name}", sum(map(len, missing)), "objects", to=say) as progress:
            refused = 0
            works = {shard.key: partial(shard_work, plan, shard, shards) for shard in missing}
            marked = time.monotonic()
            tally = Tally(progress.total, time.monotonic())
            for timing in _made(works, tally, workers, address, sandbox, say):
                timings.append(timing)
                done[timing.key] = read_facts(shards, timing.key).line
                digests.remember(arrow_path(shards, timing.key), done[timing.key].sha256)
                refused += timing.quarantined
                progress.advance(timing.objects, f"{refused} quarantined" if refused else "")
                if time.monotonic() - marked > MARK_SECONDS:
                    mark_used(*(sidecar_path(shards, key) for key in done))
                    marked = time.monotonic()
        counts.lost_workers, counts.lost_machines = tally.lost_workers, tally.lost_machines
        counts.machines = tally.describe(time.monotonic())["nodes"]
    counts.made = len(timings)
    lines = [dataclasses.asdict(timing) for timing in timings] + [{"finished": time.time(), **dataclasses.asdict(counts)}]
    return write_store(home, plan.card.name, plan.facts, _standing_shards(shards, done), lines), counts


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


def _standing_shards(shards: Path, done: Mapping[str, ShardLine]) -> Iterator[ShardFacts]:
    """The facts of each shard, read one by one: those of ten million objects do not fit in memory at once.

    raises  StoreError where a shard is not there any more, or is another: no manifest may name it
    """
    for key, line in done.items():
        facts = shard_done(shards, key)
        if facts is None or facts.sha256 != line.sha256:
            raise StoreError(f"{arrow_path(shards, key)}: removed or made again since; the same l9 prep goes on")
        yield facts


def _made(works: Works, tally: Tally, workers: int, address: str | None, sandbox: Sandbox, say: Say) -> Iterable[ShardTiming]:
    if workers == 0 and address is None:
        return (make_shard(work(), sandbox) for work in works.values())
    return made_on_ray(works, tally, workers, address, say)
