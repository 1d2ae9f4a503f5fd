"""Lists of key point matches beside the pictures they are in: what Matterport3D's MatchFinder writes, and `l9 export --format matches`.

    <root>/<scene>/matches.txt      the anchor and the same place in another picture
                   negatives.txt    the same anchors, each with another place
                   images/color-<sensor, 2 digits>-<frame, 6 digits>.jpg    or .png
    <root>/scenes_{train,val,test}.txt    optional: the official split, a scene in each line; else a hash of the scene's name

Both lists are three lines of a header, then two lines a match, of 12 fields parted by tabs:
    number of the match   sensor   frame   "x y" (pixel)   depth   "x y z" (world, metres)   "dx dy" (offset)   size   angle   octave
    scale   packed octave
Known from the authors' code (niessner/Matterport, tasks/keypoint_match): the order of the fields, the header of MatchFinder ("SceneName",
the name and the number of matches; an empty line; the names of the fields), the names of the pictures, matches1.txt and negatives1.txt
where the others are not there, and that readers skip the header unread. There the offset of a first line is 0 0, pixels are whole
numbers, and they are of the pictures in which key points were found: 1280x1024, where `images` holds 640x512. Assumed, since nobody here
has had the published lists: that they are as this code writes them.

The packed octave says what octave and scale say (OpenCV's `unpackOctave`: octave = packed & 255, signed; scale = 1 / 2^octave), and
counts; of these two it is only checked that they are numbers. What l9 exports has a second line "pictures WIDTHxHEIGHT".

An object is a scene. Frame f of sensor s has the number 1,000,000 s + f.
source  Chang et al., Matterport3D, 3DV 2017, section 4.1
"""

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.match_lists import ListedMatches, MatchLists
from l9.geometry.mesh import Axis
from l9.readers.contract import Found
from l9.readers.lists import hashed_split
from l9.readers.loose_frames import PICTURE_BYTES, borrowed, kind_of, read_file
from l9.readers.matterport3d import official_splits
from l9.readers.pictures import colour_picture
from l9.readers.scan_folders import below, check_count, check_there, entries, folders_with, name_of, refused_in_find

VERSION = 1
LISTS = (("matches.txt", "negatives.txt"), ("matches1.txt", "negatives1.txt"))  # the first two that are there are read
PICTURE = re.compile(r"color-(\d{2})-(\d{6})\.(jpg|png)")
FIELDS = ("number", "sensor", "frame", "pixel", "depth", "point", "offset", "size", "angle", "octave", "scale", "packed octave")
WORDS = (1, 1, 1, 2, 1, 3, 2, 1, 1, 1, 1, 1)  # of each field
HEADER_LINES = 3
SIZE_LINE = re.compile(rb"pictures (\d{1,5})x(\d{1,5})")  # the header's second line in what l9 exports
A_SENSOR = 1_000_000  # numbers of frames of each sensor
LINE_BYTES = 1000  # of a line of a list; those have 120
MOST_MATCHES = 500_000  # of one scene, kept; 250 bytes each
MOST_LINES = 50_000_000  # of one list
LARGEST = 1e6  # pixels, metres, degrees: beyond this a number is none of a key point
DIGITS = re.compile(rb"-?\d{1,9}")


def find(root: Path, detected: list[int] | None = None, every: int = 1) -> Iterator[Found]:
    """Every scene below `root`, by its path.

    raises  UsageError where `root` holds no scene, or a parameter is none; RefusedObject `bad-catalog` for a list of splits that is none
    """
    _checked_parameters(detected, every)
    splits = official_splits(root)
    folders = folders_with(root, 3, lambda folder: any((folder / one[0]).is_file() for one in LISTS), "folders such as <scene>/matches.txt")
    for folder in folders:
        scene = name_of(root, folder)
        split = hashed_split(scene) if splits is None else splits.get(scene, "train")
        lists = [below(folder, name) for name in _lists_in(root / folder)]
        try:
            check_there(root, lists)
            pictures, others = _pictures_in(root, folder)
            notes = [f"{others:,} files of images are no pictures of a sensor and a frame: left alone"] if others else []
            yield Found(scene, (*lists, *pictures), split=split, facts={"notes": notes})
        except RefusedObject as error:
            yield refused_in_find(scene, lists[0], error, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, detected: list[int] | None = None, every: int = 1) -> MatchLists:
    """One scene: its lists whole, its pictures when they are asked for.

    detected  width and height of the pictures in which the key points were found; None: what the header says, or the pictures as they are
    every     of how many matches one is kept
    raises    UsageError where a parameter is none; RefusedObject, naming the list and the line,
              `bad-match`        a line that is no key point
              `not-finite`       a number that is none, or none of a key point; in negatives.txt an offset may be anything: NaN
              `match-numbers`    the lines of a match with different numbers
              `match-counts`     lists of different length, or one that ends within a match
              `anchors-differ`   an anchor that is another one in negatives.txt
              `no-matches`, `too-many-matches`
              `missing-picture`  a match in a picture that is not there
    """
    size = _checked_parameters(detected, every)
    names = found.files
    with borrowed(files, 0) as positives, borrowed(files, 1) as negatives:
        matches, told = read_lists(positives, negatives, (_last(names[0]), _last(names[1])), every)
    places = _places(names)
    missing = sorted(set(np.unique(matches.frames).tolist()) - places.keys())
    if missing:
        more = f", nor are {len(missing) - 1:,} others" if len(missing) > 1 else ""
        raise RefusedObject("missing-picture", f"images/{picture_name(missing[0])} is not there{more}")

    def picture(number: int) -> UInt8[ndarray, "h w 3"]:
        name = names[places[number]]
        return read_file(files, names, places[number], lambda data: colour_picture(data, kind_of(name)), PICTURE_BYTES)

    return MatchLists(matches, picture, size or told, list(found.facts.get("notes", ())))


def picture_name(number: int) -> str:
    """The name of the picture of a frame."""
    return f"color-{number // A_SENSOR:02d}-{number % A_SENSOR:06d}.jpg"


def read_lists(
    positives: BinaryIO, negatives: BinaryIO, names: tuple[str, str] = LISTS[0], every: int = 1
) -> tuple[ListedMatches, tuple[int, int] | None]:
    """Every `every`-th match of the two lists, and the size of their pictures where the header says it; raises as `read` says."""
    told = _header(positives, names[0])
    _header(negatives, names[1])
    values = array("d")
    one, other = _Lines(positives, names[0]), _Lines(negatives, names[1])
    count = 0
    while True:
        lines = (one.next(), one.next(), other.next(), other.next())
        if not lines[0] and not lines[2]:
            break
        if not all(lines):
            raise _counts_differ(one, other)
        if count % every == 0:
            values.extend(_match(lines, one, other))
            if len(values) > MOST_MATCHES * 3 * 13:
                raise RefusedObject(
                    "too-many-matches", f"more than {MOST_MATCHES:,}; keep one of n with parameters.every: n in a card of one's own"
                )
        count += 1
    if not count:
        raise RefusedObject("no-matches", f"{names[0]} has none after the {HEADER_LINES} lines of its header")
    return _listed(np.frombuffer(values, np.float64).reshape(-1, 3, 13)), told


class _Lines:
    """The lines of a list after its header, one at a time."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream, self.name, self.count = stream, name, 0

    def next(self) -> bytes:
        """The next line, empty at the end; RefusedObject `bad-match` for one that is too long, or for empty ones before it."""
        blank = 0
        while line := _line(self.stream, self.name):
            text = line.strip()
            if text and blank:
                raise RefusedObject("bad-match", f"{self.name}: an empty line after line {self.line}")
            if text:
                self.count += 1
                if self.count > MOST_LINES:
                    raise RefusedObject("too-many-matches", f"{self.name} has more than {MOST_LINES:,} lines")
                return text
            blank += 1
        return b""

    @property
    def line(self) -> str:
        """The number of the line that `next` gave, in the file."""
        return f"{HEADER_LINES + self.count:,}"


def _line(stream: BinaryIO, name: str) -> bytes:
    line = stream.readline(LINE_BYTES + 1)
    if len(line) > LINE_BYTES:
        raise RefusedObject("bad-match", f"{name} has a line of more than {LINE_BYTES:,} bytes")
    return line


def _header(stream: BinaryIO, name: str) -> tuple[int, int] | None:
    """Skips it; width and height of the pictures where it says them."""
    lines = [_line(stream, name).strip() for _ in range(HEADER_LINES)]
    match = SIZE_LINE.fullmatch(lines[1])
    if match is None:
        return None
    size = (int(match[1]), int(match[2]))
    if not all(size):
        raise RefusedObject("bad-match", f"{name}: line 2 says pictures of {size[0]}x{size[1]} pixels")
    return size


def _counts_differ(one: _Lines, other: _Lines) -> RefusedObject:
    for lines in (one, other):
        while lines.next():
            pass
    if one.count == other.count:
        return RefusedObject("match-counts", f"both lists have {one.count:,} lines after their headers; expected two a match")
    return RefusedObject("match-counts", f"{one.name} has {one.count:,} lines after its header, {other.name} {other.count:,}")


def _match(lines: tuple[bytes, ...], one: _Lines, other: _Lines) -> list[float]:
    """13 numbers of each of the three key points, as `_key_point` gives them."""
    sources = (one, one, other, other)
    found = [_key_point(line, source, source is other) for line, source in zip(lines, sources, strict=True)]
    numbers = [number for number, _ in found]
    if len(set(numbers)) > 1:
        where = next(source for number, source in zip(numbers, sources, strict=True) if number != numbers[0])
        told = " ".join(map(str, numbers))
        raise RefusedObject("match-numbers", f"{where.name} line {where.line}: the lines of one match have the numbers {told}")
    (_, anchor), (_, same), (_, again), (_, different) = found
    if anchor[:4] != again[:4]:
        raise RefusedObject(
            "anchors-differ",
            f"match {numbers[0]:,}: {_told(anchor)} in {one.name}, {_told(again)} in {other.name}",
        )
    return [*anchor, *same, *different]


def _told(key_point: list[float]) -> str:
    sensor, frame, column, row = key_point[:4]
    return f"sensor {sensor:.0f} frame {frame:.0f} pixel ({column:g}, {row:g})"


def _key_point(line: bytes, source: _Lines, any_offset: bool) -> tuple[int, list[float]]:
    """Number of the match; sensor, frame, column, row, depth, x, y, z, dx, dy, size, angle, packed octave.

    any_offset  an offset that is no number is none: NaN
    """
    where = f"{source.name} line {source.line}"
    fields = [field.split() for field in line.split(b"\t")]
    if tuple(map(len, fields)) != WORDS:
        raise RefusedObject("bad-match", f"{where} has {len(fields):,} fields, or one of other parts; expected {', '.join(FIELDS)}")
    number, sensor, frame, packed = (_whole(fields[place][0], where, FIELDS[place]) for place in (0, 1, 2, 11))
    if not (number >= 0 and 0 <= sensor < 100 and 0 <= frame < A_SENSOR):
        raise RefusedObject("bad-match", f"{where}: match {number:,}, sensor {sensor:,}, frame {frame:,}; expected 0 to 99 and 999,999")
    values: list[float] = []
    for place in range(3, 11):
        read = [_number(word) for word in fields[place]]
        loose = any_offset and FIELDS[place] == "offset"
        if not loose and not all(map(math.isfinite, read)):
            raise RefusedObject("not-finite", f"{where}: {FIELDS[place]} is {_shown(fields[place])}")
        values += read if all(map(math.isfinite, read)) else [math.nan] * len(read)
    if not 0 < values[8] <= LARGEST:
        raise RefusedObject("bad-match", f"{where}: size is {values[8]:g}; expected pixels")
    return number, [sensor, frame, *values[:10], packed]


def _whole(word: bytes, where: str, field: str) -> int:
    if DIGITS.fullmatch(word) is None:
        raise RefusedObject("bad-match", f"{where}: {field} is {_shown([word])}; expected an integer")
    return int(word)


def _number(word: bytes) -> float:
    """NaN where it is no number, or one that no key point has."""
    try:
        value = math.nan if b"_" in word else float(word)
    except ValueError:
        return math.nan
    return value if abs(value) <= LARGEST else math.nan


def _shown(words: list[bytes]) -> str:
    return repr(b" ".join(words)[:40].decode("ascii", "replace"))


def _listed(values: ndarray) -> ListedMatches:
    """Of (m, 3, 13) numbers, as `_key_point` orders them."""
    floats = values[:, :, 2:12].astype(np.float32)
    return ListedMatches(
        frames=(values[:, :, 0] * A_SENSOR + values[:, :, 1]).astype(np.int32),
        pixels=floats[:, :, 0:2],
        depths=floats[:, :, 2],
        points=floats[:, :, 3:6],
        offsets=floats[:, :, 6:8],
        sizes=floats[:, :, 8],
        angles=floats[:, :, 9],
        octaves=values[:, :, 12].astype(np.int32),
    )


def _checked_parameters(detected: list[int] | None, every: int) -> tuple[int, int] | None:
    if type(every) is not int or every < 1:
        raise UsageError(f"parameters.every is {every!r}; expected an integer from 1")
    if detected is None:
        return None
    if not isinstance(detected, list) or len(detected) != 2 or any(type(side) is not int or not 0 < side < 100_000 for side in detected):
        raise UsageError(f"parameters.detected is {detected!r}; expected the width and height of pictures, such as [1280, 1024]")
    return detected[0], detected[1]


def _lists_in(folder: Path) -> tuple[str, str]:
    return next((two for two in LISTS if all((folder / name).is_file() for name in two)), LISTS[0])


def _pictures_in(root: Path, folder: str) -> tuple[list[str], int]:
    """Paths below the root of the pictures of a scene, one a frame (the JPEG where there are two), and how many other files are there."""
    matches, others = entries(root / below(folder, "images"), PICTURE)
    if not matches:
        raise RefusedObject("no-frames", f"no picture such as images/{picture_name(0)}")
    check_count(len(matches))
    kept: dict[tuple[str, str], str] = {}
    for match in matches:
        kept.setdefault((match[1], match[2]), match[0])  # .jpg comes before .png
    return [below(folder, f"images/{name}") for name in kept.values()], others


def _places(names: Sequence[str]) -> dict[int, int]:
    """Number of a frame -> number of its file."""
    found = ((PICTURE.fullmatch(_last(name)), place) for place, name in enumerate(names))
    return {int(match[1]) * A_SENSOR + int(match[2]): place for match, place in found if match is not None}


def _last(name: str) -> str:
    return name.rpartition("/")[2]
