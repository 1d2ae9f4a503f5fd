"""`.sens` files written by a few lines of their own, good and bad ones."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 16, 12  # of depth; colour has twice as many pixels


def jpeg(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=95)
    return out.getvalue()


def intrinsics(width, height, focal):
    matrix = np.eye(4, dtype="<f4")
    matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2] = focal, focal, (width - 1) / 2, (height - 1) / 2
    return matrix


def header(frames, *, version=4, name=b"test", codecs=(2, 1), sizes=(2 * WIDTH, 2 * HEIGHT, WIDTH, HEIGHT), scale=1000.0, matrices=None):
    eye = np.eye(4, dtype="<f4")
    cameras = matrices or (intrinsics(2 * WIDTH, 2 * HEIGHT, 30), eye, intrinsics(WIDTH, HEIGHT, 15), eye)
    start = struct.pack("<IQ", version, len(name)) + name + b"".join(np.asarray(one, "<f4").tobytes() for one in cameras)
    return start + struct.pack("<2i4IfQ", *codecs, *sizes, scale, frames)


def frame(pose, colour, depth, *, microseconds=0, compress=zlib.compress):
    packed = depth if isinstance(depth, bytes) else compress(depth.astype("<u2").tobytes())
    picture = colour if isinstance(colour, bytes) else jpeg(colour)
    lengths = struct.pack("<4Q", microseconds, microseconds, len(picture), len(packed))
    return np.asarray(pose, "<f4").tobytes() + lengths + picture + packed


def plain_colour(number=0):
    return np.full((2 * HEIGHT, 2 * WIDTH, 3), (200, 100, 10 * number), np.uint8)


def plain_depth(millimetres=2000):
    return np.full((HEIGHT, WIDTH), millimetres, np.uint16)


def shifted(x):
    pose = np.eye(4)
    pose[0, 3] = x
    return pose


def sens(count=3, **head):
    """A whole file of `count` good frames."""
    body = [
        frame(shifted(0.1 * number), plain_colour(number), plain_depth(1000 + number), microseconds=33_333 * number)
        for number in range(count)
    ]
    return header(count, **head) + b"".join(body)
