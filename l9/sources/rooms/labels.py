"""The table of names and classes at the root of a ScanNet folder: which of NYU's 40 classes a thing's name stands for."""

from collections.abc import Iterable
from pathlib import Path

from l9.errors import UsageError
from l9.sources.rooms.thing import NYU40

FILE = "scannetv2-labels.combined.tsv"
COLUMNS = (
    *("id", "raw_category", "category", "count", "nyu40id", "eigen13id", "nyuClass", "nyu40class", "eigen13class"),
    *("ModelNet40", "ModelNet10", "ShapeNetCore55", "synsetoffset", "wnsynsetid", "wnsynsetkey", "mpcat40", "mpcat40index"),
)
SPELT = {"refrigerator": "refridgerator"}  # as ScanNet's own table has it


def label_ids(kinds: Iterable[tuple[str, str]]) -> dict[str, tuple[int, str]]:
    """The id and label of each name: the 20 labels by their own names, and what `kinds` (name, label) adds; ids from 1, by name.

    raises  UsageError for a name that no table can hold, a label that is none of `NYU40`'s, or a name with two labels
    """
    label_of = {label: label for label in NYU40}
    for name, label in kinds:
        if not name or not name.isprintable() or name != name.strip():
            raise UsageError(f"name {name!r}: expected printable text without blanks around it")
        if label not in NYU40:
            raise UsageError(f"{name}: label '{label}'; expected one of {', '.join(NYU40)}")
        if label_of.setdefault(name, label) != label:
            raise UsageError(f"{name}: labels '{label_of[name]}' and '{label}'; expected one")
    return {name: (number, label_of[name]) for number, name in enumerate(sorted(label_of), 1)}


def write_labels(root: Path, ids: dict[str, tuple[int, str]]) -> Path:
    """Write the table of `label_ids` at the root of the scans; what of ScanNet's columns it does not know is empty."""
    lines = ["\t".join(COLUMNS)]
    for name, (number, label) in ids.items():
        known = {"id": number, "raw_category": name, "category": label, "count": 0, "nyu40id": NYU40[label]}
        known |= {"nyuClass": label, "nyu40class": SPELT.get(label, label)}
        lines.append("\t".join(str(known.get(column, "")) for column in COLUMNS))
    root.mkdir(parents=True, exist_ok=True)
    part = root / (FILE + ".part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return part.replace(root / FILE)
