"""Matterport3D: houses scanned from tripods, 18 pictures of colour and depth at each place.

With `images: undistorted`:
    <root>/<house>/undistorted_camera_parameters/<house>.conf
                   undistorted_color_images/<pano>_i<camera>_<yaw>.jpg
                   undistorted_depth_images/<pano>_d<camera>_<yaw>.png    16 bits, 4,000 a metre along the axis, 0 for none
With `images: matterport` the files as the camera gave them, of matterport_raw.py.
    <root>/scenes_{train,val,test}.txt    optional: the official split, a house in each line; else a hash of the house's name

An object is a house; `<root>` may be the house alone. Each kind of files is unpacked beside the others, its folder right below the house.

The `.conf` names a camera (`intrinsics_matrix`), then the pictures it took (`scan`). Its camera looks along -Z with +Y up, and pixels are
counted from the lower left corner, where the dataset's own software has the first one's centre at (0.5, 0.5). So here, where x is right, y
down, z forward, and the pixel at the upper left has its centre at (0, 0): pose = pose diag(1, -1, -1, 1), cx = cx - 0.5,
cy = height - 0.5 - cy.
source  Chang et al., Matterport3D: Learning from RGB-D Data in Indoor Environments, 3DV 2017; its data_organization.md and RGBD.h (gaps)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.mesh import Axis
from l9.geometry.scan import Scan
from l9.readers.contract import Found
from l9.readers.lines import plain_text
from l9.readers.lists import LIST_BYTES, hashed_split, named, read_lines, safe_name
from l9.readers.loose_frames import DepthCode, LooseFrames, Shot, one_size_of, read_file
from l9.readers.matterport_raw import raw_files, raw_shots
from l9.readers.poses import checked_camera, checked_pose, numbers_of
from l9.readers.scan_folders import MOST_FRAMES, below, check_count, check_there, folders_with, name_of, read_list, refused_in_find

VERSION = 1
Images = Literal["undistorted", "matterport"]
PARAMETERS = "undistorted_camera_parameters"
KINDS: dict[Images, str] = {"undistorted": PARAMETERS, "matterport": "matterport_camera_poses"}
SPLITS = {"train": "train", "validation": "val", "test": "test"}
QUARTERS = DepthCode(4000)
TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Listed:
    """One picture of a `.conf`: paths below the house, pose and intrinsics as they stand there."""

    depth: str
    colour: str
    pose: Float[ndarray, "4 4"]
    intrinsics: Float[ndarray, "3 3"]


@dataclass
class Conf:
    """What a `.conf` says."""

    listed: list[Listed] = field(default_factory=list)
    announced: int | None = None


def find(root: Path, images: Images = "undistorted") -> Iterator[Found]:
    """Every house below `root`, by its name.

    images  which of a house's pictures are read, and so what its key is made of
    raises  UsageError where `root` holds no house; RefusedObject `bad-catalog` for a list of splits that is none
    """
    splits = official_splits(root)
    folders = folders_with(root, 1, lambda folder: (folder / KINDS[images]).is_dir(), f"folders such as <house>/{KINDS[images]}")
    for folder in folders:
        house = name_of(root, folder)
        split = hashed_split(house) if splits is None else splits.get(house, "train")
        try:
            files, notes = _undistorted_files(root, folder, house) if images == "undistorted" else raw_files(root, folder)
            yield Found(house, tuple(files), split=split, facts={"notes": notes})
        except RefusedObject as error:
            yield refused_in_find(house, below(folder, f"{PARAMETERS}/{house}.conf"), error, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, images: Images = "undistorted") -> Scan:
    """One house; its frames are read when they are asked for.

    raises  RefusedObject `bad-catalog`, `bad-camera` or `bad-pose` for files that say something else, `wrong-size` where colour and depth
            differ in size, or as `LooseFrames.frames` says
    """
    notes = list(found.facts.get("notes", ()))
    shots = _undistorted_shots(files, found.files) if images == "undistorted" else raw_shots(files, found.files, notes)
    return Scan(LooseFrames(files, found.files, shots, QUARTERS, notes).frames, None, up, notes)


def read_conf(data: bytes) -> Conf:
    """A `.conf`; RefusedObject `bad-catalog`, `bad-camera` or `bad-pose` naming the line."""
    conf, folders, intrinsics = Conf(), {"depth": "undistorted_depth_images", "color": "undistorted_color_images"}, None
    try:
        lines = plain_text(data).decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise RefusedObject("bad-catalog", f"no text (byte {error.start:,})") from error
    for number, line in enumerate(lines, 1):
        word, _, rest = line.strip().partition(" ")
        if word == "intrinsics_matrix":
            intrinsics = _matrix(rest, (3, 3), "bad-camera", number)
        elif word in ("depth_directory", "color_directory"):
            folders[word.removesuffix("_directory")] = _name(rest.strip(), number)
        elif word == "n_images":
            count = rest.strip()
            conf.announced = int(count) if count.isdecimal() and len(count) < 10 else None
        elif word == "scan":
            if intrinsics is None or len(conf.listed) >= MOST_FRAMES:
                raise RefusedObject("bad-catalog", f"line {number:,}: a picture without intrinsics, or more than {MOST_FRAMES:,}")
            conf.listed.append(_listed(rest, folders, intrinsics, number))
        elif word not in ("", "dataset"):
            raise RefusedObject("bad-catalog", f"line {number:,} begins with {word[:40]!r}; expected scan or intrinsics_matrix")
    return conf


def _listed(rest: str, folders: dict[str, str], intrinsics: Float[ndarray, "3 3"], number: int) -> Listed:
    depth, colour, numbers = [*rest.split(None, 2), "", "", ""][:3]
    pose = _matrix(numbers, (4, 4), "bad-pose", number)
    return Listed(f"{folders['depth']}/{_name(depth, number)}", f"{folders['color']}/{_name(colour, number)}", pose, intrinsics)


def _name(name: str, number: int) -> str:
    if not safe_name(name):
        raise RefusedObject("bad-catalog", f"line {number:,} names {name[:60]!r}; expected a plain name")
    return name


def _matrix(text: str, shape: tuple[int, int], reason: str, number: int) -> ndarray:
    count = shape[0] * shape[1]
    values = numbers_of(text.encode(), count, reason)
    if len(values) != count:
        raise RefusedObject(reason, f"line {number:,} has {len(values)} numbers; expected {shape[0]}x{shape[1]}")
    return values.reshape(shape)


def _undistorted_files(root: Path, folder: str, house: str) -> tuple[list[str], list[str]]:
    """The `.conf` and the pictures it names that are there; notes on those that are not."""
    name = below(folder, f"{PARAMETERS}/{house}.conf")
    check_there(root, [name])
    conf = read_list(root, name, read_conf)
    pairs = [(below(folder, one.colour), below(folder, one.depth)) for one in conf.listed]
    there = [pair for pair in pairs if all((root / path).is_file() for path in pair)]
    check_count(len(there))
    lost = len(pairs) - len(there)
    notes = [f"{lost:,} of {len(pairs):,} pictures have no colour or no depth: left out"] if lost else []
    if conf.announced != len(pairs):
        notes.append(f"the .conf announces {conf.announced or 0:,} pictures and lists {len(pairs):,}")
    return [name, *dict.fromkeys(path for pair in there for path in pair)], notes


def _undistorted_shots(files: Sequence[BinaryIO], names: Sequence[str]) -> list[Shot]:
    conf = read_file(files, names, 0, read_conf, LIST_BYTES)
    folder = names[0].rpartition(f"{PARAMETERS}/")[0]
    places = {name: number for number, name in enumerate(names)}
    taken = [(number, one) for number, one in enumerate(conf.listed) if {folder + one.colour, folder + one.depth} <= places.keys()]
    check_count(len(taken))
    first = taken[0][1]
    size = one_size_of(files, names, places[folder + first.colour], places[folder + first.depth])
    shots = []
    for number, one in taken:
        with named(f"{names[0]}: {one.colour}"):
            camera, pose = _from_below(one.intrinsics, size), checked_pose(one.pose)
        turned = None if pose is None else pose @ TO_OPENCV
        shots.append(Shot(number, places[folder + one.colour], places[folder + one.depth], turned, camera, camera))
    return shots


def _from_below(intrinsics: Float[ndarray, "3 3"], size: tuple[int, int]) -> Pinhole:
    """Intrinsics whose pixels are counted from the lower left corner as those of a camera here."""
    camera = checked_camera(*size, intrinsics)
    return Pinhole(*size, camera.fx, camera.fy, camera.cx - 0.5, size[1] - 0.5 - camera.cy)


def official_splits(root: Path) -> dict[str, str] | None:
    """House -> split by scenes_{train,val,test}.txt; None where there are none of them. RefusedObject `bad-catalog`."""
    lists = {split: name for split, word in SPLITS.items() if (root / (name := f"scenes_{word}.txt")).is_file()}
    splits: dict[str, str] = {}
    for split, name in lists.items():
        for house in read_lines(root, name):
            if not safe_name(house) or splits.setdefault(house, split) != split:
                raise RefusedObject("bad-catalog", f"{name}: {house[:40]!r}; expected a house in each line, and each in one list")
    return splits if lists else None
