"""A scan: RGB-D frames, read one after the other, and the surface that was made of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jaxtyping import Float, Float32, Int, UInt8
from numpy import ndarray

from l9.geometry.camera import Pinhole
from l9.geometry.mesh import Axis


@dataclass(frozen=True)
class Frame:
    """One RGB-D image: what a scanner's two cameras saw at one moment.

    number         its place in the recording, from 0: frames without a usable pose are left out, and the others keep their numbers
    colour         RGB; None where it was not asked for
    depth          metres along the optical axis, 0 where nothing was measured; None where it was not asked for, or nobody knows
                   any of this frame (the right picture of a stereo pair)
    colour_camera  of `colour`; the two pictures may differ in size
    depth_camera   of `depth`
    pose           camera-to-world of the depth camera, float64, OpenCV axes (x right, y down, z forward)
    colour_pose    the same of the colour camera; equal to `pose` where depth is registered to colour
    seconds        when depth was measured, by the recording's own clock; 0 where it has none
    """

    number: int
    colour: UInt8[ndarray, "h w 3"] | None
    depth: Float32[ndarray, "rows columns"] | None
    colour_camera: Pinhole
    depth_camera: Pinhole
    pose: Float[ndarray, "4 4"]
    colour_pose: Float[ndarray, "4 4"]
    seconds: float = 0.0


@dataclass(frozen=True)
class Surface:
    """A scene's mesh, with what each vertex is.

    vertices   metres, the scan's axes
    faces      vertex numbers
    colours    RGB of each vertex; None where the file has none
    labels     a class of each vertex, 0 where there is none; None where nobody labelled the scan
    instances  a number of the thing each vertex belongs to, from 1, 0 where it belongs to none; None as `labels`
    """

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    colours: UInt8[ndarray, "v 3"] | None = None
    labels: Int[ndarray, "v"] | None = None
    instances: Int[ndarray, "v"] | None = None


Frames = Callable[[bool, bool], Iterator[Frame]]
"""Reads a recording from its start: `frames(colour, depth)`, what is not asked for is not decoded."""


@dataclass(frozen=True)
class Scan:
    """A recording as a reader gives it. Frames are decoded when they are asked for, one at a time: memory does not grow with their number.

    frames   None where the scan is a surface alone
    surface  None where the scan is frames alone
    up       the axis that points away from the ground
    notes    what the reader had to leave out, one line each; grows while frames are read
    """

    frames: Frames | None = None
    surface: Surface | None = None
    up: Axis = "+Z"
    notes: list[str] = field(default_factory=list)
