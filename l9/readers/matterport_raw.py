"""Matterport3D's pictures as the camera gave them, their lenses' distortion left in.

    <house>/matterport_color_images/<pano>_i<camera>_<yaw>.jpg
            matterport_depth_images/<pano>_d<camera>_<yaw>.png          aligned with colour, 16 bits, 4,000 a metre, 0 for none
            matterport_camera_intrinsics/<pano>_intrinsics_<camera>.txt  width height fx fy cx cy k1 k2 p1 p2 k3
            matterport_camera_poses/<pano>_pose_<camera>_<yaw>.txt      4x4, camera-to-world, x right, y down, z forward

Unlike the `.conf` of the undistorted pictures these follow OpenCV's conventions: pixels are counted from the upper left.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.readers.loose_frames import Shot, read_file
from l9.readers.pictures import MAX_PIXELS
from l9.readers.poses import checked_camera, numbers_of
from l9.readers.scan_folders import below, check_count, entries

COLOUR = re.compile(r"([0-9A-Za-z]{1,64})_i(\d)_(\d)\.jpg")
FOLDERS = ("matterport_color_images", "matterport_depth_images", "matterport_camera_poses", "matterport_camera_intrinsics")
NUMBERS = 11  # of a file of intrinsics


def raw_files(root: Path, folder: str) -> tuple[list[str], list[str]]:
    """Four files of each picture that has them all: colour, depth, pose, and its camera's intrinsics, which six share.

    returns  their names without repeats, and notes on pictures that lack one
    raises   RefusedObject `missing-file` where no picture has intrinsics, `no-frames` or `too-many-frames`
    """
    matches, others = entries(root / below(folder, FOLDERS[0]), COLOUR)
    check_count(len(matches))
    listed = [[below(folder, name) for name in _names(match)] for match in matches]
    whole = [names for names in listed if all((root / name).is_file() for name in names)]
    if not whole and not any((root / names[3]).is_file() for names in listed):
        raise RefusedObject("missing-file", f"{listed[0][3]} is not there")
    check_count(len(whole))
    lost = len(listed) - len(whole)
    notes = [f"{lost:,} of {len(listed):,} pictures have no depth, pose or intrinsics: left out"] if lost else []
    notes += [f"{others:,} files of {FOLDERS[0]} are no pictures: left alone"] if others else []
    return list(dict.fromkeys(name for names in whole for name in names)), notes


def raw_shots(files: Sequence[BinaryIO], names: Sequence[str], notes: list[str]) -> list[Shot]:
    """The frames of the files of `raw_files`; adds a note where distortion is left in. RefusedObject `bad-camera` naming the file."""
    places = {name: number for number, name in enumerate(names)}
    cameras: dict[int, tuple[Pinhole, bool]] = {}
    shots: list[Shot] = []
    for colour, name in enumerate(names):
        match = COLOUR.fullmatch(name.rpartition("/")[2])
        if match is None:
            continue
        folder = name.removesuffix(f"{FOLDERS[0]}/{match[0]}")
        _, depth, pose, intrinsics = (places[folder + one] for one in _names(match))
        if intrinsics not in cameras:
            cameras[intrinsics] = read_file(files, names, intrinsics, read_intrinsics)
        camera, _ = cameras[intrinsics]
        shots.append(Shot(len(shots), colour, depth, pose, camera, camera))
    if distorted := sum(bent for _, bent in cameras.values()):
        notes.append(f"the distortion of {distorted:,} of {len(cameras):,} cameras is left in the pictures")
    return shots


def read_intrinsics(data: bytes) -> tuple[Pinhole, bool]:
    """A camera without its distortion, and whether it has any; RefusedObject `bad-camera`."""
    values = numbers_of(data, NUMBERS, "bad-camera")
    if len(values) != NUMBERS or not np.isfinite(values).all():
        raise RefusedObject("bad-camera", f"{len(values):,} numbers; expected width height fx fy cx cy k1 k2 p1 p2 k3")
    width, height, fx, fy, cx, cy = values[:6].tolist()
    if not (min(width, height) >= 1 and max(width, height) < 1 << 20 and width * height <= MAX_PIXELS):
        raise RefusedObject("bad-camera", f"pictures of {width:g}x{height:g} pixels; expected 1 to {MAX_PIXELS:,}")
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return checked_camera(int(width), int(height), matrix), bool(values[6:].any())


def _names(match: re.Match[str]) -> tuple[str, str, str, str]:
    pano, camera, yaw = match[1], match[2], match[3]
    beside = (f"{pano}_i{camera}_{yaw}.jpg", f"{pano}_d{camera}_{yaw}.png", f"{pano}_pose_{camera}_{yaw}.txt")
    colour, depth, pose, intrinsics = map("/".join, zip(FOLDERS, (*beside, f"{pano}_intrinsics_{camera}.txt"), strict=True))
    return colour, depth, pose, intrinsics
