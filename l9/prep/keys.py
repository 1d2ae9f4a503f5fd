"""The key of an object: sha256 of everything its rows depend on."""

import hashlib
import importlib
from collections.abc import Callable, Sequence

from l9.cards import Card
from l9.config import Prep
from l9.fingerprint import Json, canonical, quoted
from l9.readers.contract import Found
from l9.stages.contract import stage_info

KeyOf = Callable[[Found, Sequence[str]], str]
"""The key of an object whose files have these digests, in their order."""


def object_keys(card: Card, prep: Prep) -> KeyOf:
    """What makes the keys of a preparation: `fingerprint.digest` of six fields, of which three are the same for every object.

    The canonical JSON is written field by field, in order of their names: 4 us an object instead of 20.
    """
    reader = importlib.import_module(card.reader.partition(":")[0])
    common = {"reader": [card.reader, int(reader.VERSION), card.parameters], "stages": _stages(prep), "up": card.axes.up}
    ending = canonical(common).removeprefix("{")

    def key(found: Found, inputs: Sequence[str]) -> str:
        bad = quoted(card.bad_reasons[found.id]) if found.id in card.bad_reasons else ""
        facts = canonical(found.facts) if found.facts else "{}"
        files = ",".join(map(quoted, inputs))
        own = f'"inputs":[{files}],"known_bad":[{bad}],"object":[{quoted(found.id)},{quoted(found.member)},{facts}]'
        return hashlib.sha256(f"{{{own},{ending}".encode()).hexdigest()

    return key


def _stages(prep: Prep) -> list[Json]:
    stages: list[Json] = []
    for stage in prep.stages:
        info = stage_info(stage.resolve())
        stages.append({"target": stage.target, "arguments": stage.arguments, "version": info.version if info else 0})
    return stages
