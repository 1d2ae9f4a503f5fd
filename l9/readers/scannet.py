"""ScanNet, versions 2 and 1: RGB-D recordings, their meshes, and what each vertex is.

    <root>/scans/scene0000_00/scene0000_00.sens
                              scene0000_00_vh_clean_2.ply
                              scene0000_00_vh_clean_2.0.010000.segs.json
                              scene0000_00.aggregation.json
    <root>/scans_test/…       the same without the labels
    <root>/scannetv2-labels.combined.tsv (version 1: scannet-labels.combined.tsv)
    <root>/scannetv2_{train,val,test}.txt (version 1: scannet_…), the official splits; they part spaces, so that scene0000_01, another
                              scan of the space of scene0000_00, is never on the other side

Where the lists are missing, spaces are parted by a hash of their number: 80 % train, 10 % validation, 10 % test.
source  Dai et al., ScanNet: Richly-annotated 3D Reconstructions of Indoor Scenes, CVPR 2017
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis
from l9.geometry.scan import Scan, Surface
from l9.readers.contract import REFUSE, Found
from l9.readers.lists import check_root, hashed_split, read_lines
from l9.readers.ply import read_coloured_ply
from l9.readers.scannet_labels import read_table, vertex_labels
from l9.readers.sens import read_sens

VERSION = 1
Part = Literal["both", "frames", "surface"]
FOLDERS = ("scans", "scans_test")
SCENE = re.compile(r"scene(\d{4,})_(\d{2,})")
TABLES = ("scannetv2-labels.combined.tsv", "scannet-labels.combined.tsv")
LISTS = {"train": "train", "validation": "val", "test": "test"}
ENDINGS = {"sens": ".sens", "mesh": "_vh_clean_2.ply", "segments": "_vh_clean_2.0.010000.segs.json", "groups": ".aggregation.json"}
PARTS: dict[Part, tuple[str, ...]] = {"both": tuple(ENDINGS), "frames": ("sens",), "surface": ("mesh", "segments", "groups")}
NEEDED = ("sens", "mesh")


def find(root: Path, part: Part = "both") -> Iterator[Found]:
    """Every scan below `root`, by its name.

    part    what of a scan is read, and so what its key is made of: with "surface" the recordings, most of the bytes, are left alone
    raises  UsageError where `root` has no folder scans; RefusedObject `bad-catalog` for a list of splits that is none
    """
    check_root(root, lambda folder: any((folder / name).is_dir() for name in FOLDERS), "folder scans or scans_test")
    splits = _splits(root)
    table = next((name for name in TABLES if (root / name).is_file()), "")
    for folder in FOLDERS:
        below = root / folder
        for name in sorted(path.name for path in below.iterdir()) if below.is_dir() else ():
            if SCENE.fullmatch(name) and (below / name).is_dir():
                yield _found(root, folder, name, part, table, splits)


def _found(root: Path, folder: str, name: str, part: Part, table: str, splits: dict[str, str] | None) -> Found:
    files = {role: f"{folder}/{name}/{name}{ENDINGS[role]}" for role in PARTS[part]}
    there = {role: file for role, file in files.items() if (root / file).is_file()}
    lacking = [file for role, file in files.items() if role in NEEDED and role not in there]
    labelled = {"segments", "groups"} <= there.keys() and table
    chosen = {role: file for role, file in there.items() if labelled or role in NEEDED}
    if labelled:
        chosen["table"] = table
    facts = {"roles": list(chosen), **({REFUSE: ["missing-file", f"{lacking[0]} is not there"]} if lacking else {})}
    split = hashed_split(name.rsplit("_", 1)[0]) if splits is None else splits.get(name, "test" if folder == "scans_test" else "train")
    return Found(name, tuple(chosen.values()) or tuple(files.values())[:1], split=split, facts=facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, part: Part = "both") -> Scan:
    """One scan; its frames are read when they are asked for.

    raises  RefusedObject as `read_sens`, `read_coloured_ply` and `vertex_labels` say
    """
    opened = dict(zip(found.facts["roles"], files, strict=True))
    notes: list[str] = []
    recording = read_sens(opened["sens"], notes) if "sens" in opened else None
    surface = _surface(opened, up, notes) if "mesh" in opened else None
    return Scan(recording.frames if recording else None, surface, up, notes)


def _surface(opened: dict[str, BinaryIO], up: Axis, notes: list[str]) -> Surface:
    mesh, colours = read_coloured_ply(opened["mesh"], up)
    notes += mesh.notes
    if "table" not in opened:
        return Surface(mesh.vertices, mesh.faces, colours)
    found = vertex_labels(opened["segments"], opened["groups"], read_table(opened["table"]), len(mesh.vertices))
    notes += found.notes
    return Surface(mesh.vertices, mesh.faces, colours, found.labels, found.instances)


def _splits(root: Path) -> dict[str, str] | None:
    """Scan -> split by the official lists; None where there are none of them."""
    for prefix in ("scannetv2", "scannet"):
        lists = {split: f"{prefix}_{word}.txt" for split, word in LISTS.items() if (root / f"{prefix}_{word}.txt").is_file()}
        if lists:
            found = [(scan, split) for split, name in lists.items() for scan in _listed(root, name)]
            splits = dict(found)
            if twice := [scan for scan, split in found if splits[scan] != split]:
                raise RefusedObject("bad-catalog", f"{twice[0]} is in two of {', '.join(lists.values())}")
            return splits
    return None


def _listed(root: Path, name: str) -> list[str]:
    lines = read_lines(root, name)
    if wrong := [line for line in lines if not SCENE.fullmatch(line)]:
        raise RefusedObject("bad-catalog", f"{name}: {wrong[0][:40]!r}; expected names such as scene0000_00")
    return lines
