"""Where the shards of a preparation are kept: in the local home, or in a remote one to which whoever makes a shard pushes it."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from l9.errors import StoreError
from l9.fingerprint import DigestCache
from l9.prep.plan import Plan
from l9.store.collect import mark_used
from l9.store.facts import ShardFacts, ShardLine, arrow_path, read_facts, shard_done, sidecar_path
from l9.store.home import Home, ScratchHome, open_home
from l9.store.lock import locked
from l9.store.store import shards_folder

MARK_SECONDS = 3600.0  # between two marks of what is made already: far less than the grace time of `l9 store gc`
RAW_SECONDS = 1800.0  # a dataset of some GB over a slow line
_opened = lru_cache(open_home)  # a worker makes many shards, and asks once whether the home answers


class Shelf:
    """The shards of one home, local or remote."""

    def __init__(self, home: Home) -> None:
        self.home, self.folder = home, shards_folder(home.path)
        self._marked = time.monotonic()

    def there(self, plan: Plan, store_id: str) -> dict[str, ShardLine]:
        """The plan's shards that a remote home has, by key, without bringing their rows; its store too, if that is there."""
        if not isinstance(self.home, ScratchHome):
            return {}
        self.home.stores.pull_if_there(store_id)
        return {key: facts.line for key, facts in self.home.stores.facts([shard.key for shard in plan.shards]).items()}

    def all_of(self, there: Mapping[str, ShardLine], here: Mapping[str, ShardLine]) -> dict[str, ShardLine]:
        """Both; what is only here, since a preparation was stopped before it was pushed, is pushed now."""
        if isinstance(self.home, ScratchHome):
            for key in here.keys() - there.keys():
                with self.home.cache.pinned([key]):
                    if shard_done(self.folder, key) is None:
                        raise StoreError(f"{arrow_path(self.folder, key)}: removed meanwhile to make room; the same l9 prep goes on")
                    self.home.publish_shard(key)
        return {**here, **there}

    def made(self, key: str, digests: DigestCache) -> ShardLine:
        """A shard that has just been made, here or by a worker on another machine."""
        facts = self.home.stores.made(key) if isinstance(self.home, ScratchHome) else read_facts(self.folder, key)
        with suppress(FileNotFoundError):  # made elsewhere, or pushed and removed again to make room
            digests.remember(arrow_path(self.folder, key), facts.sha256)
        return facts.line

    def keep_young(self, keys: Iterable[str]) -> None:
        """Once an hour, make what is made already young again, so that `l9 store gc` leaves it."""
        if time.monotonic() - self._marked > MARK_SECONDS:
            self._marked = time.monotonic()
            mark_used(*(sidecar_path(self.folder, key) for key in keys))

    def standing(self, done: Mapping[str, ShardLine]) -> Iterator[ShardFacts]:
        """The facts of each shard, read one by one: those of ten million objects do not fit in memory at once.

        raises  StoreError where a shard is not there any more, or is another: no manifest may name it
        """
        if isinstance(self.home, ScratchHome):
            self.home.stores.assert_there(done)
            yield from (read_facts(self.folder, key) for key in done)
            return
        for key, line in done.items():
            facts = shard_done(self.folder, key)
            if facts is None or facts.sha256 != line.sha256:
                raise StoreError(f"{arrow_path(self.folder, key)}: removed or made again since; the same l9 prep goes on")
            yield facts


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


def brought_raw(home: str, card: str, inputs: Mapping[str, Sequence[int] | None]) -> Path:
    """The fetched files of a card on this machine, brought from the remote home once, and as old as they were where the work was planned.

    inputs  file -> its size in bytes and time of change in ns there; their sha256 is checked when they are brought
    """
    place = _opened(home)
    root = place.path / "raw" / card
    with locked(place.path / "cache" / "raw.lock", RAW_SECONDS) as mine:
        if not mine:
            raise StoreError(f"{root}: another process has been bringing it for {RAW_SECONDS:.0f} s; is the remote home slow?")
        place.pull_raw(card)
        for name, state in inputs.items():
            with suppress(FileNotFoundError):
                if state is not None and (root / name).stat().st_mtime_ns != state[1]:
                    os.utime(root / name, ns=(state[1], state[1]))
    return root
