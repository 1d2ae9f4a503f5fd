"""The cells of a store as tiles: grids of occupancy and signed distance, points, views; and words where there is nothing to draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Num, UInt8
from numpy import ndarray

from l9.draw.picture_tile import picture_tile
from l9.draw.splat import splat_points, splat_voxels
from l9.draw.text import font, wrapped
from l9.geometry.mesh import Axis, axis_vector
from l9.store.columns import Column

TURNS, VIEWS = 3, 4  # tiles of a grid that is stored in several turns, and of a ring of views
MOST_POINTS = 20_000  # that are drawn
BAND = 0.1  # distance from one shade of a slice to the next, in units of the column
FAR = 0.8  # distance at which a slice's colour is full
INSIDE, OUTSIDE = np.array([0.23, 0.44, 0.78]), np.array([0.93, 0.62, 0.35])
WORDS = 13  # height of the letters of a tile of words, pixels

Tile = UInt8[ndarray, "h w 3"]


def row_tiles(columns: Sequence[Column], row: Mapping[str, Any], up: Axis, size: int) -> list[tuple[str, Tile]]:
    """Every column of a row that can be drawn, as (heading, RGB tile of `size` pixels); columns are told apart by their axes.

    "… x y z"          a grid: of distances (a float) the inside and a slice through the middle, else what is occupied, in 3 turns; three
                       numbers are a place, and not drawn
    "point xyz"        points with a unit, shaded by the column `normals` and coloured by one of whole numbers with the axes "point"
    "channel row column", "row column" of intensity or opacity  a picture
    "view row column"  4 grey pictures, as a quarter turn apart as there are
    """
    tiles: list[tuple[str, Tile]] = []
    for column in columns:
        if column.kind != "blob":
            tiles += _column_tiles(column, np.asarray(row[column.name]), columns, row, up, size)
    return tiles


def _column_tiles(
    column: Column, cell: ndarray, columns: Sequence[Column], row: Mapping[str, Any], up: Axis, size: int
) -> list[tuple[str, Tile]]:
    if column.axes.endswith("x y z") and cell.ndim >= 3:
        grids = cell.reshape(-1, *cell.shape[-3:])
        return _distances(column, grids, up, size) if cell.dtype.kind == "f" else _occupied(column, grids, up, size)
    if column.axes == "view row column":
        chosen = _spread(len(cell), VIEWS, first=1)  # from the right of the front: the clearest
        return [(f"{column.name} {number}", grey_tile(cell[number], size)) for number in chosen]
    if column.axes in ("channel row column", "row column") and column.unit in ("intensity", "opacity"):
        return [(column.name, picture_tile(cell.reshape(-1, *cell.shape[-2:]).transpose(1, 2, 0), size))]
    if column.axes == "point xyz" and column.unit:
        return [(column.name, _points(cell, columns, row, up, size))]
    return []


def _occupied(column: Column, grids: Num[ndarray, "k r r r"], up: Axis, size: int) -> list[tuple[str, Tile]]:
    chosen = _spread(len(grids), TURNS, first=0)
    names = [column.name if len(grids) == 1 else f"{column.name}, turn {number}" for number in chosen]
    return [(name, splat_voxels(grids[number], size, up)) for name, number in zip(names, chosen, strict=True)]


def _distances(column: Column, grids: Num[ndarray, "k r r r"], up: Axis, size: int) -> list[tuple[str, Tile]]:
    return [
        (f"{column.name}: inside", splat_voxels(-grids[0], size, up)),
        (f"{column.name}: slice", slice_tile(_in_box(grids[0].astype(np.float32), column.unit), size, up)),
    ]


def _in_box(distances: Float[ndarray, "r r r"], unit: str) -> Float[ndarray, "r r r"]:
    """Distances as `slice_tile` takes them: those in metres, whose voxels no column tells, so that the greatest has full colour."""
    return distances * np.float32(FAR / max(float(np.abs(distances).max()), 1e-6)) if unit == "metre" else distances


def _points(points: Float[ndarray, "n 3"], columns: Sequence[Column], row: Mapping[str, Any], up: Axis, size: int) -> Tile:
    normals = np.asarray(row["normals"]) if "normals" in row else None
    named = [one.name for one in columns if one.axes == "point" and np.dtype(one.dtype).kind in "iu" and one.kind != "blob"]
    labels = np.asarray(row[named[0]]) if named else None
    chosen = np.linspace(0, max(len(points) - 1, 0), min(len(points), MOST_POINTS)).astype(np.int64)
    return splat_points(
        points[chosen],
        size,
        up,
        normals=normals[chosen] if normals is not None and normals.shape == points.shape else None,
        labels=labels[chosen].astype(np.int64) if labels is not None and len(labels) == len(points) else None,
    )


def slice_tile(distances: Float[ndarray, "r r r"], size: int, up: Axis = "+Y") -> UInt8[ndarray, "size size 3"]:
    """Signed distances on the plane through the middle that faces the viewer, `up` pointing up: inside blue, outside orange.

    distances  indexed [x, y, z] over [-1, 1]^3, negative inside, in units of that box; the surface is a dark line, and each 0.1 of
               distance has a shade of its own
    """
    from PIL import Image

    upward = axis_vector(up)
    front = np.roll(np.abs(upward), 1)
    right = np.cross(upward, front)
    plane = np.take(distances, len(distances) // 2, axis=int(front.argmax()))
    vertical, across = int(np.abs(upward).argmax()), int(np.abs(right).argmax())
    plane = plane if vertical < across else plane.T  # rows along up, columns to the right
    plane = plane[:: -1 if upward[vertical] > 0 else 1, :: 1 if right[across] > 0 else -1]
    smooth = Image.fromarray(np.ascontiguousarray(plane, np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    found = np.nan_to_num(np.asarray(smooth, np.float64))
    strength = 0.15 + 0.85 * np.clip(np.floor(np.abs(found) / BAND) * BAND / FAR, 0, 1)
    colours = 1 - strength[..., None] * (1 - np.where(found[..., None] < 0, INSIDE, OUTSIDE))
    colours[np.abs(found) < 2 / size] = 0.15  # a pixel's width on either side
    return np.rint(255 * colours).astype(np.uint8)


def grey_tile(picture: UInt8[ndarray, "_h _w"], size: int) -> UInt8[ndarray, "size size 3"]:
    """A grey picture of any size as an RGB tile."""
    from PIL import Image

    image = Image.fromarray(picture).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)


def words_tile(title: str, text: str, size: int) -> UInt8[ndarray, "size size 3"]:
    """A tile of words on pale red, for an object that cannot be drawn: its reason, and the detail in as many lines as fit."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (size, size), (250, 232, 230))
    pen = ImageDraw.Draw(image)
    step, margin = WORDS + 4, 8
    heading = wrapped(title, size - 2 * margin, WORDS)
    lines = [*heading, "", *wrapped(text, size - 2 * margin, WORDS)]
    room = (size - 2 * margin) // step
    if len(lines) > room:
        lines = [*lines[: room - 1], "…"]
    for number, line in enumerate(lines):
        fill = (150, 30, 30) if number < len(heading) else (60, 40, 40)
        pen.text((margin, margin + number * step), line, fill=fill, font=font(WORDS))
    return np.array(image)


def _spread(count: int, most: int, first: int) -> list[int]:
    """At most `most` numbers below `count`, evenly spread, beginning at `first` where there is one."""
    shown = min(count, most)
    return sorted((min(first, count - 1) + number * count // shown) % count for number in range(shown))
