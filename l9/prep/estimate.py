"""What a preparation will cost, from a 1 % sample: objects, bytes on disk, hours. Nothing is written."""

import time
from dataclasses import dataclass
from pathlib import Path

from l9.cards import Card
from l9.config import Prep
from l9.errors import RefusedObject, SandboxError
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan, sampled
from l9.prep.work import object_rows, rehearse, shard_work
from l9.sandbox.parent import Sandbox


@dataclass(frozen=True)
class Estimate:
    """What is to be expected.

    objects      planned
    sampled      objects that were tried for this
    refused      of the sampled, those that would be quarantined
    input_bytes  of all input files; output_bytes of all shards, estimated
    core_hours   on one processor; hours with the workers asked for
    """

    objects: int
    sampled: int
    refused: int
    input_bytes: int
    output_bytes: int
    core_hours: float
    hours: float


def estimate(card: Card, prep: Prep, root: Path, *, workers: int, sandbox: Sandbox, digests: DigestCache, share: float = 0.01) -> Estimate:
    """Try a fixed 1 % of the objects, hashing only those, and scale up."""
    found = find_objects(card, root, sandbox)
    chosen = sampled(found, share)
    plan = make_plan(card, prep, root, chosen, digests)
    refused, row_bytes = 0, 0
    if plan.shards:
        rehearse(shard_work(plan, plan.shards[0], root), sandbox)
    start = time.monotonic()
    for shard in plan.shards:
        work = shard_work(plan, shard, root)
        for one in shard.found:
            try:
                rows = object_rows(work, one, plan.facts.columns, sandbox)
                row_bytes += sum(len(cell) if isinstance(cell, bytes) else cell.nbytes for row in rows for cell in row.values())
            except (RefusedObject, SandboxError):
                refused += 1
    seconds = time.monotonic() - start
    scale = len(found) / len(chosen)
    core_hours = seconds * scale / 3600
    files = {name for one in found for name in one.files}
    return Estimate(
        objects=len(found),
        sampled=len(chosen),
        refused=refused,
        input_bytes=sum((root / name).stat().st_size for name in files if (root / name).is_file()),
        output_bytes=round(row_bytes * scale),
        core_hours=core_hours,
        hours=core_hours / max(workers, 1),
    )
