"""Pictures from a folder: modes and bit depths, alpha kept apart, and every broken, cut or exploding file refused by its fault."""

import io
import warnings
import zlib

import numpy as np
import picture_bytes
import pytest
from numpy.testing import assert_array_equal
from picture_bytes import chunk, pixels, png, raw_png, saved
from PIL import Image as Pillow

from l9.errors import RefusedObject
from l9.geometry.image import Image, checked_image
from l9.readers import images
from l9.readers.contract import REFUSE, Found
from l9.readers.last_files import LastFiles


def read(data, ending=".png"):
    return images.read([io.BytesIO(data)], Found(f"a{ending}", (f"a{ending}",)), "+Y")


def refused(data, reason, words=".*", ending=".png"):
    picture_bytes.refused(lambda: read(data, ending), reason, words)


def test_a_class_is_a_folder_and_other_files_are_none(tmp_path):
    for name in ("b/y.JPG", "b/c/z.jpeg", "x.png", "a.txt", ".hidden/x.png", "b/.y.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b" / "line\nbreak.png").write_bytes(b"")
    found = {one.id: one for one in images.find(tmp_path)}
    assert {name: one.label for name, one in found.items()} == {
        "b/c/z.jpeg": "b",
        "b/y.JPG": "b",
        "x.png": "",
        "b/line\\nbreak.png": "b",
    }
    assert [name for name, one in found.items() if REFUSE in one.facts] == ["b/line\\nbreak.png"]


@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (3, False), (2, True), (4, True)])
def test_grey_and_colour_are_read_as_they_are_and_alpha_is_kept_apart(channels, alpha):
    drawn = pixels(6, 5, channels)
    image = read(png(6, 5, channels))
    colours = drawn.reshape(6, 5, channels)[..., : channels - alpha]
    assert_array_equal(image.pixels, colours)
    if alpha:
        assert_array_equal(image.alpha, drawn[..., -1])
    else:
        assert image.alpha is None
    assert image.notes == () and image.attributes is None


def test_palettes_bits_and_transparent_colours_become_what_they_mean():
    three = Pillow.fromarray(np.array([[0, 1, 2]], np.uint8))
    three.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    assert three.mode == "P"
    assert_array_equal(read(saved(three)).pixels, [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    clear = read(saved(three, transparency=1))
    assert_array_equal(clear.alpha, [[255, 0, 255]])
    assert_array_equal(read(saved(Pillow.fromarray(np.array([[True, False]])))).pixels, [[[255], [0]]])
    grey = read(saved(Pillow.fromarray(np.array([[7, 9]], np.uint8)), transparency=9))
    assert_array_equal(grey.alpha, [[255, 0]])
    assert_array_equal(grey.pixels, [[[7], [9]]])


def test_a_jpeg_of_grey_has_one_channel():
    assert read(png(16, 16, 1, kind="JPEG"), ".jpg").pixels.shape == (16, 16, 1)
    assert read(png(9, 17, 3, kind="JPEG"), ".jpeg").pixels.shape == (9, 17, 3)


def test_of_several_frames_the_first_is_read_and_noted():
    first, second = Pillow.fromarray(pixels()), Pillow.fromarray(pixels(seed=1))
    image = read(saved(first, save_all=True, append_images=[second]))
    assert_array_equal(image.pixels, pixels())
    assert image.notes == ("the first of 2 frames",)


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_sixteen_bits_are_refused_by_name(colour):
    data = raw_png(1, 1, 16, colour, bytes(1 + 2 * {0: 1, 2: 3, 4: 2, 6: 4}[colour]))
    refused(data, "bit-depth", "16 bits a channel; expected at most 8")


def test_inks_are_refused_by_name():
    inks = Pillow.fromarray(pixels(8, 8, 4), "RGBA").convert("RGB").convert("CMYK")
    refused(saved(inks, "JPEG"), "colour-mode", "a JPEG of mode CMYK; expected grey or RGB", ".jpg")


def test_every_cut_of_a_file_is_refused():
    for data, ending in ((png(40, 40), ".png"), (png(40, 40, kind="JPEG"), ".jpg")):
        for share in (0.02, 0.3, 0.6, 0.9):
            refused(data[: int(share * len(data))], "broken-picture", ending=ending)
        refused(b"", "empty-file", "0 bytes", ending)


def test_bombs_are_refused_before_a_pixel_is_made():
    refused(raw_png(30_000, 30_000, 8, 2), "broken-picture", "decompression bomb")
    refused(raw_png(9_000, 9_000, 1, 0), "too-large", "9000x9000 pixels; expected at most 67,108,864")
    refused(raw_png(65_000, 1_000, 8, 0), "broken-picture")  # few enough, and none of them there
    huge = b"tEXt\0" + bytes(80 << 20)
    text = raw_png(1, 1, 8, 0, b"\0\0")
    packed = text[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(huge)) + text[33:]
    assert len(packed) < 1 << 20
    refused(packed, "broken-picture")


def test_the_other_format_under_a_name_is_refused():
    refused(png(kind="JPEG"), "broken-picture", ".*", ".png")
    refused(png(), "broken-picture", ".*", ".jpg")
    refused(png(kind="GIF"), "broken-picture")


def test_a_picture_that_no_stage_could_use_is_refused():
    good = np.zeros((2, 3, 3), np.uint8)
    assert checked_image(Image(good)).pixels is good
    for image, reason in (
        (Image(good[:0]), "no-pixels"),
        (Image(np.zeros((2, 3, 4), np.uint8)), "channels"),
        (Image(good, np.zeros((3, 2), np.uint8)), "uneven"),
    ):
        with pytest.raises(RefusedObject) as caught:
            checked_image(image)
        assert caught.value.reason == reason


def test_a_file_is_made_once_until_its_bytes_or_another_file_are_asked_for(tmp_path):
    made = []
    last = LastFiles(lambda stream: made.append(stream.read()) or len(made))
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"1")
    second.write_bytes(b"2")

    def of(path):
        with path.open("rb") as stream:
            return last.of(stream)

    assert [of(first), of(first), of(second), of(second), of(first)] == [1, 1, 2, 2, 3]
    first.write_bytes(b"11")
    assert of(first) == 4 and made == [b"1", b"2", b"1", b"11"]
    stream = io.BytesIO(b"3")
    assert [last.of(stream), last.of(stream), of(first)] == [5, 6, 7]


def test_several_files_are_kept_while_they_are_few_and_small(tmp_path, monkeypatch):
    """Of three files two are kept, those asked for last; a file too large to stand beside others is kept alone."""
    monkeypatch.setattr("l9.readers.last_files.TOGETHER", 10)
    made = []
    last = LastFiles(lambda stream: made.append(stream.name[-1]) or len(stream.read()), files=2)

    def of(name):
        with (tmp_path / name).open("rb") as stream:
            return last.of(stream)

    for name, size in (("a", 1), ("b", 2), ("c", 3), ("d", 9)):
        (tmp_path / name).write_bytes(bytes(size))
    assert [of(name) for name in "abab"] == [1, 2, 1, 2] and made == ["a", "b"]
    assert [of(name) for name in "caac"] == [3, 1, 1, 3] and made == ["a", "b", "c", "a"]
    assert [of(name) for name in "ddac"] == [9, 9, 1, 3] and made == ["a", "b", "c", "a", "d", "a", "c"]
    assert [of("d"), of("a")] == [9, 1] and made[-2:] == ["d", "a"]


def test_nothing_is_kept_of_a_file_that_was_refused(tmp_path):
    def make(stream):
        raise RefusedObject("unreadable", ".*")

    (tmp_path / "a").write_bytes(b"1")
    last = LastFiles(make)
    with (tmp_path / "a").open("rb") as stream, warnings.catch_warnings():
        for _ in range(2):
            with pytest.raises(RefusedObject):
                last.of(stream)
