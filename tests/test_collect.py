"""`l9 store gc`: what goes, what stays, beside a preparation at work, against a kill, and never outside the store."""

import os
import time
from pathlib import Path

import pytest
from store_builder import COLUMNS, built, planned, shards_of

from l9.errors import StoreError
from l9.prep import run as prep_run
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.store.collect import LEFTOVER, UNNAMED, UNUSED, find_waste, remove_waste
from l9.store.facts import arrow_path, read_facts, sidecar_path
from l9.store.planned import PlanFacts
from l9.store.store import Store, list_stores, shards_folder, write_store

DAY = 86_400.0


def age(place, days=2.0):
    """Set the time of everything there back."""
    then = time.time() - days * DAY
    for path in [place, *place.rglob("*")]:
        os.utime(path, (then, then), follow_symlinks=False)


def files(home):
    return {path for path in home.rglob("*") if path.is_file() or path.is_symlink()}


def sweep(home, used=None, grace=DAY):
    return remove_waste(find_waste(home, grace, used), grace)


def names(waste, what):
    return [one.name for one in waste if one.what == what]


def test_a_home_with_stores_in_use_has_no_waste(home):
    built(home)
    age(home)
    found = find_waste(home, DAY, {list_stores(home)[0].name: ["run"]})
    assert found.waste == found.young == ()
    assert find_waste(home / "absent", DAY).waste == ()


def test_shards_that_no_store_names_go_and_the_store_stays_whole(home):
    store = built(home)
    before = files(home)
    unnamed = shards_of(home, planned(rows=1), rows=1)
    age(home)
    found = find_waste(home, DAY)
    assert names(found.waste, UNNAMED) == sorted(f"shards/{facts.key}" for facts in unnamed)
    size = sum(facts.bytes + sidecar_path(shards_folder(home), facts.key).stat().st_size for facts in unnamed)
    assert sum(one.bytes for one in found.waste) == size
    assert files(home) > before, "looking removes nothing"
    sweep(home)
    assert files(home) == before
    store.verify()


def test_what_is_younger_than_the_grace_time_stays(home):
    built(home)
    age(home)
    facts = shards_of(home, planned(rows=1), rows=1)
    (shards_folder(home) / ".tmp-1-ab").write_bytes(b"x")
    before = files(home)
    found = find_waste(home, DAY)
    assert found.waste == () and len(found.young) == len(facts) + 1
    assert sweep(home) == [] and files(home) == before
    assert len(sweep(home, grace=0)) == len(facts) + 1


def test_leftovers_of_killed_writers_go(home):
    store = built(home)
    before = files(home)
    shards = shards_folder(home)
    cut, lost, *others = shards_of(home, planned(rows=1), rows=1)
    for facts in others:
        arrow_path(shards, facts.key).unlink()
        sidecar_path(shards, facts.key).unlink()
    sidecar_path(shards, cut.key).unlink()
    arrow_path(shards, lost.key).unlink()
    (shards / ".tmp-77-abc").write_bytes(b"half")
    unfinished = home / "store" / "toy-0123456789ab"
    unfinished.mkdir()
    for name in ("index.arrow", "quarantine.jsonl", ".tmp-77-def"):
        (unfinished / name).write_bytes(b"")
    (home / "store" / "toy-ba9876543210").mkdir()
    age(home)
    half = [f"shards/{cut.key}", f"shards/{lost.key}", "shards/.tmp-77-abc"]
    folders = ["toy-0123456789ab", "toy-ba9876543210"]
    assert sorted(names(sweep(home), LEFTOVER)) == sorted(half + folders)
    assert files(home) == before and not unfinished.exists()
    store.verify()


def test_what_a_manifest_names_is_never_touched_even_half(home):
    store = built(home)
    key = store.manifest["shards"][0]["key"]
    sidecar_path(shards_folder(home), key).unlink()
    age(home)
    assert sweep(home) == [] and arrow_path(shards_folder(home), key).is_file()


def test_unused_stores_go_only_where_asked_and_shared_shards_stay(home):
    """The two stores differ in labels alone, so they share every shard."""
    kept, unused = built(home), built(home, planned(label=lambda n: "c"))
    assert {line["key"] for line in kept.manifest["shards"]} == {line["key"] for line in unused.manifest["shards"]}
    age(home)
    assert sweep(home) == []
    assert names(sweep(home, {kept.id: ["run"]}), UNUSED) == [unused.id]
    assert list_stores(home) == [kept.path]
    kept.verify()
    gone = sweep(home, {})
    assert names(gone, UNUSED) == [kept.id] and len(names(gone, UNNAMED)) == len(kept.manifest["shards"])
    assert files(home) == set()


def test_a_young_store_is_not_unused_yet(home):
    store = built(home)
    age(shards_folder(home))
    assert sweep(home, {}) == []
    store.verify()


def test_a_kill_anywhere_leaves_no_store_without_its_shards(home, monkeypatch):
    """Killed before the k-th removal for every k: each store that still has a manifest is whole, and the next sweep ends the work."""
    kills = 0
    while True:
        built(home)
        age(home)
        left, real = [kills], Path.unlink

        def unlink(path, missing_ok=False, left=left, real=real):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            real(path, missing_ok=missing_ok)

        monkeypatch.setattr(Path, "unlink", unlink)
        killed = False
        try:
            sweep(home, {})
        except KeyboardInterrupt:
            killed = True
        monkeypatch.setattr(Path, "unlink", real)
        for path in list_stores(home):
            Store.open(path).verify()
        sweep(home, {})
        assert files(home) == set()
        if not killed:
            break
        kills += 1
    assert kills > 10


def test_a_manifest_that_cannot_be_read_stops_it(home):
    built(home)
    shards_of(home, planned(rows=1), rows=1)
    (home / "store" / "other-0123456789ab").mkdir()
    (home / "store" / "other-0123456789ab" / "manifest.json").write_text('{"shards": 3}')
    age(home)
    with pytest.raises(StoreError, match=r"other-0123456789ab/manifest.json: cannot be read.*nothing was removed"):
        find_waste(home, DAY, {})


def test_stores_of_another_format_keep_their_shards(home):
    store = built(home)
    manifest = store.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format":', '"format":99, "was":'))
    age(home)
    assert sweep(home) == []


def test_links_are_not_followed_and_foreign_files_stay(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    outside = built(elsewhere)
    built(home)
    kept = {home / "store" / "digests.sqlite", shards_folder(home) / "readme.txt", home / "store" / "mine" / "index.arrow"}
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (home / "store" / "link-0123456789ab").symlink_to(outside.path)
    (shards_folder(home) / ("f" * 64 + ".arrow")).symlink_to(elsewhere / "store" / "digests.sqlite")
    (elsewhere / "store" / "digests.sqlite").write_text("theirs")
    age(home)
    theirs = files(elsewhere)
    sweep(home, {})
    assert files(elsewhere) == theirs and kept <= files(home) and (home / "store" / "link-0123456789ab").is_symlink()
    assert not (shards_folder(home) / ("f" * 64 + ".arrow")).is_symlink()
    outside.verify()


def test_a_folder_of_shards_that_is_a_link_is_refused(home, tmp_path):
    built(tmp_path / "elsewhere")
    (home / "store").mkdir(parents=True)
    shards_folder(home).symlink_to(shards_folder(tmp_path / "elsewhere"))
    with pytest.raises(StoreError, match="is a link"):
        find_waste(home, 0)


def test_files_that_a_person_put_into_a_store_keep_its_folder(home):
    store = built(home)
    (store.path / "why.txt").write_text("mine")
    age(home)
    sweep(home, {})
    assert files(home) == {store.path / "why.txt"}


def test_old_shards_that_a_preparation_takes_over_are_safe(home, monkeypatch):
    """Swept at the last moment before the manifest is written: a preparation given up two days ago goes on, and loses nothing."""
    from l9.cards import load_card
    from l9.config import Prep, Use
    from l9.fingerprint import DigestCache
    from l9.stages import coarse_occupancy

    def swept_before(*arguments, **more):
        assert names(sweep(home), UNNAMED) == []
        return write_store(*arguments, **more)

    card = load_card("shapes")
    digests = DigestCache(home / "digests.sqlite")
    with new_sandbox() as sandbox:
        found = find_objects(card, home, sandbox)[::40]
        plan = make_plan(card, Prep(Use(coarse_occupancy)), home, found, digests)
        first, _ = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)
        for path in first.path.iterdir():
            path.unlink()
        age(home)
        monkeypatch.setattr(prep_run, "write_store", swept_before)
        again, counts = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)
    digests.close()
    assert counts.made == 0
    again.verify()


def test_a_store_that_a_run_begins_on_is_young_again(home):
    """As `l9 run` finds it there, before its own files refer to it."""
    from l9.store.collect import mark_used

    store = built(home)
    age(home)
    mark_used(store.path / "timings.jsonl")
    assert sweep(home, {}) == []
    assert read_facts(shards_folder(home), store.manifest["shards"][0]["key"]).rows > 0


def test_another_plan_of_the_same_shards_counts_too(home):
    """A store is found by its manifest, whatever its name."""
    objects = planned()
    facts = shards_of(home, objects)
    other = write_store(home, "other.name", PlanFacts("toy", "+Z", COLUMNS, objects), facts)
    age(home)
    assert sweep(home) == []
    other.verify()
