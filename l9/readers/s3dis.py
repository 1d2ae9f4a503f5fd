"""S3DIS, Stanford 3D Indoor Spaces: rooms of six areas as coloured points, each with a class and the thing it belongs to.

    <root>/Area_1/conferenceRoom_1/Annotations/beam_1.txt       a file for each thing, lines `x y z r g b`: metres and 0 to 255
    <root>/Area_1/conferenceRoom_1/conferenceRoom_1.txt         the same points without their things: not read

A room is a scan whose surface has no faces. Labels are 1 to 13 in the order of `CLASSES`; a name that is none of them, such as stairs, is
clutter, as PointNet's authors have it. Area by area the rooms are test or train: `test_area` in turn 1 to 6 is the 6-fold protocol.
The released Area_5/hallway_6 holds a control character within a number. Which digit it stands for cannot be known: a line with such a
character is left out and noted, and a file with more than `MOST_BROKEN` of them is refused.
source  Armeni et al., 3D Semantic Parsing of Large-Scale Indoor Spaces, CVPR 2016
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.mesh import Axis
from l9.geometry.scan import Scan, Surface
from l9.readers.contract import REFUSE, Found
from l9.readers.lines import LINE_BYTES
from l9.readers.lists import check_root, named
from l9.readers.loose_frames import borrowed
from l9.readers.scan_folders import entries, folders_in

VERSION = 1
CLASSES = {
    **{"ceiling": 1, "floor": 2, "wall": 3, "beam": 4, "column": 5, "window": 6, "door": 7},
    **{"table": 8, "chair": 9, "sofa": 10, "bookcase": 11, "board": 12, "clutter": 13},
}
AREA = re.compile(r"Area_([1-6])")
THING = re.compile(r"([A-Za-z]+)_(\d{1,6})\.txt")
ANNOTATIONS = "Annotations"
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
MOST_BROKEN = 3  # lines of one file that hold a control character; the release has one such line in all
MOST_POINTS = 20_000_000  # of one room: 540 MB, twice that while its things are put together
CHUNK = 1 << 17  # lines parsed together
MOST_NAMED = 3  # names of things in a note


def find(root: Path, test_area: int = 5) -> Iterator[Found]:
    """Every room of every area: ids `Area_5/hallway_6`; of `test_area` test, else train.

    raises  UsageError where `root` has no folder Area_1 to Area_6, or test_area is not 1 to 6
    """
    if test_area not in range(1, 7):
        raise UsageError(f"s3dis: test_area is {test_area!r}; expected 1 to 6")
    check_root(root, lambda folder: any(AREA.fullmatch(path.name) for path in folder.iterdir()), "folder Area_1 to Area_6")
    for area in folders_in(root):
        if match := AREA.fullmatch(area):
            split = "test" if int(match[1]) == test_area else "train"
            for room in folders_in(root / area):
                yield _found(root, f"{area}/{room}", split)


def _found(root: Path, room: str, split: str) -> Found:
    below = f"{room}/{ANNOTATIONS}"
    things, others = entries(root / below, THING)
    files = tuple(f"{below}/{thing[0]}" for thing in things)
    if not files:
        return Found(room, (f"{below}/",), split=split, facts={REFUSE: ["missing-file", f"{below} holds no file such as wall_1.txt"]})
    return Found(room, files, split=split, facts={"others": others})


def read(files: Sequence[BinaryIO], found: Found, up: Axis, test_area: int = 5) -> Scan:
    """One room; instances are the files in their order, from 1.

    raises  RefusedObject `unreadable`, `wrong-shape`, `not-finite`, `bad-colours`, `line-too-long`, `no-points` or `too-large`
    """
    others = found.facts.get("others", 0)
    notes = [f"{others:,} other files in {ANNOTATIONS}: not read"] if others else []
    points: list[Float[ndarray, "_ 3"]] = []
    colours: list[UInt8[ndarray, "_ 3"]] = []
    sizes: list[int] = []
    for place, name in enumerate(found.files):
        with named(name.rpartition("/")[2]), borrowed(files, place) as stream:
            table, broken = read_thing(stream, MOST_POINTS - sum(sizes))
        notes += [f"{name.rpartition('/')[2]} line {line:,} holds a control character: left out" for line in broken]
        points.append(table[:, :3].copy())
        colours.append(table[:, 3:].astype(np.uint8))
        sizes.append(len(table))
    if not sum(sizes):
        raise RefusedObject("no-points", f"{len(files):,} files without a point")
    labels = np.repeat(np.array([_label(name) for name in found.files], np.int64), sizes)
    things = np.repeat(np.arange(1, len(sizes) + 1, dtype=np.int64), sizes)
    surface = Surface(np.concatenate(points), np.zeros((0, 3), np.int64), np.concatenate(colours), labels, things)
    return Scan(None, surface, up, notes + _unknown(found.files))


def read_thing(stream: BinaryIO, most: int = MOST_POINTS) -> tuple[Float[ndarray, "n 6"], list[int]]:
    """The points of one file, float64 x y z r g b, and the numbers of the lines that were left out, from 1.

    raises  RefusedObject as `read` says; an empty file has no points, and is no fault
    """
    lines, broken = _Lines(stream), list[int]()
    chunks: list[Float[ndarray, "_ 6"]] = []
    count = 0
    while some := list(islice(lines, CHUNK)):
        kept = [line for number, line in some if not _is_broken(number, line, broken)]
        count += len(kept)
        if count > most:
            raise RefusedObject("too-large", f"more than {most:,} points; expected a room of at most {MOST_POINTS:,}")
        if kept:
            chunks.append(_parsed(kept))
    return (np.concatenate(chunks) if chunks else np.zeros((0, 6))), broken


class _Lines:
    """Numbers and bytes of the lines that are not empty; RefusedObject `line-too-long`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._number = stream, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> tuple[int, bytes]:
        while line := self._stream.readline(LINE_BYTES + 1):
            self._number += 1
            if len(line) > LINE_BYTES:
                raise RefusedObject("line-too-long", f"line {self._number:,}: more than {LINE_BYTES:,} bytes")
            if line.strip():
                return self._number, line
        raise StopIteration


def _is_broken(number: int, line: bytes, broken: list[int]) -> bool:
    if not CONTROL.search(line):
        return False
    broken.append(number)
    if len(broken) > MOST_BROKEN:
        raise RefusedObject("unreadable", f"line {number:,}: a control character, as in {MOST_BROKEN} lines before; expected x y z r g b")
    return True


def _parsed(lines: list[bytes]) -> Float[ndarray, "n 6"]:
    try:
        table = np.loadtxt([line.decode("ascii") for line in lines], np.float64, comments=None, ndmin=2)
    except ValueError as error:
        raise RefusedObject("unreadable", " ".join(str(error).split())[:200]) from error
    if table.shape[1] != 6:
        raise RefusedObject("wrong-shape", f"{table.shape[1]:,} numbers a line; expected x y z r g b")
    if not np.isfinite(table).all():
        raise RefusedObject("not-finite", f"{int((~np.isfinite(table)).any(axis=1).sum()):,} points")
    colours = table[:, 3:]
    if colours.min() < 0 or colours.max() > 255 or (colours != np.floor(colours)).any():
        raise RefusedObject("bad-colours", f"colours from {colours.min():g} to {colours.max():g}; expected whole numbers from 0 to 255")
    return table


def _label(name: str) -> int:
    """Of a file `…/Annotations/wall_1.txt`."""
    return CLASSES.get(_class(name), CLASSES["clutter"])


def _class(name: str) -> str:
    return name.rpartition("/")[2].rpartition("_")[0]


def _unknown(files: Sequence[str]) -> list[str]:
    """What is clutter because its name is no class, as one note."""
    names = sorted({name for file in files if (name := _class(file)) not in CLASSES})
    shown = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else "")
    return [f"{shown}: no class, taken as clutter"] if names else []
