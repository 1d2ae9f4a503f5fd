"""What the stages that yield matches of key points share: their columns, and the cells that are cut out of pictures, one at a time."""

import numpy as np
from jaxtyping import Float32, Int, UInt8
from numpy import ndarray

from l9.errors import UsageError
from l9.geometry.key_point_frames import ORB_BYTES, SIFT_BYTES, cut_patches, moved_frames, orb_descriptors, sift_descriptors
from l9.stages.limits import check_row_bytes
from l9.store.columns import MAX_ROW_BYTES, Column

ROLES = 3  # anchor, the same place in another frame, another place
FRAMES = 4  # in which a descriptor is computed: as detected, that jittered, upright, that jittered
SHOWN = (240, 320)  # pixels of the pictures that are kept to draw matches in: rows, columns
MOST_MATCHES = 4000  # of a scan
MOST_BYTES = 512 << 20  # of their patches and descriptors: they are in memory at once


def match_columns(side: int) -> tuple[Column, ...]:
    """One row a pair of frames; `side` is that of a patch in pixels."""

    def ragged(name: str, dtype: str, shape: tuple[int, ...], unit: str, axes: str) -> Column:
        return Column(name, dtype, (ROLES, *shape), kind="ragged", unit=unit, axes=f"match role {axes}".strip())

    return (
        Column("pair", "int32", (2,), unit="number of a frame", axes="view"),
        Column("picture_sizes", "int32", (2, 2), unit="pixel", axes="view width/height"),
        ragged("match_frames", "int32", (), "number of a frame", ""),
        ragged("match_key_points", "int32", (), "number in its frame", ""),
        ragged("match_pixels", "float32", (2,), "pixel", "uv"),
        ragged("match_depths", "float32", (), "metre", ""),
        ragged("match_points", "float32", (3,), "metre", "xyz"),
        ragged("match_offsets", "float32", (2,), "pixel", "uv"),
        ragged("match_sizes", "float32", (), "pixel", ""),
        ragged("match_angles", "float32", (), "degree", ""),
        ragged("match_octaves", "int32", (), "packed octave", ""),
        ragged("jitters", "float32", (4,), "pixel pixel log degree", "right down zoom turn"),
        ragged("patches", "uint8", (side, side, 3), "0..255", "row column rgb"),
        ragged("sift", "uint8", (FRAMES, SIFT_BYTES), "", "frame value"),
        ragged("orb", "uint8", (FRAMES, ORB_BYTES), "8 bits", "frame byte"),
        Column("shown", "uint8", (2, *SHOWN, 3), kind="ragged", unit="0..255", axes="- view row column rgb"),
    )


def check_match_bytes(stage: str, matches: int, of_pair: int, side: int) -> None:
    """UsageError naming the stage where so many matches of a scan, or of one pair, would take more than memory or a row may.

    side  pixels of a patch
    """
    one = ROLES * (3 * side**2 + 1280)  # patches, and more than all other cells take
    check_row_bytes(stage, min(matches, of_pair) * one + 6 * SHOWN[0] * SHOWN[1], MAX_ROW_BYTES)
    if matches * one > MOST_BYTES:
        raise UsageError(
            f"stage {stage}: {matches:,} matches with patches of {side} pixels would take {matches * one >> 20:,} MiB; "
            f"expected at most {MOST_BYTES >> 20} MiB, so ask for less"
        )


class SeenCells:
    """Patches and descriptors of the key points of `count` matches, filled picture by picture."""

    def __init__(self, count: int, side: int) -> None:
        self._side = side
        self.patches = np.zeros((count, ROLES, side, side, 3), np.uint8)
        self.sift = np.zeros((count, ROLES, FRAMES, SIFT_BYTES), np.uint8)
        self.orb = np.zeros((count, ROLES, FRAMES, ORB_BYTES), np.uint8)

    def look(
        self,
        colour: UInt8[ndarray, "h w 3"],
        match: Int[ndarray, "k"],
        role: Int[ndarray, "k"],
        exact: Float32[ndarray, "k 4"],
        octaves: Int[ndarray, "k"],
        jitters: Float32[ndarray, "k 4"],
    ) -> None:
        """Fill the cells of the key points that are in this picture.

        exact    column, row, size, angle: pixels and degrees, as the detector found them
        jitters  how they are moved in the harder test; see `moved_frames`
        """
        self.patches[match, role] = cut_patches(colour, exact[:, :2], self._side)
        upright = exact * np.array([1, 1, 1, 0], np.float32)
        seen = np.stack([exact, moved_frames(exact, jitters), upright, moved_frames(upright, jitters)], axis=1)
        frames = seen.reshape(-1, 4)  # all at once: most of the work is to blur the picture
        self.sift[match, role] = sift_descriptors(colour, frames, np.repeat(octaves, FRAMES)).reshape(-1, FRAMES, SIFT_BYTES)
        self.orb[match, role] = orb_descriptors(colour, frames).reshape(-1, FRAMES, ORB_BYTES)

    def cells(self) -> dict[str, ndarray]:
        """Column -> (count, ...)."""
        return {"patches": self.patches, "sift": self.sift, "orb": self.orb}


def small(colour: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "rows columns 3"]:
    """The picture in the size of SHOWN."""
    import cv2

    return np.asarray(cv2.resize(colour, SHOWN[::-1], interpolation=cv2.INTER_AREA))


def most_matches(counts: Int[ndarray, "p"], shown: int) -> list[int]:
    """The pairs whose pictures are kept, ascending: those with the most matches, the earlier where they have as many."""
    return sorted(int(place) for place in np.argsort(-counts, kind="stable")[:shown] if counts[place])
