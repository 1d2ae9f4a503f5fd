"""Material files and textures that lead out of an object's folder: never opened, noted in the object's row, and the mesh comes through."""

import os

import pytest
from attack_tools import LIMITS, notes_of, prepared, watched
from mesh_bytes import FACES, OBJ, VERTICES

from l9.prep.work import new_sandbox

OUTSIDE = "leads outside the object's folder: not opened"
CASES = {  # object -> first line of the OBJ, its material file, what is noted
    "sound": (b"mtllib sound.mtl", b"newmtl wood\nmap_Kd wood.png\nmap_Ks -s 1 1 1 below/wood.png\n", ""),
    "no-material": (b"mtllib absent.mtl", None, ""),
    "library-above": (b"mtllib ../../secret.mtl", None, f"'../../secret.mtl' {OUTSIDE}"),
    "library-absolute": (b"mtllib {base}/secret.mtl", None, f"'{{base}}/secret.mtl' {OUTSIDE}"),
    "library-address": (b"mtllib file://{base}/secret.mtl", None, f"'file://{{base}}/secret.mtl' {OUTSIDE}"),
    "library-second": (
        b"mtllib a.mtl b/../../c/secret.mtl",
        None,
        f"'b/../../c/secret.mtl' {OUTSIDE}",
    ),
    "texture-above": (b"mtllib texture-above.mtl", b"newmtl x\nmap_Kd ../../secret.png\n", f"'../../secret.png' {OUTSIDE}"),
    "texture-options": (b"", b"bump -bm 1 ..\\..\\secret.png\r\n", f"'..\\..\\secret.png' {OUTSIDE}"),
    "texture-drive": (b"", b"map_Kd C:\\secret.png\n", f"'C:\\secret.png' {OUTSIDE}"),
    "texture-many": (
        b"",
        b"".join(b"map_Kd /%d.png\n" % number for number in range(1000)),
        "; ".join([*(f"'/{number}.png' {OUTSIDE}" for number in range(3)), "and 997 more references outside it"]),
    ),
    "link": (b"mtllib link.mtl", "../../secret.mtl", f"link.mtl {OUTSIDE}"),
    "link-to-a-pipe": (b"mtllib link-to-a-pipe.mtl", "../../secret.pipe", f"link-to-a-pipe.mtl {OUTSIDE}"),
    "link-nowhere": (b"", "nowhere.mtl", "link-nowhere.mtl leads nowhere: not opened"),
    "link-in-a-circle": (b"", "link-in-a-circle.mtl", "link-in-a-circle.mtl leads nowhere: not opened"),
    "link-inside": (b"", "sound.mtl", ""),
    "link-below": (b"", "below/wood.mtl", f"link-below.mtl {OUTSIDE}"),
    "pipe": (b"mtllib pipe.mtl", os.mkfifo, "pipe.mtl is no regular file: not opened"),
    "folder": (b"mtllib folder.mtl", os.mkdir, "folder.mtl is no regular file: not opened"),
    "large": (
        b"",
        lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 17 << 20),
        "large.mtl has more than 16,777,216 bytes: not opened",
    ),
}


def _put(folder, base, name, line, material):
    (folder / f"{name}.obj").write_bytes(line.replace(b"{base}", bytes(base)) + b"\n" + OBJ)
    path = folder / f"{name}.mtl"
    if isinstance(material, bytes):
        path.write_bytes(material)
    elif isinstance(material, str):
        path.symlink_to(material)
    elif material is not None:
        material(path)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    base = tmp_path_factory.mktemp("m")
    root, secrets = base / "meshes", [base / "secret.mtl", base / "secret.png", base / "secret.pipe"]
    (root / "c" / "below").mkdir(parents=True)
    for path in (*secrets[:2], root / "c" / "below" / "wood.mtl", root / "c" / "wood.png"):
        path.write_bytes(b"map_Kd seen.png\n")
    os.mkfifo(secrets[2])
    for name, (line, material, _) in CASES.items():
        _put(root / "c", base, name, line, material)
    shut = [*secrets, root / "c" / "below" / "wood.mtl", root / "c" / "wood.png", root / "c" / "pipe.mtl"]
    with new_sandbox(LIMITS) as sandbox, watched(*shut, root / "c" / "sound.mtl") as opened:
        return base, root, prepared(root, base / "home", sandbox), opened


def test_nothing_outside_is_opened_by_any_process(attacked):
    _, root, _, opened = attacked
    assert set(opened) == {root / "c" / "sound.mtl"}


@pytest.mark.parametrize("name", CASES)
def test_the_mesh_comes_through_with_its_note(attacked, name):
    base, _, (store, meshes, reasons), _ = attacked
    assert not reasons
    vertices, faces = meshes[f"c/{name}.obj"]
    assert vertices.tolist() == VERTICES.tolist() and faces.tolist() == FACES.tolist()
    assert notes_of(store)[f"c/{name}.obj"] == CASES[name][2].replace("{base}", str(base))


def test_a_material_file_is_part_of_its_objects_key_and_what_lies_outside_is_not(attacked):
    base, root, (before, _, _), _ = attacked
    for path in (root / "c" / "sound.mtl", base / "secret.mtl", base / "secret.png"):
        path.write_bytes(path.read_bytes() + b"# changed\n")
    with new_sandbox(LIMITS) as sandbox:
        after, _, _ = prepared(root, base / "home", sandbox)
    keys = [dict(zip(store.index["object"].to_pylist(), store.index["key"].to_pylist(), strict=True)) for store in (before, after)]
    assert {name for name in keys[0] if keys[0][name] != keys[1][name]} == {"c/sound.obj", "c/link-inside.obj"}
