"""Archives that name paths outside, unpack to a thousand times their size, or lie about it."""

import struct
import zipfile

import numpy as np
import pytest
from attack_tools import LIMITS, prepared
from mesh_bytes import CATALOG, OBJ, archive, catalog

from l9.errors import CardError
from l9.prep.work import new_sandbox

READER = "l9.readers.sweethome:read"
BOMB = b"v 0 0 0\n" * (9 << 20)  # 72 MB, which deflate packs a thousandfold
MEMBERS = {  # what the catalog calls a model, and why it is refused
    "/good/box.obj": None,
    "../outside.obj": "bad-member",
    "/../outside.obj": "bad-member",
    "a/../../outside.obj": "bad-member",
    "//etc/passwd": "bad-member",
    "C:/outside.obj": "bad-member",
    "a\\..\\..\\outside.obj": "bad-member",
    "absent.obj": "missing-member",
    "bomb.obj": "too-large",
    "lies.obj": "unreadable",
    "model.dae": "unknown-format",
    "folder/": "unknown-format",
}


def _archive():
    written = dict.fromkeys(("outside.obj", "../outside.obj", "good/box.obj", "a/../../outside.obj", "model.dae"), OBJ)
    escaped = catalog(*(name.replace("\\", "\\\\") for name in MEMBERS))
    data = archive({CATALOG: escaped, **written, "bomb.obj": BOMB, "lies.obj": OBJ, "folder/": b""})
    assert len(BOMB) > 200 * len(data)
    place = data.rindex(b"lies.obj") - 46  # its entry in the central directory
    return data[: place + 24] + struct.pack("<I", len(OBJ) - 9) + data[place + 28 :]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    root = tmp_path_factory.mktemp("archives")
    (root / "a.sh3f").write_bytes(_archive())
    with new_sandbox(LIMITS) as sandbox:
        found = prepared(root, root / "home", sandbox, reader=READER)
        assert sandbox.deaths == 0
    return root, *found


def test_each_member_is_refused_or_comes_through(attacked):
    _, _, meshes, reasons = attacked
    expected = {f"a-box-{number}": reason for number, reason in enumerate(MEMBERS.values(), 1)}
    assert reasons == {name: reason for name, reason in expected.items() if reason}
    ((name, (vertices, _)),) = meshes.items()
    assert expected[name] is None
    np.testing.assert_allclose([vertices.min(axis=0), vertices.max(axis=0)], [[-0.5, 0, -0.5], [0.5, 1, 0.5]])


def test_nothing_is_unpacked_to_the_disk(attacked):
    root = attacked[0]
    assert not list(root.parent.glob("**/outside.obj"))


def test_ids_never_hold_a_path(tmp_path):
    listed = b"id#1=../../evil\nmodel#1=a.obj\nid#2=/etc/passwd\nmodel#2=a.obj\nid#3=a\\u0000b\\n..\nmodel#3=a.obj\n"
    (tmp_path / ".. evil.sh3f").write_bytes(archive({CATALOG: listed, "a.obj": OBJ}))
    (tmp_path / "b.sh3f").write_bytes(archive({CATALOG: listed, "a.obj": OBJ}))
    with new_sandbox(LIMITS) as sandbox:
        _, _, reasons = prepared(tmp_path, tmp_path / "home", sandbox, reader=READER)
    assert set(reasons) == {"b-evil", "b-etc-passwd", "b-a-b"}


def test_numbers_that_are_written_otherwise_are_no_models(tmp_path):
    listed = catalog("a.obj") + b"model#01=a.obj\nmodel#\\u0662=a.obj\nmodel#3x=a.obj\nmodel#=a.obj\nmodel#9999999999=a.obj\n"
    (tmp_path / "a.sh3f").write_bytes(archive({CATALOG: listed, "a.obj": OBJ}))
    with new_sandbox(LIMITS) as sandbox:
        _, meshes, reasons = prepared(tmp_path, tmp_path / "home", sandbox, reader=READER)
    assert set(meshes) == {"a-box-1"} and not reasons


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 and no more", "unreadable"),
        (archive({CATALOG: b"#" * (17 << 20)}), "too-large"),
        (archive({CATALOG: b"name#1=x\n" * 100}, zipfile.ZIP_LZMA)[:-200], "unreadable"),
    ],
)
def test_a_catalog_that_cannot_be_read_ends_in_one_line_that_names_the_archive(tmp_path, data, words):
    (tmp_path / "a.sh3f").write_bytes(data)
    with new_sandbox(LIMITS) as sandbox, pytest.raises(CardError) as caught:
        prepared(tmp_path, tmp_path / "home", sandbox, reader=READER)
    assert f"{words}: a.sh3f" in str(caught.value) and "\n" not in str(caught.value)
