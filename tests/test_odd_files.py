"""Odd files among good ones: each is one quarantine row with its own reason, and the rest of the work is done."""

import os

from l9.cards import load_card
from l9.config import Prep, Use
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.stages import normalise, occupancy

BOX = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
PLY = """ply
format ascii 1.0
element vertex 4
property float x
property float y
property float z
element face 4
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
0 1 0
0 0 1
3 0 2 1
3 0 1 3
3 0 3 2
3 1 2 3
"""


def _reasons(root, home):
    with new_sandbox() as sandbox:
        digests = DigestCache(home / "digests.sqlite")
        card = load_card("folder")
        plan = make_plan(card, Prep(Use(normalise), Use(occupancy, resolution=8)), root, find_objects(card, root, sandbox), digests)
        store, _ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, say=quiet)
        digests.close()
    assert store.manifest["counts"]["done"] + store.manifest["counts"]["quarantined"] == store.manifest["counts"]["planned"]
    return set(store.index["object"].to_pylist()), {row["id"]: row["reason"] for row in store.quarantine()}


def test_each_odd_file_is_one_row_and_the_rest_is_done(tmp_path, home):
    root = tmp_path / "meshes"
    (root / "c").mkdir(parents=True)
    for name in ("good.obj", "with space.obj", "ünïcode.obj", "-dash.obj"):
        (root / "c" / name).write_text(BOX)
    (root / "c" / "bom.obj").write_bytes(b"\xef\xbb\xbf" + BOX.encode())
    (root / "c" / "whole.ply").write_text(PLY)
    (root / "c" / "short.ply").write_text(PLY.rsplit("\n", 3)[0])
    (root / "c" / "cut.ply").write_text(PLY[:-3])
    (root / "c" / "line\nbreak.obj").write_text(BOX)
    (root / "c" / "escape\x1b[31m.obj").write_text(BOX)
    with open(os.fsencode(root / "c") + b"/latin\xe9.obj", "wb") as stream:  # noqa: PTH123 - a name that is no text
        stream.write(BOX.encode())
    os.mkfifo(root / "c" / "pipe.obj")
    (root / "c" / "loop.obj").symlink_to("loop.obj")
    (root / "c" / "dangling.obj").symlink_to("nowhere.obj")
    (root / "c" / "back").symlink_to("..", target_is_directory=True)
    (root / "c" / ".hidden.obj").write_text(BOX)
    done, refused = _reasons(root, home)
    assert done == {f"c/{name}" for name in ("good.obj", "with space.obj", "ünïcode.obj", "-dash.obj", "bom.obj", "whole.ply")}
    assert refused == {
        "c/short.ply": "truncated",
        "c/cut.ply": "truncated",
        "c/line\\nbreak.obj": "file-name",
        "c/escape\\x1b[31m.obj": "file-name",
        "c/latin\\udce9.obj": "file-name",
        "c/pipe.obj": "missing-file",
        "c/loop.obj": "missing-file",
        "c/dangling.obj": "missing-file",
    }
