"""7-Scenes: sequences of RGB-D frames of seven rooms, by a Kinect whose depth is not registered to its colour.

    <root>/{chess,fire,heads,office,pumpkin,redkitchen,stairs}/seq-01/frame-000000.{color.png or .jpg,depth.png,pose.txt}
                                                              TrainSplit.txt, TestSplit.txt: lines such as sequence1, which is seq-01

An object is a sequence, `stairs/seq-01`; `<root>` may be one scene's folder, and its ids are the same. A pose is that of the depth camera,
which tracked itself. Where the colour camera stands beside it is published nowhere: it is given the same pose, so that in the world it is
some 2.5 cm beside its true place (in a Kinect), and a surface 2 m away some 7 pixels beside its colour. Depth alone is exact. Focal lengths
are the published ones, 585 pixels of depth and the 525 of the sensor's factory for colour, centre (320, 240) of 640 x 480.

There is no validation part. Without the lists whole scenes are parted by a hash of their names; what the lists leave out is for training.
source  Shotton et al., Scene Coordinate Regression Forests for Camera Relocalization in RGB-D Images, CVPR 2013
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.mesh import Axis
from l9.geometry.scan import Scan
from l9.readers.contract import Found
from l9.readers.lists import hashed_split, read_lines
from l9.readers.loose_frames import LooseFrames, fitted, sizes_of
from l9.readers.numbered_frames import MILLIMETRES, SEQUENCE, frame_files, sequences, shots
from l9.readers.scan_folders import below, name_of, refused_in_find

VERSION = 1
LISTS = {"train": "TrainSplit.txt", "test": "TestSplit.txt"}
LINE = re.compile(r"(?:sequence|seq-)(\d{1,4})")
COLOUR_CAMERA = Pinhole(640, 480, 525.0, 525.0, 320.0, 240.0)
DEPTH_CAMERA = Pinhole(640, 480, 585.0, 585.0, 320.0, 240.0)


def find(root: Path) -> Iterator[Found]:
    """Every sequence below `root`, by scene and name.

    raises  UsageError where `root` holds none; RefusedObject `bad-catalog` for a list of splits that is none
    """
    splits: dict[str, dict[int, str]] = {}
    for scene, sequence in sequences(root):
        if scene not in splits:
            splits[scene] = _splits(root, scene)
        name, folder = name_of(root, scene), below(scene, sequence)
        match = SEQUENCE.fullmatch(sequence)
        split = splits[scene].get(int(match[1]) if match else 0, "train") if splits[scene] else hashed_split(name)
        try:
            files, notes = frame_files(root, folder)
            yield Found(f"{name}/{sequence}", tuple(files), split=split, facts={"notes": notes})
        except RefusedObject as error:
            yield refused_in_find(f"{name}/{sequence}", folder, error, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Scan:
    """One sequence; its frames are read when they are asked for.

    raises  RefusedObject as `LooseFrames.frames` says
    """
    notes = list(found.facts.get("notes", ()))
    colour, depth = sizes_of(files, found.files, 0, 1)
    taken = shots(found.files, 0, fitted(COLOUR_CAMERA, colour), fitted(DEPTH_CAMERA, depth))
    return Scan(LooseFrames(files, found.files, taken, MILLIMETRES, notes).frames, None, up, notes)


def _splits(root: Path, scene: str) -> dict[int, str]:
    """Number of a sequence -> split by the scene's lists; empty where it has none."""
    splits: dict[int, str] = {}
    for split, file in LISTS.items():
        name = below(scene, file)
        for line in read_lines(root, name) if (root / name).is_file() else ():
            match = LINE.fullmatch(line)
            if match is None:
                raise RefusedObject("bad-catalog", f"{name}: {line[:40]!r}; expected lines such as sequence1")
            if splits.setdefault(int(match[1]), split) != split:
                raise RefusedObject("bad-catalog", f"{name}: {line} is in both lists")
    return splits
