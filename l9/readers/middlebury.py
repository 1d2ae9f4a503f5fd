"""Stereo pairs with true disparity: Middlebury's scenes of 2014 and later, and single pairs that a card describes.

    <root>/<scene>/im0.png, im1.png      what the left and the right camera saw, rectified: rows correspond
                   disp0.pfm             of the left picture (disp0GT.pfm where a benchmark calls it so)
                   disp1.pfm             of the right one; may be missing
                   calib.txt             cam0=[f 0 cx; 0 f cy; 0 0 1], cam1, doffs (pixels), baseline (mm)

A pair is a scan of two frames. The world is the left camera: x right, y down, z forward; the right camera stands at `baseline` along +x.
source  Scharstein et al., High-resolution stereo datasets with subpixel-accurate ground truth, GCPR 2014
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import Pinhole, depth_of_disparity
from l9.geometry.mesh import Axis
from l9.geometry.scan import Frame, Scan
from l9.readers.contract import REFUSE, Found
from l9.readers.disparity import PNG, read_disparity
from l9.readers.files import files_below
from l9.readers.lists import check_root
from l9.readers.pictures import colour_picture
from l9.typed import from_plain

VERSION = 2
CALIBRATION = "calib.txt"
SCENE = {"left": ("im0.png",), "right": ("im1.png",), "disparity": ("disp0.pfm", "disp0GT.pfm"), "right_disparity": ("disp1.pfm",)}
OPTIONAL = "right_disparity"
FILE_BYTES = 1 << 28  # of a picture or a disparity; the largest, 6 megapixels of float32, has 24 MB
CALIBRATION_BYTES = 1 << 16
LARGEST = 1e6  # pixels, and metres: beyond it no camera stands
JPEG = b"\xff\xd8\xff"
NUMBER = r"[+-]?[\d.]+(?:[eE][+-]?\d+)?"


@dataclass(frozen=True)
class Calibration:
    """What turns a disparity d into a depth: z = focal * baseline / (d + doffs).

    focal     pixels
    cx, cy    where the left camera's axis meets its picture, pixels from the centre of the upper left pixel
    doffs     how much further to the right the right camera's axis meets its own, pixels
    baseline  metres from camera to camera
    """

    focal: float
    cx: float
    cy: float
    doffs: float
    baseline: float

    def wrong(self) -> str:
        """What no pair of cameras could have; "" where it is sound."""
        for name, least in {"focal": 0.0, "cx": -LARGEST, "cy": -LARGEST, "doffs": -LARGEST, "baseline": 0.0}.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and least < value < LARGEST):
                return f"{name} is {value:g}; expected a number above {least:g} and below {LARGEST:g}"
        return ""


@dataclass(frozen=True)
class Pair:
    """One pair of a card's `parameters`: files below the root, and the cameras."""

    left: str
    right: str
    disparity: str
    calibration: Calibration
    right_disparity: str = ""


def find(root: Path, pair: dict[str, Any] | None = None) -> Iterator[Found]:
    """Every pair below `root`, by the path of its left picture.

    pair    the one pair there is, as the fields of `Pair`; None: every folder with a calib.txt
    raises  UsageError where `pair` is none, or there is no pair
    """
    if pair is not None:
        single = _pair(pair)
        names = {role: getattr(single, role) for role in SCENE if getattr(single, role)}
        check_root(root, lambda folder: any((folder / name).is_file() for name in names.values()), names["left"])
        yield _found(root, names, [])
        return
    folders = [path.parent for path in files_below(root, (CALIBRATION,)) if path.name == CALIBRATION]
    if not folders:
        raise UsageError(
            f"{root}: no folder with {CALIBRATION} there; give the folder of the scenes with --root DIR.  See docs/add-a-dataset.md"
        )
    for folder in folders:
        named = {role: [str(folder / name) for name in names] for role, names in SCENE.items()}
        there = {role: next((name for name in names if (root / name).is_file()), "") for role, names in named.items()}
        files = {role: name or named[role][0] for role, name in there.items() if name or role != OPTIONAL}
        yield _found(root, files, [str(folder / CALIBRATION)])


def _pair(plain: dict[str, Any]) -> Pair:
    pair: Pair = from_plain(Pair, plain, "parameters.pair", UsageError)
    if wrong := pair.calibration.wrong():
        raise UsageError(f"parameters.pair.calibration.{wrong}")
    return pair


def _found(root: Path, names: dict[str, str], calibration: list[str]) -> Found:
    files = (*names.values(), *calibration)
    missing = [name for name in files if not (root / name).is_file()]
    facts: dict[str, Any] = {"roles": list(names)}
    if missing:
        facts[REFUSE] = ["missing-file", f"{missing[0]} is not there"]
    return Found(names["left"], files, facts=facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, pair: dict[str, Any] | None = None) -> Scan:
    """One pair: frame 0 is the left camera's, frame 1 the right one's, without depth where the pair has no disparity of it.

    raises  RefusedObject `bad-calibration`; frames raise it as `colour_picture` and `read_disparity` say, and `too-large`
    """
    calibration = read_calibration(files[len(found.facts["roles"])]) if pair is None else _pair(pair).calibration
    return Scan(partial(_frames, dict(zip(found.facts["roles"], files, strict=False)), calibration), None, up)


def read_calibration(stream: BinaryIO) -> Calibration:
    """The calibration of a `calib.txt`. raises  RefusedObject `bad-calibration`"""
    text = _bytes(stream, CALIBRATION_BYTES, CALIBRATION).decode("utf-8", "replace")
    fields = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in text.splitlines())}
    numbers = {name: _numbers(fields, name, count) for name, count in {"cam0": 9, "cam1": 9, "doffs": 1, "baseline": 1}.items()}
    left, right, doffs = numbers["cam0"], numbers["cam1"], numbers["doffs"][0]
    if left[0] != left[4] or left[0] != right[0] or left[5] != right[5] or not abs(right[2] - left[2] - doffs) < 0.01:
        raise RefusedObject("bad-calibration", f"{CALIBRATION}: cam0 and cam1 are no rectified pair that is doffs apart")
    calibration = Calibration(left[0], left[2], left[5], doffs, numbers["baseline"][0] / 1000)
    if wrong := calibration.wrong():
        raise RefusedObject("bad-calibration", f"{CALIBRATION}: {wrong}")
    return calibration


def _numbers(fields: dict[str, str], name: str, count: int) -> list[float]:
    values = re.findall(NUMBER, fields.get(name, ""))
    try:
        if len(values) != count:
            raise ValueError
        return [float(value) for value in values]
    except ValueError:
        told = f"{fields[name][:60]!r}" if name in fields else "missing"
        raise RefusedObject("bad-calibration", f"{CALIBRATION}: {name} is {told}; expected {count} numbers") from None


def _frames(files: dict[str, BinaryIO], calibration: Calibration, colour: bool = True, depth: bool = True) -> Iterator[Frame]:
    for number, (picture, disparity) in enumerate((("left", "disparity"), ("right", OPTIONAL))):
        pixels = _picture(files[picture], picture)
        size = (pixels.shape[1], pixels.shape[0])
        camera = Pinhole(*size, calibration.focal, calibration.focal, calibration.cx + number * calibration.doffs, calibration.cy)
        pose = np.eye(4)
        pose[0, 3] = number * calibration.baseline
        metres = _depth(files.get(disparity), size, calibration) if depth else None
        yield Frame(number, pixels if colour else None, metres, camera, camera, pose, pose)


def _picture(stream: BinaryIO, role: str) -> UInt8[ndarray, "h w 3"]:
    data = _bytes(stream, FILE_BYTES, f"the {role} picture")
    kind = "PNG" if data.startswith(PNG) else "JPEG" if data.startswith(JPEG) else ""
    if not kind:
        raise RefusedObject("broken-picture", f"the {role} picture begins with {data[:4]!r}; expected PNG or JPEG")
    return colour_picture(data, kind)


def _depth(stream: BinaryIO | None, size: tuple[int, int], calibration: Calibration) -> Float32[ndarray, "h w"] | None:
    if stream is None:
        return None
    disparity = read_disparity(_bytes(stream, FILE_BYTES, "the disparity"), size)
    return depth_of_disparity(disparity, calibration.focal, calibration.baseline, calibration.doffs)


def _bytes(stream: BinaryIO, limit: int, what: str) -> bytes:
    stream.seek(0)  # frames may be asked for again
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise RefusedObject("too-large", f"{what} has more than {limit:,} bytes")
    return data
