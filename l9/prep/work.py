"""The making of one shard: every object of it through the sandbox, finished rows to disk. Runs in process or on a Ray worker."""

import atexit
import contextlib
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, overload

from l9.errors import L9Error, RefusedObject, SandboxError
from l9.fingerprint import Json, digest
from l9.prep.plan import CallLimits, Plan, ShardPlan, call_limits, refuse_known
from l9.prep.shelf import brought_raw, shelved
from l9.readers.contract import Found
from l9.readers.files import printable
from l9.sandbox.contract import Answer, Limits
from l9.sandbox.parent import Sandbox
from l9.store.columns import Cell, Column, Row
from l9.store.planned import PlannedObject
from l9.store.shards import ShardWriter

IMPORTS = ("l9.stages.process",)  # what the child imports before its memory is measured
REHEARSAL_SECONDS = 900  # a slow machine's first compilation; a cached one takes 1
NOTES, NOTE = 8, 300  # notes of one object that are kept, and characters of each


@dataclass(frozen=True)
class ShardWork:
    """Everything a worker needs for one shard, as plain values, so that it can travel.

    inputs  file -> its size in bytes and time of change in ns as planned, None where it could not be read then; not the inode, which
            each mount may number its own way
    home    the address of the remote home to which the shard is pushed when it is made, "" where there is none
    """

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
    inputs: dict[str, list[int] | None]
    limits: CallLimits
    home: str = ""
    raw: str = ""


@dataclass(frozen=True)
class ShardTiming:
    """What one shard cost: kept beside the store, never hashed."""

    key: str
    objects: int
    quarantined: int
    seconds: float
    sandbox_deaths: int


def shard_work(plan: Plan, shard: ShardPlan, folder: Path, home: str = "") -> ShardWork:
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
        known_bad=plan.card.bad_reasons,
        objects=shard.columns.planned.describe(shard.places),
        found=[found.describe() for found in shard.found],
        inputs={name: None if state is None else list(state) for name, state in shard.inputs.items()},
        limits=call_limits(plan.card),
        home=home,
        raw=_raw_name(plan.root, folder.parent.parent / "raw") if home else "",
    )


def _raw_name(root: Path, raw: Path) -> str:
    """Where below `raw` a card's files were fetched to; "" where the person brought them."""
    return root.relative_to(raw).as_posix() if root.is_relative_to(raw) else ""


def _stamp(path: Path) -> list[int]:
    try:
        about = path.stat()
    except OSError as error:
        raise _changed(path, f"cannot be read any more ({error.strerror})") from error
    return [about.st_size, about.st_mtime_ns]


def _changed(path: Path, what: str) -> L9Error:
    return L9Error(f"{path}: {what}; expected the file as it was planned.  Bring it back or let it be, then l9 prep again")


def make_shard(work: ShardWork, sandbox: Sandbox) -> ShardTiming:
    """Write the shard under its key: rows of every object that could be used, and a refusal for every other."""
    if work.raw:
        work = dataclasses.replace(work, root=str(brought_raw(work.home, work.raw, work.inputs)))
    rehearse(work, sandbox)
    start, deaths = time.monotonic(), sandbox.deaths
    columns = tuple(Column.from_plain(column) for column in work.columns)
    refused = 0
    with shelved(work.folder, work.key, work.home) as folder, ShardWriter(folder, work.key, columns) as writer:
        for about, found in zip(work.objects, work.found, strict=True):
            planned = PlannedObject(**about)
            try:
                answer = _answer(work, Found.from_plain(found), sandbox)
                writer.add(planned.id, _rows(answer, columns), _notes(answer))
            except (RefusedObject, SandboxError) as refusal:
                refused += 1
                writer.refuse(planned.id, planned.path, refusal.reason, refusal.detail)
    return ShardTiming(work.key, len(work.objects), refused, time.monotonic() - start, sandbox.deaths - deaths)


def rehearse(work: ShardWork, sandbox: Sandbox) -> None:
    """Have l9's stages compile what they need, once in a process, before the time of any object of a preparation runs.

    What fails here is said of the first object, where it fails again.
    """
    told = digest(cast(Json, work.stages))
    if told not in _rehearsed:
        _rehearsed.add(told)
        arguments: dict[str, Json] = {"stages": cast(Json, work.stages)}
        with contextlib.suppress(L9Error):
            sandbox.call("l9.stages.process:rehearse", arguments, wall_seconds=REHEARSAL_SECONDS, cpu_seconds=REHEARSAL_SECONDS)


def object_rows(work: ShardWork, found: Found, columns: tuple[Column, ...], sandbox: Sandbox) -> Sequence[Row]:
    """One object's rows, made in the sandbox; many of them are read from a file each time they are asked for.

    raises  RefusedObject or SandboxError with the reason; L9Error where the object is not to blame, as when a file changed since
    """
    return _rows(_answer(work, found, sandbox), columns)


def _answer(work: ShardWork, found: Found, sandbox: Sandbox) -> Answer:
    """What the sandbox makes of the object, from the very bytes that its key was made from."""
    refuse_known(found, work.known_bad)
    if any(work.inputs[name] is None for name in found.files):
        raise RefusedObject("missing-file", "it could not be read when the preparation was planned")
    arguments: dict[str, Json] = {
        "reader": work.reader,
        "found": found.describe(),
        "up": work.up,
        "parameters": work.parameters,
        "stages": cast(Json, work.stages),
    }
    _check_unchanged(work, found)
    try:
        return sandbox.call("l9.stages.process:process_object", arguments, [Path(work.root) / name for name in found.files], **work.limits)
    except RefusedObject as refusal:
        if isinstance(refusal.__cause__, OSError):  # from opening the file, which was readable when it was planned
            raise _changed(Path(work.root), refusal.detail) from refusal
        raise
    finally:
        _check_unchanged(work, found)


def _check_unchanged(work: ShardWork, found: Found) -> None:
    for name in found.files:
        path = Path(work.root) / name
        if _stamp(path) != work.inputs[name]:
            raise _changed(path, "has changed since it was planned")


def _rows(answer: Answer, columns: tuple[Column, ...]) -> Sequence[Row]:
    names = [column.name for column in columns]
    rows = answer.value.get("rows") if isinstance(answer.value, dict) else None
    if not isinstance(rows, int) or rows * len(names) != len(answer.buffers):
        raise SandboxError("died", "the child sent an answer of another form")
    return _AnsweredRows(answer.buffers, names)


class _AnsweredRows(Sequence[Row]):
    """The buffers of an answer as rows, put together when they are asked for."""

    def __init__(self, buffers: Sequence[Cell], names: list[str]) -> None:
        self._buffers, self._names = buffers, names

    def __len__(self) -> int:
        return len(self._buffers) // max(1, len(self._names))

    @overload
    def __getitem__(self, number: int) -> Row: ...
    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...
    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        start = range(len(self))[number] * len(self._names)
        return dict(zip(self._names, self._buffers[start : start + len(self._names)], strict=True))


def _notes(answer: Answer) -> str:
    """The reader's notes in one line."""
    return "; ".join(bounded_notes(cast(dict[str, Any], answer.value).get("notes")))


def bounded_notes(told: Any) -> list[str]:
    """A reader's notes as few, short, printable lines: they come from the child, which is not trusted."""
    lines = [printable(" ".join(str(line).split()))[:NOTE] for line in told] if isinstance(told, list) else []
    more = [f"and {len(lines) - NOTES:,} more"] if len(lines) > NOTES else []
    return lines[:NOTES] + more


_worker_sandbox: Sandbox | None = None
_rehearsed: set[str] = set()  # digests of the lists of stages that a child of this process was given


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
