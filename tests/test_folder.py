"""A folder of meshes, listed and read through the sandbox."""

import os

import numpy as np
import pytest
import trimesh

from l9.errors import RefusedObject, UsageError
from l9.readers import files as files_module
from l9.readers import folder
from l9.readers.contract import Found
from l9.readers.files import files_below
from l9.readers.listing import Listing
from l9.sandbox.listing import find_objects, listed
from l9.sandbox.parent import Sandbox
from l9.stages.contract import changes, yields
from l9.store.columns import Column

READER = "l9.readers.folder:read"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(imports=("l9.stages.process", "l9.readers.folder", "test_folder")) as sandbox:
        yield sandbox


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trimesh.creation.box((1, 2, 3)).export(file_type="obj"))


def ids(root):
    return [(found.id, found.label) for found in folder.find(root)]


def test_both_layouts_and_loose_files_are_found_in_order(tmp_path):
    put(
        tmp_path,
        "chair/b.obj",
        "chair/a.OBJ",
        "table/0042/model.obj",
        "loose.stl",
        "chair/a.mtl",
        "chair/.hidden.obj",
        ".git/x.obj",
        "readme.txt",
    )
    put(tmp_path, "büro stuhl/ein Stuhl.ply", "desk/model.off", "desk/model.glb")
    assert ids(tmp_path) == [
        ("büro stuhl/ein Stuhl.ply", "büro stuhl"),
        ("chair/a.OBJ", "chair"),
        ("chair/b.obj", "chair"),
        ("desk/model.glb", "desk"),
        ("desk/model.off", "desk"),
        ("loose.stl", ""),
        ("table/0042/model.obj", "table"),
    ]
    files = {found.id: found.files for found in folder.find(tmp_path)}
    assert files.pop("chair/a.OBJ") == ("chair/a.OBJ", "chair/a.mtl")
    assert files == {identity: (identity,) for identity in files}


def test_links_are_followed_but_not_in_circles(tmp_path):
    put(tmp_path / "data", "chair/a.obj", "table/b.obj")
    (tmp_path / "data/chair/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/sofa").symlink_to(tmp_path / "data/chair")
    (tmp_path / "data/chair/other").symlink_to(tmp_path / "data/table")
    (tmp_path / "data/table/other").symlink_to(tmp_path / "data/chair")
    found = [identity for identity, _ in ids(tmp_path / "data")]
    assert {"chair/a.obj", "sofa/a.obj", "table/b.obj", "chair/other/b.obj", "table/other/a.obj"} <= set(found)
    assert len(found) == len(set(found)) < 20


def test_links_that_lead_to_one_folder_by_too_many_ways_are_named(tmp_path, monkeypatch):
    """Twelve folders with two links each to the next are 4,095 ways through twelve folders."""
    monkeypatch.setattr(files_module, "MOST_FOLDERS", 1000)
    for number in range(12):
        (tmp_path / str(number)).mkdir()
        for name in "ab" if number < 11 else "":
            (tmp_path / str(number) / name).symlink_to(tmp_path / str(number + 1), target_is_directory=True)
    with pytest.raises(UsageError, match=r"the 1,000th folder below the root"):
        files_below(tmp_path / "0", (".obj",))


def test_a_root_that_is_not_there_is_named(tmp_path, sandbox):
    with pytest.raises(UsageError, match="absent: no such folder"):
        sandbox.call("l9.sandbox.listing:find_objects", {"reader": READER, "root": str(tmp_path / "absent"), "parameters": {}})


def test_a_name_that_is_no_text_goes_to_quarantine_under_an_escaped_id(tmp_path, sandbox):
    (tmp_path / "chair").mkdir()
    os.close(os.open(os.fsencode(tmp_path) + b"/chair/\xff.obj", os.O_CREAT))
    (found,) = listed(sandbox, READER, tmp_path, {})
    assert found.id == "chair/\\udcff.obj"
    assert found.facts["refuse"][0] == "file-name"


def test_an_id_that_stands_twice_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "find", lambda root: iter([Found("a.obj", ("a.obj",))] * 2))
    with pytest.raises(RefusedObject, match=r"duplicate-id: 'a\.obj'"):
        Listing.of_packets(find_objects([], reader=READER, root=str(tmp_path), parameters={}).buffers)


@changes(version=1)
def doubled(mesh, by=2.0):
    return mesh.moved(mesh.vertices * by)


@yields(columns=lambda shape=(3,): (Column("size", "float64", shape), Column("name", "uint8", kind="blob")), version=1)
def size(mesh, shape: tuple[int, ...] = (3,)):
    assert shape == (3,), "lists of JSON become the tuples of the signature"
    yield {"size": np.ptp(mesh.vertices, axis=0).reshape(shape), "name": b"box"}


@yields(columns=lambda: (Column("view", "int32", ()),), version=1)
def views(mesh):
    for number in range(3):
        yield {"view": np.array(number, np.int32)}


@yields(columns=lambda: (Column("view", "int32", ()),), version=1)
def stumbling(mesh):
    raise ZeroDivisionError("of a stage")
    yield


def stage(function, **arguments):
    return {"target": f"test_folder:{function.__name__}", "arguments": arguments}


def process(sandbox, root, stages):
    found = next(folder.find(root))
    arguments = {"reader": READER, "found": found.describe(), "up": "+Y", "parameters": {}, "stages": stages}
    return sandbox.call("l9.stages.process:process_object", arguments, [root / name for name in found.files])


def test_an_object_goes_through_its_stages_in_the_sandbox(tmp_path, sandbox):
    put(tmp_path, "box/a.obj")
    answer = process(sandbox, tmp_path, [stage(doubled, by=3.0), stage(size, shape=[3]), stage(views)])
    assert answer.value == {"rows": 3, "columns": ["size", "name", "view"], "notes": []}
    assert len(answer.buffers) == 9 and answer.buffers[1] == b"box"
    np.testing.assert_allclose(answer.buffers[0], [3, 6, 9])
    assert [int(view) for view in answer.buffers[2::3]] == [0, 1, 2]
    assert answer.buffers[0] is answer.buffers[3] is answer.buffers[6], "a cell that rows share crosses once"


def test_what_the_reader_left_out_comes_back_as_notes(tmp_path, sandbox):
    (tmp_path / "a.obj").write_bytes(b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\nf 1 2\n")
    assert process(sandbox, tmp_path, [stage(views)]).value["notes"] == ["1 faces with fewer than 3 corners left out"]


def test_a_stage_that_stumbles_is_named(tmp_path, sandbox):
    put(tmp_path, "box/a.obj")
    with pytest.raises(RefusedObject) as caught:
        process(sandbox, tmp_path, [stage(stumbling)])
    assert (caught.value.reason, caught.value.detail) == ("stage-failed", "stumbling: ZeroDivisionError: of a stage")


def test_a_file_that_cannot_be_read_keeps_its_reason(tmp_path, sandbox):
    (tmp_path / "a.obj").write_bytes(b"")
    with pytest.raises(RefusedObject, match="empty-file"):
        process(sandbox, tmp_path, [stage(views)])
