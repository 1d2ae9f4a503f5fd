"""`l9 data show STORE`: rows as they are stored, told by their columns' axes, with counts that add up."""

import numpy as np
import pytest
from store_builder import built, note_of, number_of, planned, row_of

from l9.draw.lines import line_sheet
from l9.draw.tiles import grey_tile, row_tiles, slice_tile, words_tile
from l9.errors import ShapeError, UsageError
from l9.geometry.mesh import AXES, axis_vector
from l9.prep.show_store import show_store
from l9.store.columns import Column


def white(pixels):
    return (pixels == 255).all(axis=-1)


def test_facts_of_a_store_add_up(home):
    store = built(home, planned(split=lambda n: "train" if n % 2 else "test", fold=lambda n: -1 if n % 2 else 3))
    facts, picture = show_store(store, [], count=5, seed=0)
    assert facts["counts"] == {"planned": 40, "done": 39, "quarantined": 1, "rows": 78}
    assert facts["labels"] == {"a": 20, "b": 19} and facts["splits"] == {"fold 3": 20, "train": 19}
    assert facts["notes"] == sum(bool(note_of(f"o{n:03}.obj")) for n in range(40) if n != 7)
    sizes = {column["name"]: column["row_bytes"] for column in facts["columns"]}
    points = np.mean([number % 4 for number in range(40) if number != 7])
    assert sizes == {"grid": 16, "points": round(12 * points), "picture": 2}
    assert len(facts["objects"]) == 5 and {one["label"] for one in facts["objects"]} == {"a", "b"}
    assert picture is not None and picture.dtype == np.uint8


def test_named_objects_are_shown_with_their_own_cells(home):
    """The picture is that of the cells themselves, taken from the store's builder."""
    store = built(home)
    facts, picture = show_store(store, ["o011.obj", "o003"], count=5, seed=0)
    assert [(one["id"], one["rows"], one["fold"]) for one in facts["objects"]] == [("o011.obj", 2, 1), ("o003.obj", 2, 3)]
    tiles = [[tile for _, tile in row_tiles(store.columns, row_of(one["id"], 0), "+Y", 128)] for one in facts["objects"]]
    assert number_of("o011.obj") % 4 == 3, "it has points to draw"
    headings = ["grid: inside", "grid: slice", "points"]
    captions = ["o011.obj\nb · fold 1\nrow 0 of 2", "o003.obj\nb · fold 3\nrow 0 of 2"]
    np.testing.assert_array_equal(picture, line_sheet(tiles, captions, headings, f"{store.id}: 2 of 39 objects"))
    with pytest.raises(UsageError, match=f"no object 'o007.obj' in store {store.id}"):
        show_store(store, ["o007.obj"], count=5, seed=0)


def headings(column, cell, **more):
    columns = (column, *more.pop("columns", ()))
    return [heading for heading, _ in row_tiles(columns, {column.name: cell, **more}, "+Y", 32)]


def test_columns_are_told_apart_by_their_axes():
    grid = np.ones((8, 8, 8), np.uint8)
    assert headings(Column("occupancy", "uint8", (8, 8, 8), axes="x y z"), grid) == ["occupancy"]
    turns = Column("occupancy", "uint8", (12, 8, 8, 8), axes="rotation x y z")
    assert headings(turns, np.stack([grid] * 12)) == ["occupancy, turn 0", "occupancy, turn 4", "occupancy, turn 8"]
    assert headings(Column("sdf", "float16", (8, 8, 8), axes="x y z"), grid.astype(np.float16)) == ["sdf: inside", "sdf: slice"]
    metres = Column("tsdf", "float16", (8, 8, 8), unit="metre", axes="x y z")
    assert headings(metres, grid.astype(np.float16)) == ["tsdf: inside", "tsdf: slice"]
    assert headings(Column("block", "int32", (3,), axes="x y z"), np.zeros(3, np.int32)) == []
    views = Column("views", "uint8", (12, 16, 16), axes="view row column")
    assert headings(views, np.zeros((12, 16, 16), np.uint8)) == ["views 1", "views 4", "views 7", "views 10"]
    assert headings(views, np.zeros((1, 16, 16), np.uint8)) == ["views 0"]
    points = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    assert headings(Column("points", "float32", (50, 3), unit="box", axes="point xyz"), points) == ["points"]
    assert headings(Column("normals", "float32", (50, 3), axes="point xyz"), points) == []
    assert headings(Column("box_size", "float32", (3,), axes="xyz"), points[0]) == []
    assert row_tiles([Column("photo", "uint8", (), "blob")], {"photo": b"jpeg"}, "+Y", 32) == []


def test_parts_colour_the_points():
    points = np.random.default_rng(0).random((400, 3)).astype(np.float32)
    columns = (Column("points", "float32", (400, 3), unit="box", axes="point xyz"), Column("parts", "uint8", (400,), axes="point"))
    (_, one), (_, two) = (row_tiles(columns, {"points": points, "parts": np.full(400, part, np.uint8)}, "+Y", 48)[0] for part in (0, 1))
    assert one[~white(one)][:, 2].mean() > one[~white(one)][:, 0].mean() and two[~white(two)][:, 0].mean() > two[~white(two)][:, 2].mean()


@pytest.mark.parametrize("up", AXES)
def test_a_slice_stands_upright(up):
    """A ball near the end that `up` points to: the inside, blue, lies in the upper half."""
    centres = (np.arange(32) + 0.5) / 16 - 1
    grid = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
    distances = (np.linalg.norm(grid - 0.6 * axis_vector(up), axis=-1) - 0.3).astype(np.float32)
    picture = slice_tile(distances, 64, up).astype(int)
    rows, columns = np.nonzero(picture[..., 2] > picture[..., 0] + 5)
    assert abs(rows.mean() - 0.2 * 64) < 2 and abs(columns.mean() - 31.5) < 2
    assert np.pi * (0.3 * 32) ** 2 * 0.6 < len(rows) < np.pi * (0.3 * 32) ** 2


@pytest.mark.parametrize("up", AXES)
def test_a_slice_is_seen_from_the_same_side_as_the_grid(up):
    """A ball on the right of the front is on the right: what `splat_voxels` shows on the right too."""
    upward = axis_vector(up)
    right = np.cross(upward, np.roll(np.abs(upward), 1))
    centres = (np.arange(32) + 0.5) / 16 - 1
    grid = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
    distances = (np.linalg.norm(grid - 0.6 * right, axis=-1) - 0.3).astype(np.float32)
    column = Column("sdf", "float32", (32, 32, 32), axes="x y z")
    (_, inside), (_, cut) = row_tiles([column], {"sdf": distances}, up, 64)
    assert np.nonzero(~white(inside))[1].mean() > 40
    assert np.nonzero(cut[..., 2].astype(int) > cut[..., 0] + 5)[1].mean() > 40


def test_words_stay_in_their_tile():
    for text in ("", "a b", "word " * 200, "x" * 500, "椅\x1b[31m"):
        tile = words_tile("index-out-of-range", text, 96)
        edge = np.concatenate([tile[:4].reshape(-1, 3), tile[-4:].reshape(-1, 3), tile[:, :4].reshape(-1, 3), tile[:, -4:].reshape(-1, 3)])
        assert tile.shape == (96, 96, 3) and (edge == (250, 232, 230)).all()


def test_lines_stand_beside_their_names_and_under_their_headings():
    colours = [(250, 10 * number, 0) for number in range(6)]
    tiles = [[np.full((20, 30, 3), colours[2 * row + column], np.uint8) for column in range(2)] for row in range(3)]
    names = ["a\nline two", "a very long name of an object, far longer than three hundred pixels are wide", ""]
    page = line_sheet(tiles, names, ["one", "x" * 99])
    places = [np.argwhere((page == colour).all(axis=-1)) for colour in colours]
    assert [len(place) for place in places] == [600] * 6
    centres = [place.mean(axis=0) for place in places]
    assert centres[0][0] == centres[1][0] < centres[2][0] < centres[4][0] and centres[0][1] == centres[2][1] < centres[1][1]
    left = int(centres[0][1]) - 15
    ink = ~white(page)
    assert ink[:, : left - 8].any() and not ink[:, left - 8 : left].any() and not (ink[0].any() or ink[:, 0].any() or ink[:, -1].any())
    for lines, captions in ((tiles, ["a"]), ([tiles[0][:1]], ["a"])):
        with pytest.raises(ShapeError, match="line_sheet got"):
            line_sheet(lines, captions, ["one", "two"])


def test_a_grey_tile_keeps_what_is_where():
    picture = np.zeros((40, 40), np.uint8)
    picture[:20] = 255
    tile = grey_tile(picture, 20)
    assert (tile[:8] > 250).all() and (tile[12:] < 5).all()


def test_a_store_without_anything_to_draw_has_no_picture(home):
    from toy_stores import store_of

    (store,) = store_of(home, {"vector": np.zeros((3, 4), np.float32)}, ["a", "b", ""]).stores
    facts, picture = show_store(store, [], count=5, seed=0)
    assert picture is None and facts["labels"] == {"": 1, "a": 1, "b": 1}
