"""ScanNet's `.sens`, version 4: one file with all frames of a scan, read one after the other.

    u32 version, u64 length and name of the sensor; 4 matrices of 16 float32: intrinsics and extrinsics of colour, then of depth
    i32 codec of colour, of depth; u32 width and height of colour, of depth; f32 depth units a metre; u64 frames
    a frame: 16 float32 camera-to-world, u64 microseconds of colour, of depth, u64 bytes of colour, of depth, then those bytes
    (frames of an inertial sensor follow; nothing here needs them)

All little-endian. The pose is that of the depth camera; a point of it reaches the colour camera by extrinsics: colour = E_c inv(E_d) depth.
source  Dai et al., ScanNet, CVPR 2017; sensorData.h of its repository
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.scan import Frame
from l9.readers.pictures import MAX_PIXELS, colour_picture
from l9.readers.poses import is_pose

VERSION = 4
NAME_BYTES = 4096  # of a sensor's name; ScanNet's are short
FRAME = struct.Struct("<16f4Q")
REST = struct.Struct("<2i4IfQ")
COLOUR_CODECS = {1: "PNG", 2: "JPEG"}  # 0, raw, occurs in no published scan
RAW, ZLIB = 0, 1
DEPTH_CODECS = (RAW, ZLIB)  # of uint16; 2 is a codec of the scanning app alone
FINEST = 1e6  # depth units a metre; ScanNet has 1,000


@dataclass(frozen=True)
class Header:
    """What a `.sens` says of itself, checked.

    start       byte of the first frame
    colour_pose colour camera to depth camera
    scale       depth values a metre
    frames      how many it says it holds
    """

    start: int
    colour_camera: Pinhole
    depth_camera: Pinhole
    colour_pose: Float[ndarray, "4 4"]
    colour_codec: str
    depth_codec: int
    scale: float
    frames: int


@dataclass(frozen=True)
class Recording:
    """A `.sens` whose header was read. Frames are decoded as they are asked for, from the start each time.

    notes  what was left out; a line is added when all frames have been read
    """

    stream: BinaryIO
    header: Header
    notes: list[str]

    def frames(self, colour: bool = True, depth: bool = True) -> Iterator[Frame]:
        """Every frame with a pose; what is not asked for is skipped, not decoded.

        raises  RefusedObject `truncated`, `broken-picture`, `broken-depth`, `wrong-size`, or `no-poses` where no frame has one
        """
        end = self.stream.seek(0, os.SEEK_END)
        place, kept = self.header.start, 0
        for number in range(self.header.frames):
            self.stream.seek(place)  # whoever else reads this recording meanwhile has left the stream elsewhere
            frame = _frame(self.stream, self.header, number, end, (colour, depth))
            place = self.stream.tell()
            if frame is not None:
                kept += 1
                yield frame
        lost = self.header.frames - kept
        if not kept:
            raise RefusedObject("no-poses", f"none of {self.header.frames:,} frames has a pose")
        line = f"{lost:,} of {self.header.frames:,} frames have no pose: left out"
        if lost and line not in self.notes:
            self.notes.append(line)


def read_sens(stream: BinaryIO, notes: list[str]) -> Recording:
    """A recording in an open file. raises  RefusedObject `not-sens`, `bad-header`, `unknown-codec`, `no-frames` or `truncated`"""
    return Recording(stream, _header(stream), notes)


def _header(stream: BinaryIO) -> Header:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    version, length = struct.unpack("<IQ", _bytes(stream, 12, "its header"))
    if version != VERSION:
        raise RefusedObject("not-sens", f"begins with version {version}; expected {VERSION}")
    if length > NAME_BYTES:
        raise RefusedObject("bad-header", f"a sensor's name of {length:,} bytes; expected at most {NAME_BYTES:,}")
    _bytes(stream, length, "its sensor's name")
    with np.errstate(invalid="ignore"):  # numbers that are none are refused with their camera
        matrices = np.frombuffer(_bytes(stream, 256, "its cameras"), "<f4").reshape(4, 4, 4).astype(np.float64)
    codecs_and_sizes = REST.unpack(_bytes(stream, REST.size, "its header"))
    colour_codec, depth_codec, *sizes, scale, frames = codecs_and_sizes
    if colour_codec not in COLOUR_CODECS or depth_codec not in DEPTH_CODECS:
        raise RefusedObject(
            "unknown-codec", f"codecs {colour_codec} and {depth_codec}; expected JPEG (2) or PNG (1), and zlib (1) or raw (0)"
        )
    if not 1 <= scale <= FINEST:  # not a number is in no range
        raise RefusedObject("bad-header", f"{scale} depth units a metre; expected 1 to {FINEST:g}")
    start = stream.tell()
    if frames == 0:
        raise RefusedObject("no-frames", "0 frames")
    if frames > (size - start) // FRAME.size:
        raise RefusedObject("truncated", f"says {frames:,} frames; {size - start:,} bytes are too few for them")
    colour_camera, depth_camera = _camera(matrices[0], sizes[0], sizes[1]), _camera(matrices[2], sizes[2], sizes[3])
    colour_pose = _colour_pose(matrices[1], matrices[3])
    return Header(start, colour_camera, depth_camera, colour_pose, COLOUR_CODECS[colour_codec], depth_codec, float(scale), frames)


def _camera(matrix: Float[ndarray, "4 4"], width: int, height: int) -> Pinhole:
    fx, fy, cx, cy = map(float, (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    if not 0 < width * height <= MAX_PIXELS:
        raise RefusedObject("bad-header", f"pictures of {width:,}x{height:,} pixels; expected 1 to {MAX_PIXELS:,}")
    if not (np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0):
        raise RefusedObject("bad-header", f"focal lengths {fx} and {fy}; expected more than 0")
    return Pinhole(width, height, fx, fy, cx, cy)


def _colour_pose(colour: Float[ndarray, "4 4"], depth: Float[ndarray, "4 4"]) -> Float[ndarray, "4 4"]:
    for matrix in (colour, depth):
        if not is_pose(matrix):
            raise RefusedObject("bad-header", "extrinsics that are no rotation and shift")
    pose: ndarray = depth @ np.linalg.inv(colour)
    return pose


def _frame(stream: BinaryIO, header: Header, number: int, end: int, wanted: tuple[bool, bool]) -> Frame | None:
    where = f"frame {number:,} of {header.frames:,}"
    *values, _, microseconds, colour_bytes, depth_bytes = FRAME.unpack(_bytes(stream, FRAME.size, where))
    start = stream.tell()
    if colour_bytes + depth_bytes > end - start:
        raise RefusedObject("truncated", f"{where} has {colour_bytes + depth_bytes:,} bytes; {end - start:,} are left")
    pose = np.array(values, np.float64).reshape(4, 4)
    if not np.isfinite(pose).all():
        stream.seek(start + colour_bytes + depth_bytes)
        return None
    if not is_pose(pose):
        raise RefusedObject("bad-pose", f"{where}: its pose is no rotation and shift")
    try:
        colour = _colour(stream, header, colour_bytes) if wanted[0] else None
        stream.seek(start + colour_bytes)
        depth = _depth(stream, header, depth_bytes) if wanted[1] else None
    except RefusedObject as error:
        raise RefusedObject(error.reason, f"{where}: {error.detail}") from error
    stream.seek(start + colour_bytes + depth_bytes)
    return Frame(number, colour, depth, header.colour_camera, header.depth_camera, pose, pose @ header.colour_pose, microseconds / 1e6)


def _colour(stream: BinaryIO, header: Header, length: int) -> UInt8[ndarray, "h w 3"]:
    camera = header.colour_camera
    return colour_picture(_bytes(stream, length, "its colour"), header.colour_codec, (camera.width, camera.height))


def _depth(stream: BinaryIO, header: Header, length: int) -> Float32[ndarray, "h w"]:
    camera = header.depth_camera
    expected = 2 * camera.width * camera.height
    data = _bytes(stream, length, "its depth")
    if header.depth_codec == ZLIB:
        data = _inflated(data, expected)
    if len(data) != expected:
        raise RefusedObject("broken-depth", f"{len(data):,} bytes of depth; expected {expected:,}")
    values = np.frombuffer(data, "<u2").reshape(camera.height, camera.width)
    metres: ndarray = values / np.float32(header.scale)
    return metres


def _inflated(data: bytes, expected: int) -> bytes:
    """At most one byte more than expected: a bomb is known by it."""
    try:
        return zlib.decompressobj().decompress(data, expected + 1)
    except zlib.error as error:
        raise RefusedObject("broken-depth", str(error)) from error


def _bytes(stream: BinaryIO, count: int, what: str) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise RefusedObject("truncated", f"ends within {what}")
    return data
