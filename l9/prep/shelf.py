"""Where the shards of a preparation are kept: in the local home, or in a remote one to which whoever makes a shard pushes it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from l9.errors import StoreError
from l9.fingerprint import DigestCache
from l9.prep.plan import Plan
from l9.store.facts import ShardFacts, arrow_path, read_facts, shard_done
from l9.store.home import Home, ScratchHome, open_home
from l9.store.store import shards_folder

_opened = lru_cache(open_home)  # a worker makes many shards, and asks once whether the home answers


class Shelf:
    """The shards of one home, local or remote."""

    def __init__(self, home: Home) -> None:
        self.home, self.folder = home, shards_folder(home.path)

    def there(self, plan: Plan, store_id: str) -> dict[str, ShardFacts]:
        """Facts of the plan's shards that a remote home has, by key, without bringing their rows; its store too, if that is there."""
        if not isinstance(self.home, ScratchHome):
            return {}
        self.home.stores.pull_if_there(store_id)
        return self.home.stores.facts([shard.key for shard in plan.shards])

    def all_of(self, there: Mapping[str, ShardFacts], here: Mapping[str, ShardFacts]) -> dict[str, ShardFacts]:
        """Both; what is only here, since a preparation was stopped before it was pushed, is pushed now."""
        if isinstance(self.home, ScratchHome):
            for key in here.keys() - there.keys():
                with self.home.cache.pinned([key]):
                    if shard_done(self.folder, key) is None:
                        raise StoreError(f"{arrow_path(self.folder, key)}: removed meanwhile to make room; the same l9 prep goes on")
                    self.home.publish_shard(key)
        return {**here, **there}

    def made(self, key: str, digests: DigestCache) -> ShardFacts:
        """Facts of a shard that has just been made, here or by a worker on another machine."""
        facts = self.home.stores.made(key) if isinstance(self.home, ScratchHome) else read_facts(self.folder, key)
        with suppress(FileNotFoundError):  # made elsewhere, or pushed and removed again to make room
            digests.remember(arrow_path(self.folder, key), facts.sha256)
        return facts

    def assert_there(self, facts: Mapping[str, ShardFacts]) -> None:
        """StoreError where a shard is not there any more, or is another: no manifest may name it."""
        if isinstance(self.home, ScratchHome):
            self.home.stores.assert_there(facts)
            return
        gone = [key for key in facts if (found := shard_done(self.folder, key)) is None or found.sha256 != facts[key].sha256]
        if gone:
            path = arrow_path(self.folder, gone[0])
            raise StoreError(f"{path}: removed or made again since, with {len(gone) - 1} more; the same l9 prep goes on")


@contextmanager
def shelved(folder: str, key: str, home: str) -> Iterator[Path]:
    """Where a shard is to be written; when the block ends well, it is pushed to the remote home at this address, if there is one."""
    if not home:
        yield Path(folder)
        return
    place = _opened(home)
    assert isinstance(place, ScratchHome)
    with place.cache.pinned([key]):
        yield shards_folder(place.path)
        place.publish_shard(key)
    place.cache.trim()
