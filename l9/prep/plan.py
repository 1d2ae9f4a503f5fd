"""Keys before work: what a preparation will do, known from the inputs alone.

object key  sha256 of the reader and its version, the object's files, facts, axes, and every stage with parameters and version
shard       2^n of them, by the leading bits of sha256(id): one added mesh touches one shard
shard key   sha256 of the columns and of the keys of its objects: a shard that is there under its key need not be made again

A plan is columns (l9/store/planned.py, l9/readers/listing.py), about 250 bytes an object with an id of 70 characters: ten million objects
are planned by a driver of 4 GiB. What a shard's objects are is said when the shard is asked.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from jaxtyping import Int
from numpy import ndarray

from l9.cards import Card
from l9.config import Prep, build_arguments
from l9.errors import CardError, RefusedObject, SandboxError, UsageError
from l9.fingerprint import DigestCache, digest
from l9.prep.inputs import Input, State, States, inputs_below
from l9.prep.keys import object_keys
from l9.readers.contract import REFUSE, Found
from l9.readers.listing import Listing
from l9.sandbox.contract import Limits
from l9.sandbox.listing import listed
from l9.sandbox.parent import Sandbox
from l9.stages.contract import columns_of
from l9.store.planned import PlanFacts, PlannedObject, PlannedTable, members_key, shard_number


@dataclass(frozen=True, eq=False)
class PlannedColumns:
    """The objects of a plan in order of id: as planned, as listed, and the states of their files."""

    planned: PlannedTable
    listing: Listing
    states: States


@dataclass(frozen=True, eq=False)
class ShardPlan:
    """One shard to be: its number, its key, and the places of its objects, in order of id, among those of the plan.

    What its objects are is made of the columns each time it is asked.
    """

    number: int
    key: str
    places: Int[ndarray, "m"]
    columns: PlannedColumns

    def __len__(self) -> int:
        return len(self.places)

    @property
    def objects(self) -> list[PlannedObject]:
        """Its objects as planned."""
        return self.columns.planned.take(self.places)

    @property
    def found(self) -> list[Found]:
        """Its objects as listed."""
        return self.columns.listing.take(self.places)

    @property
    def inputs(self) -> dict[str, State | None]:
        """Input file -> its state when the plan was made, None where it could not be read."""
        states: dict[str, State | None] = {}
        for place, files in zip(self.places.tolist(), self.columns.listing.files(self.places), strict=True):
            states |= self.columns.states.of(place, files)
        return states


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole preparation, before any of it is done."""

    card: Card
    prep: Prep
    root: Path
    facts: PlanFacts
    shards: tuple[ShardPlan, ...]

    @property
    def objects(self) -> Sequence[PlannedObject]:
        """Every planned object, in order of id."""
        return self.facts.table


def stage_steps(prep: Prep) -> list[tuple[Any, dict[str, Any]]]:
    """The stage functions of a preparation with their arguments, as `run_stages` takes them."""
    return [(stage.resolve(), build_arguments(stage)) for stage in prep.stages]


def find_objects(card: Card, root: Path, sandbox: Sandbox) -> Listing:
    """What the card's reader lists below `root`, in order of id; UsageError where there is nothing."""
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; expected the root of '{card.name}'.  l9 prep … --root DIR")
    try:
        found = listed(sandbox, card.reader, root, card.parameters)
    except (RefusedObject, SandboxError) as refusal:
        raise CardError(f"card {card.name}: {root}: {refusal}; expected a folder that '{card.reader}' can list") from refusal
    if not len(found):
        raise UsageError(f"{root}: no objects that '{card.name}' can read.  See docs/add-a-dataset.md")
    return found


def sampled(found: Sequence[Found], share: float = 0.01) -> list[Found]:
    """A fixed share of the objects, at least one, spread by the hash of their ids."""
    hashes = ((digest(one.id), place) for place, one in enumerate(found))
    return [found[place] for _, place in heapq.nsmallest(max(1, round(len(found) * share)), hashes)]


def make_plan(card: Card, prep: Prep, root: Path, found: Iterable[Found], digests: DigestCache) -> Plan:
    """The plan for these objects. Reads every input file once, to digest it, unless its digest is known."""
    return plan_of_inputs(card, prep, root, found, inputs_below(root, digests, call_limits(card).get("file_bytes", Limits().file_bytes)))


def plan_of_inputs(card: Card, prep: Prep, root: Path, found: Iterable[Found], input_of: Callable[[str], Input]) -> Plan:
    """`make_plan` where `input_of` tells of each input file."""
    listing = found if isinstance(found, Listing) else Listing.of(found)
    states = States()
    planned = PlannedTable.of(_planned_objects(card, prep, listing, input_of, states), listing.ids)
    facts = PlanFacts(card.name, card.axes.up, columns_of(stage_steps(prep)), planned)
    columns = PlannedColumns(planned, listing, states)
    shards = tuple(ShardPlan(number, _shard_key(places, facts), places, columns) for number, places in planned.shards.items())
    return Plan(card, prep, root, facts, shards)


class CallLimits(TypedDict, total=False):
    """What `Sandbox.call` is told of one object's limits, where its card has its own."""

    cpu_seconds: int
    wall_seconds: float
    file_bytes: int


def call_limits(card: Card) -> CallLimits:
    """The limits of one object of a card's dataset."""
    limits = card.limits
    if limits is None:
        return {}
    return {"cpu_seconds": limits.seconds, "wall_seconds": 2.0 * limits.seconds, "file_bytes": int(limits.file_gib * (1 << 30))}


def _planned_objects(card: Card, prep: Prep, listing: Listing, input_of: Callable[[str], Input], states: States) -> Iterator[PlannedObject]:
    key_of = object_keys(card, prep)
    for one in listing:
        inputs = [input_of(name) for name in one.files]
        states.add(inputs)
        yield planned_object(card, one, key_of(one, [file.sha256 for file in inputs]))


def _shard_key(places: Int[ndarray, "m"], facts: PlanFacts) -> str:
    return members_key(((name, key) for name, _, key, *_ in facts.table.rows(places)), facts.columns)


def refuse_known(found: Found, bad_reasons: Mapping[str, str]) -> None:
    """RefusedObject where it is known without reading the object that it cannot be used: by its reader's `find`, or by its card."""
    if REFUSE in found.facts:
        raise RefusedObject(*found.facts[REFUSE])
    if found.id in bad_reasons:
        raise RefusedObject("known-bad", bad_reasons[found.id])


def planned_object(card: Card, found: Found, key: str = "") -> PlannedObject:
    """What the card says of an object: label, split and fold; StoreError where a name of it cannot be printed."""
    row = card.label_rows.get(found.id, {})
    label = row.get("class", found.label)
    path = f"{found.files[0]}!{found.member}" if found.member else found.files[0] if found.files else found.id
    fold = int(row["fold"]) if row.get("fold") else -1
    shown = "" if label == card.unlabelled else label
    return PlannedObject(found.id, path, key, shown, found.split, fold, shard_number(found.id, card.shards))
