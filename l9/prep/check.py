"""Is a dataset what its card says? Counts, labels without an object, objects without a label, a sample that reads."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from l9.cards import Card
from l9.errors import RefusedObject, SandboxError
from l9.fingerprint import Json
from l9.prep.plan import call_limits, find_objects, refuse_known, sampled
from l9.readers.contract import Found
from l9.sandbox.parent import Sandbox
from l9.store.planned import SPLITS

READ_SHARE = 0.02  # of the objects are read in full


@dataclass
class Check:
    """What was found.

    problems  one line each; empty where the data is what the card says
    refused   "id: reason" of the objects of the sample that cannot be read
    """

    objects: int
    labelled: int
    read: int
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def check_card(card: Card, root: Path, sandbox: Sandbox) -> Check:
    """Compare the files below `root` with the card, and read a fixed 2 % of the objects."""
    found = find_objects(card, root, sandbox)
    labels = [card.label_rows.get(one.id, {}).get("class", one.label) for one in found]
    known = Counter(label for label in labels if label and label != card.unlabelled)
    check = Check(objects=len(found), labelled=sum(known.values()), read=0)
    _compare_counts(card, check, known, Counter(one.split for one in found))
    _compare_labels(card, check, {one.id for one in found})
    for one in sampled(found, READ_SHARE):
        _read(card, root, one, check, sandbox)
    return check


def _compare_counts(card: Card, check: Check, known: Counter[str], splits: Counter[str]) -> None:
    seen = {"objects": check.objects, "labelled": check.labelled, **{split: splits[split] for split in SPLITS if split}}
    for name in card.classes:
        seen[name] = sum(known[label] for label in card.class_names(name))
        if absent := [label for label in card.class_names(name) if not known[label]]:
            check.problems.append(f"{name}: {len(absent):,} classes have no object, the first {absent[0]}")
    for name, expected in card.counts.items():
        if seen.get(name) != expected:
            check.problems.append(f"{name}: the card says {expected:,}, found {seen.get(name, 0):,}")


def _compare_labels(card: Card, check: Check, ids: set[str]) -> None:
    if missing := sorted(set(card.label_rows) - ids):
        check.problems.append(f"{len(missing):,} objects of {card.labels} are not there, the first {missing[0]}")
    if card.label_rows and (extra := sorted(ids - set(card.label_rows))):
        check.problems.append(f"{len(extra):,} objects have no row in {card.labels}, the first {extra[0]}")


def _read(card: Card, root: Path, found: Found, check: Check, sandbox: Sandbox) -> None:
    arguments: dict[str, Json] = {
        "reader": card.reader,
        "found": found.describe(),
        "up": card.axes.up,
        "parameters": card.parameters,
        "stages": [],
    }
    try:
        refuse_known(found, {})  # what the card knows to be bad is read all the same: is it still?
        sandbox.call("l9.stages.process:process_object", arguments, [root / name for name in found.files], **call_limits(card))
        check.read += 1
    except (RefusedObject, SandboxError) as refusal:
        check.refused.append(f"{found.id}: {refusal}")
