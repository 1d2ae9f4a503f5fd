"""RGB-D recordings whose frames are loose files: a picture of colour, one of depth, and a pose, each opened when its turn comes.

What the readers of SUN3D, 7-Scenes, 3DMatch, TUM RGB-D and Matterport3D share. A reader says which files make which frame (`Shot`), and how
depth is stored (`DepthCode`); `LooseFrames` gives the frames one at a time, so that memory does not grow with their number.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import numpy as np
from jaxtyping import Float, Float32, UInt16
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.scan import Frame
from l9.readers.lists import named
from l9.readers.pictures import colour_picture, depth_picture, picture_size
from l9.readers.poses import matrix_pose

PICTURE_BYTES = 1 << 28  # of one picture; MAX_PIXELS of 16 bits have half of it
NUMBERS_BYTES = 1 << 16  # of a file that holds one matrix; those have 300 bytes
T = TypeVar("T")
KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


@dataclass(frozen=True)
class DepthCode:
    """How depth is stored in 16 bits.

    scale    values a metre
    invalid  values besides 0 that stand for "nothing was measured"
    turned   the bits are rotated left by 3, as SUN3D stores them
    """

    scale: float
    invalid: tuple[int, ...] = ()
    turned: bool = False

    def metres(self, values: UInt16[ndarray, "h w"]) -> Float32[ndarray, "h w"]:
        """Metres, 0 where nothing was measured."""
        if self.turned:
            values = (values >> 3) | (values << 13)
        measured = ~np.isin(values, self.invalid)
        depth: ndarray = np.where(measured, values / np.float32(self.scale), np.float32(0))
        return depth


@dataclass(frozen=True)
class Shot:
    """One frame to be: its files by their numbers among those of the object, and what is known of it before they are opened.

    pose  camera-to-world in OpenCV axes; or the number of a file that holds it as 4x4 numbers; or None where it has none
    """

    number: int
    colour: int
    depth: int
    pose: Float[ndarray, "4 4"] | int | None
    colour_camera: Pinhole
    depth_camera: Pinhole
    seconds: float = 0.0


@dataclass(frozen=True)
class LooseFrames:
    """The frames of one object. Each picture must have the size of its camera.

    names  of `files`, for what is said of them
    notes  what was left out; lines are added when all frames have been read
    """

    files: Sequence[BinaryIO]
    names: Sequence[str]
    shots: Sequence[Shot]
    code: DepthCode
    notes: list[str]

    def frames(self, colour: bool = True, depth: bool = True) -> Iterator[Frame]:
        """Every frame with a pose; pictures that are not asked for are not opened.

        raises  RefusedObject `broken-picture`, `wrong-size`, `too-large`, `bad-pose`, `no-poses` where no frame has one, or `no-depth`
                where depth was asked for and none measured anything
        """
        kept = blind = 0
        for shot in self.shots:
            frame = self._frame(shot, colour, depth)
            if frame is not None:
                kept += 1
                blind += frame.depth is not None and not frame.depth.any()
                yield frame
        total = len(self.shots)
        if not kept:
            raise RefusedObject("no-poses", f"none of {total:,} frames has a pose")
        if blind == kept:
            raise RefusedObject("no-depth", f"none of {kept:,} frames measured any depth")
        self._note(total - kept, f"{total - kept:,} of {total:,} frames have no pose: left out")
        self._note(blind, f"{blind:,} of {kept:,} frames measured no depth")

    def _note(self, count: int, line: str) -> None:
        if count and line not in self.notes:
            self.notes.append(line)

    def _frame(self, shot: Shot, colour: bool, depth: bool) -> Frame | None:
        pose = self._read(shot.pose, matrix_pose, NUMBERS_BYTES) if isinstance(shot.pose, int) else shot.pose
        if pose is None:
            return None
        here, there = shot.colour_camera, shot.depth_camera
        seen = self._read(shot.colour, lambda data: colour_picture(data, self._kind(shot), (here.width, here.height))) if colour else None
        stored = self._read(shot.depth, lambda data: depth_picture(data, (there.width, there.height))) if depth else None
        metres = None if stored is None else self.code.metres(stored)
        return Frame(shot.number, seen, metres, here, there, pose, pose, shot.seconds)

    def _kind(self, shot: Shot) -> str:
        return kind_of(self.names[shot.colour])

    def _read(self, number: int, decoded: Callable[[bytes], T], most: int = PICTURE_BYTES) -> T:
        return read_file(self.files, self.names, number, decoded, most)


def kind_of(name: str) -> str:
    """Pillow's format of a picture by the ending of its name."""
    return KINDS.get(os.path.splitext(name)[1].lower(), "PNG")  # noqa: PTH122 - a name, no path


def read_file(files: Sequence[BinaryIO], names: Sequence[str], number: int, decoded: Callable[[bytes], T], most: int = NUMBERS_BYTES) -> T:
    """What `decoded` makes of a whole file; refusals name the file, `too-large` is of one beyond `most` bytes."""
    with named(names[number]):
        with borrowed(files, number) as stream:
            if stream.seek(0, os.SEEK_END) > most:
                raise RefusedObject("too-large", f"more than {most:,} bytes")
            stream.seek(0)
            data = stream.read()  # with a count it would set so much memory aside
        return decoded(data)


@contextlib.contextmanager
def borrowed(files: Sequence[BinaryIO], number: int) -> Iterator[BinaryIO]:
    """One file of an object: closed again where it was opened for this, left open where all were opened beforehand."""
    stream = files[number]
    if isinstance(files, list | tuple):
        yield stream
    else:
        with stream:
            yield stream


def sizes_of(files: Sequence[BinaryIO], names: Sequence[str], colour: int, depth: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height of the pictures of a recording's first frame, of colour and of depth; all others must have the same."""
    first = read_file(files, names, colour, lambda data: picture_size(data, kind_of(names[colour])), PICTURE_BYTES)
    return first, read_file(files, names, depth, lambda data: picture_size(data, "PNG"), PICTURE_BYTES)


def one_size_of(files: Sequence[BinaryIO], names: Sequence[str], colour: int, depth: int) -> tuple[int, int]:
    """`sizes_of` where colour and depth share a camera; RefusedObject `wrong-size` where they differ."""
    (width, height), other = sizes_of(files, names, colour, depth)
    if (width, height) != other:
        raise RefusedObject("wrong-size", f"colour of {width}x{height} pixels and depth of {other[0]}x{other[1]}; expected the same")
    return width, height


def fitted(camera: Pinhole, size: tuple[int, int]) -> Pinhole:
    """A published camera for pictures of this size, which must be its own or that one resized; RefusedObject `wrong-size`."""
    if size[0] * camera.height != size[1] * camera.width:
        raise RefusedObject("wrong-size", f"pictures of {size[0]}x{size[1]} pixels; expected the shape of {camera.width}x{camera.height}")
    return camera if size == (camera.width, camera.height) else camera.resized(*size)
