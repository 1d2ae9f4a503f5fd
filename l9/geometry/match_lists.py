"""Matches of key points that a list names, with the pictures they are in: what a reader of such lists gives.

source  Chang et al., Matterport3D, 3DV 2017, section 4.1
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np
from jaxtyping import Float32, Int, Int32, UInt8
from numpy import ndarray

PictureOf = Callable[[int], UInt8[ndarray, "h w 3"]]
"""Reads the picture of a frame, by its number."""


@dataclass(frozen=True)
class ListedMatches:
    """m matches of three key points each: anchor, the same place in another picture, another place.

    frames   int32 (m, 3): number of the frame
    pixels   float32 (m, 3, 2): column and row, the centre of pixel (u, v) being (u, v)
    depths   float32 (m, 3): metres along the optical axis
    points   float32 (m, 3, 3): in the world, metres
    offsets  float32 (m, 3, 2): pixels by which the key point misses where its frame would show the anchor; NaN where nobody knows
    sizes    float32 (m, 3): diameter, pixels
    angles   float32 (m, 3): degrees, clockwise from the picture's x axis
    octaves  int32 (m, 3): octave, layer and offset, packed as OpenCV does
    """

    frames: Int32[ndarray, "m 3"]
    pixels: Float32[ndarray, "m 3 2"]
    depths: Float32[ndarray, "m 3"]
    points: Float32[ndarray, "m 3 3"]
    offsets: Float32[ndarray, "m 3 2"]
    sizes: Float32[ndarray, "m 3"]
    angles: Float32[ndarray, "m 3"]
    octaves: Int32[ndarray, "m 3"]

    def __len__(self) -> int:
        """Matches."""
        return len(self.frames)

    def subset(self, chosen: ndarray) -> "ListedMatches":
        """These, by number or by a mask, in that order."""
        return ListedMatches(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def scaled(self, chosen: ndarray, across: float, down: float) -> "ListedMatches":
        """The key points that a mask (m, 3) chooses as they stand in a picture made larger by these factors; the others as they are.

        A key point's octave is the size of the picture in which it was found: it moves along, though not beyond the doubled picture.
        """
        factors = np.array([across, down], np.float32)
        mean = float(np.sqrt(across * down))
        pixels = np.where(chosen[..., None], (self.pixels + np.float32(0.5)) * factors - np.float32(0.5), self.pixels)
        offsets = np.where(chosen[..., None], self.offsets * factors, self.offsets)
        sizes = np.where(chosen, self.sizes * np.float32(mean), self.sizes)
        octaves = np.where(chosen, moved_octaves(self.octaves, round(float(np.log2(mean)))), self.octaves)
        return replace(self, pixels=pixels, offsets=offsets, sizes=sizes, octaves=octaves)


@dataclass(frozen=True)
class MatchLists:
    """The listed matches of one scene.

    matches  in the order of the list
    picture  reads one picture; RefusedObject where it is none. Memory does not grow with their number.
    size     width and height of the pictures that `pixels`, `offsets` and `sizes` are of; None: of each picture itself
    notes    what the reader had to leave out, one line each
    """

    matches: ListedMatches
    picture: PictureOf
    size: tuple[int, int] | None = None
    notes: list[str] = field(default_factory=list)


def unpacked_octaves(
    packed: Int[ndarray, "*n"],
) -> tuple[Int[ndarray, "*n"], Int[ndarray, "*n"], Float32[ndarray, "*n"]]:
    """Octave (-1 is the doubled picture), layer, and the factor 1 / 2^octave that makes pixels of the picture pixels of that octave.

    source  OpenCV's sift, `unpackOctave`: octave = packed & 255, which is signed; layer = (packed >> 8) & 255
    """
    low = packed & 255
    octaves = np.where(low < 128, low, low - 256)
    return octaves, (packed >> 8) & 255, np.exp2(-octaves.astype(np.float32))


def moved_octaves(packed: Int32[ndarray, "*n"], by: int) -> Int32[ndarray, "*n"]:
    """Packed octaves of a picture made 2^by times larger: the octave grows by as much, to no less than -1; layer and offset stay."""
    octaves = np.clip(unpacked_octaves(packed)[0] + by, -1, 127)
    return ((packed & ~255) | (octaves & 255)).astype(np.int32)
