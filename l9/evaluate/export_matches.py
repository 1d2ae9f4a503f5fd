"""Matches of key points as Matterport3D's MatchFinder writes them (l9/readers/match_lists.py says what is known of that form).

Numbers stand with the nine digits that make the same float32 again; MatchFinder's have six, and its pixels are whole, which Matterport3D's
own Torch code counts on. Pictures are not in a store.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy import ndarray

from l9.errors import UsageError
from l9.geometry.match_lists import unpacked_octaves
from l9.readers.lists import safe_path
from l9.readers.match_lists import A_SENSOR, LISTS
from l9.store.columns import Row
from l9.store.mapped import Shard
from l9.store.publish import atomic_write
from l9.store.store import Store

NEEDED = (
    "match_frames",
    "match_pixels",
    "match_depths",
    "match_points",
    "match_offsets",
    "match_sizes",
    "match_angles",
    "match_octaves",
    "picture_sizes",
)
HEAD = "matchIdx m_sensorIdx m_imageIdx m_pixelPos m_depth m_worldPos m_offset m_size m_angle m_octave m_scale m_opencvPackOctave"
ANCHOR, SAME, OTHER = range(3)  # roles


def matches_files(store: Store, place: Path, advance: Callable[[], None]) -> tuple[int, int]:
    """Two lists for each scan, in a folder of its id below `place`; how many scans and matches there are.

    advance  called after each shard
    raises   UsageError where the store has not the columns, or an id that is no path
    """
    _check(store)
    objects = total = 0
    for shard in store.shards:
        for name, rows in groupby(range(len(shard)), key=lambda row: shard.identity(row)[0]):
            total += _write_scan(name, [_cells(shard, row) for row in rows], place)
            objects += 1
        advance()
    return objects, total


def _check(store: Store) -> None:
    there = {column.name for column in store.columns}
    lacking = [name for name in NEEDED if name not in there]
    if lacking:
        raise UsageError(f"store {store.id} has no column '{lacking[0]}'; --format matches takes what the stage key_point_matches makes")


def _cells(shard: Shard, row: int) -> Row:
    return {name: shard.cell(name, row) for name in NEEDED}


def _write_scan(name: str, rows: list[Row], place: Path) -> int:
    """Matches of one scan."""
    if not safe_path(name):
        raise UsageError(f"object {name[:80]!r} names no folder below DIR; --format matches makes one of each id")
    whole = {column: np.concatenate([np.asarray(row[column]) for row in rows]) for column in NEEDED}
    sizes = np.unique(whole.pop("picture_sizes").reshape(-1, 2), axis=0)
    lines = {role: list(_lines(whole, role)) for role in (ANCHOR, SAME, OTHER)}
    count = len(lines[ANCHOR])
    pictures = f"pictures {sizes[0, 0]}x{sizes[0, 1]}" if len(sizes) == 1 else ""
    header = f"SceneName {name} ( {count} matches )\n{pictures}\n" + "\t".join(HEAD.split()) + "\n"
    for file, role in zip(LISTS[0], (SAME, OTHER), strict=True):
        text = "".join(f"{one}\n{other}\n" for one, other in zip(lines[ANCHOR], lines[role], strict=True))
        atomic_write(place / name / file, (header + text).encode())
    return count


def _lines(cells: dict[str, ndarray], role: int) -> Iterator[str]:
    """A line for the key point of this role of each match."""
    octaves, _, scales = unpacked_octaves(cells["match_octaves"][:, role])
    mine = {name: values[:, role].tolist() for name, values in cells.items()}
    for number, (octave, scale) in enumerate(zip(octaves.tolist(), scales.tolist(), strict=True)):
        frame = mine["match_frames"][number]
        fields = (
            f"{number}",
            f"{frame // A_SENSOR}",
            f"{frame % A_SENSOR}",
            _numbers(mine["match_pixels"][number]),
            _numbers([mine["match_depths"][number]]),
            _numbers(mine["match_points"][number]),
            _numbers(mine["match_offsets"][number]),
            _numbers([mine["match_sizes"][number]]),
            _numbers([mine["match_angles"][number]]),
            f"{octave}",
            f"{scale:g}",
            f"{mine['match_octaves'][number]}",
        )
        yield "\t".join(fields)


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.9g}" for value in values)
