"""Scans that give no grids are quarantined with their reason, and those beside them are done: empty, dark, too short, too large."""

import shutil

import pytest

from l9.cards import card_from_plain
from l9.config import Prep, Use
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import IMPORTS, new_sandbox
from l9.progress import quiet
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox
from l9.stages import fused_blocks, scene_blocks

CARD = {
    "name": "scans",
    "what": "scans",
    "licence": "none",
    "reader": "scan_readers:read",
    "shards": 1,
    "axes": {"up": "+Z", "front": "+Y"},
}
SMALL = Limits(memory_bytes=768 << 20, answer_bytes=16 << 30)


@pytest.fixture
def prepared(home, tmp_path):
    """Prepares a few of the scans by one stage, in a child of little memory."""

    def prepare(use, names, limits=SMALL):
        card = card_from_plain(CARD, "scans.yaml")
        (tmp_path / "root").mkdir(exist_ok=True)
        digests = DigestCache(tmp_path / "digests.sqlite")
        with new_sandbox() as lister:
            found = [one for one in find_objects(card, tmp_path / "root", lister) if one.id in names]
        plan = make_plan(card, Prep(use), tmp_path / "root", found, digests)
        with Sandbox(limits, imports=IMPORTS) as sandbox:
            store, _ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet, remote=None)
        digests.close()
        assert {one["id"] for one in store.quarantine()} | set(store.index.to_pydict()["object"]) == set(names)
        return store

    return prepare


def reasons(store):
    return {one["id"]: one["reason"] for one in store.quarantine()}


def test_recordings_that_show_nothing_are_told_from_short_ones(prepared):
    """One frame is a scan; none with a depth, none at all, and one a million kilometres away are not. A street is too long to hold."""
    store = prepared(Use(fused_blocks, voxel=0.02), ("dark", "empty", "good", "nowhere", "single", "vast"))
    told = reasons(store)
    assert told.pop("vast") in ("memory-limit", "died"), "the child ran out of memory, and the scans after it were read by the next one"
    assert told == {"dark": "no-depth", "empty": "no-depth", "nowhere": "too-far"}
    assert set(store.index.to_pydict()["object"]) == {"good", "single"}


def test_an_empty_surface_is_refused_and_one_larger_than_memory_is_done(prepared):
    """Blocks leave the child as they are made: 590 MB of them pass through one that may use 512 MiB."""
    store = prepared(Use(scene_blocks, voxel=0.05), ("empty", "good", "plain"), Limits(memory_bytes=512 << 20))
    assert reasons(store) == {"empty": "no-faces", "good": "no-surface"}
    rows = store.index.to_pydict()["object"]
    assert rows.count("plain") == len(rows) == 16 * 16 * 2, "and those that its band reaches into, on both sides of z = 0"
    shutil.rmtree(store.path.parent / "shards")
