"""Stores and shards of a remote home: what is there, and its coming and going: facts and manifests last, as in a local home."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from l9.errors import StoreError
from l9.store.facts import ShardFacts, ShardLine, arrow_path, read_facts, sidecar_path
from l9.store.mapped import MADE_AGAIN
from l9.store.patience import at_once
from l9.store.remote import ChangedRemotely, RemoteFile, RemoteHome
from l9.store.shard_cache import shard_name, sidecar_name
from l9.store.store import FILES, REMAKE, Store

MANIFEST = "manifest.json"
YOUNG_SECONDS = 3600.0  # a manifest that is here alone and younger may be about to be pushed


class RemoteStores:
    """`home` is the working folder on this machine."""

    def __init__(self, home: Path, remote: RemoteHome) -> None:
        self.home, self.remote = home, remote
        self.shards = home / "store" / "shards"

    def push_shard(self, key: str) -> None:
        """Rows first, facts last: no facts are there without their rows."""
        self.remote.push(arrow_path(self.shards, key), shard_name(key))
        self.remote.push(sidecar_path(self.shards, key), sidecar_name(key))

    def facts(self, keys: Sequence[str]) -> dict[str, ShardFacts]:
        """Of these shards, those that are done there: facts that are sound, and rows of the size they state. The facts are brought here."""
        there = {file.name: file for file in self.remote.list_files("store/shards")}
        listed = [key for key in keys if shard_name(key) in there and sidecar_name(key) in there]
        found = at_once(lambda key: self._facts(key, there), listed)
        return {facts.key: facts for facts in found if facts is not None and facts.bytes == there[shard_name(facts.key)].bytes}

    def made(self, key: str) -> ShardFacts:
        """Facts of a shard that was pushed, from here or from another machine."""
        self.remote.pull(sidecar_name(key), sidecar_path(self.shards, key))
        return read_facts(self.shards, key)

    def _facts(self, key: str, there: Mapping[str, RemoteFile]) -> ShardFacts | None:
        self.shards.mkdir(parents=True, exist_ok=True)
        try:
            self.remote.pull(sidecar_name(key), sidecar_path(self.shards, key))
            return read_facts(self.shards, key)
        except StoreError:
            if self.remote.exists(sidecar_name(key)):  # what is there is no sidecar: the shard is made again
                sidecar_path(self.shards, key).unlink(missing_ok=True)
                return None
            raise

    def push(self, store_id: str) -> None:
        """Index, quarantine and timings, then the manifest; nothing where this very store is there, its index and quarantine read once."""
        folder = self.home / "store" / store_id
        mine = (folder / MANIFEST).read_bytes()
        if self._manifest(store_id) == mine and not self._changed_part(Store(folder, mine)):
            return
        for name in (*FILES.values(), "timings.jsonl"):
            self.remote.push(folder / name, f"store/{store_id}/{name}")
        self.remote.push(folder / MANIFEST, f"store/{store_id}/{MANIFEST}")

    def pull(self, store_id: str) -> None:
        """Index and quarantine, each with the sha256 that the manifest names, then the manifest. StoreError where there is none."""
        about = self._about(store_id)
        if about is None:
            raise StoreError(f"{self.remote.url}: store {store_id} is not there; {REMAKE}")
        text = self.remote.read(about.name)
        folder = self.home / "store" / store_id
        store = Store(folder, text)
        for part in FILES:
            self._pull_part(store, part)
        self._pull_manifest(store_id, about)

    def pull_if_there(self, store_id: str) -> None:
        """As `pull`; nothing where the store is not there, or not as it was written: then it is written again."""
        with suppress(StoreError):
            self.pull(store_id)

    def _pull_part(self, store: Store, part: Literal["index", "quarantine"]) -> None:
        name = FILES[part]
        try:
            store.part(part)
        except StoreError:
            try:
                self.remote.pull(f"store/{store.id}/{name}", store.path / name, store.manifest[part]["sha256"])
            except ChangedRemotely as error:
                raise StoreError(f"{error}; {REMAKE}") from error

    def pull_manifests(self) -> None:
        """Every manifest that is not the same here, with its time: "latest" is what was last written there. One that is gone there goes."""
        names = [name for name in self.remote.folders("store") if name != self.shards.name]
        there = {name: about for name, about in zip(names, at_once(self._about, names), strict=True) if about is not None}
        at_once(lambda name: self._pull_manifest(name, there[name]), there)
        for path in (self.home / "store").glob(f"*/{MANIFEST}"):
            if path.parent.name not in there and time.time() - path.stat().st_mtime > YOUNG_SECONDS:
                path.unlink(missing_ok=True)

    def verify(self, store: Store) -> None:
        """Read every byte of a store there. A shard that changed is no longer done, so that the next prep makes it again."""
        if changed := self._changed_part(store):
            raise StoreError(f"{self.remote.url}: {changed} changed since it was written (its sha256 differs); {REMAKE}")
        for line in store.manifest["shards"]:
            if self.remote.digest(shard_name(line["key"])) != line["sha256"]:
                self.remote.remove(sidecar_name(line["key"]))
                raise StoreError(f"{self.remote.url}: shard {line['key']} changed since it was written (its sha256 differs); {REMAKE}")

    def _changed_part(self, store: Store) -> str:
        """The name of its index or quarantine there, if that is missing or not the one its manifest names; else ""."""
        for part, name in FILES.items():
            there = f"store/{store.id}/{name}"
            if not self.remote.exists(there) or self.remote.digest(there) != store.manifest[part]["sha256"]:
                return there
        return ""

    def assert_there(self, facts: Mapping[str, ShardLine]) -> None:
        """StoreError where a shard is not there any more, or is another: no manifest may name it."""
        found = self.facts([*facts])
        gone = [key for key in facts if key not in found or found[key].sha256 != facts[key].sha256]
        if gone:
            raise StoreError(f"{self.remote.url}: shard {gone[0]} was removed or {MADE_AGAIN}; with {len(gone) - 1} more")

    def _about(self, store_id: str) -> RemoteFile | None:
        return self.remote.about(f"store/{store_id}/{MANIFEST}")

    def _manifest(self, store_id: str) -> bytes | None:
        about = self._about(store_id)
        return self.remote.read(about.name) if about is not None else None

    def _pull_manifest(self, store_id: str, file: RemoteFile) -> None:
        path = self.home / "store" / store_id / MANIFEST
        if not path.exists() or (path.stat().st_size, path.stat().st_mtime_ns) != (file.bytes, file.modified_ns):
            self.remote.pull(file.name, path)
            os.utime(path, ns=(time.time_ns(), file.modified_ns))
