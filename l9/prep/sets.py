"""The sets of a recipe as stores: where their files are, what preparing them costs, and the stores themselves."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from l9.cards import Card, load_card
from l9.config import Pipeline, Set
from l9.errors import UsageError
from l9.fingerprint import DigestCache
from l9.prep.estimate import estimate
from l9.prep.plan import Plan, find_objects, make_plan
from l9.prep.run import PrepCounts, run_plan
from l9.prep.work import new_sandbox
from l9.progress import Say
from l9.sandbox.parent import Sandbox
from l9.sources.fetch import fetch, raw_names
from l9.store.home import Home
from l9.store.numbers import column_numbers
from l9.store.store import Store
from l9.track import default_uri


@dataclass(frozen=True)
class Options:
    """What the command line adds to a recipe; none of it is part of a key but `overfit` and `init`.

    workers   preparation workers: 0 in process, None one a core; at an address at most so many, None for all
    tracking  an MLflow server; None: MLFLOW_TRACKING_URI, else sqlite in home
    remote    the remote home whose working folder `home` is; None: `home` is the home
    raises    UsageError for an MLflow server whose address holds a secret
    """

    home: Path
    root: Path | None = None
    address: str | None = None
    workers: int | None = None
    overfit: int = 0
    init: str | None = None
    fresh: bool = False
    rehash: bool = False
    tracking: str | None = None
    remote: Home | None = None

    @property
    def place(self) -> Home:
        """The home with its verbs, which keep a remote one in step."""
        return self.remote or Home(self.home)

    def __post_init__(self) -> None:
        default_uri(self.home, self.tracking)  # refused before any work is done

    @property
    def prep_workers(self) -> int:
        """Workers of a preparation: here one a core, at an address 0 for all there are, unless said otherwise."""
        return (0 if self.address else os.cpu_count() or 1) if self.workers is None else self.workers


@dataclass(frozen=True)
class Prepared:
    """One set of a recipe, prepared."""

    name: str
    about: Set
    card: Card
    plan: Plan
    store: Store
    counts: PrepCounts
    place: Home

    @property
    def manifest_digest(self) -> str:
        """sha256 of the store's manifest: which data, exactly."""
        return self.store.digest

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes its samples have: the card's class set, else every label; only those of which an object is left."""
        present = self.store.labels() - {""}
        named = sorted(present) if self.about.classes is None else self.card.class_names(self.about.classes)
        return tuple(name for name in named if name in present)

    def report(self) -> dict[str, Any]:
        """What `l9 prep --json` says of one set."""
        counts = self.store.manifest["counts"]
        folder = self.store.path
        counted = {k: counts[k] for k in REPORTED}
        return {"store": str(folder), "manifest": str(folder / "manifest.json"), **counted, "numbers": self._numbers}

    @cached_property
    def _numbers(self) -> dict[str, dict[str, Any]]:
        """What its columns of one number a row hold; nothing where rows are in a remote home alone, and would have to come for that."""
        with self.place.pinned(self.store) as here:
            return column_numbers(self.store) if here else {}


REPORTED = ("planned", "done", "quarantined", "rows")


def card_root(card: Card, root: Path | None, home: Path, say: Say) -> Path:
    """Where a card's files are: the given root, or what `l9 fetch` brings (and says so)."""
    if root is not None:
        if not root.is_dir():
            raise UsageError(f"--root {root}: no such folder; expected the files of '{card.name}'")
        return root.resolve()
    if not card.source:
        raise UsageError(f"'{card.name}' is not fetched by l9 (licence: {card.licence}); give its folder with --root DIR")
    return fetch(card, home, say)


def shared_root(card: Card, root: Path | None, place: Home, say: Say) -> Path:
    """As `card_root`; what one machine has fetched, the others take from the remote home."""
    if root is None:
        for name in reversed(raw_names(card)):
            place.pull_raw(name)
    found = card_root(card, root, place.path, say)
    if root is None:
        for name in raw_names(card):
            place.push_raw(name)
    return found


def prepare_sets(pipeline: Pipeline, options: Options, say: Say) -> list[Prepared]:
    """The store of every set of the recipe, made where it is not there."""
    with _tools(options) as (sandbox, digests):
        return [_prepare_set(name, about, pipeline, options, sandbox, digests, say) for name, about in pipeline.sets.items()]


@contextmanager
def _tools(options: Options) -> Iterator[tuple[Sandbox, DigestCache]]:
    options.home.mkdir(parents=True, exist_ok=True)
    digests = DigestCache(options.home / "store" / "digests.sqlite", rehash=options.rehash)
    try:
        with new_sandbox() as sandbox:
            yield sandbox, digests
    finally:
        digests.close()


def _root_for(about: Set, pipeline: Pipeline, options: Options) -> Path | None:
    return options.root if about.card == next(iter(pipeline.sets.values())).card else None


def _prepare_set(name: str, about: Set, pipeline: Pipeline, options: Options, sandbox: Sandbox, digests: DigestCache, say: Say) -> Prepared:
    card = load_card(about.card)
    root = shared_root(card, _root_for(about, pipeline, options), options.place, say)
    plan = make_plan(card, about.prep, root, find_objects(card, root, sandbox), digests)
    if lost := len(card.label_rows) - sum(name.as_py() in card.label_rows for name in plan.facts.table.ids):
        say(f"{card.name}: {lost:,} objects of {card.labels} are not below {root}; l9 data check {card.name}")
    how: dict[str, Any] = {"workers": options.prep_workers, "address": options.address}
    store, counts = run_plan(plan, options.home, **how, sandbox=sandbox, digests=digests, say=say, remote=options.remote)
    options.place.publish_store(store.id)
    prepared = Prepared(name, about, card, plan, store, counts, options.place)
    _say_what_is_left(prepared, say)
    return prepared


def _say_what_is_left(prepared: Prepared, say: Say) -> None:
    """A line for what was quarantined, and one for every class of which nothing is left."""
    counts = prepared.store.manifest["counts"]
    if counts["quarantined"]:
        say(f"{prepared.card.name}: {counts['quarantined']:,} of {counts['planned']:,} quarantined; l9 quarantine {prepared.store.id}")
    planned = prepared.plan.facts.table.labels - {""}
    if prepared.about.classes is not None:
        planned = set(prepared.card.class_names(prepared.about.classes))
    if gone := sorted(planned - set(prepared.classes)):
        say(f"{prepared.card.name}: no object is left of {', '.join(gone)}; the classes learnt are the other {len(prepared.classes)}")


def estimate_sets(pipeline: Pipeline, options: Options, say: Say) -> list[dict[str, Any]]:
    """One row a set: what its preparation would cost."""
    rows = []
    with _tools(options) as (sandbox, digests):
        for name, about in pipeline.sets.items():
            card = load_card(about.card)
            root = shared_root(card, _root_for(about, pipeline, options), options.place, say)
            found = estimate(card, about.prep, root, workers=options.prep_workers, sandbox=sandbox, digests=digests)
            rows.append({"set": name, "workers": options.prep_workers, **dataclasses.asdict(found)})
    return rows
