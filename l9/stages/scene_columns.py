"""Yield: a scan's voxels as upright columns, labelled, with those that a network can learn from."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from jaxtyping import Bool, Int32
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.scan import Scan, Surface
from l9.geometry.scan_columns import HEIGHT, ScanColumns, kept_columns, scan_columns_of, upright
from l9.stages.contract import yields
from l9.stages.fused_blocks import MAX_EVERY
from l9.stages.limits import check_number, check_size
from l9.stages.seen_pairs import note_once
from l9.store.columns import MAX_ROW_BYTES, Column, Row

FINEST, COARSEST = 0.01, 1.0  # metres of a voxel
PIECE = 64  # voxels of a cube that is read from what was fused


def _columns(voxel: int | float = 0.048, every: int = 1, per_scan: int = 200) -> tuple[Column, ...]:
    check_size("scene_columns", "voxel", voxel, least=FINEST, most=COARSEST, unit="metres")
    check_number("scene_columns", "every", every, most=MAX_EVERY)
    check_number("scene_columns", "per_scan", per_scan, most=1_000_000)
    return (
        Column("size", "int32", (2,), unit="columns", axes="x y"),
        Column("corner", "float64", (3,), unit="metre", axes="x y z"),
        Column("column_labels", "uint8", (HEIGHT,), "ragged", unit="NYU's id, 0 empty, 41 not annotated", axes="column z"),
        Column("column_known", "uint8", (HEIGHT,), "ragged", unit="1 seen", axes="column z"),
        Column("centres", "int32", (2,), "ragged", unit="columns", axes="centre xy"),
        Column("shares", "int32", (2,), "ragged", unit="centres", axes="share first-beyond"),
        Column("vertex_voxels", "int32", (), "ragged", unit="voxel, -1 outside", axes="vertex"),
        Column("vertex_labels", "uint8", (), "ragged", unit="NYU's id, 0 none", axes="vertex"),
    )


@yields(columns=_columns, version=3)
def scene_columns(scan: Scan, voxel: int | float = 0.048, every: int = 1, per_scan: int = 200) -> Iterator[Row]:
    """One row: `size` columns of 62 voxels, y fastest, from `corner` on, in the scan's axes turned so that z is up.

    The bottom lies 2.5 voxels below the floor: the height of most of the surface in the half metre above its lowest 1 %.
    `column_labels`: what most of the surface in a voxel is. `column_known`: 1 where the surface is, and where depth frames saw a voxel
    free or at most one voxel behind a surface; of a surface alone nothing else is known, so that free and unseen are not told apart.
    `centres`: the columns that can be learnt from (`l9.geometry.scan_columns.kept_columns`); `shares`: these in at most `per_scan` runs of
    as many, first and beyond. A task whose samples are shares draws one centre of each anew every epoch.
    `vertex_voxels`: which voxel each vertex of the mesh is in, (x * size y + y) * 62 + z, so that labels come back to vertices.

    voxel  metres; 0.048: 31 x 31 x 62 of them span 1.5 x 1.5 x 3.0 m
    every  of how many depth frames one is fused
    raises RefusedObject `no-surface`, `too-large` for a row above 64 MiB, or as `scan_columns_of` and the frames' reader say
    """
    _columns(voxel, every, per_scan)
    if scan.surface is None:
        raise RefusedObject("no-surface", "frames alone; expected a mesh")
    surface = scan.surface
    found = scan_columns_of(surface, scan.up, float(voxel))
    _check_bytes(found)
    known = _seen(scan, found, every) | (found.labels > 0)
    centres = kept_columns(found.labels)
    _note(scan, surface, found, len(centres))
    columns = found.labels.shape[0] * found.labels.shape[1]
    labels = np.zeros(len(surface.vertices), np.uint8) if surface.labels is None else surface.labels.astype(np.uint8)
    yield {
        "size": np.array(found.labels.shape[:2], np.int32),
        "corner": found.corner,
        "column_labels": found.labels.reshape(columns, HEIGHT),
        "column_known": known.astype(np.uint8).reshape(columns, HEIGHT),
        "centres": centres,
        "shares": equal_shares(len(centres), per_scan),
        "vertex_voxels": found.vertices,
        "vertex_labels": labels,
    }


def equal_shares(count: int, most: int) -> Int32[ndarray, "s 2"]:
    """First and beyond of at most so many runs that have as many of `count` things, but for one."""
    ends = np.linspace(0, count, min(count, most) + 1).astype(np.int32)
    return np.stack([ends[:-1], ends[1:]], axis=1)


def _check_bytes(found: ScanColumns) -> None:
    columns = found.labels.shape[0] * found.labels.shape[1]
    most = columns * (2 * HEIGHT + 16) + 5 * len(found.vertices)  # bytes: labels and known, were all of them kept, and vertices
    if most > MAX_ROW_BYTES:
        sides = " x ".join(f"{side * found.voxel:.0f}" for side in found.labels.shape[:2])
        raise RefusedObject("too-large", f"{sides} m take a row of {most >> 20:,} MiB; expected at most {MAX_ROW_BYTES >> 20} MiB")


def _seen(scan: Scan, found: ScanColumns, every: int) -> Bool[ndarray, "x y z"]:
    """Voxels that depth frames saw free, or at most one voxel behind a surface: nothing where there are no frames."""
    known = np.zeros(found.labels.shape, np.bool_)
    if scan.frames is None:
        return known
    from l9.geometry.fusion import Fusion

    fusion = Fusion(found.voxel, found.voxel)
    moved = np.eye(4)
    moved[:3, :3], moved[2, 3] = upright(scan.up), -found.corner[2]
    for frame in islice(scan.frames(False, True), 0, None, every):
        if frame.depth is not None:
            fusion.add(frame.depth, frame.depth_camera, moved @ frame.pose)
    if fusion.extent() is None:
        note_once(scan, "no frame measured a surface: what is known is the surface alone")
        return known
    x, y = (int(number) for number in np.rint(found.corner[:2] / found.voxel))
    along, across = found.labels.shape[:2]
    for left in range(0, along, PIECE):
        for near in range(0, across, PIECE):
            piece = fusion.grid_block((x + left, y + near, 0), PIECE).known
            known[left : left + PIECE, near : near + PIECE] = piece[: along - left, : across - near, :HEIGHT]
    return known


def _note(scan: Scan, surface: Surface, found: ScanColumns, centres: int) -> None:
    outside = int((found.vertices < 0).sum())
    if outside:
        note_once(
            scan, f"{outside:,} of {len(found.vertices):,} vertices lie below or above the columns' {HEIGHT} voxels: without an answer"
        )
    if surface.labels is None:
        note_once(scan, "no labels: nothing to learn from")
    elif not centres:
        note_once(scan, "no column with enough around it that is occupied and annotated: nothing to learn from")
