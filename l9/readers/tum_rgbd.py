"""The TUM RGB-D benchmark's layout: sequences by a Kinect or Xtion, with the camera's path by motion capture.

    <root>/<sequence>/rgb.txt, depth.txt     time in seconds and the picture's path, such as rgb/1305031102.175304.png
                      groundtruth.txt        time tx ty tz qx qy qz qw, camera-to-world; lines that begin with # are comments
                      rgb/*.png, depth/*.png  depth in 16 bits, 5,000 a metre, 0 for none, registered to colour

An object is a sequence, `rgbd_dataset_freiburg1_desk`. Colour and depth are paired as the benchmark's associate.py does, the closest two
first, less than 0.02 s apart, each in one pair at most. A pair's pose is the one nearest in time to its colour, less than 0.02 s from it,
which may be that of two; without one it is left out. Intrinsics are the published ones of freiburg1, 2 and 3 by the sequence's name, or the
ROS default. Lenses' distortion, which freiburg1 and 2 have, is left in the pictures. Sequences are parted by a hash of their names, with
their `_validation` twins; one laboratory's show one room.
source  Sturm et al., A Benchmark for the Evaluation of RGB-D SLAM Systems, IROS 2012; its file formats and tools
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.mesh import Axis
from l9.geometry.scan import Scan
from l9.readers.contract import Found
from l9.readers.lines import plain_text
from l9.readers.lists import LIST_BYTES, hashed_split, named, safe_path
from l9.readers.loose_frames import DepthCode, LooseFrames, Shot, fitted, read_file, sizes_of
from l9.readers.moments import nearest, paired
from l9.readers.poses import numbers_of, quaternion_pose
from l9.readers.scan_folders import MOST_FRAMES, below, check_count, check_there, folders_with, name_of, read_list, refused_in_find

VERSION = 1
APART = 0.02  # seconds, less than which colour, depth and pose are apart
MOST_POSES = 2_000_000  # lines of a path; two hours at 300 a second
CODE = DepthCode(5000)
LISTS = ("rgb.txt", "depth.txt", "groundtruth.txt")
CAMERAS = {
    "freiburg1": Pinhole(640, 480, 517.3, 516.5, 318.6, 255.3),
    "freiburg2": Pinhole(640, 480, 520.9, 521.0, 325.1, 249.7),
    "freiburg3": Pinhole(640, 480, 535.4, 539.2, 320.1, 247.6),
}
ROS_DEFAULT = Pinhole(640, 480, 525.0, 525.0, 319.5, 239.5)


@dataclass(frozen=True)
class Pictures:
    """One list: times in seconds, and each picture's path below the sequence."""

    times: Float[ndarray, "n"]
    paths: list[str]


def find(root: Path) -> Iterator[Found]:
    """Every sequence below `root`, by its name; UsageError where `root` holds none."""
    for folder in folders_with(root, 2, lambda path: (path / "rgb.txt").is_file(), "folders such as <sequence>/rgb.txt"):
        name = name_of(root, folder)
        split = hashed_split(name.removesuffix("_validation"))
        lists = [below(folder, one) for one in LISTS]
        try:
            check_there(root, lists)
            colour, depth = (read_list(root, one, read_pictures) for one in lists[:2])
            pairs = _pairs(colour, depth)
            check_count(len(pairs))
            pictures = [below(folder, path) for one, other in pairs for path in (colour.paths[one], depth.paths[other])]
            there = [path for path in pictures if (root / path).is_file()]
            yield Found(name, (*lists, *dict.fromkeys(there)), split=split)
        except RefusedObject as error:
            yield refused_in_find(name, lists[0], error, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Scan:
    """One sequence; its frames are read when they are asked for.

    raises  RefusedObject `bad-catalog` for lists that are none, `bad-pose` for a path that is none, `no-frames` where no colour has a
            depth that is there, `wrong-size`, or as `LooseFrames.frames` says
    """
    names, folder = found.files, found.files[0].removesuffix(LISTS[0])
    colour = read_file(files, names, 0, read_pictures, LIST_BYTES)
    depth = read_file(files, names, 1, read_pictures, LIST_BYTES)
    path = read_file(files, names, 2, read_path, LIST_BYTES)
    places = {name: number for number, name in enumerate(names)}
    pairs = _pairs(colour, depth)
    there = [pair for pair in pairs if {folder + colour.paths[pair[0]], folder + depth.paths[pair[1]]} <= places.keys()]
    check_count(len(there))
    notes = _notes(len(colour.paths), len(pairs), len(there), found.id)
    taken = [(one, places[folder + colour.paths[one]], places[folder + depth.paths[other]], other) for one, other in there]
    colour_camera, depth_camera = (fitted(camera_of(found.id), size) for size in sizes_of(files, names, taken[0][1], taken[0][2]))
    with named(names[2]):
        poses = poses_at(path, colour.times[[one for one, *_ in taken]])
    shots = [
        Shot(one, picture, measured, pose, colour_camera, depth_camera, float(depth.times[other]))
        for (one, picture, measured, other), pose in zip(taken, poses, strict=True)
    ]
    return Scan(LooseFrames(files, names, shots, CODE, notes).frames, None, up, notes)


def camera_of(name: str) -> Pinhole:
    """The published camera of a sequence, by the laboratory in its name."""
    return next((camera for laboratory, camera in CAMERAS.items() if laboratory in name), ROS_DEFAULT)


def read_pictures(data: bytes) -> Pictures:
    """A list of pictures, in order of time.

    raises  RefusedObject `bad-catalog` for a line that is no time and path below the sequence, or for more than MOST_FRAMES lines
    """
    times, paths = array("d"), []
    for number, line in _lines(data):
        words = line.split()
        if len(words) != 2 or not safe_path(words[1]):
            raise RefusedObject("bad-catalog", f"line {number:,} is {line[:60]!r}; expected a time and the path of a picture below")
        time = numbers_of(words[0].encode(), 1, "bad-catalog")[0]
        if not 0 <= time < 1e12:  # not a number is in no range
            raise RefusedObject("bad-catalog", f"line {number:,} has the time {time}")
        times.append(time)
        paths.append(words[1])
        if len(paths) > MOST_FRAMES:
            raise RefusedObject("bad-catalog", f"more than {MOST_FRAMES:,} pictures")
    order = np.argsort(np.asarray(times, np.float64), kind="stable")
    return Pictures(np.asarray(times, np.float64)[order], [paths[place] for place in order.tolist()])


def read_path(data: bytes) -> Float[ndarray, "n 8"]:
    """Time, place and quaternion of each line of a path, in order of time; RefusedObject `bad-pose` for lines that are something else."""
    values = array("d")
    for number, line in _lines(data):
        row = numbers_of(line.encode(), 8, "bad-pose")
        if len(row) != 8 or not 0 <= row[0] < 1e12:
            raise RefusedObject("bad-pose", f"line {number:,} is {line[:60]!r}; expected time tx ty tz qx qy qz qw")
        values.extend(row)
        if len(values) > 8 * MOST_POSES:
            raise RefusedObject("bad-pose", f"more than {MOST_POSES:,} lines")
    rows = np.asarray(values, np.float64).reshape(-1, 8)
    return rows[np.argsort(rows[:, 0], kind="stable")]


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Lines that are neither empty nor comments, with their numbers; commas part words too, as in the benchmark's own reader."""
    try:
        text = plain_text(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedObject("bad-catalog", f"no UTF-8 text (byte {error.start:,})") from error
    for number, line in enumerate(text.split("\n"), 1):
        words = line.replace(",", " ").strip()
        if words and not words.startswith("#"):
            yield number, words


def _pairs(colour: Pictures, depth: Pictures) -> list[tuple[int, int]]:
    return paired(colour.times, depth.times, APART)


def poses_at(path: Float[ndarray, "n 8"], wanted: Float[ndarray, "m"]) -> list[Float[ndarray, "4 4"] | None]:
    """The pose nearest to each wanted time, None where it is APART or more from it or not finite; RefusedObject `bad-pose`."""
    if not len(path):
        return [None] * len(wanted)
    chosen = nearest(path[:, 0], wanted)
    close = np.abs(path[chosen, 0] - wanted) < APART
    return [quaternion_pose(path[place, 1:]) if near else None for place, near in zip(chosen.tolist(), close.tolist(), strict=True)]


def _notes(listed: int, pairs: int, there: int, name: str) -> list[str]:
    notes = [f"{listed - pairs:,} of {listed:,} colour pictures have no depth within {APART} s: left out"] if pairs < listed else []
    notes += [f"{pairs - there:,} of {pairs:,} frames lack a picture that is listed: left out"] if there < pairs else []
    distorted = "freiburg1" in name or "freiburg2" in name
    return notes + (["the distortion of its lens is left in the pictures"] if distorted else [])
