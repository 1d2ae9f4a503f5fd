"""Furniture with its materials: colours and pictures out of the model's own archive, and what happens where they mean harm."""

import io
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from l9.errors import RefusedObject
from l9.readers import coloured, sweethome
from l9.readers.contract import Found
from l9.readers.mtl import Described, read_mtl
from l9.readers.pictures import small_picture

OBJ = b"""mtllib box.mtl
v 0 0 0\nv 1 0 0\nv 1 2 0\nv 0 2 0\nv 0 0 3
vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1
usemtl red
f 1/1 2/2 3/3 4/4
usemtl wood
f 1/-4 2/-3 5/-2
usemtl white.001
f 1 2 5
"""
MTL = b"""# by hand
newmtl red\nKa 0 0 0\nKd 1 0.25 0 # bright\n
newmtl wood\r\nKd 0 0 0\r\nmap_Kd pictures\\wood.png
newmtl unused\nKd 0 1 0\nmap_Kd /etc/passwd
"""
FACTS = {"size": [2.0, 1.0, 3.0], "rotation": [1, 0, 0, 0, 0, -1, 0, 1, 0]}


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


QUARTERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)  # red and green above blue and yellow


def archive(obj=OBJ, mtl=MTL, **members):
    stream = io.BytesIO()
    members.setdefault("pictures/wood.png", png(QUARTERS))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("some/box/box.obj", obj)
        if mtl is not None:
            written.writestr("some/box/box.mtl", mtl)
        for name, data in members.items():
            written.writestr("some/box/" + name, data)
    return stream


def read(stream, **facts):
    found = Found("a", ("a.sh3f",), member="/some/box/box.obj", facts=FACTS | facts)
    model = coloured.read_model([stream], found, "+Y")
    mesh = sweethome.read([stream], found, "+Y")
    np.testing.assert_array_equal(model.vertices, mesh.vertices)
    np.testing.assert_array_equal(model.faces, mesh.faces)
    return model


def test_faces_have_the_colours_and_pictures_of_their_materials():
    model = read(archive())
    looks = [model.materials[number] for number in model.material_of]
    assert [look.colour for look in looks[:2]] == [(1.0, 0.25, 0.0)] * 2
    assert looks[2].colour == (1.0, 1.0, 1.0)  # its Kd of 0 0 0 would hide the picture
    np.testing.assert_array_equal(looks[2].texture, QUARTERS)
    assert looks[0].texture is None
    assert looks[3].colour == (0.93, 0.93, 0.93)  # no file describes it: its name says white
    assert model.notes == ()  # the material that no face uses is not looked at


def test_texture_coordinates_follow_their_corners():
    model = read(archive())
    assert model.uv.shape == (4, 3, 2)
    np.testing.assert_array_equal(model.uv[0], [[0, 0], [1, 0], [1, 1]])
    np.testing.assert_array_equal(model.uv[1], [[0, 0], [1, 1], [0, 1]])
    np.testing.assert_array_equal(model.uv[2], [[0, 0], [1, 0], [1, 1]])  # counted back from the last
    assert not model.uv[3].any()


@pytest.mark.parametrize(
    ("mtl", "members", "noted"),
    [
        (None, {}, "'box.mtl' is not in the archive: faces have plain colours"),
        (b"newmtl wood\nmap_Kd none.png", {}, "'none.png' is not in the archive: its material has a plain colour"),
        (b"newmtl wood\nmap_Kd ../../a.png", {}, "'../../a.png' leads outside the object's folder: its material has a plain colour"),
        (b"newmtl wood\nmap_Kd C:/a.png", {}, "'C:/a.png' leads outside the object's folder: its material has a plain colour"),
        (b"newmtl wood\nmap_Kd a.png", {"a.png": b"\x89PNG\r\n\x1a\nbroken"}, "'a.png' UnidentifiedImageError"),
        (b"newmtl wood\nmap_Kd a.png", {"a.png": png(QUARTERS)[:50]}, "'a.png' "),
        (b"newmtl wood\nmap_Kd a.png", {"a.png": png(np.zeros((1, 4097, 3)))}, "'a.png' 4097x1 pixels; expected at most 4096"),
        (b"newmtl red\nKd 1 1 1 " + b" " * (1 << 20), {}, "'box.mtl' a line of more than 1,048,576 bytes"),
    ],
)
def test_what_is_missing_or_broken_costs_the_looks_alone(mtl, members, noted):
    model = read(archive(mtl=mtl, **members))
    assert len(model.notes) == 1
    assert model.notes[0].startswith(noted)
    assert all(material.texture is None for material in model.materials)


def test_a_member_with_a_wrong_checksum_is_noted():
    stream = archive(**{"a.png": png(np.arange(3 * 64 * 64).reshape(64, 64, 3) % 251)}, mtl=b"newmtl wood\nmap_Kd a.png")
    data = bytearray(stream.getvalue())
    start = data.index(b"a.png") + 60
    data[start : start + 8] = b"\xff" * 8
    assert read(io.BytesIO(bytes(data))).notes[0].startswith("'a.png' ")


@pytest.mark.parametrize(
    ("bad", "noted"),
    [
        (b"vt 0 x", "texture coordinates are not made of numbers: left out"),
        (b"vt nan 0", "2 texture coordinates that no picture has: left out"),
        (b"vt 1e30 0", "2 texture coordinates that no picture has: left out"),
    ],
)
def test_texture_coordinates_that_mean_nothing_are_left_out(bad, noted):
    model = read(archive(obj=OBJ.replace(b"vt 0 0", bad)))
    assert noted in model.notes
    assert np.isfinite(model.uv).all()
    assert len(model.faces) == 4


@pytest.mark.parametrize("number", [b"9", b"-9", b"999999999999999999999999"])
def test_texture_numbers_beyond_the_list_are_left_out(number):
    model = read(archive(obj=OBJ.replace(b"1/1", b"1/" + number)))
    assert len(model.notes) == 1
    assert not model.uv[0, 0].any()


def test_geometry_is_refused_as_it_is_without_colours():
    with pytest.raises(RefusedObject, match="index-out-of-range"):
        read(archive(obj=OBJ.replace(b"f 1 2 5", b"f 1 2 6")))
    with pytest.raises(RefusedObject, match="no-faces"):
        read(archive(obj=b"v 0 0 0\nv 1 0 0\nf 1 2\n"))
    with pytest.raises(RefusedObject, match="bad-catalog"):
        coloured.read_model([archive()], Found("a", ("a",), facts={"problem": "no size"}), "+Y")


def test_large_pictures_are_made_smaller_and_keep_their_way_up():
    large = np.repeat(np.repeat(QUARTERS, 600, axis=0), 450, axis=1)
    picture = small_picture(png(large))
    assert picture.shape == (512, 384, 3)
    np.testing.assert_array_equal(picture[[0, 0, -1, -1], [0, -1, 0, -1]], QUARTERS.reshape(4, 3))


def test_a_picture_that_unpacks_to_billions_of_pixels_is_refused_before_it_does():
    bomb = bytearray(png(np.zeros((1, 1, 3))))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RefusedObject):
            small_picture(bytes(bomb))


def test_material_files_are_read_line_by_line():
    text = b"Kd 1 1 1\nnewmtl a b\nKd 2 -1 0.5\nmap_Kd -s 2 2 1 oak.jpg\n"
    text += b"newmtl c\nKd spectral x.rfl\nnewmtl d\nKd nan 0 0\nmap_Kd my oak.jpg\n"
    assert read_mtl(text) == {
        "": Described((1.0, 1.0, 1.0)),
        "a b": Described((1.0, 0.0, 0.5), "oak.jpg"),
        "c": Described(),
        "d": Described(None, "my oak.jpg"),
    }


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2), st.integers(0, 10_000), st.binary(min_size=1, max_size=12), st.booleans())
def test_bytes_that_mean_harm_give_a_model_or_a_refusal(which, place, harm, instead):
    parts = [OBJ, MTL, png(QUARTERS)]
    start = place % len(parts[which])
    parts[which] = parts[which][:start] + harm + parts[which][start + len(harm) * instead :]
    found = Found("a", ("a.sh3f",), member="/some/box/box.obj", facts=FACTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of a picture with another size
        try:
            model = coloured.read_model([archive(parts[0], parts[1], **{"pictures/wood.png": parts[2]})], found, "+Y")
        except RefusedObject:
            assert which == 0  # nothing beside the geometry fails an object
            return
    assert model.uv.shape == (len(model.faces), 3, 2)
    assert np.isfinite(model.uv).all()
    assert len(model.material_of) == len(model.faces)
    assert model.material_of.max() < len(model.materials)
    assert all(0 <= value <= 1 for material in model.materials for value in material.colour)
    assert all(note.isprintable() for note in model.notes)
