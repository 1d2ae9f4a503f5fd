"""What the attacks need: a preparation that stores the mesh itself, readers that misbehave, and a watch on files that must stay shut."""

import ctypes
import dataclasses
import os
import struct
import time
from contextlib import contextmanager
from pathlib import Path

from l9.cards import load_card
from l9.config import Prep, Use
from l9.fingerprint import DigestCache
from l9.geometry.mesh import Mesh
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.progress import quiet
from l9.readers.contract import Found
from l9.readers.files import files_below
from l9.readers.obj import read_obj
from l9.sandbox.contract import Limits
from l9.stages.contract import yields
from l9.store.columns import Column

# An ordinary file takes its reader less than 10 s and 2 GiB, or it is refused with a reason of its own, never by a limit.
LIMITS = Limits(memory_bytes=2 << 30, cpu_seconds=10, wall_seconds=60)
VERSION = 1
IN_OPEN = 0x20  # linux/inotify.h


@yields(columns=lambda: (Column("vertices", "float64", (3,), "ragged"), Column("faces", "int64", (3,), "ragged")), version=1)
def whole(mesh: Mesh):
    """The mesh as its reader gave it."""
    yield {"vertices": mesh.vertices, "faces": mesh.faces}


def find(root):
    for path in files_below(root, (".obj",)):
        yield Found(str(path), (str(path),))


def read(files, found, up):
    """An OBJ reader that does what the file's name says."""
    deed = Path(found.id).stem
    if deed == "hangs":
        time.sleep(1000)
    if deed == "spins":
        while True:
            pass
    if deed == "crashes":
        ctypes.string_at(0)
    if deed == "aborts":
        os.abort()
    if deed == "eats":
        return bytearray(4 << 30)
    if deed == "leaves":
        os._exit(0)
    return read_obj(files[0], up)


def prepared(root, home, sandbox, card="folder", **changes):
    """The store of everything below `root`, done + quarantined = planned asserted, as object -> (vertices, faces) and object -> reason."""
    card = dataclasses.replace(load_card(card), **changes)
    digests = DigestCache(home / "digests.sqlite")
    try:
        plan = make_plan(card, Prep(Use(whole)), root, find_objects(card, root, sandbox), digests)
        store, _ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)
    finally:
        digests.close()
    counts = store.manifest["counts"]
    assert counts["done"] + counts["quarantined"] == counts["planned"] == len(plan.objects)
    rows = store.index.to_pylist()
    cells = {row["object"]: [store.shards[row["shard"]].cell(name, row["at"]) for name in ("vertices", "faces")] for row in rows}
    return store, cells, {row["id"]: row["reason"] for row in store.quarantine()}


def notes_of(store):
    return dict(zip(store.index["object"].to_pylist(), store.index["notes"].to_pylist(), strict=True))


@contextmanager
def watched(*paths):
    """A list that holds, behind the block, which of the files were opened by any process."""
    libc, opened = ctypes.CDLL(None, use_errno=True), []
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0
    try:
        names = {libc.inotify_add_watch(descriptor, os.fsencode(path), IN_OPEN): path for path in paths}
        assert len(names) == len(paths) and min(names) > 0
        yield opened
        try:
            events = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            events = b""
        while events:
            watch, _, _, length = struct.unpack_from("iIII", events)
            opened.append(names[watch])
            events = events[16 + length :]
    finally:
        os.close(descriptor)
