"""SUN3D: recordings of places by a hand-held Xtion, with the poses of every colour frame.

    <root>/<place>/<scan>/image/0000001-000000000000.jpg    number and microseconds
                          depth/0000001-000000020440.png    16 bits, rotated left by 3; millimetres once turned back, 0 for none
                          extrinsics/20140817195227.txt     3x4 of each colour frame, camera-to-world; the newest counts
                          intrinsics.txt                    3x3, of both: depth is registered to colour

An object is a scan, `hotel_umd/maryland_hotel3`. A colour frame has the depth nearest in time, which two may share; one without any
within MOST_APART is left out. The world is the first camera's, up to its registration: x right, y down. Places are parted by a hash of
their name, so that scans of one place stay together.
source  Xiao, Owens & Torralba, SUN3D: A Database of Big Spaces Reconstructed using SfM and Object Labels, ICCV 2013; its loadSUN3D.m
"""

import re
from collections.abc import Iterator, Sequence
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
from l9.readers.files import printable
from l9.readers.lists import LIST_BYTES, hashed_split, named
from l9.readers.loose_frames import DepthCode, LooseFrames, Shot, one_size_of, read_file
from l9.readers.moments import nearest
from l9.readers.poses import checked_pose, matrix_camera, numbers_of
from l9.readers.scan_folders import MOST_FRAMES, below, check_count, check_there, entries, folders_with, name_of, refused_in_find

VERSION = 1
MOST_APART = 0.1  # seconds between a colour frame and its depth; both sensors take 30 a second
TURNED_MILLIMETRES = DepthCode(1000, turned=True)
IMAGE, DEPTH = re.compile(r"(\d{1,9})-(\d{1,15})\.jpg"), re.compile(r"(\d{1,9})-(\d{1,15})\.png")
EXTRINSICS = re.compile(r"(\d{1,20})\.txt")
LISTS = 2  # files before the pictures: intrinsics and extrinsics


def find(root: Path) -> Iterator[Found]:
    """Every scan below `root`, by place and name; UsageError where `root` holds none."""

    def is_scan(folder: Path) -> bool:
        return (folder / "image").is_dir() and (folder / "depth").is_dir()

    for folder in folders_with(root, 2, is_scan, "folders such as <place>/<scan>/image"):
        name = _named(root, folder)
        split = hashed_split(name.split("/")[0])
        try:
            files, notes = _files(root, folder)
            yield Found(name, tuple(files), split=split, facts={"notes": notes})
        except RefusedObject as error:
            yield refused_in_find(name, below(folder, "intrinsics.txt"), error, split)


def _named(root: Path, folder: str) -> str:
    """`<place>/<scan>`, whether `root` holds places, is one place, or is one scan: scans of one place stay together."""
    if folder.count("/"):
        return folder
    place = root.resolve() if folder else root.resolve().parent
    return f"{printable(place.name)}/{name_of(root, folder)}"


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Scan:
    """One scan; its frames are read when they are asked for.

    raises  RefusedObject `bad-camera`, `bad-pose`, `poses-disagree` where there are not as many poses as colour frames, `wrong-size`
            where colour and depth differ in size, or as `LooseFrames.frames` says
    """
    notes = list(found.facts.get("notes", ()))
    names = found.files
    images = [number for number in range(LISTS, len(names)) if names[number].endswith(".jpg")]
    depths = [number for number in range(LISTS, len(names)) if names[number].endswith(".png")]
    size = one_size_of(files, names, images[0], depths[0])
    camera = read_file(files, names, 0, lambda data: matrix_camera(data, size))
    poses = read_file(files, names, 1, lambda data: _poses(data, len(images)), LIST_BYTES)
    shots = _shots(names, images, depths, poses, camera)
    if lost := len(images) - len(shots):
        notes.append(f"{lost:,} of {len(images):,} colour frames have no depth within {MOST_APART} s: left out")
    check_count(len(shots))
    return Scan(LooseFrames(files, names, shots, TURNED_MILLIMETRES, notes).frames, None, up, notes)


def _files(root: Path, folder: str) -> tuple[list[str], list[str]]:
    """Intrinsics, the newest extrinsics, all colour pictures and all depth pictures of a scan; notes on other files."""
    images, other_images = entries(root / below(folder, "image"), IMAGE)
    depths, other_depths = entries(root / below(folder, "depth"), DEPTH)
    check_count(max(len(images), len(depths)) if images and depths else 0)
    extrinsics, _ = entries(root / below(folder, "extrinsics"), EXTRINSICS)
    if not extrinsics:
        raise RefusedObject("missing-file", f"{below(folder, 'extrinsics')}/*.txt is not there")
    newest = max(extrinsics, key=lambda match: (int(match[1]), match[0]))[0]
    lists = [below(folder, "intrinsics.txt"), below(folder, f"extrinsics/{newest}")]
    check_there(root, lists)
    others = other_images + other_depths
    notes = [f"{others:,} files in image and depth are no frame's: left alone"] if others else []
    pictures = [below(folder, f"image/{match[0]}") for match in images] + [below(folder, f"depth/{match[0]}") for match in depths]
    return lists + pictures, notes


def _seconds(names: Sequence[str], numbers: Sequence[int]) -> Float[ndarray, "n"]:
    return np.array([int(names[number].rsplit("-", 1)[1].split(".")[0]) / 1e6 for number in numbers])


def _poses(data: bytes, count: int) -> Float[ndarray, "n 3 4"]:
    values = numbers_of(data, 12 * MOST_FRAMES, "bad-pose")
    if len(values) != 12 * count:
        raise RefusedObject("poses-disagree", f"{len(values):,} numbers; expected 3x4 of each of {count:,} colour frames")
    return values.reshape(count, 3, 4)


def _shots(
    names: Sequence[str], images: Sequence[int], depths: Sequence[int], poses: Float[ndarray, "n 3 4"], camera: Pinhole
) -> list[Shot]:
    seen, measured = _seconds(names, images), _seconds(names, depths)
    order = np.argsort(measured, kind="stable")
    chosen = order[nearest(measured[order], seen)]
    shots = []
    for number, place in enumerate(chosen.tolist()):
        if abs(measured[place] - seen[number]) <= MOST_APART:
            with named(f"{names[1]}: frame {number:,}"):
                pose = checked_pose(np.vstack([poses[number], [0, 0, 0, 1]]))
            shots.append(Shot(number, images[number], depths[place], pose, camera, camera, float(measured[place])))
    return shots
