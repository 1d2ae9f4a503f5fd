"""`l9 data show CARD`: what a dataset's objects look like before anything is made of them, read and drawn in the sandbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy import ndarray

from l9.cards import Card
from l9.draw.grid import sample_grid
from l9.draw.tiles import words_tile
from l9.errors import RefusedObject, SandboxError, UsageError
from l9.fingerprint import Json
from l9.prep.chosen import chosen_ids
from l9.prep.plan import call_limits, find_objects, planned_object, refuse_known
from l9.prep.work import bounded_notes
from l9.progress import Progress, Say
from l9.readers.contract import Found
from l9.sandbox.contract import Answer, Limits
from l9.sandbox.parent import Sandbox

TILE, ACROSS = 200, 6  # pixels of an object's picture, pictures in a row
KINDS = ("mesh", "cloud", "scan", "image")
CHANNELS: dict[float, str] = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGB and alpha"}
IMPORTS = ("l9.draw.portrait",)  # what the child imports before its memory is measured


@dataclass(frozen=True)
class ObjectFacts:
    """One object as it was read.

    label, split, fold  as the card says; fold -1: none
    kind                "mesh", "cloud", "scan", "image", or "" where it was refused
    vertices, faces     of the mesh, or of a scan's surface; the points of a cloud are vertices
    size                sides of the bounding box along x, y, z, in the card's unit; of a picture its width, height and channels
    notes               what its reader had to leave out
    refused             "" or the reason and its detail
    """

    id: str
    label: str
    split: str
    fold: int
    kind: str = ""
    vertices: int = 0
    faces: int = 0
    size: tuple[float, ...] = ()
    notes: list[str] = field(default_factory=list)
    refused: str = ""


def show_card(card: Card, root: Path, words: Sequence[str], *, count: int, seed: int, say: Say) -> tuple[int, list[ObjectFacts], ndarray]:
    """Objects there are, facts of those shown, and the picture (h, w, 3) RGB uint8: a tile for each, refused ones with their reason.

    words  ids or unique prefixes; none: `count` objects spread over the classes (l9/prep/chosen.py)
    raises UsageError where a word names no object, or nothing is below `root`
    """
    with Sandbox(Limits(), imports=IMPORTS) as sandbox:
        found = {one.id: one for one in find_objects(card, root, sandbox)}
        labels = {name: planned_object(card, one).label for name, one in found.items()}
        ids = chosen_ids(labels, words, count, seed, f"{card.name} below {root}")
        shown = []
        with Progress(f"show {card.name}", len(ids), "objects", to=say) as progress:
            for name in ids:
                shown.append(_shown(card, root, found[name], sandbox))
                progress.advance()
    facts, tiles = [one for one, _ in shown], [tile for _, tile in shown]
    refused = sum(bool(one.refused) for one in facts)
    title = f"{card.name}: {len(facts):,} of {len(found):,} objects" + (f", {refused:,} refused" if refused else "")
    return len(found), facts, sample_grid(tiles, [_caption(one, card.axes.unit) for one in facts], ACROSS, title)


def show_scan(card: Card, root: Path, word: str) -> tuple[str, dict[str, Any], ndarray]:
    """One scan's id, what was found in it, and the page of it (h, w, 3) RGB uint8; see `l9.draw.scan_sheet`.

    word   the scan's id or a unique prefix
    raises UsageError where it names none, or its reader, or what is no scan; RefusedObject or SandboxError where it cannot be read
    """
    with Sandbox(Limits(), imports=IMPORTS) as sandbox:
        found = {one.id: one for one in find_objects(card, root, sandbox)}
        (name,) = chosen_ids(dict.fromkeys(found, ""), [word], 1, 0, f"{card.name} below {root}")
        refuse_known(found[name], card.bad_reasons)
        arguments = _arguments(card, found[name])
        files = [root / file for file in found[name].files]
        try:
            answer = sandbox.call("l9.draw.portrait:portray_scan", arguments, files, **call_limits(card))
        except RefusedObject as refusal:
            if refusal.reason != "no-scan":
                raise
            raise UsageError(f"{name} is no scan ({refusal.detail}); expected one.  l9 data show {card.name} {name}") from refusal
    told = answer.value if isinstance(answer.value, dict) else {}
    page = answer.buffers[0] if len(answer.buffers) == 1 else None
    notes, figures = bounded_notes(told.pop("notes", None)), {key: value for key, value in told.items() if type(value) is int}
    if not isinstance(page, ndarray) or page.ndim != 3 or page.dtype != np.uint8 or page.shape[2] != 3 or len(figures) != len(told):
        raise SandboxError("died", "the child sent an answer of another form")
    return name, {**figures, "notes": notes}, page


def _arguments(card: Card, found: Found) -> dict[str, Json]:
    return {"reader": card.reader, "found": found.describe(), "up": card.axes.up, "parameters": card.parameters}


def _shown(card: Card, root: Path, found: Found, sandbox: Sandbox) -> tuple[ObjectFacts, ndarray]:
    planned = planned_object(card, found)
    about = {"id": planned.id, "label": planned.label, "split": planned.split, "fold": planned.fold}
    try:
        facts, tile = _portrait(card, root, found, sandbox)
        return ObjectFacts(**cast(Any, about), **facts), tile
    except (RefusedObject, SandboxError) as refusal:
        return ObjectFacts(**cast(Any, about), refused=str(refusal)), words_tile(refusal.reason, refusal.detail, TILE)


def _portrait(card: Card, root: Path, found: Found, sandbox: Sandbox) -> tuple[dict[str, Any], ndarray]:
    """Facts and picture of one object from the sandbox; refused as a preparation would."""
    refuse_known(found, card.bad_reasons)
    arguments = {**_arguments(card, found), "front": card.axes.front, "size": TILE}
    files = [root / name for name in found.files]
    return _checked(sandbox.call("l9.draw.portrait:portray_object", arguments, files, **call_limits(card)))


def _checked(answer: Answer) -> tuple[dict[str, Any], ndarray]:
    """The child is not trusted: its answer has the form of a portrait, or it counts as dead."""
    told = answer.value if isinstance(answer.value, dict) else {}
    kind, size, notes = told.get("kind"), told.get("size"), told.get("notes")
    numbers = [told.get("vertices"), told.get("faces")]
    tile = answer.buffers[0] if len(answer.buffers) == 1 else None
    sound = isinstance(tile, ndarray) and tile.shape == (TILE, TILE, 3) and tile.dtype == np.uint8
    sound = sound and kind in KINDS and all(isinstance(number, int) for number in numbers) and isinstance(notes, list)
    if not sound or not isinstance(size, list) or [type(side) for side in size] != [float] * 3:
        raise SandboxError("died", "the child sent an answer of another form")
    sides = tuple(cast(list[float], size))
    facts = {"kind": kind, "vertices": numbers[0], "faces": numbers[1], "size": sides, "notes": bounded_notes(notes)}
    return facts, cast(ndarray, tile)


def _caption(facts: ObjectFacts, unit: str) -> str:
    """Id; class and where it belongs; how much it is made of; how large it is."""
    belongs = [f"fold {facts.fold}"] if facts.fold >= 0 else [facts.split] if facts.split else []
    lines = [facts.id, " · ".join([facts.label or "no label", *belongs])]
    if facts.faces:
        lines.append(f"{facts.faces:,} faces, {facts.vertices:,} vertices")
    elif facts.kind == "cloud":
        lines.append(f"{facts.vertices:,} points")
    if facts.kind == "image":
        width, height, channels = facts.size
        lines.append(f"{width:g} × {height:g} pixels, {CHANNELS.get(channels, channels)}")
    elif any(facts.size):
        lines.append(" × ".join(f"{side:.3g}" for side in facts.size) + f" {unit}")
    return "\n".join(lines)
