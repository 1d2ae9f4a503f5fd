"""ShapeNetCore: `<synset>/<modelId>/models/model_normalized.obj` (version 2) or `<synset>/<modelId>/model.obj` (version 1).

Beside the synsets stand `taxonomy.json`, whose first name of a synset is the label, and, where the person has it, `all.csv` with the
official split of SHREC 2016. A model without its OBJ file is planned and quarantined; so is one that `all.csv` names and that is not
there, if its synset is. Models that `all.csv` leaves out go to training, so that validation and test are the official ones.
source  Chang et al., ShapeNet: an information-rich 3D model repository, 2015; Savva et al., SHREC'16
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh
from l9.readers.contract import REFUSE, Found
from l9.readers.files import printable
from l9.readers.lists import check_root, read_json, read_text, safe_name
from l9.readers.materials import NOTES, material_file, with_materials
from l9.readers.meshes import read_mesh

VERSION = 3
SYNSET = re.compile(r"\d{8}")
TAXONOMY, SPLITS = "taxonomy.json", "all.csv"
SPLIT_OF = {"train": "train", "val": "validation", "test": "test"}
Splits = dict[str, dict[str, str]]  # synset -> model -> split


def find(root: Path, model: str = "models/model_normalized.obj") -> Iterator[Found]:
    """Every model of every synset below `root`: ids `03001627/1007e20d5e811b308351982a6e40cf41`.

    model   the OBJ file within a model's folder
    raises  UsageError where `root` has no synset; RefusedObject `bad-catalog` for a taxonomy or split that cannot be understood
    """
    check_root(root, _has_synset, "synset (a folder of eight digits, such as 03001627)")
    labels, splits = _labels(root), _splits(root)
    for synset in filter(SYNSET.fullmatch, _folders(root)):
        label, listed = labels.get(synset, synset), splits.get(synset, {})
        there = _folders(root / synset)
        for name in there:
            shown = f"{synset}/{printable(name)}"
            split = listed.get(name, "train" if splits else "")
            facts = _facts(root / synset, name, model)
            materials, notes = ((), ()) if facts else material_file(root, PurePosixPath(shown) / model)
            yield Found(shown, (f"{shown}/{model}", *materials), "", label, split, {NOTES: list(notes)} if notes else facts)
        for name in sorted(set(listed) - set(there)):
            facts = {REFUSE: ["no-model", f"{SPLITS} names it and its folder is not there"]}
            yield Found(f"{synset}/{name}", (f"{synset}/{name}/{model}",), "", label, listed[name], facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, model: str = "models/model_normalized.obj") -> Mesh:
    """The mesh of one model, with notes on its materials; RefusedObject as `l9.readers.meshes.read_mesh` says."""
    return with_materials(read_mesh(files[0], ".obj", up), files[1:], found)


def _facts(folder: Path, name: str, model: str) -> dict[str, list[str]]:
    if name != printable(name):
        return {REFUSE: ["file-name", "it holds a character that is no printable UTF-8; rename it"]}
    return {} if (folder / name / model).is_file() else {REFUSE: ["no-model", f"{model} is not there"]}


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _has_synset(root: Path) -> bool:
    return any(SYNSET.fullmatch(path.name) and path.is_dir() for path in root.iterdir())


def _labels(root: Path) -> dict[str, str]:
    """Synset -> the first of its names; empty where there is no taxonomy."""
    if not (root / TAXONOMY).exists():
        return {}
    expected = '{"synsetId": "03001627", "name": "chair, ..."}'
    entries = read_json(root, TAXONOMY, _is_synset, expected)
    return {entry["synsetId"]: printable(entry["name"].partition(",")[0].strip()) for entry in entries}


def _is_synset(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(field), str) for field in ("synsetId", "name"))


def _splits(root: Path) -> Splits:
    """Empty where there is no `all.csv`."""
    if not (root / SPLITS).exists():
        return {}
    splits: Splits = {}
    reader = csv.DictReader(read_text(root, SPLITS).splitlines())
    try:
        for row in reader:
            synset, name, word = (str(row[column] or "").strip() for column in ("synsetId", "modelId", "split"))
            split = SPLIT_OF.get(word, "")
            models = splits.setdefault(synset.zfill(8), {})  # a spreadsheet takes the leading 0 away
            if not split or not safe_name(name) or models.setdefault(name, split) != split:
                raise RefusedObject("bad-catalog", f"{SPLITS}: line {reader.line_num:,}: expected a model, once, in train, val or test")
    except KeyError as error:
        raise RefusedObject("bad-catalog", f"{SPLITS} has no column {error}; expected synsetId, modelId and split") from error
    except csv.Error as error:
        raise RefusedObject("bad-catalog", f"{SPLITS}: after line {reader.line_num:,}: {error}") from error
    if not splits:
        raise RefusedObject("bad-catalog", f"{SPLITS} has no row; expected one a model, or no such file")
    return splits
