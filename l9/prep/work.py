"""The making of one shard: every object of it through the sandbox, finished rows to disk. Runs in process or on a Ray worker."""

import atexit
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from l9.errors import RefusedObject, SandboxError
from l9.fingerprint import Json
from l9.prep.plan import Plan, ShardPlan
from l9.readers.contract import Found
from l9.sandbox.contract import Answer, Limits
from l9.sandbox.parent import Sandbox
from l9.store.columns import Cell, Column, Row
from l9.store.planned import PlannedObject
from l9.store.shards import ShardWriter

IMPORTS = ("l9.stages.process",)  # what the child imports before its memory is measured


@dataclass(frozen=True)
class ShardWork:
    """Everything a worker needs for one shard, as plain values, so that it can travel."""

    folder: str
    key: str
    root: str
    reader: str
    up: str
    parameters: dict[str, Any]
    stages: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    known_bad: dict[str, str]
    objects: list[dict[str, Any]]
    found: list[dict[str, Any]]


@dataclass(frozen=True)
class ShardTiming:
    """What one shard cost: kept beside the store, never hashed."""

    key: str
    objects: int
    quarantined: int
    seconds: float
    sandbox_deaths: int


def shard_work(plan: Plan, shard: ShardPlan, folder: Path) -> ShardWork:
    """The travelling form of one shard of a plan."""
    return ShardWork(
        folder=str(folder.resolve()),
        key=shard.key,
        root=str(plan.root.resolve()),
        reader=plan.card.reader,
        up=plan.card.axes.up,
        parameters=plan.card.parameters,
        stages=[cast(dict[str, Any], stage.to_plain()) for stage in plan.prep.stages],
        columns=[column.describe() for column in plan.facts.columns],
        known_bad={row["id"]: row.get("reason", "") for row in plan.card.tables.get("known_bad", [])},
        objects=[dataclasses.asdict(planned) for planned in shard.objects],
        found=[found.describe() for found in shard.found],
    )


def make_shard(work: ShardWork, sandbox: Sandbox) -> ShardTiming:
    """Write the shard under its key: rows of every object that could be used, and a refusal for every other."""
    start, deaths = time.monotonic(), sandbox.deaths
    columns = tuple(Column(**{**column, "shape": tuple(column["shape"])}) for column in work.columns)
    refused = 0
    with ShardWriter(Path(work.folder), work.key, columns) as writer:
        for about, found in zip(work.objects, work.found, strict=True):
            planned = PlannedObject(**about)
            try:
                writer.add(planned.id, object_rows(work, Found.from_plain(found), columns, sandbox))
            except (RefusedObject, SandboxError) as refusal:
                refused += 1
                writer.refuse(planned.id, planned.path, refusal.reason, refusal.detail)
    return ShardTiming(work.key, len(work.objects), refused, time.monotonic() - start, sandbox.deaths - deaths)


def object_rows(work: ShardWork, found: Found, columns: tuple[Column, ...], sandbox: Sandbox) -> list[Row]:
    """One object's rows, made in the sandbox. raises RefusedObject or SandboxError with the reason."""
    if found.id in work.known_bad:
        raise RefusedObject("known-bad", work.known_bad[found.id])
    arguments: dict[str, Json] = {
        "reader": work.reader,
        "found": found.describe(),
        "up": work.up,
        "parameters": work.parameters,
        "stages": cast(Json, work.stages),
    }
    answer = sandbox.call("l9.stages.process:process_object", arguments, [Path(work.root) / name for name in found.files])
    return list(_rows(answer, columns))


def _rows(answer: Answer, columns: tuple[Column, ...]) -> Iterator[Row]:
    about = cast(dict[str, Any], answer.value)
    names = [column.name for column in columns]
    for number in range(int(about["rows"])):
        cells: list[Cell] = answer.buffers[number * len(names) : (number + 1) * len(names)]
        yield dict(zip(names, cells, strict=True))


_worker_sandbox: Sandbox | None = None


def make_shard_remotely(work: dict[str, Any]) -> dict[str, Any]:
    """`make_shard` for a Ray worker: plain values in and out, one sandbox kept for the worker's life."""
    global _worker_sandbox
    if _worker_sandbox is None:
        _worker_sandbox = new_sandbox()
        atexit.register(_worker_sandbox.close)
    return dataclasses.asdict(make_shard(ShardWork(**work), _worker_sandbox))


def new_sandbox(limits: Limits | None = None) -> Sandbox:
    """A sandbox ready for reading and stages."""
    return Sandbox(limits or Limits(), imports=IMPORTS)
