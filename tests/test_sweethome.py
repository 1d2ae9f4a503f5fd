"""Sweet Home 3D libraries: catalogs, sizes, rotations, and archives that mean harm."""

import errno
import io
import os
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l9.cards import load_card
from l9.errors import RefusedObject, UsageError
from l9.readers import sweethome
from l9.readers.properties import parse_properties

BOX = b"v 0 0 0\nv 1 0 0\nv 1 2 0\nv 0 2 0\nv 0 0 3\nf 1 2 3 4\nf 1 2 5\nv 99 99 99\n"  # one vertex that no face uses
CATALOG = r"""# a catalog
id=Somebody#Models
id#1=Some Catalog#bigChair_2
name#1=Chair 10\u20ac
model#1=/some/chair/chair.obj
width#1=50
height#1=200.0
depth#1=25
id#12=Some Catalog#lying
name#12=Lying \
        chair
model#12=/some/chair/chair.obj
modelRotation#12=1 0 0 0 0 -1 0 1 0
width#12=50
height#12=100
depth#12=200
id#13=eTeks#lightSource
model#13=/some/lightSource.obj
"""


def library(path, catalog=CATALOG, name="PluginFurnitureCatalog.properties", **members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, catalog.encode("latin-1"))
        archive.writestr("some/chair/chair.obj", BOX)
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def read(path, found):
    with path.open("rb") as stream:
        return sweethome.read([stream], found, "+Y")


def test_a_catalog_is_listed_in_the_order_of_its_numbers(tmp_path):
    library(tmp_path / "b/My Own.sh3f")
    library(tmp_path / "a.jar", name="com/eteks/sweethome3d/io/DefaultFurnitureCatalog.properties")
    library(tmp_path / "c.jar", name="META-INF/other.properties")
    found = list(sweethome.find(tmp_path))
    assert [one.id for one in found] == ["a-bigchair-2", "a-lying", "my-own-bigchair-2", "my-own-lying"]
    chair, lying = found[2:]
    assert chair.files == ("b/My Own.sh3f",) and chair.member == "/some/chair/chair.obj" and chair.label == chair.split == ""
    assert chair.facts == {"name": "Chair 10€", "size": [0.5, 2.0, 0.25]}
    assert lying.facts == {"name": "Lying chair", "size": [0.5, 1.0, 2.0], "rotation": [1, 0, 0, 0, 0, -1, 0, 1, 0]}


def test_a_model_has_its_catalogs_size_and_stands_on_the_ground(tmp_path):
    path = library(tmp_path / "a.sh3f")
    upright, lying = (read(path, found) for found in sweethome.find(tmp_path))
    for mesh, size in [(upright, (0.5, 2.0, 0.25)), (lying, (0.5, 1.0, 2.0))]:
        used = mesh.vertices[np.unique(mesh.faces)]
        np.testing.assert_allclose(used.max(axis=0) - used.min(axis=0), size, atol=1e-12)
        np.testing.assert_allclose((used.max(axis=0) + used.min(axis=0))[[0, 2]], 0, atol=1e-12)
        assert used[:, 1].min() == 0 and mesh.up == "+Y"
    # vertex 5, which stands out along z, lies highest once z is turned to -y and the model is put on the ground
    assert upright.vertices[4, 2] == pytest.approx(0.125) and lying.vertices[4, 1] == pytest.approx(0.0)
    assert lying.vertices[2, 2] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("width#1=wide", "could not convert"),
        ("width#1=nan", "size"),
        ("width#1=0", "size"),
        ("width#1=1e9", "size"),
        ("modelRotation#1=1 0 0 0 1 0 0 0", "8 values"),
        ("modelRotation#1=1 0 0 0 1 0 0 0 nan", "finite"),
        ("modelRotation#1=9 0 0 0 9 0 0 0 9", "no rotation"),
        ("modelRotation#1=-1 0 0 0 1 0 0 0 1", "no rotation"),
        (r"model#1=\u001bx.obj", "cannot be printed"),
    ],
)
def test_one_bad_line_of_a_catalog_costs_one_model(tmp_path, line, words):
    path = library(tmp_path / "a.sh3f", CATALOG + line + "\n")
    bad, good = sweethome.find(tmp_path)
    assert len(read(path, good).faces) == 3
    with pytest.raises(RefusedObject, match=f"bad-catalog: model 1: .*{words}"):
        read(path, bad)


def test_a_name_that_is_no_text_is_listed_escaped(tmp_path):
    library(tmp_path / "a.sh3f", CATALOG + r"name#1=\ud800x" + "\n")
    assert next(sweethome.find(tmp_path)).facts["name"] == r"\ud800x"


def test_a_side_too_short_to_be_scaled_is_refused(tmp_path):
    thin = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1e-310\nf 1 2 3\nf 1 2 4\n"
    path = library(tmp_path / "a.sh3f", CATALOG + "model#1=/thin.obj\n", **{"thin.obj": thin})
    with pytest.raises(RefusedObject, match="not-finite"):
        read(path, next(sweethome.find(tmp_path)))


def test_an_archive_that_is_no_file_is_named_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jar")
    with pytest.raises(RefusedObject, match=r"unreadable: pipe.jar: no regular file"):
        list(sweethome.find(tmp_path))


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("//etc/passwd", "bad-member"),
        ("/../../etc/passwd", "bad-member"),
        ("/some/../../x.obj", "bad-member"),
        ("C:/x.obj", "bad-member"),
        (r"some\\..\\x.obj", "bad-member"),
        ("http://example.org/x.obj", "bad-member"),
        ("/", "bad-member"),
        ("/absent.obj", "missing-member"),
        ("/model.dae", "unknown-format"),
        ("/empty.obj", "empty-file"),
    ],
)
def test_a_member_that_is_not_one_is_refused(tmp_path, member, reason):
    path = library(tmp_path / "a.sh3f", CATALOG + f"model#1={member}\n", **{"model.dae": b"x", "empty.obj": b""})
    with pytest.raises(RefusedObject) as caught:
        read(path, next(sweethome.find(tmp_path)))
    assert caught.value.reason == reason


def test_a_bomb_is_refused_by_what_it_declares_and_by_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(sweethome, "MEMBER_BYTES", 1 << 20)
    path = library(tmp_path / "a.sh3f", CATALOG + "model#1=/bomb.obj\n", **{"bomb.obj": b"v 0 0 0\n" * (1 << 18)})
    found = next(sweethome.find(tmp_path))
    with pytest.raises(RefusedObject, match=r"too-large: .* unpacks to 2,097,152 bytes"):
        read(path, found)
    lying = path.read_bytes().replace((2 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(lying)
    with pytest.raises(RefusedObject, match="unreadable"):
        read(path, found)


def test_a_broken_archive_is_named(tmp_path):
    path = library(tmp_path / "a.sh3f")
    found = next(sweethome.find(tmp_path))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(RefusedObject, match=r"unreadable: a\.sh3f: BadZipFile: File is not a zip file"):
        list(sweethome.find(tmp_path))
    with pytest.raises(RefusedObject, match="unreadable"):
        read(path, found)


def test_damage_inside_an_archive_is_refused(tmp_path):
    path = library(tmp_path / "a.sh3f")
    found = next(sweethome.find(tmp_path))
    data = bytearray(path.read_bytes())
    start = data.find(b"some/chair/chair.obj") + len("some/chair/chair.obj")
    data[start + 4 : start + 20] = b"\xff" * 16
    path.write_bytes(data)
    with pytest.raises(RefusedObject, match="unreadable"):
        read(path, found)


def test_a_root_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="absent"):
        list(sweethome.find(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a=b", {"a": "b"}),
        (b"  a : b  \r\nc\td e\n", {"a": "b  ", "c": "d e"}),
        (b"a=b\\\n   c\\\\\nd=", {"a": "bc\\", "d": ""}),
        (b"# x=y\n! z=w\n\na=#b", {"a": "#b"}),
        (b"a\\=b\\ c=d\\te", {"a=b c": "d\te"}),
        (b"a=\\u20AC\xe9\\q", {"a": "€éq"}),
        (b"a=1\na=2\nb", {"a": "2", "b": ""}),
        (b"a=b\\", {"a": "b"}),
    ],
)
def test_properties_are_read_as_java_does(text, expected):
    assert parse_properties(text) == expected


@given(st.binary(max_size=200))
def test_any_bytes_are_properties(data):
    parse_properties(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_an_archive_or_refused(data):
    found = sweethome.Found("a", ("a.sh3f",), member="/a.obj", facts={"size": [1, 1, 1]})
    for stream in (io.BytesIO(data), io.BytesIO(b"PK\x03\x04" + data + b"PK\x05\x06" + b"\0" * 18)):
        with pytest.raises(RefusedObject):
            sweethome.read([stream], found, "+Y")


@pytest.mark.skipif("L9_TEST_FURNITURE" not in os.environ, reason="L9_TEST_FURNITURE names no folder of the fetched furniture")
def test_the_furniture_is_all_there():
    root = Path(os.environ["L9_TEST_FURNITURE"])
    found = list(sweethome.find(root))
    assert {one.id for one in found} == set(load_card("furniture").label_rows) and len(found) == 911
    for one in found[::100]:
        assert len(read(root / one.files[0], one).faces) >= 12


def test_a_disk_that_fails_while_an_archive_is_read_refuses_no_object():
    class Failing(io.BytesIO):
        def read(self, *_):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        sweethome.listed_models(Failing(b"PK"), PurePosixPath("a.sh3f"))
