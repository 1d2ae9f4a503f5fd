"""Families of near-equal objects, and folds that never split one: `python -m l9.sources.families CARD ROOT OUT.csv`.

A library of furniture holds exact and near repeats. Split by row, a test set repeats what was trained on; so objects that look alike,
or that one author numbered as a series, form a family, and a family stands in one fold.

Families are the connected components of two relations:
  looks   intersection over union of 32^3 surface occupancy above 0.7, boxes normalised
  name    the same author and the same id but for digits and punctuation: `scopia-window-2x3` and `scopia-window-4x5`
"""

import csv
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from l9.cards import Card, load_card
from l9.config import FOLDS
from l9.errors import CardError, RefusedObject, SandboxError
from l9.readers.process import read_object
from l9.sandbox.contract import Answer
from l9.sandbox.listing import listed
from l9.sandbox.parent import Sandbox

RESOLUTION = 32
ALIKE = 0.7  # of the furniture: 281 pairs, the largest family 23 wall sockets; at 0.6 a chain of 74 flat things, at 0.9 exact twins alone
BLOCK = 1024  # grids multiplied at once: 1,024 x 32^3 float32 is 128 MiB

Row = Mapping[str, str]


def occupancy_of(files: Sequence[BinaryIO], *, reader: str, found: dict[str, Any], up: str, parameters: dict[str, Any]) -> Answer:
    """One object's surface occupancy as 4,096 bytes of bits; runs in the sandbox."""
    from l9.geometry.normalise import normalise_cube
    from l9.geometry.voxels import surface_occupancy

    mesh = read_object(files, found, reader=reader, up=up, parameters=parameters)
    grid = surface_occupancy(normalise_cube(mesh.vertices, mesh.faces), mesh.faces, RESOLUTION)
    return Answer(None, [np.packbits(grid.reshape(-1))])


def grids_of(card: Card, root: Path) -> dict[str, UInt8[ndarray, "4096"]]:
    """id -> packed occupancy of every object that can be read; refusals are printed."""
    grids: dict[str, ndarray] = {}
    about: dict[str, Any] = {"reader": card.reader, "parameters": card.parameters}
    with Sandbox(imports=("l9.sources.families", "l9.geometry.voxels")) as sandbox:
        for found in listed(sandbox, card.reader, root, card.parameters):
            arguments = {**about, "found": found.describe(), "up": card.axes.up}
            try:
                answer = sandbox.call("l9.sources.families:occupancy_of", arguments, [root / name for name in found.files])
            except (RefusedObject, SandboxError) as refusal:
                print(f"{found.id} has no shape to compare: {refusal}", file=sys.stderr)
                continue
            grids[found.id] = np.asarray(answer.buffers[0])
    return grids


def overlaps(packed: Sequence[UInt8[ndarray, "b"]]) -> Float[ndarray, "n n"]:
    """Intersection over union of every pair of packed grids, float32, by products of 0/1 matrices (exact: counts below 2^24)."""
    grids = np.stack(packed)
    volumes = np.unpackbits(grids, axis=1).sum(axis=1, dtype=np.float32)
    shared = np.empty((len(grids), len(grids)), np.float32)
    for start in range(0, len(grids), BLOCK):
        rows = np.unpackbits(grids[start : start + BLOCK], axis=1).astype(np.float32)
        for other in range(0, len(grids), BLOCK):
            columns = np.unpackbits(grids[other : other + BLOCK], axis=1).astype(np.float32)
            shared[start : start + BLOCK, other : other + BLOCK] = rows @ columns.T
    union = volumes[:, None] + volumes[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def series_of(row: Row) -> str:
    """Author and letters of the id: equal for objects that one author numbered as a series; "" where no author is given."""
    letters = " ".join(re.findall(r"[^\W\d_]+", row["id"].lower()))
    return f"{row['author']}: {letters}" if row.get("author") and letters else ""


def families_of(rows: Sequence[Row], alike: Bool[ndarray, "n n"]) -> list[str]:
    """For each row the first id (in the order of text) of its family."""
    from scipy.sparse.csgraph import connected_components

    related = alike.copy()
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        if series := series_of(row):
            related[number, first.setdefault(series, number)] = True
    _, component = connected_components(related, directed=False)
    names: dict[int, str] = {}
    for row, number in zip(rows, component, strict=True):
        names[number] = min(row["id"], names.get(number, row["id"]))
    return [names[number] for number in component]


def folds_of(rows: Sequence[Row], families: Sequence[str]) -> list[int]:
    """A fold for each row: families whole, the largest first, each into the fold that has fewest objects of its classes.

    Ties go to the fold with fewest objects, then to the first; the order of rows does not matter.
    """
    members: dict[str, Counter[str]] = {}
    for row, family in zip(rows, families, strict=True):
        members.setdefault(family, Counter())[row["class"]] += 1
    held: list[Counter[str]] = [Counter() for _ in range(FOLDS)]
    fold: dict[str, int] = {}
    for family, classes in sorted(members.items(), key=lambda item: (-item[1].total(), item[0])):
        crowd = [(sum(count * there[name] for name, count in classes.items()), there.total()) for there in held]
        fold[family] = min(range(FOLDS), key=lambda number: crowd[number])
        held[fold[family]].update(classes)
    return [fold[family] for family in families]


def main(card_name: str, root: str, out: str) -> None:
    """Write the card's labels with the columns `fold` and `family`, and print how the folds came out."""
    card = load_card(card_name)
    rows = sorted(card.label_rows.values(), key=lambda row: row["id"])
    if not rows:
        raise CardError(f"card {card.name} has no labels; expected a csv with the columns id and class")
    grids = grids_of(card, Path(root))
    known = [number for number, row in enumerate(rows) if row["id"] in grids]
    alike = np.eye(len(rows), dtype=bool)
    alike[np.ix_(known, known)] |= overlaps([grids[rows[number]["id"]] for number in known]) > ALIKE
    families = families_of(rows, alike)
    folds = folds_of(rows, families)
    _write(Path(out), rows, families, folds)
    sizes = Counter(families)
    print(f"{len(rows)} objects, {len(sizes)} families, the largest {sizes.most_common(1)[0]}; folds of {Counter(folds)}")
    for name in sorted({row["class"] for row in rows}):
        counts = Counter(fold for row, fold in zip(rows, folds, strict=True) if row["class"] == name)
        print(f"{name:20} {[counts[fold] for fold in range(FOLDS)]}")


def _write(path: Path, rows: Sequence[Row], families: Sequence[str], folds: Sequence[int]) -> None:
    others = [column for column in rows[0] if column not in ("id", "class", "fold", "family")]
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", "class", "fold", "family", *others])
        for row, family, fold in zip(rows, families, folds, strict=True):
            writer.writerow([row["id"], row["class"], fold, family, *(row[column] for column in others)])
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:4])
