"""Keys before work: what a preparation will do, known from the inputs alone.

object key  sha256 of the reader and its version, the object's files, facts, axes, and every stage with parameters and version
shard       2^n of them, by the leading bits of sha256(id): one added mesh touches one shard
shard key   sha256 of the columns and of the keys of its objects: a shard that is there under its key need not be made again
"""

import importlib
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l9.cards import Card
from l9.config import Prep, build_arguments
from l9.errors import CardError, RefusedObject, SandboxError, UsageError
from l9.fingerprint import DigestCache, Json, digest
from l9.readers.contract import REFUSE, Found
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox
from l9.stages.contract import columns_of, stage_info
from l9.store.planned import PlanFacts, PlannedObject, shard_key, shard_number

UNREADABLE = "unreadable"  # stands for the digest of a file that cannot be read; its object will be quarantined
TOO_LARGE = "too-large"  # likewise of a file that the sandbox will not open: 8 TiB of nothing are a moment's work to make
LISTING_SECONDS = 3600.0  # a dataset of 50,000 folders on a slow share; the sandbox's own limit is for one object


@dataclass(frozen=True)
class Input:
    """One input file as it was when the plan was made: digest, size in bytes and time of change in ns (None: it could not be read)."""

    sha256: str
    state: tuple[int, int] | None = None


@dataclass(frozen=True)
class ShardPlan:
    """One shard to be: its number, its key, and its objects in order of id."""

    number: int
    key: str
    objects: tuple[PlannedObject, ...]
    found: tuple[Found, ...]


@dataclass(frozen=True)
class Plan:
    """A whole preparation, before any of it is done."""

    card: Card
    prep: Prep
    root: Path
    facts: PlanFacts
    shards: tuple[ShardPlan, ...]
    inputs: Mapping[str, Input]

    @property
    def objects(self) -> tuple[PlannedObject, ...]:
        """Every planned object, in order of id."""
        return self.facts.objects


def stage_steps(prep: Prep) -> list[tuple[Any, dict[str, Any]]]:
    """The stage functions of a preparation with their arguments, as `run_stages` takes them."""
    return [(stage.resolve(), build_arguments(stage)) for stage in prep.stages]


def find_objects(card: Card, root: Path, sandbox: Sandbox) -> list[Found]:
    """What the card's reader lists below `root`, in order of id; UsageError where there is nothing."""
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; expected the root of '{card.name}'.  l9 prep … --root DIR")
    arguments: dict[str, Json] = {"reader": card.reader, "root": str(root.resolve()), "parameters": card.parameters}
    try:
        answer = sandbox.call("l9.readers.process:find_objects", arguments, wall_seconds=LISTING_SECONDS)
    except (RefusedObject, SandboxError) as refusal:
        raise CardError(f"card {card.name}: {root}: {refusal}; expected a folder that '{card.reader}' can list") from refusal
    assert isinstance(answer.value, list)
    found = [Found.from_plain(dict(value)) for value in answer.value if isinstance(value, dict)]
    if not found:
        raise UsageError(f"{root}: no objects that '{card.name}' can read.  See docs/add-a-dataset.md")
    return sorted(found, key=lambda one: one.id)


def sampled(found: Sequence[Found], share: float = 0.01) -> list[Found]:
    """A fixed share of the objects, at least one, spread by the hash of their ids."""
    ordered = sorted(found, key=lambda one: digest(one.id))
    return ordered[: max(1, round(len(ordered) * share))]


def make_plan(card: Card, prep: Prep, root: Path, found: Iterable[Found], digests: DigestCache) -> Plan:
    """The plan for these objects. Reads every input file once, to digest it, unless its digest is known."""
    columns = columns_of(stage_steps(prep))
    ordered = sorted(found, key=lambda one: one.id)
    inputs = {name: _input(root / name, digests) for name in sorted({name for one in ordered for name in one.files})}
    bins: dict[int, list[tuple[PlannedObject, Found]]] = {}
    for one in ordered:
        planned = planned_object(card, one, object_key(card, prep, one, [inputs[name].sha256 for name in one.files]))
        bins.setdefault(planned.shard, []).append((planned, one))
    shards = []
    for number in sorted(bins):
        members = tuple(planned for planned, _ in bins[number])
        shards.append(ShardPlan(number, shard_key(members, columns), members, tuple(one for _, one in bins[number])))
    planned_objects = sorted((planned for shard in shards for planned in shard.objects), key=lambda planned: planned.id)
    facts = PlanFacts(card.name, card.axes.up, columns, tuple(planned_objects))
    return Plan(card, prep, root, facts, tuple(shards), inputs)


def refuse_known(found: Found, bad_reasons: Mapping[str, str]) -> None:
    """RefusedObject where it is known without reading the object that it cannot be used: by its reader's `find`, or by its card."""
    if REFUSE in found.facts:
        raise RefusedObject(*found.facts[REFUSE])
    if found.id in bad_reasons:
        raise RefusedObject("known-bad", bad_reasons[found.id])


def object_key(card: Card, prep: Prep, found: Found, inputs: Sequence[str]) -> str:
    """sha256 of everything the object's rows depend on; `inputs` are the digests of its files, in their order."""
    reader = importlib.import_module(card.reader.partition(":")[0])
    stages: list[Json] = []
    for stage in prep.stages:
        info = stage_info(stage.resolve())
        stages.append({"target": stage.target, "arguments": stage.arguments, "version": info.version if info else 0})
    bad = [card.bad_reasons[found.id]] if found.id in card.bad_reasons else []
    return digest(
        {
            "reader": [card.reader, int(reader.VERSION), card.parameters],
            "object": [found.id, found.member, found.facts],
            "up": card.axes.up,
            "inputs": list(inputs),
            "known_bad": bad,
            "stages": stages,
        }
    )


def _input(path: Path, digests: DigestCache) -> Input:
    """The file's state first, then its digest: a change in between is found when the object is read."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe or a device would never end
            return Input(UNREADABLE)
        if about.st_size > Limits().file_bytes:
            return Input(TOO_LARGE, (about.st_size, about.st_mtime_ns))
        return Input(digests.of(path), (about.st_size, about.st_mtime_ns))
    except OSError:
        return Input(UNREADABLE)


def planned_object(card: Card, found: Found, key: str = "") -> PlannedObject:
    """What the card says of an object: label, split and fold; StoreError where a name of it cannot be printed."""
    row = card.label_rows.get(found.id, {})
    label = row.get("class", found.label)
    path = f"{found.files[0]}!{found.member}" if found.member else found.files[0] if found.files else found.id
    fold = int(row["fold"]) if row.get("fold") else -1
    shown = "" if label == card.unlabelled else label
    return PlannedObject(found.id, path, key, shown, found.split, fold, shard_number(found.id, card.shards))
