import dataclasses
import json
import random

import pytest
from store_builder import COLUMNS, built, planned, shards_of

from l9.data.loader import Loader
from l9.data.samples import Samples
from l9.errors import StoreError, UsageError
from l9.store.columns import Column
from l9.store.facts import shard_done, sidecar_path
from l9.store.planned import PlanFacts, PlannedObject, shard_key, shard_number
from l9.store.shards import ShardWriter
from l9.store.store import Store, find_store, list_stores, shards_folder, write_store

FILES = ("index.arrow", "quarantine.jsonl", "manifest.json")


def test_a_store_says_what_it_holds(home):
    store = built(home)
    assert store.manifest["counts"] == {"planned": 40, "done": 39, "quarantined": 1, "rows": 78}
    assert (store.columns, store.up, store.manifest["card"], store.manifest["format"]) == (COLUMNS, "+Y", "toy", 2)
    assert list(store.quarantine()) == [
        {"id": "o007.obj", "path": "raw/o007.obj", "reason": "no-faces", "detail": "0 faces", "key": "key-o007.obj-2"}
    ]
    assert store.path == home / "store" / f"toy-{store.manifest['key'][:12]}"
    assert len(store.shards) == 4 and sum(map(len, store.shards)) == 78
    store.verify()


def test_two_builds_give_the_same_bytes(tmp_path):
    """Another order of planning, of adding to shards and of finishing them; timings stay apart."""
    objects = planned()
    first = built(tmp_path / "a", objects)
    shuffled = random.Random(0).sample(objects, len(objects))
    facts = shards_of(tmp_path / "b", shuffled, order=lambda members, key: sorted(members, key=key, reverse=True))
    plan = PlanFacts("toy", "+Y", COLUMNS, tuple(shuffled))
    second = write_store(tmp_path / "b", "toy", plan, facts[::-1], [{"seconds": 1.5}])
    assert first.id == second.id and first.digest == second.digest
    for name in FILES:
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()
    for path in shards_folder(tmp_path / "a").iterdir():
        assert path.read_bytes() == (shards_folder(tmp_path / "b") / path.name).read_bytes()
    assert (second.path / "timings.jsonl").read_text() == '{"seconds":1.5}\n'


def test_no_byte_tells_where_it_was_made(tmp_path):
    store = built(tmp_path / "somewhere")
    for path in [*store.path.iterdir(), *store.shards_folder.iterdir()]:
        assert b"somewhere" not in path.read_bytes()


def test_every_planned_object_is_done_or_quarantined(home):
    objects = planned()
    facts = shards_of(home, objects)
    plan = PlanFacts("toy", "+Y", COLUMNS, objects)
    with pytest.raises(StoreError, match=r"is not planned 40; 'o\d+.obj' is missing"):
        write_store(home, "toy", plan, facts[1:])
    with pytest.raises(StoreError, match="some stand twice"):
        write_store(home, "toy", plan, [*facts, facts[0]])
    with pytest.raises(StoreError, match=r"'o039\.obj' was not planned"):
        write_store(home, "toy", dataclasses.replace(plan, objects=objects[:-1]), facts)
    assert list_stores(home) == []


def test_the_manifest_is_written_last(home, monkeypatch):
    import l9.store.store as module

    real, names = module.atomic_write, []
    monkeypatch.setattr(module, "atomic_write", lambda path, content: (names.append(path.name), real(path, content))[1])
    objects = planned()
    write_store(home, "toy", PlanFacts("toy", "+Y", COLUMNS, objects), shards_of(home, objects), [{"seconds": 1}])
    assert names[-1] == "manifest.json" and set(names) == {*FILES, "timings.jsonl"}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"[" * 100_000, b'{"format":2}', b'{"format":2,"name":"x","key":"k","card":"","up":"","columns":[{}],'
     b'"counts":{"planned":0,"done":0,"quarantined":0,"rows":0},'
     b'"index":{"sha256":""},"quarantine":{"sha256":""},"shards":[]}', b'{"format":2,"shards":5}', b'{"format":2,"shards":null}',
     b'{"format":2,"name":"x","key":"k","card":"","up":"","columns":[],"counts":{"planned":0,"done":0,"quarantined":0,"rows":0},'
     b'"index":{"sha256":""},"quarantine":{"sha256":""},"shards":[{"sha256":""}]}'],
)  # fmt: skip
def test_a_manifest_that_is_none_is_one_line(home, content):
    store = built(home)
    (store.path / "manifest.json").write_bytes(content)
    with pytest.raises(StoreError) as caught:
        Store.open(store.path)
    assert "manifest.json" in str(caught.value) and "l9 prep" in str(caught.value) and "\n" not in str(caught.value)


def test_another_format_version_names_the_command(home):
    store = built(home)
    manifest = {**store.manifest, "format": 3}
    (store.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="format version 3, this l9 reads 1 and 2; l9 prep"):
        Store.open(store.path)


@pytest.mark.parametrize("name", ["index.arrow", "quarantine.jsonl"])
def test_a_changed_part_is_found(home, name):
    store = built(home)
    path = store.path / name
    path.write_bytes(path.read_bytes()[:-1])
    fresh = Store.open(store.path)
    with pytest.raises(StoreError, match=f"{name}: changed"):
        fresh.verify()
    path.unlink()
    with pytest.raises(StoreError, match=f"{name}: missing"):
        Store.open(store.path).verify()


def test_a_shard_made_again_with_other_rows_is_not_mixed_in(home):
    store = built(home)
    key = store.manifest["shards"][0]["key"]
    with ShardWriter(shards_folder(home), key, COLUMNS) as writer:
        writer.refuse("o000.obj", "raw/o000.obj", "time-limit")
    fresh = Store.open(store.path)
    with pytest.raises(StoreError, match="made again with other rows"):
        _ = fresh.shards


def test_verify_of_a_store_leaves_a_shard_that_was_made_again_to_its_own(home):
    store = built(home)
    key = store.manifest["shards"][0]["key"]
    with ShardWriter(shards_folder(home), key, COLUMNS) as writer:
        writer.refuse("o000.obj", "raw/o000.obj", "time-limit")
    with pytest.raises(StoreError, match="made again with other rows"):
        Store.open(store.path).verify()
    assert shard_done(shards_folder(home), key) is not None


def test_verify_misses_a_sidecar(home):
    store = built(home)
    sidecar_path(shards_folder(home), store.manifest["shards"][0]["key"]).unlink()
    with pytest.raises(StoreError, match="missing"):
        Store.open(store.path).verify()


@pytest.mark.parametrize("change", [{"shape": [2, 2, 1 << 22]}, {"dtype": "float64"}])
def test_columns_that_are_not_the_shards_are_found_before_a_byte_is_copied(home, change):
    """The loader copies as many bytes from an address as the manifest says a cell has."""
    store = built(home)
    columns = [{**one, **change} if one["name"] == "grid" else one for one in store.manifest["columns"]]
    (store.path / "manifest.json").write_text(json.dumps({**store.manifest, "columns": columns}))
    with pytest.raises(StoreError, match="columns are not those"):
        Store.open(store.path).verify()
    with pytest.raises(StoreError, match="column grid is not as the manifest says"):
        next(Loader(Samples.of(Store.open(store.path)), ("grid",), seed=0, batch=2).epoch(0))


def test_stores_are_found_by_id_prefix_path_and_latest(home):
    first = built(home, name="chairs")
    second = built(home, planned(30), name="tables")
    assert find_store(home, first.id).path == first.path
    assert find_store(home, "chai").path == first.path
    assert find_store(home, str(second.path)).path == second.path
    assert find_store(home, "latest").path == second.path
    third = built(home, planned(20), name="chairs")
    with pytest.raises(UsageError, match=f"may be {min(first.id, third.id)}, {max(first.id, third.id)}"):
        find_store(home, "chairs")
    with pytest.raises(UsageError, match=f"no store 'tabels'.*{second.id}.*folders below {home / 'store'}$"):
        find_store(home, "tabels")
    with pytest.raises(UsageError, match="none yet"):
        find_store(home / "empty", "latest")


def test_an_added_object_touches_one_shard_and_labels_touch_none():
    objects = planned()
    fresh = PlannedObject("new.obj", "new.obj", "key", shard=shard_number("new.obj", 4))

    def keys(objects):
        return [shard_key([one for one in objects if one.shard == number], COLUMNS) for number in range(4)]

    changed = [a != b for a, b in zip(keys(objects), keys([*objects, fresh]), strict=True)]
    assert sum(changed) == 1 and changed[fresh.shard]
    relabelled = tuple(dataclasses.replace(one, label="c", fold=0) for one in objects)
    assert keys(relabelled) == keys(objects)
    assert PlanFacts("toy", "+Y", COLUMNS, relabelled).key != PlanFacts("toy", "+Y", COLUMNS, objects).key


def test_shard_numbers_are_the_leading_bits():
    assert [shard_number("a", count) for count in (1, 2, 4, 256)] == [0, 1, 3, 0xCA]  # sha256("a") begins ca978112
    assert {shard_number(str(number), 8) for number in range(200)} == set(range(8))


@pytest.mark.parametrize("wrong", [{"id": "a\n"}, {"path": "\ud800"}, {"split": "dev"}, {"fold": 5}, {"fold": -2}])
def test_plans_name_what_can_be_written(wrong):
    with pytest.raises(StoreError):
        PlannedObject(**{"id": "a", "path": "a", "key": "k", **wrong})


def test_a_column_comes_back_from_its_plain_form():
    for column in COLUMNS:
        assert Column.from_plain(column.describe()) == column
    plain = COLUMNS[0].describe()
    for wrong in ({**plain, "shape": ["2"]}, {**plain, "kind": "loose"}, {**plain, "more": 1}, {"name": "grid"}):
        with pytest.raises(StoreError, match=f"column {plain['name']}"):
            Column.from_plain(wrong)
