"""The stage `pixels`: what is cut, how it is resampled, what is behind it, and digits drawn black and white once for all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, UsageError
from l9.geometry.image import Image
from l9.geometry.mesh import Mesh
from l9.stages import attributes, pixels
from l9.stages.contract import columns_of, run_stages


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def row(image, name="a", **arguments):
    (found,) = run_stages(image, [(pixels, arguments)], object_id=name)
    for column in columns_of([(pixels, arguments)]):
        assert found[column.name].shape == column.shape and found[column.name].dtype == np.uint8
    return found


def test_axes_are_channel_row_column_and_a_picture_of_that_size_is_left_as_it_is():
    picture = noise(8, 8, 3)
    assert_array_equal(row(Image(picture), size=8)["image"], picture.transpose(2, 0, 1))
    (column,) = columns_of([(pixels, {"size": 8})])
    assert (column.axes, column.unit, column.shape) == ("channel row column", "intensity", (3, 8, 8))


@given(st.integers(1, 9), st.integers(1, 5))
def test_a_smaller_picture_is_the_mean_of_each_area(size, times):
    picture = noise(size * times, size * times, 1)
    mean = picture.reshape(size, times, size, times).mean(axis=(1, 3))
    # Pillow rounds after the rows and again after the columns: half a step each
    assert_allclose(row(Image(picture), size=size, channels=1)["image"][0], mean, atol=1.01)


def test_the_largest_square_of_the_middle_is_taken():
    picture = noise(10, 7, 3)
    assert_array_equal(row(Image(picture), size=7)["image"], picture[1:8].transpose(2, 0, 1))
    assert_array_equal(row(Image(picture.transpose(1, 0, 2)), size=7)["image"], picture[1:8].transpose(2, 1, 0))


@pytest.mark.parametrize(("crop", "rows", "columns"), [("celeba108", (55, 163), (35, 143)), ("celeba148", (40, 188), (15, 163))])
def test_crops_of_faces_are_those_of_the_papers(crop, rows, columns):
    face = noise(218, 178, 3)
    cut = face[slice(*rows), slice(*columns)]
    assert cut.shape[0] == cut.shape[1]
    assert_array_equal(row(Image(face), size=len(cut), crop=crop)["image"], cut.transpose(2, 0, 1))
    assert row(Image(face), size=64, crop=crop)["image"].shape == (3, 64, 64)
    with pytest.raises(RefusedObject, match=f"wrong-size: a picture of 178x217 pixels; crop '{crop}' is of 178x218"):
        row(Image(face[:-1]), crop=crop)


def test_what_is_not_opaque_shows_the_ground_and_the_mask_is_alpha():
    picture = np.full((2, 2, 3), 100, np.uint8)
    alpha = np.array([[255, 0], [128, 51]], np.uint8)
    found = row(Image(picture, alpha), size=2, mask=True)
    assert_array_equal(found["mask"], alpha)
    assert_array_equal(found["image"][0], [[100, 255], [177, 224]])  # 100 a + 255 (1 - a), a of 128 and 51 in 255
    assert_array_equal(row(Image(picture, alpha), size=2, background=0)["image"][1], [[100, 0], [50, 20]])
    assert "mask" not in row(Image(picture, alpha), size=2)
    with pytest.raises(RefusedObject, match="no-alpha"):
        row(Image(picture), size=2, mask=True)


def test_hidden_colours_do_not_bleed():
    """A pixel that cannot be seen adds nothing but the ground to its neighbours."""
    alpha = np.array([[255, 0], [255, 0]], np.uint8)
    pictures = [np.array([[[10], [hidden]], [[10], [hidden]]], np.uint8) for hidden in (0, 200)]
    first, second = (row(Image(picture, alpha), size=1, channels=1, background=20)["image"] for picture in pictures)
    assert_array_equal(first, second)
    assert_allclose(first, 15, atol=1)


def test_grey_and_colour():
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    assert_array_equal(row(Image(colours), size=2, channels=1)["image"][0], [[76, 150], [29, 255]])
    grey = noise(4, 4, 1)
    assert_array_equal(row(Image(grey), size=4)["image"], np.repeat(grey.transpose(2, 0, 1), 3, axis=0))


def test_black_and_white_is_drawn_once_by_seed_and_id():
    digit = Image(noise(28, 28, 1))
    options = {"size": 28, "channels": 1, "binarised": True, "seed": 0}  # a recipe's stages have every argument spelled out
    one = row(digit, **options)["image"]
    assert set(np.unique(one)) == {0, 255}
    assert_array_equal(one, row(digit, **options)["image"])
    for name, seed in (("b", 0), ("a", 1)):
        assert (row(digit, name, **{**options, "seed": seed})["image"] != one).any()


def test_the_chance_of_white_is_the_value():
    values = np.repeat(np.array([0, 1, 64, 128, 254, 255], np.uint8), 28 * 28).reshape(-1, 28, 28)
    options = {"size": 28, "channels": 1, "binarised": True, "seed": 0}
    shares = [np.mean([row(Image(one[..., None]), str(name), **options)["image"] > 0 for name in range(20)]) for one in values]
    # 15,680 draws: one standard deviation is at most 0.004
    assert_allclose(shares, np.array([0, 1, 64, 128, 254, 255]) / 255, atol=0.016)
    assert shares[0] == 0 and shares[-1] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 0}, "size is 0; expected an integer from 1 to 512"),
        ({"size": 513}, "size is 513"),
        ({"channels": 2}, "channels is 2; expected 1"),
        ({"background": 256}, "background is 256"),
        ({"binarised": True}, "binarised pictures are grey; channels is 3, expected 1"),
    ],
)
def test_wrong_words_are_refused_before_any_object_is_read(arguments, words):
    with pytest.raises(UsageError, match=f"stage pixels: {words}"):
        columns_of([(pixels, arguments)])


def test_other_kinds_of_object_are_refused():
    with pytest.raises(RefusedObject, match="wrong-kind: stage pixels takes a Image; this object is a Mesh"):
        list(run_stages(Mesh(np.zeros((3, 3)), np.zeros((1, 3), np.int64)), [(pixels, {})], object_id="a"))


def test_attributes_are_a_column():
    said = np.array([1, -1, 1], np.int8)
    picture = noise(4, 4, 3)
    (found,) = run_stages(Image(picture, None, said), [(pixels, {"size": 4}), (attributes, {"count": 3})], object_id="a")
    assert_array_equal(found["attributes"], said)
    for image in (Image(picture), Image(picture, None, said[:2])):
        with pytest.raises(RefusedObject, match="no-attributes"):
            list(run_stages(image, [(attributes, {"count": 3})], object_id="a"))
