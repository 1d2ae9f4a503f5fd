"""Yield: for each pair of a scan's fragments the places that both saw, as volumes, each with another place that is not the same.

source  Zeng et al., 3DMatch, CVPR 2017, sections 3 and 4
"""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.scan import Frame, Scan
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_row_bytes, check_size
from l9.store.columns import Column, Row

if TYPE_CHECKING:
    from l9.geometry.fragments import Fragment, FragmentMatches

ROLES = 3  # anchor, the same place in a later fragment, another place
PLACES = 512  # of a fragment that are looked for in the others
WITHIN = 0.03  # metres by which depth may disagree
BAND = 5  # voxels from the surface on which a distance is 0
MOST_BYTES = 64 << 20  # of a row


def _columns(
    fragment: int = 5,
    fragments: int = 8,
    every: int = 1,
    matches: int = 200,
    side: int = 30,
    voxel: int | float = 0.01,
    apart: int | float = 0.1,
    cloud: int | float = 0.05,
    seed: int = 0,
) -> tuple[Column, ...]:
    check_number("volume_matches", "fragment", fragment, most=100)
    check_number("volume_matches", "fragments", fragments, least=2, most=100)
    check_number("volume_matches", "every", every, most=10_000)
    check_number("volume_matches", "matches", matches, most=10_000)
    check_number("volume_matches", "side", side, least=8, most=64)
    check_size("volume_matches", "voxel", voxel, least=0.002, most=1, unit="metres")
    check_size("volume_matches", "apart", apart, least=0, most=100, unit="metres")
    check_size("volume_matches", "cloud", cloud, least=0.005, most=1, unit="metres")
    check_row_bytes("volume_matches", matches * ROLES * side**3, MOST_BYTES)

    def ragged(name: str, dtype: str, shape: tuple[int, ...], unit: str, axes: str) -> Column:
        return Column(name, dtype, (ROLES, *shape), kind="ragged", unit=unit, axes=f"match role {axes}".strip())

    return (
        Column("pair", "int32", (2,), unit="number of a frame", axes="fragment"),
        ragged("match_frames", "int32", (), "number of a frame", ""),
        ragged("match_points", "float32", (3,), "metre", "xyz"),
        ragged("volumes", "uint8", (side, side, side), "0..255", "x y z"),
        ragged("fpfh", "float32", (33,), "per cent", "bin"),
    )


@yields(columns=_columns, version=1)
def volume_matches(
    scan: Scan,
    fragment: int = 5,
    fragments: int = 8,
    every: int = 1,
    matches: int = 200,
    side: int = 30,
    voxel: int | float = 0.01,
    apart: int | float = 0.1,
    cloud: int | float = 0.05,
    seed: int = 0,
) -> Iterator[Row]:
    """A row for each pair of fragments that share places, the earlier first, with the matches whose anchor is in the earlier one.

    A match has three roles: a random pixel of the earlier fragment's middle frame, the pixel of the later one's that shows it (depth
    within 3 cm), and a random place of any fragment but the anchor's. Of each: `match_frames`, the number of its fragment's first
    frame; its point in the world; `volumes`, the distances around it to its own fragment's surface, in the axes of that fragment's
    first camera (x right, y down, z forward), 255 at the surface and 0 from five voxels on and where nothing was seen (see
    `l9.geometry.local_volumes`: a byte holds a fiftieth of a voxel, far below what depth is known to); and `fpfh` at the same place.

    fragment   frames that are fused to one, with voxels of `voxel` metres
    fragments  of a scan, at most, evenly spread
    every      of how many frames one is taken
    matches    of a scan, at most; more are thinned at random
    side       voxels of a volume along each edge; 3DMatch has 30 of 1 cm
    apart      metres beyond which a place is another one
    cloud      metres a voxel of the points that `fpfh` is made of (see `l9.geometry.fpfh`)
    raises     RefusedObject `no-frames`, `no-depth` where no two fragments have a surface, `no-overlap` where none share a place, or as
               the frames' reader and `Fusion.add` say
    """
    from l9.geometry.fragments import random_places, seen_twice, with_other_places

    _columns(fragment, fragments, every, matches, side, voxel, apart, cloud, seed)
    random, within = np.random.default_rng(seed), max(WITHIN, float(voxel))
    parts = _fragments(scan, fragment, fragments, every, float(voxel))
    places = random_places(parts, PLACES, within, random)
    found = with_other_places(seen_twice(parts, places, within), places, matches, float(apart), random)
    if not len(found.points):
        raise RefusedObject("no-overlap", f"no two of {len(parts)} fragments of {fragment} frames saw the same place")
    cells = _cells(parts, found, side, float(voxel), float(cloud))
    numbers = np.array([part.number for part in parts], np.int32)
    starts = np.flatnonzero(np.diff(found.fragments[:, :2], axis=0, prepend=-1).any(axis=1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(found.points)], strict=True):
        row: Row = {name: values[start:end] for name, values in cells.items()}
        yield {"pair": numbers[found.fragments[start, :2]], **row}


def _fragments(scan: Scan, length: int, most: int, every: int, voxel: float) -> list["Fragment"]:
    """At most so many, evenly spread over the scan; its frames are read twice, the first time without their pictures."""
    from l9.geometry.fragments import fused_fragment

    if scan.frames is None:
        raise RefusedObject("no-frames", "a surface alone; expected frames")
    there = sum(1 for _ in islice(scan.frames(False, False), 0, None, every)) // length
    wanted = set(np.unique(np.linspace(0, there - 1, min(most, there)).round().astype(int)).tolist())
    parts, waiting = [], list[Frame]()
    for place, frame in enumerate(islice(scan.frames(False, True), 0, there * length * every, every)):
        if place // length in wanted and frame.depth is not None:
            waiting.append(frame)
        if place % length == length - 1 and waiting:
            parts.append(fused_fragment(waiting, voxel, BAND))
            waiting = []
    whole = [part for part in parts if part is not None]
    if len(whole) < 2:
        raise RefusedObject("no-depth", f"{len(whole)} fragments of {length} frames measured a surface; expected 2 or more")
    return whole


def _cells(parts: list["Fragment"], found: "FragmentMatches", side: int, voxel: float, cloud: float) -> dict[str, ndarray]:
    """The ragged columns of all matches."""
    from l9.geometry.fpfh import NUMBERS, fpfh
    from l9.geometry.local_volumes import local_volumes

    count = len(found.points)
    volumes, histograms = np.zeros((count, ROLES, side, side, side), np.uint8), np.zeros((count, ROLES, NUMBERS), np.float32)
    for number, part in enumerate(parts):
        match, role = np.nonzero(found.fragments == number)
        places = part.own(found.points[match, role])
        volumes[match, role] = local_volumes(part.vertices, places, side, voxel, BAND)
        histograms[match, role] = fpfh(part.vertices, part.faces, places, cloud)
    return {
        "match_frames": np.array([part.number for part in parts], np.int32)[found.fragments],
        "match_points": found.points.astype(np.float32),
        "volumes": volumes,
        "fpfh": histograms,
    }
