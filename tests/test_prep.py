"""Preparation as a whole: keys before work, every object done or quarantined, nothing done twice, with and without Ray."""

import dataclasses
import errno
import hashlib
import io
import json
import os
import shutil
from contextlib import closing

import numpy as np
import pytest

from l9.cards import load_card
from l9.config import Prep, Use
from l9.errors import CardError, L9Error, SandboxError, ShapeError, StoreError, UsageError
from l9.fingerprint import DigestCache
from l9.prep import run as run_module
from l9.prep import shelf as shelf_module
from l9.prep import work as work_module
from l9.prep.check import check_card
from l9.prep.estimate import estimate
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import _notes, _rows, make_shard, new_sandbox, shard_work
from l9.progress import quiet
from l9.readers.meshes import FORMATS, read_mesh
from l9.sandbox import listing as listing_module
from l9.sandbox.contract import Answer
from l9.sandbox.parent import Sandbox
from l9.stages import normalise, occupancy, surface_points
from l9.stages import process as process_module
from l9.stages.contract import yields
from l9.stages.process import process_object, rehearse
from l9.store.columns import Column

BOX = """v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1
f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 3 4 8 7\nf 1 5 8 4\nf 2 3 7 6\n"""
PREP = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=8), Use(surface_points, count=16, seed=0))


@pytest.fixture(scope="module")
def sandbox():
    with new_sandbox() as child:
        yield child


@pytest.fixture
def root(tmp_path):
    """Eight boxes in two classes, and four files that cannot be used."""
    folder = tmp_path / "meshes"
    for number in range(8):
        path = folder / ("tall" if number % 2 else "wide") / f"box {number}.obj"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BOX.replace("v 1", f"v {1 + number}"))
    (folder / "tall" / "empty.obj").write_text("")
    (folder / "tall" / "nan.obj").write_text(BOX.replace("v 1 1 1", "v nan 1 1"))
    (folder / "wide" / "faceless.obj").write_text(BOX.split("f ")[0])
    (folder / "wide" / "far.obj").write_text(BOX + "f 1 2 99\n")
    return folder


def _prepare(home, root, sandbox, prep=PREP, workers=0, card=None):
    card = card or load_card("folder")
    digests = DigestCache(home / "store" / "digests.sqlite")
    try:
        plan = make_plan(card, prep, root, find_objects(card, root, sandbox), digests)
        return run_plan(plan, home, workers=workers, address=None, sandbox=sandbox, digests=digests, say=quiet)
    finally:
        digests.close()


def _run(plan, home, sandbox):
    with closing(DigestCache(home / "digests.sqlite")) as digests:
        return run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)


def _bytes_of(home):
    """sha256 of every file of the stores, apart from timings and the digest cache, which hold no results."""
    files = [p for p in sorted((home / "store").rglob("*")) if p.is_file() and p.name != "timings.jsonl" and "digests" not in p.name]
    return {str(p.relative_to(home)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_every_object_is_done_or_quarantined(home, root, sandbox):
    store, counts = _prepare(home, root, sandbox)
    assert store.manifest["counts"] == {"planned": 12, "done": 8, "quarantined": 4, "rows": 8}
    reasons = {row["id"]: row["reason"] for row in store.quarantine()}
    assert reasons == {
        "tall/empty.obj": "empty-file",
        "tall/nan.obj": "not-finite",
        "wide/faceless.obj": "no-faces",
        "wide/far.obj": "index-out-of-range",
    }
    assert counts.made == len(store.shards)
    assert set(store.index["label"].to_pylist()) == {"tall", "wide"}


def test_a_second_run_makes_nothing_and_no_byte_changes(home, root, sandbox):
    first, _ = _prepare(home, root, sandbox)
    before = _bytes_of(home)
    again, counts = _prepare(home, root, sandbox)
    assert counts.made == 0
    assert again.path == first.path
    assert _bytes_of(home) == before


def test_one_added_mesh_touches_one_shard(home, root, sandbox):
    first, _ = _prepare(home, root, sandbox)
    (root / "tall" / "new.obj").write_text(BOX)
    second, counts = _prepare(home, root, sandbox)
    assert counts.made == 1
    assert second.path != first.path
    assert second.manifest["counts"]["done"] == 9


@pytest.mark.parametrize("change", [{"resolution": 9}, {"kind": "solid"}])
def test_one_changed_field_makes_new_keys_and_overwrites_nothing(home, root, sandbox, change):
    _prepare(home, root, sandbox)
    before = _bytes_of(home)
    changed = Prep(Use(normalise, kind="cube"), Use(occupancy, **{"resolution": 8, **change}), Use(surface_points, count=16, seed=0))
    _, counts = _prepare(home, root, sandbox, changed)
    assert counts.reused == 0
    after = _bytes_of(home)
    assert {name: after[name] for name in before} == before


def test_a_lost_or_cut_shard_is_made_again_with_the_same_bytes(home, root, sandbox):
    store, _ = _prepare(home, root, sandbox)
    before = _bytes_of(home)
    shards = sorted((home / "store" / "shards").glob("*.arrow"))
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:100])
    again, counts = _prepare(home, root, sandbox)
    assert counts.made == 2
    assert again.path == store.path
    assert _bytes_of(home) == before


def test_ray_and_in_process_give_the_same_bytes(home, root, sandbox, tmp_path):
    _prepare(home, root, sandbox)
    other = tmp_path / "on-ray"
    _, counts = _prepare(other, root, sandbox, workers=2)
    assert counts.made > 0
    assert _bytes_of(other) == _bytes_of(home)


def test_moving_the_root_changes_nothing(home, root, sandbox, tmp_path):
    _prepare(home, root, sandbox)
    before = _bytes_of(home)
    moved = tmp_path / "elsewhere"
    shutil.move(root, moved)
    _, counts = _prepare(home, moved, sandbox)
    assert counts.made == 0
    assert _bytes_of(home) == before


def test_a_file_that_vanishes_after_the_listing_is_quarantined(home, root, sandbox):
    card = load_card("folder")
    found = find_objects(card, root, sandbox)
    (root / "tall" / "box 1.obj").unlink()
    digests = DigestCache(home / "digests.sqlite")
    plan = make_plan(card, PREP, root, found, digests)
    digests.close()
    store, _ = _run(plan, home, sandbox)
    assert store.manifest["counts"]["planned"] == 12
    assert {"id": "tall/box 1.obj", "reason": "missing-file"}.items() <= next(r for r in store.quarantine() if "box 1" in r["id"]).items()


def _planned(home, root, sandbox):
    card = load_card("folder")
    digests = DigestCache(home / "digests.sqlite")
    plan = make_plan(card, PREP, root, find_objects(card, root, sandbox), digests)
    digests.close()
    return plan


def test_a_file_unreadable_when_planned_stays_quarantined_though_it_came_back(home, root, sandbox):
    """What its key says decides, not what the disk says later."""
    hidden = root / "tall" / "box 1.obj"
    found = find_objects(load_card("folder"), root, sandbox)
    content = hidden.read_text()
    hidden.unlink()
    digests = DigestCache(home / "digests.sqlite")
    plan = make_plan(load_card("folder"), PREP, root, found, digests)
    digests.close()
    hidden.write_text(content)
    store, _ = _run(plan, home, sandbox)
    assert {row["id"]: row["reason"] for row in store.quarantine()}["tall/box 1.obj"] == "missing-file"


def test_a_file_too_large_to_be_opened_is_not_read_to_make_a_plan(home, root, sandbox, monkeypatch):
    """A TiB of nothing takes no block of the disk, and hours to hash."""
    path = root / "tall" / "huge.obj"
    path.touch()
    os.truncate(path, 1 << 40)
    read = []
    monkeypatch.setattr(DigestCache, "of", lambda self, path, of=DigestCache.of: read.append(path.name) or of(self, path))
    store, _ = _prepare(home, root, sandbox)
    assert "huge.obj" not in read and "empty.obj" in read
    (row,) = [row for row in store.quarantine() if row["id"] == "tall/huge.obj"]
    assert row["reason"] == "too-large"


def test_a_listing_that_breaks_a_limit_names_card_and_root(root, monkeypatch):
    with new_sandbox() as sandbox:
        monkeypatch.setattr(listing_module, "LISTING_SECONDS", 0.0)
        with pytest.raises(CardError, match=f"card folder: {root}: time-limit"):
            find_objects(load_card("folder"), root, sandbox)


def test_stages_are_rehearsed_once_before_any_objects_time_runs(home, root, monkeypatch):
    """Each list of stages once in a process, with time enough for Numba to compile."""
    monkeypatch.setattr(work_module, "_rehearsed", set())
    calls = []

    class Listening(Sandbox):
        def call(self, target, arguments, files=(), **limits):
            calls.append((target, limits))
            return super().call(target, arguments, files, **limits)

    prep = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=8))
    with Listening(imports=work_module.IMPORTS) as sandbox:
        _prepare(home, root, sandbox, prep)
        _prepare(home, root, sandbox, Prep(Use(normalise, kind="sphere"), Use(occupancy, resolution=8)))
    made = [(number, limits) for number, (target, limits) in enumerate(calls) if target == "l9.stages.process:rehearse"]
    assert [limits["cpu_seconds"] for _, limits in made] == [work_module.REHEARSAL_SECONDS] * 2
    first = next(number for number, (target, _) in enumerate(calls) if target == "l9.stages.process:process_object")
    assert made[0][0] < first < made[1][0]


def test_a_rehearsal_runs_l9s_own_stages_and_stumbles_over_none(monkeypatch):
    ran = []
    monkeypatch.setattr(
        process_module, "run_stages", lambda subject, steps, object_id: ran.extend(step.__name__ for step, _ in steps) or ()
    )
    stages = [
        Use(normalise, kind="cube").to_plain(),
        {"target": "no_such_module:stage", "arguments": {}},
        Use("l9.stages:labelled_points", count=8).to_plain(),
    ]
    rehearse([], stages=stages)
    assert ran == ["normalise", "labelled_points"]
    monkeypatch.undo()
    rehearse([], stages=stages)  # labelled_points wants parts


def test_what_a_long_preparation_has_made_stays_young(home, root, sandbox, monkeypatch):
    """`l9 store gc` takes what no manifest names and is older than a day."""

    def long_ago(work, sandbox, made=make_shard):
        timing = made(work, sandbox)
        os.utime(home / "store" / "shards" / f"{work.key}.json", (1e9, 1e9))
        return timing

    monkeypatch.setattr(run_module, "make_shard", long_ago)
    monkeypatch.setattr(shelf_module, "MARK_SECONDS", -1.0)
    _prepare(home, root, sandbox)
    assert all(path.stat().st_mtime > 1e9 + 1 for path in (home / "store" / "shards").glob("*.json"))


def test_a_shard_that_goes_while_others_are_made_is_missed(home, root, sandbox, monkeypatch):
    """As `l9 store gc` beside a preparation longer than its grace time would do it: no manifest may name what is not there."""

    def sweeping(work, sandbox, made=make_shard):
        timing = made(work, sandbox)
        for path in (home / "store" / "shards").glob("*.json"):
            if path.stem != work.key:
                path.unlink()
        return timing

    monkeypatch.setattr(run_module, "make_shard", sweeping)
    with pytest.raises(StoreError, match="removed or made again since"):
        _prepare(home, root, sandbox)
    assert not list((home / "store").glob("*/manifest.json"))
    monkeypatch.undo()
    assert _prepare(home, root, sandbox)[0].manifest["counts"]["planned"] == 12


def test_a_root_that_goes_away_after_the_plan_quarantines_nothing(home, root, sandbox, tmp_path):
    plan = _planned(home, root, sandbox)
    shutil.move(root, tmp_path / "away")
    with pytest.raises(L9Error, match="l9 prep again") as caught:
        _run(plan, home, sandbox)
    assert type(caught.value) is L9Error and "\n" not in str(caught.value)
    assert not list(home.rglob("*.arrow")) and not list(home.rglob("manifest.json"))
    shutil.move(tmp_path / "away", root)
    store, _ = _run(plan, home, sandbox)
    assert store.manifest["counts"] == {"planned": 12, "done": 8, "quarantined": 4, "rows": 8}


@pytest.mark.parametrize("change", ["gone", "longer", "touched", "cannot be opened"])
def test_a_file_that_changes_before_its_shard_is_made_quarantines_nothing(home, root, sandbox, monkeypatch, change):
    plan = _planned(home, root, sandbox)
    shard = next(shard for shard in plan.shards if any(found.id == "tall/box 1.obj" for found in shard.found))
    work, path = shard_work(plan, shard, home), root / "tall" / "box 1.obj"
    if change == "gone":
        path.unlink()
    elif change == "longer":
        path.write_text(path.read_text() + "#")
    elif change == "touched":
        os.utime(path, (1, 1))
    else:
        refuse_to_open(monkeypatch)
    with pytest.raises(L9Error, match=r"box 1\.obj.*l9 prep again") as caught:
        make_shard(work, sandbox)
    assert type(caught.value) is L9Error and "\n" not in str(caught.value)
    assert not list(home.rglob("*.arrow"))


def refuse_to_open(monkeypatch):
    def full(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("l9.sandbox.parent.os.open", full)


def test_a_file_that_changes_while_it_is_read_quarantines_nothing(home, root, sandbox, monkeypatch):
    plan = _planned(home, root, sandbox)
    shard = next(shard for shard in plan.shards if any(found.id == "tall/box 1.obj" for found in shard.found))
    work, call = shard_work(plan, shard, home), sandbox.call

    def call_while_it_is_cut(target, *arguments, **limits):
        if target == "l9.stages.process:process_object":
            (root / "tall" / "box 1.obj").write_text("v 0 0 0")
        return call(target, *arguments, **limits)

    monkeypatch.setattr(sandbox, "call", call_while_it_is_cut)
    with pytest.raises(L9Error, match=r"box 1\.obj: has changed") as caught:
        make_shard(work, sandbox)
    assert type(caught.value) is L9Error and not list(home.rglob("*.arrow"))


def test_what_a_reader_left_out_is_noted_in_the_objects_rows(home, root, sandbox):
    (root / "tall" / "box 1.obj").write_text(BOX + "f 1 2\n")
    store, _ = _prepare(home, root, sandbox)
    notes = dict(zip(store.index["object"].to_pylist(), store.index["notes"].to_pylist(), strict=True))
    assert notes.pop("tall/box 1.obj") == "1 faces with fewer than 3 corners left out" and set(notes.values()) == {""}
    sidecars = [json.loads(path.read_text()) for path in store.shards_folder.glob("*.json")]
    kept = {line["id"]: line["notes"] for sidecar in sidecars for line in sidecar["objects"] if line["notes"]}
    assert kept == {"tall/box 1.obj": "1 faces with fewer than 3 corners left out"}
    quarantined = {row["id"] for row in store.quarantine()}
    assert quarantined.isdisjoint(notes) and len(notes) + 1 + len(quarantined) == store.manifest["counts"]["planned"]


def test_notes_are_bounded_and_printable_whatever_the_child_says():
    assert _notes(Answer({"notes": []})) == _notes(Answer({"notes": "no list"})) == _notes(Answer({})) == ""
    line = _notes(Answer({"notes": ["a\nb", "\x1b[31mred\ud800", 7, "x" * 1000, *["more"] * 10]}))
    assert line.startswith("a b; \\x1b[31mred\\ud800; 7; x") and line.endswith("; more; and 6 more")
    assert line.isprintable() and len(line) < 8 * 302 + 20


@pytest.mark.parametrize("value", [None, 3, [], {}, {"rows": "1"}, {"rows": -1}, {"rows": 1 << 60}, {"rows": 2}])
def test_an_answer_of_another_form_is_the_childs_death(value):
    with pytest.raises(SandboxError, match="of another form"):
        _rows(Answer(value, [b"one"]), (Column("picture", "uint8", (), "blob"),))


@yields(columns=lambda: (Column("size", "float32", (3,)),), version=1)
def misshapen(mesh):
    yield {"size": np.zeros(2, np.float32)}


@yields(columns=lambda: (), version=1)
def on_a_full_disk(mesh):
    raise OSError(errno.ENOSPC, "No space left on device")
    yield


@pytest.mark.parametrize(("stage", "error"), [("misshapen", ShapeError), ("on_a_full_disk", OSError)])
def test_a_stage_that_cannot_work_refuses_no_object(stage, error):
    found = {"id": "sphere/0001", "files": []}
    stages = [{"target": f"test_prep:{stage}", "arguments": {}}]
    with pytest.raises(error):
        list(process_object([], reader="l9.readers.shapes:read", found=found, up="+Z", parameters={}, stages=stages).parts)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_disk_that_fails_while_a_mesh_is_read_refuses_no_object(ending):
    class Failing(io.BytesIO):
        def read(self, *_):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        read_mesh(Failing(b"solid"), ending, "+Z")


def test_a_full_disk_is_one_line_and_leaves_nothing_half_done(home, root, sandbox, monkeypatch):
    import l9.store.publish as publish

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(publish.os, "replace", full)
        with pytest.raises(L9Error) as caught:
            _prepare(home, root, sandbox)
    assert isinstance(caught.value, StoreError)
    assert "\n" not in str(caught.value)
    assert not list((home / "store").rglob("manifest.json"))
    store, _ = _prepare(home, root, sandbox)
    assert store.manifest["counts"]["done"] == 8


def test_known_bad_objects_go_straight_to_quarantine(home, root, sandbox):
    card = dataclasses.replace(load_card("folder"), tables={"known_bad": [{"id": "tall/box 1.obj", "reason": "two chairs in one file"}]})
    store, _ = _prepare(home, root, sandbox, card=card)
    row = next(row for row in store.quarantine() if row["id"] == "tall/box 1.obj")
    assert (row["reason"], row["detail"]) == ("known-bad", "two chairs in one file")


def test_an_empty_or_missing_root_is_the_words_fault(home, sandbox, tmp_path):
    (tmp_path / "nothing").mkdir()
    for folder in (tmp_path / "nothing", tmp_path / "nowhere"):
        with pytest.raises(UsageError):
            find_objects(load_card("folder"), folder, sandbox)


def test_a_plan_counts_without_writing(home, root, sandbox):
    home.mkdir()
    digests = DigestCache(home / "digests.sqlite")
    guess = estimate(load_card("folder"), PREP, root, workers=2, sandbox=sandbox, digests=digests, share=0.5)
    digests.close()
    assert (guess.objects, guess.sampled) == (12, 6)
    assert guess.output_bytes > 0
    assert guess.hours == pytest.approx(guess.core_hours / 2)
    assert not (home / "store").exists()


def test_a_check_tells_what_the_card_got_wrong(root, sandbox):
    labels = [{"id": "gone.obj", "class": "tall", "fold": "0"}]
    card = dataclasses.replace(load_card("folder"), counts={"objects": 13}, tables={"labels": labels})
    check = check_card(card, root, sandbox)
    assert check.objects == 12
    assert any("the card says 13, found 12" in problem for problem in check.problems)
    assert any("the first gone.obj" in problem for problem in check.problems)
