"""Yield: a scanned scene's points in square blocks, each point with its place, colour, and place within the room, and what it is.

source  Qi, Su, Mo, Guibas, PointNet, CVPR 2017, section 5.2 and its code (blocks of 1 m, 9 numbers a point); Qi, Yi, Su, Guibas,
        PointNet++, NIPS 2017 (blocks of 1.5 m, 8,192 points)
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.ground_blocks import ground_blocks
from l9.geometry.mesh import axis_vector
from l9.geometry.scan import Scan, Surface
from l9.stages.contract import yields
from l9.stages.limits import check_number, check_size
from l9.store.columns import Column, Row

CHANNELS = 9  # x y z, red green blue, and x y z of the room
MAX_POINTS = 1 << 20  # of a row: 41 MiB
MOST_ROWS = 1 << 20  # of a block: more than any has
LARGEST = 1000.0  # metres along an axis: more is a scan with points that fly
MOST_LABEL = 255  # that uint8 holds
SMALLEST = 1e-6  # metres: a room without height has places of 0, not 0 / 0


def _columns(
    count: int = 4096, block: int | float = 1.0, stride: int | float = 1.0, least: int = 1, rows: int = MOST_ROWS, seed: int = 0
) -> tuple[Column, ...]:
    check_number("scene_points", "count", count, most=MAX_POINTS)
    check_number("scene_points", "least", least, most=MAX_POINTS)
    check_number("scene_points", "rows", rows, most=MOST_ROWS)
    check_number("scene_points", "seed", seed, least=0, most=2**63 - 1)
    check_size("scene_points", "block", block, least=0.1, most=100, unit="metres")
    check_size("scene_points", "stride", stride, least=block / 10, most=block, unit="metres")
    return (
        Column("points", "float32", (count, CHANNELS), unit="metre, share, share of the room", axes="point channel"),
        Column("labels", "uint8", (count,), unit="class id, 0 none", axes="point"),
        Column("vertices", "int32", (count,), unit="vertex of the scan", axes="point"),
        Column("room", "float32", (3,), unit="metre", axes="size"),
    )


@yields(columns=_columns, version=2)
def scene_points(
    scan: Scan,
    count: int = 4096,
    block: int | float = 1.0,
    stride: int | float = 1.0,
    least: int = 1,
    rows: int = MOST_ROWS,
    seed: int = 0,
) -> Iterator[Row]:
    """Rows of `count` vertices of the scan's surface, block by block; without limits every vertex stands in at least one row.

    `points` holds of each x y z, metres: level from the block's middle, which is half a block from its least point, up from the room's
    lowest one; red, green, blue, 0 to 1; x y z from the room's least corner as a share of its size, 0 to 1. Axes are the scan's: where
    a minus axis points up, what is higher has the lesser number.
    `labels` is 0 where a vertex or the scan has none; `vertices` says which vertex each is; `room` is the size of the room's box.
    A block of more than `count` vertices gives them in random order in as many rows as it takes, the last filled up with some of the
    first; one of fewer gives each about equally often.

    block, stride  sides of a block and the way to the next, metres; the last one ends where the room does
    least          blocks of fewer vertices are left out, and noted. The authors leave out what has fewer than 100
    rows           the most that a block gives; what stands in none is noted. The authors draw one row of each block: 1
    seed           of the order; two calls with one seed give one result
    Vertices that are not finite are left out, and noted.
    raises         RefusedObject `no-surface`, `no-points`, `no-colours`, `bad-label`, or `too-large` beyond 1 km
    """
    _columns(count, block, stride, least, rows, seed)
    surface = _checked(scan)
    finite = np.flatnonzero(np.isfinite(surface.vertices).all(axis=1))
    if len(finite) < len(surface.vertices):
        scan.notes.append(f"{len(surface.vertices) - len(finite):,} of {len(surface.vertices):,} vertices are not finite: left out")
    if not len(finite):
        raise RefusedObject("no-points", f"{len(surface.vertices):,} vertices, none of them finite")
    places = surface.vertices[finite] - surface.vertices[finite].min(axis=0)
    room = places.max(axis=0)
    if room.max() > LARGEST:
        raise RefusedObject("too-large", f"{room.max():,.0f} metres along an axis; expected at most {LARGEST:,.0f}: do some points fly?")
    level = axis_vector(scan.up) == 0
    lowest = np.where(axis_vector(scan.up) < 0, room, 0.0)
    seen, given = np.zeros(len(finite), np.bool_), np.zeros(len(finite), np.bool_)
    for numbers, chosen in _chosen(places[:, level], count, block, stride, least, rows, seed):
        seen[numbers] = given[chosen] = True
        labels = np.zeros(count, np.uint8) if surface.labels is None else surface.labels[finite[chosen]].astype(np.uint8)
        points = _described(places[chosen], _colours(surface, finite[chosen]), room, level, lowest, block)
        yield {"points": points, "labels": labels, "vertices": finite[chosen].astype(np.int32), "room": room.astype(np.float32)}
    if not seen.all():
        scan.notes.append(f"{int((~seen).sum()):,} vertices stand in blocks of fewer than {least:,} alone: left out")
    if more := int((seen & ~given).sum()):
        scan.notes.append(f"{more:,} vertices of blocks that hold more than their rows take: left out")
    if not seen.any():
        raise RefusedObject("no-points", f"no block of {least:,} vertices or more")


def _checked(scan: Scan) -> Surface:
    surface = scan.surface
    if surface is None:
        raise RefusedObject("no-surface", "frames alone; expected a mesh or a cloud")
    if surface.colours is None:
        raise RefusedObject("no-colours", f"{len(surface.vertices):,} vertices without colours; expected red, green and blue of each")
    if surface.labels is not None and len(surface.labels) and not 0 <= surface.labels.min() <= surface.labels.max() <= MOST_LABEL:
        low, high = int(surface.labels.min()), int(surface.labels.max())
        raise RefusedObject("bad-label", f"labels from {low:,} to {high:,}; expected 0 to {MOST_LABEL}")
    return surface


def _chosen(
    places: Float[ndarray, "n 2"], count: int, block: int | float, stride: int | float, least: int, rows: int, seed: int
) -> Iterator[tuple[Int64[ndarray, "_"], Int64[ndarray, "count"]]]:
    """For each row the vertices of its block, and those of the row."""
    for (row, column), numbers in ground_blocks(places, block, stride):
        if len(numbers) < least:
            continue
        order = np.random.default_rng((seed, row, column)).permutation(numbers)
        for part in np.resize(order, (-(-len(order) // count), count))[:rows]:
            yield numbers, part


def _described(
    places: Float[ndarray, "count 3"],
    colours: Float[ndarray, "count 3"],
    room: Float[ndarray, "3"],
    level: Bool[ndarray, "3"],
    lowest: Float[ndarray, "3"],
    block: int | float,
) -> Float32[ndarray, "count 9"]:
    middle = np.where(level, places.min(axis=0) + block / 2, lowest)
    return np.concatenate([places - middle, colours, places / np.maximum(room, SMALLEST)], axis=1).astype(np.float32)


def _colours(surface: Surface, numbers: Int64[ndarray, "count"]) -> Float[ndarray, "count 3"]:
    assert surface.colours is not None
    return surface.colours[numbers] / 255
