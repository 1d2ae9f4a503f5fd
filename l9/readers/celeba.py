"""CelebA: 202,599 aligned faces of 178x218 RGB pixels with 40 attributes; cropping is a stage's business.

    img_align_celeba/000001.jpg ...   list_eval_partition.txt   lines `000001.jpg 0`: 0 train, 1 validation, 2 test
    list_attr_celeba.txt              may be missing: the count, the names, then lines `000001.jpg -1 1 ...`

The list of parts is the catalog: what it names is planned, and quarantined where it is not there.
Nobody here has had the dataset: layout and sizes are from its published description.
source  Liu, Luo, Wang, Tang, Deep learning face attributes in the wild, ICCV 2015
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.image import Image
from l9.geometry.mesh import Axis
from l9.readers.contract import REFUSE, Found
from l9.readers.images import read_picture
from l9.readers.lists import check_root, read_lines, safe_name

VERSION = 1
PICTURES, PARTS, ATTRIBUTES = "img_align_celeba", "list_eval_partition.txt", "list_attr_celeba.txt"
SPLITS = {"0": "train", "1": "validation", "2": "test"}
SIZE = (178, 218)  # pixels, width and height
MOST_ATTRIBUTES = 100


def find(root: Path) -> Iterator[Found]:
    """Every face that the list of parts names: ids `000001.jpg`.

    raises  UsageError where `root` has no such list, RefusedObject `bad-catalog` naming a list and its line, or `label-counts`
    """
    check_root(root, lambda folder: (folder / PARTS).is_file(), PARTS)
    parts = _parts(root)
    signs = _signs(root, parts) if (root / ATTRIBUTES).is_file() else {}
    there = _names(root / PICTURES)
    for name, split in parts.items():
        facts: dict[str, object] = {"attributes": signs[name]} if signs else {}
        if name not in there:
            facts[REFUSE] = ["missing-file", f"{PICTURES}/{name} is not there"]
        yield Found(name, (f"{PICTURES}/{name}",), "", "", split, facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Image:
    """One face (218, 178, 3) with its attributes, if they are known; RefusedObject as `read_picture`, `wrong-size` for another size."""
    del up
    image = read_picture(files[0], found.files[0], SIZE)
    if image.pixels.shape[2] != 3:
        raise RefusedObject("colour-mode", "a grey picture; expected RGB")
    signs = found.facts.get("attributes")
    return image if signs is None else replace(image, attributes=np.array([1 if sign == "+" else -1 for sign in signs], np.int8))


def _parts(root: Path) -> dict[str, str]:
    parts: dict[str, str] = {}
    for line in read_lines(root, PARTS):
        name, _, part = line.partition(" ")
        if not safe_name(name) or not name.endswith(".jpg") or part not in SPLITS:
            raise RefusedObject("bad-catalog", f"{PARTS}: {line[:60]!r}; expected 000001.jpg and 0, 1 or 2")
        if name in parts:
            raise RefusedObject("bad-catalog", f"{PARTS}: {name} stands there twice")
        parts[name] = SPLITS[part]
    return parts


def _signs(root: Path, parts: dict[str, str]) -> dict[str, str]:
    """name -> its attributes, "+" or "-" each."""
    lines = read_lines(root, ATTRIBUTES)
    count, names, rows = lines[0], lines[1].split() if len(lines) > 1 else [], lines[2:]
    if count != str(len(rows)) or not 1 <= len(names) <= MOST_ATTRIBUTES:
        head = f"it says {count[:20]!r} rows and {len(names):,} names"
        raise RefusedObject("label-counts", f"{ATTRIBUTES}: {head}; there are {len(rows):,}, and expected are 1 to {MOST_ATTRIBUTES} names")
    signs: dict[str, str] = {}
    for line in rows:
        name, *values = line.split(" ")
        if len(values) != len(names) or not set(values) <= {"1", "-1"}:
            raise RefusedObject("bad-catalog", f"{ATTRIBUTES}: {line[:60]!r}; expected a name and {len(names)} times 1 or -1")
        signs[name] = "".join("+" if value == "1" else "-" for value in values)
    if absent := next((name for name in parts if name not in signs), None):
        raise RefusedObject("label-counts", f"{ATTRIBUTES} lacks {absent}, which {PARTS} names")
    return signs


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}
