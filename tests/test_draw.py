"""Pictures: headless, whole, the right way up, and safe with the names that foreign files bring."""

import numpy as np
import pytest
from PIL import Image

from l9.draw.confusion import confusion_picture
from l9.draw.grid import legend, sample_grid
from l9.draw.png import write_png
from l9.draw.splat import splat_points, splat_voxels
from l9.draw.text import legible, shortened, text_width
from l9.errors import ShapeError
from l9.geometry.mesh import AXES, axis_vector


def is_white(pixels):
    return (pixels == 255).all(axis=-1)


def drawn_rows(pixels):
    return np.flatnonzero(~is_white(pixels).all(axis=1))


def slab_at(up, resolution=16):
    """A full layer of voxels at the end of the grid that `up` points to."""
    grid = np.zeros((resolution,) * 3, np.uint8)
    grid[tuple(slice(None) if component == 0 else (-1 if component > 0 else 0) for component in axis_vector(up))] = 1
    return grid


@pytest.mark.parametrize("up", AXES)
def test_up_is_up_for_voxels(up):
    slab = slab_at(up)
    top, bottom = drawn_rows(splat_voxels(slab, 64, up)), drawn_rows(splat_voxels(slab[::-1, ::-1, ::-1], 64, up))
    assert top.max() < bottom.max() and top.min() < bottom.min()


@pytest.mark.parametrize("up", AXES)
def test_up_is_up_for_points(up):
    """A cloud with a spike along `up`: the picture is widest below and thin on top."""
    random = np.random.default_rng(0)
    ball, spike = random.normal(0, 0.1, (400, 3)), np.linspace(0, 2, 100)[:, None] * axis_vector(up)
    ink = ~is_white(splat_points(np.concatenate([ball, spike]).astype(np.float32), 64, up))
    rows = np.flatnonzero(ink.any(axis=1))
    third = len(rows) // 3
    assert ink[rows[:third]].sum(axis=1).mean() < 0.5 * ink[rows[-third:]].sum(axis=1).mean()


def test_all_orientations_of_one_object_look_alike():
    """The same object, stored with another axis up, gives the same picture: axes are only turned in cyclic order."""
    grid = np.random.default_rng(0).random((8, 8, 8)) < 0.2
    expected = splat_voxels(grid, 48, "+Y")
    np.testing.assert_array_equal(splat_voxels(np.ascontiguousarray(grid.transpose(2, 0, 1)), 48, "+Z"), expected)
    np.testing.assert_array_equal(splat_voxels(np.ascontiguousarray(grid.transpose(1, 2, 0)), 48, "+X"), expected)


def test_nearer_voxels_hide_farther_ones():
    near = np.zeros((9, 9, 9), np.uint8)
    near[2:7, 2:7, 6:] = 1  # towards +Z, where the camera is
    both = near.copy()
    both[4, 4, 4] = 1  # inside its shadow
    np.testing.assert_array_equal(splat_voxels(both, 64), splat_voxels(near, 64))


def test_a_full_grid_fills_the_frame_without_holes_or_cuts():
    pixels = splat_voxels(np.ones((5, 5, 5), bool), 96)
    ink = ~is_white(pixels)
    assert not ink[0].any() and not ink[-1].any() and not ink[:, 0].any() and not ink[:, -1].any()
    for row in ink[ink.any(axis=1)]:
        assert row[np.flatnonzero(row)[0] : np.flatnonzero(row)[-1] + 1].all()
    assert len(np.unique(pixels[20:76, 30:66].reshape(-1, 3), axis=0)) > 3  # three faces, each shaded its own way


def test_signed_grids_are_drawn_where_positive():
    grid = np.random.default_rng(0).random((8, 8, 8)) < 0.2
    np.testing.assert_array_equal(splat_voxels(np.where(grid, 1.0, -1.0).astype(np.float32)), splat_voxels(grid))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_few_points_are_drawn_too(count):
    points = np.random.default_rng(0).random((count, 3)).astype(np.float32)
    pixels = splat_points(points, 48)
    assert pixels.shape == (48, 48, 3) and (count == 0) == bool(is_white(pixels).all())


def test_points_that_are_not_finite_are_left_out():
    points = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    odd = np.concatenate([points, np.array([[np.nan, 0, 0], [0, np.inf, 0]], np.float32)])
    np.testing.assert_array_equal(splat_points(odd), splat_points(points))


def test_tiles_stand_in_their_cells():
    """Three tiles in two columns: row-major, each pixel of each tile on the page once."""
    tiles = [np.full((20, 30, 3), value, np.uint8) for value in (10, 20, 30)]
    page = sample_grid(tiles, columns=2)
    centres = [np.argwhere((page == value).all(axis=-1)).mean(axis=0) for value in (10, 20, 30)]
    assert [int((page == value).all(axis=-1).sum()) for value in (10, 20, 30)] == [600, 600, 600]
    assert centres[0][0] == centres[1][0] < centres[2][0] and centres[0][1] == centres[2][1] < centres[1][1]


def test_captions_never_leave_the_page():
    """Ink of a caption far wider than its tile stays clear of the page's edges and of its neighbours."""
    tiles = [np.full((20, 20, 3), 255, np.uint8)] * 2
    page = sample_grid(tiles, ["a very long caption of a very long object name indeed, longer than all others", "short\ntwo lines"])
    ink = ~is_white(page)
    assert ink.any() and not (ink[0].any() or ink[-1].any() or ink[:, 0].any() or ink[:, -1].any())
    assert not ink[:, page.shape[1] // 2].any()


def test_a_page_without_tiles_has_its_title():
    page = sample_grid([], title="no mistakes among 12 objects")
    ink = ~is_white(page)
    assert ink.sum() > 200 and not ink[:, -1].any() and not ink[-1].any()


def test_captions_need_one_for_each_tile():
    with pytest.raises(ShapeError, match="2 tiles and 1 captions"):
        sample_grid([np.zeros((4, 4, 3), np.uint8)] * 2, ["only one"])


def test_shortened_text_fits_and_keeps_both_ends():
    text = shortened("kitchen_cabinet_with_drawers/0042.obj", 120, 12)
    assert text_width(text, 12) <= 120 and text.startswith("kitch") and text.endswith(".obj") and "…" in text
    assert shortened("chair", 120, 12) == "chair"


def test_letters_the_typeface_lacks_are_replaced():
    assert legible("Stühle → 椅子\n\x1b[31m") == "Stühle → ????[31m"


def test_confusion_is_coloured_by_share_of_the_row():
    """Two classes of very different size, both all right: both diagonal cells equally dark, the others light."""
    pixels = confusion_picture(np.array([[1000, 0], [0, 2]]), ("large", "small"))
    dark = (pixels.astype(int).sum(axis=-1) < 250) & (pixels[..., 2].astype(int) - pixels[..., 0] > 60)
    matrix = dark[:, : pixels.shape[1] // 2 + 60]
    rows, columns = np.nonzero(matrix)
    upper, lower = columns[rows < np.median(rows)], columns[rows > np.median(rows)]
    assert len(upper) > 300 and len(lower) > 300 and upper.mean() < lower.mean()


def test_confusion_survives_hostile_and_many_class_names():
    """No mathematics in `$`, no warning for a missing glyph, no crash at 120 classes."""
    names = ("$\\frac{$", "_hidden", "椅", "x" * 300)
    assert confusion_picture(np.eye(4, dtype=np.int64), names).shape[2] == 3
    many = confusion_picture(np.eye(120, dtype=np.int64), tuple(f"class {number}" for number in range(120)))
    assert max(many.shape) < 3000
    with pytest.raises(ShapeError, match="2 classes and 3 names"):
        confusion_picture(np.eye(2, dtype=np.int64), ("a", "b", "c"))


def test_png_holds_the_pixels_and_repeats_its_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    for name in ("a.png", "b.png"):
        write_png(tmp_path / "new" / name, pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png")), pixels)
    assert (tmp_path / "new" / "a.png").read_bytes() == (tmp_path / "new" / "b.png").read_bytes()
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_a_legend_shows_every_colour_over_a_name():
    colours = np.array([[200, 10, 10], [10, 200, 10], [10, 10, 200]] * 3, np.uint8) + np.arange(9, dtype=np.uint8)[:, None]
    page, bare = (legend(names, colours) for names in ([f"class {number}" for number in range(9)], [""] * 9))
    for colour in colours:
        rows, columns = np.nonzero((page == colour).all(axis=2))
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (28, 28)
    assert len({tuple(np.nonzero((page == colour).all(axis=2))[0][:1]) for colour in colours}) == 2  # seven in a row
    assert not np.array_equal(page, bare) if page.shape == bare.shape else page.size > bare.size
