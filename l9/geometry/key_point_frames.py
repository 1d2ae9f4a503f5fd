"""Descriptors and patches at key points of a picture: hand-crafted ones by OpenCV, each in the frame (place, size, angle) it is told.

SURF is not among them: it is not free, and OpenCV's packages leave it out.
sources  Lowe, IJCV 2004, section 6 (SIFT); Rublee et al., ORB, ICCV 2011
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, UInt8
from numpy import ndarray

SIFT_BYTES, ORB_BYTES = 128, 32
DOUBLED = 255 | 1 << 8  # octave -1, layer 1, as OpenCV packs it: of the picture at twice its size
SIFT_WINDOW = 6.0  # a SIFT descriptor looks at a square so many key point sizes wide: 4 cells of 3 deviations of half a size
ORB_WINDOW, ORB_SCALE, ORB_LEVELS = 31, 1.2, 8  # pixels of ORB's patch, and the picture's sizes it is cut from


def cut_patches(colour: UInt8[ndarray, "h w 3"], pixels: Float32[ndarray, "n 2"], side: int) -> UInt8[ndarray, "n side side 3"]:
    """Upright squares of `side` pixels with the key points in their very middle, between pixels (bilinear); beyond the edge its pixels."""
    import cv2

    patches = np.empty((len(pixels), side, side, 3), np.uint8)
    for number, (column, row) in enumerate(pixels.tolist()):
        patches[number] = cv2.getRectSubPix(colour, (side, side), (column, row))
    return patches


def moved_frames(frames: Float32[ndarray, "n 4"], jitters: Float32[ndarray, "n 4"]) -> Float32[ndarray, "n 4"]:
    """Frames of key points (column, row, size: pixels, angle: degrees), each moved a little.

    jitters  pixels right and down, the logarithm of a factor of size, degrees
    """
    moved = frames + np.stack([jitters[:, 0], jitters[:, 1], np.zeros(len(frames), np.float32), jitters[:, 3]], axis=1)
    moved[:, 2] = frames[:, 2] * np.exp(jitters[:, 2])
    moved[:, 3] %= 360
    return moved.astype(np.float32)


def sift_descriptors(
    colour: UInt8[ndarray, "h w 3"], frames: Float32[ndarray, "n 4"], octaves: Int[ndarray, "n"]
) -> UInt8[ndarray, "n 128"]:
    """SIFT at key points (column, row, size, angle); its numbers are whole and below 256. `octaves` as the detector packed them."""
    import cv2

    # OpenCV doubles the picture only where a key point of that octave is asked for, and then blurs all others from it: one always is
    doubled = np.array([[colour.shape[1] / 2, colour.shape[0] / 2, 2, 0]], np.float32)
    asked = np.concatenate([frames, doubled]), np.concatenate([octaves, [DOUBLED]])
    return _described(cv2.SIFT.create(enable_precise_upscale=True), colour, *asked, SIFT_BYTES)[:-1]


def orb_descriptors(colour: UInt8[ndarray, "h w 3"], frames: Float32[ndarray, "n 4"]) -> UInt8[ndarray, "n 32"]:
    """ORB's 256 bits at key points (column, row, size, angle), from the picture's size at which its patch is as wide as SIFT's window.

    All zeros where ORB declines, less than 31 pixels from the picture's edge.
    """
    import cv2

    levels = [round(math.log(max(size, 1e-3) * SIFT_WINDOW / ORB_WINDOW, ORB_SCALE)) for size in frames[:, 2].tolist()]
    octaves = np.clip(np.array(levels, np.int64), 0, ORB_LEVELS - 1)
    return _described(cv2.ORB.create(scaleFactor=ORB_SCALE, nlevels=ORB_LEVELS), colour, frames, octaves, ORB_BYTES)


def _described(maker: Any, colour: ndarray, frames: ndarray, octaves: ndarray, length: int) -> ndarray:
    """What OpenCV says at these key points, in their order, though it may leave some out or turn them round."""
    import cv2

    described = np.zeros((len(frames), length), np.uint8)
    rows = zip(frames.tolist(), octaves.tolist(), strict=True)
    points = [cv2.KeyPoint(x, y, size, angle, 1.0, octave, number) for number, ((x, y, size, angle), octave) in enumerate(rows)]
    if not points:
        return described
    kept, values = maker.compute(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), points)
    if values is not None:
        described[[point.class_id for point in kept]] = np.clip(np.rint(values), 0, 255)
    return described
