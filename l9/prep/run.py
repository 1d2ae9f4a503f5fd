"""Run a plan: make the shards that are not there, in process or on Ray, then publish the store.

Nothing that is done is done again: a shard is found by its key, if its bytes are still those that were written. The store's manifest
is written last.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from l9.errors import L9Error
from l9.fingerprint import DigestCache
from l9.prep.plan import Plan
from l9.prep.shelf import Shelf
from l9.prep.work import ShardTiming, ShardWork, make_shard, make_shard_remotely, shard_work
from l9.progress import Progress, Say
from l9.sandbox.parent import Sandbox
from l9.session import ray_session
from l9.store.collect import mark_used
from l9.store.facts import ShardFacts, arrow_path, shard_done, sidecar_path
from l9.store.home import Home
from l9.store.publish import remove_leftovers
from l9.store.store import Store, shards_folder, standing_store, store_folder, write_store

INFRASTRUCTURE_RETRIES = 5  # times one shard may lose its worker before the run gives up
WINDOW = 4  # shards in flight for each worker: enough to keep it busy, few enough that the driver stays small
WAIT_SECONDS = 5.0  # of one wait for Ray: a lost worker is seen, and Ctrl-C heard, no later than that
MARK_SECONDS = 3600.0  # after which what is made already is made young again, so that `l9 store gc` leaves it


@dataclasses.dataclass
class PrepCounts:
    """What a run of a plan had to do."""

    made: int = 0
    reused: int = 0
    lost_workers: int = 0


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

    workers  0: in this process; N: embedded Ray with N processors, or all of the cluster at `address`
    digests  remembers which shards have been read: one that changed since, by its size, time or inode, is read once more
    remote   the remote home whose working folder `home` is, where there is one; the store is written to the folder alone
    """
    folder, shards = store_folder(home, plan.card.name, plan.facts.key), shards_folder(home)
    for place in (folder, shards):
        remove_leftovers(place)
    mark_used(folder / "timings.jsonl", *(sidecar_path(shards, shard.key) for shard in plan.shards))
    shelf = Shelf(remote or Home(home))
    there = shelf.there(plan, folder.name)
    facts = shelf.all_of(there, _sound_shards(plan, shards, digests, say))
    if len(facts) == len(plan.shards) and (store := standing_store(home, plan.card.name, plan.facts, facts.values())) is not None:
        return store, PrepCounts(reused=len(plan.shards))
    missing = [shard for shard in plan.shards if shard.key not in facts]
    counts = PrepCounts(reused=len(facts))
    timings: list[ShardTiming] = []
    if missing:
        shards.mkdir(parents=True, exist_ok=True)
        with Progress(f"prep {plan.card.name}", sum(len(shard.objects) for shard in missing), "objects", to=say) as progress:
            refused = 0
            works = {shard.key: partial(shard_work, plan, shard, shards, shelf.home.url) for shard in missing}
            marked = time.monotonic()
            for timing in _made(works, workers, address, sandbox, counts, say):
                timings.append(timing)
                facts[timing.key] = shelf.made(timing.key, digests)
                refused += timing.quarantined
                progress.advance(timing.objects, f"{refused} quarantined" if refused else "")
                if time.monotonic() - marked > MARK_SECONDS:
                    mark_used(*(sidecar_path(shards, key) for key in facts))
                    marked = time.monotonic()
    counts.made = len(timings)
    shelf.assert_there(facts)
    lines = [dataclasses.asdict(timing) for timing in timings] + [{"finished": time.time(), **dataclasses.asdict(counts)}]
    return write_store(home, plan.card.name, plan.facts, facts.values(), lines), counts


def _sound_shards(plan: Plan, shards: Path, digests: DigestCache, say: Say) -> dict[str, ShardFacts]:
    """Facts of the shards that are there with the bytes that were written, by key. Reads those that are new here or changed since."""
    done = {shard.key: facts for shard in plan.shards if (facts := shard_done(shards, shard.key)) is not None}
    found = {key: digests.remembered(arrow_path(shards, key)) for key in done}
    unread = [key for key, sha256 in found.items() if sha256 is None]
    if unread:
        with Progress(f"reading shards of {plan.card.name} once", len(unread), "shards", to=say) as progress:
            for key in unread:
                found[key] = digests.of(arrow_path(shards, key))
                progress.advance()
    for key in (key for key, facts in done.items() if found[key] != facts.sha256):
        say(f"shard {key[:12]} is not what was written (its sha256 differs); it is made again")
    return {key: facts for key, facts in done.items() if found[key] == facts.sha256}


Works = Mapping[str, Callable[[], ShardWork]]
"""Key of a shard -> what says the work on it, called when the work is handed out: so the driver holds the words of few shards at once."""


def _made(works: Works, workers: int, address: str | None, sandbox: Sandbox, counts: PrepCounts, say: Say) -> Iterable[ShardTiming]:
    if workers == 0 and address is None:
        return (make_shard(work(), sandbox) for work in works.values())
    return _made_on_ray(works, workers, address, counts, say)


def _made_on_ray(works: Works, workers: int, address: str | None, counts: PrepCounts, say: Say) -> Iterable[ShardTiming]:
    with ray_session(address, cpus=workers):
        import ray

        remote = ray.remote(max_retries=0)(make_shard_remotely)  # retries are ours: lost workers are counted apart
        window = WINDOW * max(1, int(ray.cluster_resources().get("CPU", workers)))
        waiting, lost = [*works][::-1], dict.fromkeys(works, 0)
        running: dict[Any, str] = {}
        while waiting or running:
            while waiting and len(running) < window:
                key = waiting.pop()
                running[remote.remote(dataclasses.asdict(works[key]()))] = key
            ready, _ = ray.wait(list(running), timeout=WAIT_SECONDS)
            for reference in ready:
                key = running.pop(reference)
                try:
                    yield ShardTiming(**ray.get(reference))
                except ray.exceptions.RayTaskError as error:
                    raise _cause_of(error) from None
                except ray.exceptions.RayError as error:
                    _note_lost_worker(key, lost, counts, error, say)
                    waiting.append(key)


def _cause_of(error: Any) -> Exception:
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, L9Error | OSError) else L9Error(f"a worker failed: {str(error).strip().splitlines()[-1]}")


def _note_lost_worker(key: str, lost: dict[str, int], counts: PrepCounts, error: Exception, say: Say) -> None:
    lost[key] += 1
    counts.lost_workers += 1
    if lost[key] > INFRASTRUCTURE_RETRIES:
        raise L9Error(f"shard {key[:12]} lost its worker {lost[key]} times ({type(error).__name__}); see the Ray logs")
    say(f"a worker was lost ({type(error).__name__}); its shard is made again")
