"""Plans are columns, and every key of theirs and every byte of their stores is what a straightforward computation gives."""

import dataclasses
import hashlib
import random
import zlib

import numpy as np
import plainly
import pytest
from store_builder import COLUMNS

from l9.cards import load_card
from l9.config import Prep, Use
from l9.errors import RefusedObject, SandboxError, StoreError
from l9.prep.inputs import Input
from l9.prep.plan import plan_of_inputs, planned_object, sampled
from l9.readers.contract import Found
from l9.readers.folder import VERSION
from l9.readers.listing import Listing, packed
from l9.stages import normalise, occupancy
from l9.store import index as index_module
from l9.store import tables as tables_module
from l9.store.facts import Refusal, ShardFacts
from l9.store.planned import PlanFacts, PlannedObject, PlannedTable, shard_key
from l9.store.store import write_store

PREP = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=8))
ODD = (
    Found('a/ä "quoted" \\ back.obj', ('a/ä "quoted" \\ back.obj', "a/b.mtl"), "", "a", "train", {"size": [-0.0, 1e-9], "name": "é"}),
    Found("a/𝔘.obj", ("a/𝔘.obj",), "", "a"),
    Found("a/￮.obj", ("a/￮.obj",), "", "a"),
    Found("z/00001", ("z.h5",), "1", "z", "test", {"refuse": ["file-name", "no"]}),
    Found("z/00002", ("z.h5",), "2", "z", "test"),
    Found("made/0001", (), "", "", "validation"),
    Found("other", ("gone/away.obj",), "", "unknown"),
)  # 𝔘 stands behind ￮ in UTF-8 and in Python, and before it in UTF-16


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 7 rows, so that a few objects take many."""
    monkeypatch.setattr(tables_module, "BATCH_ROWS", 7)
    monkeypatch.setattr(index_module, "CHUNK_ROWS", 64)
    monkeypatch.setattr(plainly, "CHUNK_ROWS", 64)


def _found(count=60):
    plain = [Found(f"m/{number:03}.obj", (f"m/{number:03}.obj",), "", "abc"[number % 3]) for number in range(count)]
    return random.Random(0).sample([*plain, *ODD], count + len(ODD))


def _card():
    tables = {
        "labels": [{"id": "m/003.obj", "class": "d", "fold": "4"}, {"id": "z/00002", "class": "unknown", "fold": ""}],
        "known_bad": [{"id": "m/005.obj", "reason": 'two "chairs"'}],
    }
    return dataclasses.replace(load_card("folder"), shards=8, unlabelled="unknown", tables=tables)


def _input(name):
    if name.startswith("gone"):
        return Input("unreadable")
    return Input(hashlib.sha256(name.encode()).hexdigest(), (len(name), 10**18 + len(name)))


def _plan(tmp_path, found=None):
    return plan_of_inputs(_card(), PREP, tmp_path, _found() if found is None else found, _input)


def test_every_key_is_what_a_straightforward_computation_gives(tmp_path, small_batches):
    plan, found, card = _plan(tmp_path), sorted(_found(), key=lambda one: one.id), _card()
    expected = [
        planned_object(card, one, plainly.object_key(card, VERSION, PREP, one, [_input(file).sha256 for file in one.files]))
        for one in found
    ]
    assert list(plan.objects) == expected and len(plan.objects) == len(found)
    assert plan.facts.key == plainly.plan_key("folder", card.axes.up, plan.facts.columns, expected)
    assert [shard.number for shard in plan.shards] == sorted({one.shard for one in expected})
    for shard in plan.shards:
        members = [one for one in expected if one.shard == shard.number]
        assert shard.objects == members and shard.found == [one for one in found if one.id in {member.id for member in members}]
        assert shard.key == plainly.shard_key(members, plan.facts.columns) == shard_key(members[::-1], plan.facts.columns)
        assert shard.inputs == {file: _input(file).state for one in shard.found for file in one.files}


def test_the_order_of_a_listing_plays_no_part(tmp_path):
    one, other = _plan(tmp_path), _plan(tmp_path, Listing.of(_found()[::-1]))
    assert one.facts.key == other.facts.key and [shard.key for shard in one.shards] == [shard.key for shard in other.shards]


def _facts(plan, rows, refused):
    """Facts of every shard: `rows(id)` of each object, some refused, some with notes."""
    for shard in plan.shards:
        done = [(one.id, rows(one.id)) for one in shard.objects if not refused(one.id)]
        total = sum(count for _, count in done)
        yield ShardFacts(
            key=shard.key,
            rows=total,
            objects=tuple(done),
            quarantined=tuple(Refusal(one.id, one.path, "no-faces", 'ä "0"') for one in shard.objects if refused(one.id)),
            sha256=hashlib.sha256(shard.key.encode()).hexdigest(),
            bytes=1000 + total,
            items={"points": list(np.random.default_rng(shard.number).integers(0, 9, total).tolist())},
            notes={name: f"left out of {name}" for name, _ in done if name.endswith("7.obj")},
        )


def _some(name):
    return name[-5] in "25"


@pytest.mark.parametrize("rows", [lambda name: 1, lambda name: 1 + len(name) * ord(name[-5]) % 40], ids=["one row", "many rows"])
@pytest.mark.parametrize("refused", [lambda name: False, _some, lambda name: True], ids=["none", "some", "all"])
def test_every_byte_of_a_store_is_what_a_straightforward_computation_gives(tmp_path, small_batches, rows, refused):
    plan = dataclasses.replace(_plan(tmp_path))
    facts = dataclasses.replace(plan.facts, columns=COLUMNS)
    ended = list(_facts(plan, rows, refused))
    store = write_store(tmp_path, "plain", facts, reversed(ended))
    about = (list(plan.objects), COLUMNS, ended)
    assert (store.path / "index.arrow").read_bytes() == plainly.index(*about)
    assert (store.path / "quarantine.jsonl").read_bytes() == plainly.quarantine(list(plan.objects), ended)
    expected = plainly.manifest("plain", "folder", facts.up, COLUMNS, list(plan.objects), ended)
    assert (store.path / "manifest.json").read_bytes() == expected
    assert store.labels() == {one.label for one in plan.objects if not refused(one.id)}


def test_shards_are_taken_one_at_a_time(tmp_path):
    """The facts of ten million objects are not in memory at once."""
    plan = _plan(tmp_path)
    alive = []

    class Followed(ShardFacts):
        def __del__(self):
            alive.remove(self.key)

    def facts():
        for one in _facts(plan, lambda name: 1, _some):
            followed = Followed(**{field.name: getattr(one, field.name) for field in dataclasses.fields(one)})
            alive.append(followed.key)
            assert len(alive) <= 2
            yield followed
            del followed

    write_store(tmp_path, "plain", dataclasses.replace(plan.facts, columns=COLUMNS), facts())
    assert alive == []


def test_a_table_is_a_sequence():
    objects = [PlannedObject(f"o{number}", f"p{number}", "k", "ab"[number % 2], shard=number % 3) for number in range(30)]
    table, ordered = PlannedTable.of(objects), sorted(objects, key=lambda one: one.id)
    assert (list(table), table[4], table[-1], table[2:5]) == (ordered, ordered[4], ordered[-1], ordered[2:5])
    assert len(PlannedTable.of([])) == 0 and list(PlannedTable.of([])) == []
    with pytest.raises(IndexError):
        table[30]
    names = ["o3", "o17", "nobody", "o4", "zz", ""]
    assert table.places_of(names).tolist() == [ordered.index(objects[3]), ordered.index(objects[17]), -1, ordered.index(objects[4]), -1, -1]


def test_a_listing_comes_back_from_its_packets(small_batches, monkeypatch):
    monkeypatch.setattr("l9.readers.listing.PACKET_TEXT", 200)
    found = _found()
    packets = packed(iter(found))
    assert len(packets) > 10
    listing, ordered = Listing.of_packets(packets), sorted(found, key=lambda one: one.id)
    assert packets == [] and list(listing) == ordered and listing[3:9:2] == ordered[3:9:2] and listing[-1] == ordered[-1]
    assert list(Listing.of_packets(packed([]))) == []


def test_two_objects_of_one_id_are_refused():
    with pytest.raises(RefusedObject, match="duplicate-id: 'b' stands for two objects"):
        Listing.of(Found(name, (name,)) for name in "abcb")


@pytest.mark.parametrize(
    "packet",
    [
        None,
        b"",
        b"[]",
        zlib.compress(b"{}"),
        zlib.compress(b"[1]"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b'[["a",null,"","",""]]'),
        zlib.compress(b'[["a",null,"","",1,null]]'),
        zlib.compress(b'[["a",[1],"","","",null]]'),
        zlib.compress(b'[["a",null,"","","","[]"]]'),
        zlib.compress(b'[["a",null,"","","","{"]]'),
        zlib.compress(b"[]")[:-3],
        zlib.compress(b" " * (65 << 20) + b"[]"),
    ],
)
def test_packets_of_another_form_are_the_childs_death(packet):
    with pytest.raises(SandboxError, match="died: the child sent a listing of another form"):
        Listing.of_packets([packet])


def test_a_name_that_is_no_text_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"a\\ud800.*rename it"):
        Listing.of([Found("a\ud800", ("a",))])


def test_a_sample_is_spread_by_the_hash_of_the_ids():
    found = _found(200)
    by_hash = sorted(found, key=lambda one: plainly.sha256_of(plainly.text_of(one.id)))
    assert sampled(found, 0.1) == sampled(Listing.of(found), 0.1) == by_hash[: round(len(found) * 0.1)]
    assert sampled(found[:3]) == sorted(found[:3], key=lambda one: plainly.sha256_of(plainly.text_of(one.id)))[:1]


def test_a_plan_with_a_doubled_object_becomes_no_store(tmp_path):
    objects = [PlannedObject(name, name, "k") for name in "abb"]
    facts = ShardFacts("k", 2, (("a", 1), ("b", 1)), (), "", 0)
    with pytest.raises(StoreError, match="is not planned 3"):
        write_store(tmp_path, "plain", PlanFacts("toy", "+Y", (), objects), [facts])
