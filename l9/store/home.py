"""A home, wherever it is: the local folder in which all work is done, and the verbs that keep a remote home in step with it.

A local home is that folder, and the verbs have nothing to do. Of a remote home (`s3://...`) the folder is this machine's scratch:
`<L9_SCRATCH>/<digest of the address>`, else below the user's cache folder. What is there can be removed at any time: it is pulled again.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from l9.errors import StoreError, UsageError
from l9.progress import Say, quiet
from l9.store.address import is_address
from l9.store.lock import locked
from l9.store.mirror import PARTS, Mirror
from l9.store.publish import atomic_write
from l9.store.raw import pull_raw, push_raw
from l9.store.remote import RemoteHome
from l9.store.remote_runs import pull_run_facts
from l9.store.remote_stores import RemoteStores
from l9.store.shard_cache import ShardCache, Wanted
from l9.store.store import Store

SCRATCH = "L9_SCRATCH"
SYNC_SECONDS = 600.0  # waited for another process of this machine that pushes or pulls the same folder


class Home:
    """A local home: `path` is its folder. What these verbs promise holds without doing anything."""

    remote: RemoteHome | None = None

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        """The address of the remote home, "" where there is none."""
        return ""

    def publish_shard(self, key: str) -> None:
        """Push a shard that was made here, its facts last."""

    def publish_store(self, store_id: str) -> None:
        """Push a store that was written here, its manifest last."""

    def fetch_store(self, store_id: str) -> None:
        """Bring manifest, index and quarantine of a store."""

    def fetch_stores(self) -> None:
        """Bring the manifest of every store, so that they can be listed and found."""

    def verify_store(self, store: Store) -> None:
        """Read every byte of a store where it is kept; StoreError names what changed."""
        store.verify()

    @contextmanager
    def held(self, stores: Sequence[Store], say: Say = quiet) -> Iterator[None]:
        """All shards of these stores are here during the block."""
        yield

    @contextmanager
    def pinned(self, store: Store) -> Iterator[bool]:
        """Whether all shards of a store are here; during the block they stay."""
        yield True

    def push_run(self, folder: Path) -> None:
        """Push what changed in a folder below `runs/`."""

    def pull_run(self, folder: Path, *, exactly: bool = False) -> None:
        """Bring a folder below `runs/`, where another machine has changed it; `exactly`: or where this one has."""

    def exchange_run(self, folder: Path, trains: bool) -> None:
        """Push the files of this side and bring those of the other: who asked for a training, or who `trains` elsewhere."""

    def fetch_runs(self) -> None:
        """Bring what says of each run what it is and what it found, so that runs can be listed and found."""

    def push_raw(self, name: str) -> None:
        """Push the fetched files of a card."""

    def pull_raw(self, name: str) -> None:
        """Bring the fetched files of a card, where they are there and not here."""


class ScratchHome(Home):
    """The working folder of a remote home on this machine."""

    remote: RemoteHome

    def __init__(self, path: Path, remote: RemoteHome) -> None:
        super().__init__(path)
        self.remote = remote

    @property
    def url(self) -> str:
        """The address of the remote home; it holds no key."""
        return self.remote.url

    @cached_property
    def cache(self) -> ShardCache:
        """The shards that are on this machine."""
        return ShardCache(self.path, self.remote)

    @cached_property
    def stores(self) -> RemoteStores:
        """Stores and shards as the remote home has them."""
        return RemoteStores(self.path, self.remote)

    def publish_shard(self, key: str) -> None:
        """Push rows, then facts."""
        self.stores.push_shard(key)

    def publish_store(self, store_id: str) -> None:
        """Push index, quarantine and timings, then the manifest; nothing where it is there already."""
        self.stores.push(store_id)

    def fetch_store(self, store_id: str) -> None:
        """Bring a store's files, each checked, the manifest last. StoreError where it is not there."""
        self.stores.pull(store_id)

    def fetch_stores(self) -> None:
        """Bring every manifest that changed; those that are gone there go here, too."""
        self.stores.pull_manifests()

    def verify_store(self, store: Store) -> None:
        """Read every byte as it is in the remote home, past what is here."""
        self.stores.verify(store)

    @contextmanager
    def held(self, stores: Sequence[Store], say: Say = quiet) -> Iterator[None]:
        """Pull and pin the shards. StoreError where they are more than the limit of the cache."""
        with self.cache.held([wanted for store in stores for wanted in _wanted(store)], say):
            yield

    @contextmanager
    def pinned(self, store: Store) -> Iterator[bool]:
        """Pull nothing, pin what is here."""
        shards = _wanted(store)
        with self.cache.pinned([one.key for one in shards]):
            yield all(self.cache.has(one) for one in shards)

    def push_run(self, folder: Path) -> None:
        """Push what changed, checkpoints before the file that names them, `result.json` and `run.json` last."""
        with self._alone_at(folder):
            for part in PARTS:
                self._mirror(folder, part).push()

    def pull_run(self, folder: Path, *, exactly: bool = False) -> None:
        """Where the remote copy of a part changed since it was last the same, make the folder like it."""
        with self._alone_at(folder):
            for part in PARTS:
                self._mirror(folder, part).pull(exactly=exactly)

    def exchange_run(self, folder: Path, trains: bool) -> None:
        """What one side never writes is never pushed by it, nor what only it writes brought."""
        asked, trained = PARTS
        with self._alone_at(folder):
            self._mirror(folder, trained if trains else asked).push()
            self._mirror(folder, asked if trains else trained).pull()

    def fetch_runs(self) -> None:
        """Bring the small files of every run that another machine changed."""
        pull_run_facts(self.path, self.remote)

    def push_raw(self, name: str) -> None:
        """Push all files, `source.json` last; nothing where it is there already."""
        push_raw(self.path, self.remote, name)

    def pull_raw(self, name: str) -> None:
        """Bring all files, checked against `source.json`, as one folder that is there whole or not at all."""
        pull_raw(self.path, self.remote, name)

    def _mirror(self, folder: Path, part: str) -> Mirror:
        return Mirror(self.path, self.remote, folder.relative_to(self.path).as_posix(), part)

    @contextmanager
    def _alone_at(self, folder: Path) -> Iterator[None]:
        name = folder.relative_to(self.path).as_posix()
        with locked(self.path / "cache" / "synced" / f"{name}.lock", SYNC_SECONDS) as mine:
            if not mine:
                raise StoreError(f"{folder}: another process has been pushing or pulling it for {SYNC_SECONDS:.0f} s; stop it, then again")
            yield


def _wanted(store: Store) -> list[Wanted]:
    return [Wanted(line["key"], line["sha256"], line["bytes"]) for line in store.manifest["shards"]]


def open_home(words: str | Path) -> Home:
    """The home that a person means: a folder, or the address of a remote home, which is asked once whether it answers.

    raises  UsageError for an address that cannot be one; StoreError where the remote home does not answer, or not to these keys
    """
    if not is_address(str(words)):
        return Home(Path(words).resolve())
    remote = RemoteHome(str(words))
    remote.check()
    return scratch_home(remote)


def scratch_home(remote: RemoteHome) -> ScratchHome:
    """The working folder of a remote home, made where missing; `home.json` in it says whose it is."""
    place = _scratch() / remote.address.digest
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"{place}: cannot be made ({error.strerror}); give a folder on this machine's disk with {SCRATCH}=FOLDER"
        ) from error
    place = place.resolve()  # jobs name their folders resolved
    about = place / "home.json"
    if not about.exists():
        atomic_write(about, json.dumps({"home": remote.url}).encode())
    return ScratchHome(place, remote)


def _scratch() -> Path:
    given = os.environ.get(SCRATCH)
    if given:
        return Path(given).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "l9"
