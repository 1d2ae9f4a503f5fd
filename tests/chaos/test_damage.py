"""Whatever happens to the files of a finished store, the same preparation makes it whole, byte for byte, and reads each shard once."""

from contextlib import closing

import pytest
from chaos import objects
from chaos.damage import DAMAGES, SILENT
from chaos.world import CARD, contents

from l9.cards import load_card
from l9.config import Prep, Use
from l9.fingerprint import DigestCache
from l9.prep.plan import find_objects, make_plan
from l9.prep.run import run_plan
from l9.prep.work import new_sandbox
from l9.store.store import shards_folder


@pytest.fixture(scope="module")
def sandbox():
    with new_sandbox() as child:
        yield child


@pytest.fixture(scope="module")
def world(tmp_path_factory, sandbox):
    """A card, its files, and one home that is damaged and mended again and again, with what it holds when it is whole."""
    folder = tmp_path_factory.mktemp("world")
    objects.write_files(folder / "root")
    (folder / "control").mkdir()
    (folder / "card.yaml").write_text(CARD.format(control=folder / "control"))
    _prepare(folder, sandbox)
    return folder, contents(folder / "home")


def _prepare(folder, sandbox, *, rehash=False):
    """Prepare once more: the store, the counts, and what was said."""
    said, card = [], load_card(str(folder / "card.yaml"))
    with closing(DigestCache(folder / "home" / "store" / "digests.sqlite", rehash=rehash)) as digests:
        plan = make_plan(card, Prep(Use(objects.vectors)), folder / "root", find_objects(card, folder / "root", sandbox), digests)
        store, counts = run_plan(plan, folder / "home", workers=0, address=None, sandbox=sandbox, digests=digests, say=said.append)
    return store, counts, said


@pytest.mark.parametrize("name", DAMAGES)
def test_the_same_command_makes_a_damaged_store_whole(world, sandbox, name):
    folder, whole = world
    DAMAGES[name](folder / "home")
    assert name == "digests-garbage" or contents(folder / "home") != whole
    store, counts, _ = _prepare(folder, sandbox)
    assert contents(folder / "home") == whole
    assert counts.made == {"shards-exchanged": 2}.get(name, int(name.startswith(("shard", "sidecar"))))
    store.verify()
    _, counts, said = _prepare(folder, sandbox)
    assert counts.made == 0 and not any("once" in line for line in said)


def test_damage_that_no_time_shows_is_found_when_everything_is_read_again(world, sandbox):
    folder, whole = world
    SILENT(folder / "home")
    assert _prepare(folder, sandbox)[1].made == 0
    assert contents(folder / "home") != whole, "size, time and inode are the same: it cannot know"
    _, counts, said = _prepare(folder, sandbox, rehash=True)
    assert counts.made == 1 and any("is not what was written" in line for line in said)
    assert contents(folder / "home") == whole


def test_a_fresh_shard_is_not_read_again_and_an_unknown_one_once(world, sandbox):
    folder, _ = world
    (folder / "home" / "store" / "digests.sqlite").unlink()
    count = len(list(shards_folder(folder / "home").glob("*.arrow")))
    said = [_prepare(folder, sandbox)[2] for _ in range(2)]
    assert any(f"{count} of {count} shards" in line for line in said[0]) and said[1] == []
    for path in shards_folder(folder / "home").iterdir():
        path.unlink()
    said = [_prepare(folder, sandbox)[2] for _ in range(2)]
    assert not any("once" in line for line in said[0]) and said[1] == []
