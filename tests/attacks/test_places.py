"""What stands where a mesh should: links in circles, pipes, devices, names that are no text. Each is one quarantine row, or no object."""

import os
from pathlib import Path

import pytest
from attack_tools import LIMITS, prepared
from mesh_bytes import FACES, OBJ, VERTICES

from l9.prep.work import new_sandbox

PLAIN = ("good.obj", "with space.obj", "ünïcode.obj", "-dash.obj", "dots...obj", "back\\slash.obj", "hard link.obj", "link.obj")
REFUSED = {
    "line\\nbreak.obj": "file-name",
    "escape\\x1b[31m.obj": "file-name",
    "latin\\udce9.obj": "file-name",
    "pipe.obj": "missing-file",
    "pipe's hard link.obj": "missing-file",
    "device.obj": "missing-file",
    "loop.obj": "missing-file",
    "first of two.obj": "missing-file",
    "second of two.obj": "missing-file",
    "dangling.obj": "missing-file",
    "link to a folder.obj": None,  # a folder is no object: what is in it would be
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    base = tmp_path_factory.mktemp("places")
    root = base / "meshes"
    folder = root / "c"
    folder.mkdir(parents=True)
    (base / "elsewhere.obj").write_bytes(OBJ)
    for name in (*PLAIN[:-2], "line\nbreak.obj", "escape\x1b[31m.obj", ".hidden.obj"):
        (folder / name).write_bytes(OBJ)
    with open(os.fsencode(folder) + b"/latin\xe9.obj", "wb") as stream:  # noqa: PTH123 - a name that is no text
        stream.write(OBJ)
    (folder / "hard link.obj").hardlink_to(base / "elsewhere.obj")  # not to be told from the file itself
    (folder / "link.obj").symlink_to(base / "elsewhere.obj")
    os.mkfifo(folder / "pipe.obj")
    (folder / "pipe's hard link.obj").hardlink_to(folder / "pipe.obj")
    (folder / "device.obj").symlink_to("/dev/zero")
    (folder / "loop.obj").symlink_to("loop.obj")
    (folder / "first of two.obj").symlink_to("second of two.obj")
    (folder / "second of two.obj").symlink_to("first of two.obj")
    (folder / "dangling.obj").symlink_to("nowhere.obj")
    (folder / "folder.obj").mkdir()
    (folder / "link to a folder.obj").symlink_to("folder.obj", target_is_directory=True)
    (folder / "back").symlink_to("..", target_is_directory=True)
    with new_sandbox(LIMITS) as sandbox:
        return prepared(root, base / "home", sandbox)


def test_each_odd_place_is_one_row_and_the_rest_is_done(attacked):
    _, meshes, reasons = attacked
    assert set(meshes) == {f"c/{name}" for name in PLAIN}
    assert reasons == {f"c/{name}": reason for name, reason in REFUSED.items() if reason}
    for vertices, faces in meshes.values():
        assert vertices.tolist() == VERTICES.tolist() and faces.tolist() == FACES.tolist()


def test_what_is_written_can_be_printed(attacked):
    for path in attacked[0].path.iterdir():
        assert path.suffix == ".arrow" or all(line.isprintable() for line in path.read_text().splitlines()), Path(path)
