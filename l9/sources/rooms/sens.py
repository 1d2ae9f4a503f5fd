"""ScanNet's recording of a scan: one `.sens` file, version 4, frame after frame.

Little endian: u32 version; u64 length and the sensor's name; 4x4 float32 of colour intrinsics, colour extrinsics, depth intrinsics, depth
extrinsics; i32 colour codec, i32 depth codec; u32 width and height of colour, of depth; f32 depth units per metre; u64 frames; for each
frame 16 float32 camera-to-world, u64 microseconds of colour and of depth, u64 bytes of colour and of depth, and those; u64 IMU records.
"""

import io
import struct
import zlib
from typing import BinaryIO

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image

from l9.geometry.camera import Pinhole
from l9.geometry.scan import Frame

VERSION = 4
SENSOR = b"l9 rooms"
JPEG, ZLIB = 2, 1  # codecs of colour and depth
DEPTH_SHIFT = 1000.0  # units of depth in a metre
QUALITY = 90  # of the JPEGs
LEVEL = 3  # of zlib: noise packs as badly at 6, which takes half as long again


def write_header(stream: BinaryIO, camera: Pinhole, frames: int) -> None:
    """Everything before the first frame of `frames`; colour and depth share a camera."""
    size = struct.pack("<2I", camera.width, camera.height)
    inner, outer = _matrix(_intrinsics(camera)), _matrix(np.eye(4))
    stream.write(struct.pack("<IQ", VERSION, len(SENSOR)) + SENSOR + inner + outer + inner + outer)
    stream.write(struct.pack("<2i", JPEG, ZLIB) + size + size + struct.pack("<fQ", DEPTH_SHIFT, frames))


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """One frame that has both pictures."""
    if frame.colour is None or frame.depth is None:
        raise ValueError(f"frame {frame.number} lacks colour or depth")
    colour, depth = io.BytesIO(), np.rint(frame.depth * DEPTH_SHIFT)
    Image.fromarray(frame.colour).save(colour, "JPEG", quality=QUALITY)
    units = np.where(depth < 1 << 16, depth, 0).astype("<u2")
    packed = zlib.compress(units.tobytes(), LEVEL)
    microseconds = round(frame.seconds * 1e6)
    stream.write(_matrix(frame.pose) + struct.pack("<4Q", microseconds, microseconds, colour.tell(), len(packed)))
    stream.write(colour.getvalue() + packed)


def write_end(stream: BinaryIO) -> None:
    """What stands behind the last frame: no IMU records."""
    stream.write(struct.pack("<Q", 0))


def _intrinsics(camera: Pinhole) -> Float[ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2] = camera.fx, camera.fy, camera.cx, camera.cy
    return matrix


def _matrix(matrix: Float[ndarray, "4 4"]) -> bytes:
    return matrix.astype("<f4").tobytes()
