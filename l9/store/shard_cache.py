"""The shards of a remote home that are on this machine: pulled when missing, checked once, and the longest unused ones removed.

<home>/store/shards/<key>.arrow|.json   as in a local home; a file's time of last access says when it was last asked for
<home>/cache/pins/<process>-<token>     keys that a living process has pinned, one a line; the process holds a lock on the file
<home>/cache/pulling/<2 hex digits>     held while one of the shards of these digits is pulled, so that it is pulled once
<home>/cache/lock                       held while pins are noted, or shards removed

Shards never change, so what is here is either right or taken for missing. All processes of a machine share the folder.
"""

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from l9.errors import StoreError, UsageError
from l9.fingerprint import DigestCache
from l9.progress import Progress, Say, quiet
from l9.store.facts import REBUILD, arrow_path, read_facts, shard_done, sidecar_path
from l9.store.lock import locked, taken
from l9.store.mapped import MADE_AGAIN
from l9.store.patience import at_once
from l9.store.remote import RemoteHome

SETTING = "L9_SHARD_CACHE"
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kMGT]?)B?")
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
PULL_SECONDS = 3600.0  # waited for another process that pulls the same shard; it gives up by itself long before
TRIM_SECONDS = 60.0  # waited for another process that notes pins or removes shards, which takes milliseconds


@dataclass(frozen=True)
class Wanted:
    """A shard as a manifest names it."""

    key: str
    sha256: str
    bytes: int


def shard_name(key: str) -> str:
    """What the rows of a shard are called in a remote home."""
    return f"store/shards/{key}.arrow"


def sidecar_name(key: str) -> str:
    """What the facts of a shard are called in a remote home."""
    return f"store/shards/{key}.json"


class ShardCache:
    """The shards of `remote` that are in `folder` (`<home>/store/shards`) of the working folder `home`.

    limit  bytes they may take; None: what L9_SHARD_CACHE says ("200GB"), else half of the disk that is free or theirs
    """

    def __init__(self, home: Path, remote: RemoteHome, limit: int | None = None) -> None:
        self.home, self.remote = home, remote
        self.folder, self._place = home / "store" / "shards", home / "cache"
        self._limit = _set_limit() if limit is None else limit

    @property
    def limit(self) -> int:
        """Bytes that the shards may take."""
        if self._limit is not None:
            return self._limit
        self.folder.mkdir(parents=True, exist_ok=True)
        return (shutil.disk_usage(self.folder).free + sum(size for *_, size in self._shards())) // 2

    @contextmanager
    def pinned(self, keys: Sequence[str]) -> Iterator[None]:
        """These shards stay where they are, or where they will be, during the block; if this process dies, until then."""
        pins = self._place / "pins" / f"{os.getpid()}-{secrets.token_hex(6)}"
        pins.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            stream = pins.open("x", encoding="ascii")
            taken(stream.fileno())
            stream.write("".join(f"{key}\n" for key in keys))
            stream.flush()
        try:
            yield
        finally:
            pins.unlink(missing_ok=True)
            stream.close()

    @contextmanager
    def held(self, shards: Sequence[Wanted], say: Say = quiet) -> Iterator[None]:
        """All these shards are here, checked, and stay during the block. `say` takes the progress of pulling.

        raises  StoreError where together they are more than the limit, or cannot be pulled
        """
        shards = [*{one.key: one for one in shards}.values()]
        needed = sum(one.bytes for one in shards)
        if needed > self.limit:
            raise StoreError(f"{self.folder}: {needed:,} bytes of shards are needed at once, and {self._too_small()}")
        with self.pinned([one.key for one in shards]):
            missing = [one for one in shards if not self.has(one)]
            for one in shards:
                if one not in missing:
                    self.shard(one.key, one.sha256, one.bytes)
            if missing:
                self._pull_all(missing, say)
            yield

    def _pull_all(self, shards: Sequence[Wanted], say: Say) -> None:
        with Progress("pulling shards", len(shards), "shards", to=say) as progress:

            def bring(one: Wanted) -> None:
                self.shard(one.key, one.sha256, one.bytes)
                progress.advance()

            at_once(bring, shards)

    def shard(self, key: str, sha256: str, size: int | None = None) -> Path:
        """The file of a shard, pulled if it is not here; its sidecar is beside it. Its bytes are read once, and again when it changed.

        size    in bytes, where known
        raises  StoreError where the limit is too small for it, or where the remote home does not have these bytes
        """
        path = arrow_path(self.folder, key)
        group = self._place / "pulling" / hashlib.sha256(key.encode()).hexdigest()[:2]
        with locked(group, PULL_SECONDS) as mine:
            if not mine:
                raise StoreError(f"{path}: another process has been pulling it for {PULL_SECONDS:.0f} s; stop it, then again")
            if not self._sound(key, sha256):
                self._pull(key, sha256, size)
                self.trim(keeping=key)  # what others pulled meanwhile counts too
        with suppress(OSError):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        return path

    def has(self, wanted: Wanted) -> bool:
        """Whether a shard is here, by its sidecar and its size; its bytes are not read."""
        facts = shard_done(self.folder, wanted.key)
        return facts is not None and facts.sha256 == wanted.sha256

    def trim(self, room: int = 0, keeping: str = "") -> bool:
        """Remove the longest unused shards that nobody pinned until `room` more bytes fit; false where they cannot be made to fit.

        keeping  key of a shard that stays, too
        """
        with self._alone():
            kept = {keeping, *self._pinned_keys()}
            shards, limit = sorted(self._shards()), self.limit
            taken_bytes = sum(size for *_, size in shards) + room
            for _, path, size in shards:
                if taken_bytes <= limit:
                    break
                if path.stem not in kept:
                    path.unlink(missing_ok=True)
                    taken_bytes -= size
        return taken_bytes <= limit

    def _sound(self, key: str, sha256: str) -> bool:
        """Whether the shard is here with the right bytes; reads them where they are new or changed since."""
        path = arrow_path(self.folder, key)
        try:
            facts = read_facts(self.folder, key)
            if facts.sha256 != sha256 or path.stat().st_size != facts.bytes:
                return False
        except (StoreError, FileNotFoundError):
            return False
        with self._digests() as digests:
            return digests.of(path) == sha256

    def _pull(self, key: str, sha256: str, size: int | None) -> None:
        """Rows first, facts last: until they are here the shard counts as missing."""
        if size is None:
            about = self.remote.about(shard_name(key))
            size = about.bytes if about is not None else 0
        path, sidecar = arrow_path(self.folder, key), sidecar_path(self.folder, key)
        sidecar.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if size > self.limit:
            raise StoreError(f"{path}: the shard has {size:,} bytes, and {self._too_small()}")
        if not self.trim(size, key):
            raise StoreError(f"{path}: {size:,} bytes do not fit beside what processes at work have pinned, and {self._too_small()}")
        self.remote.pull_or_undo(shard_name(key), path, sha256, sidecar_name(key), REBUILD)
        self.remote.pull(sidecar_name(key), sidecar)
        if read_facts(self.folder, key).sha256 != sha256:
            raise StoreError(f"{self.remote.url}: shard {key} {MADE_AGAIN}")
        with self._digests() as digests:
            digests.remember(path, sha256)

    def _shards(self) -> Iterator[tuple[int, Path, int]]:
        """Time of last use in ns, path and bytes of every shard here; those on their way have other names yet."""
        if not self.folder.is_dir():
            return
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):
                if entry.name.endswith(".arrow"):
                    about = entry.stat(follow_symlinks=False)
                    yield about.st_atime_ns, Path(entry.path), about.st_size

    def _pinned_keys(self) -> set[str]:
        """Keys that living processes have pinned; what dead ones left is removed."""
        keys: set[str] = set()
        for pins in (self._place / "pins").glob("*"):
            with suppress(FileNotFoundError), pins.open("r", encoding="ascii") as stream:
                if taken(stream.fileno()):
                    pins.unlink(missing_ok=True)
                else:
                    keys.update(stream.read().split())
        return keys

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with locked(self._place / "lock", TRIM_SECONDS) as mine:
            if not mine:
                raise StoreError(f"{self._place / 'lock'}: held by another process for {TRIM_SECONDS:.0f} s; stop it, then again")
            yield

    @contextmanager
    def _digests(self) -> Iterator[DigestCache]:
        digests = DigestCache(self.home / "store" / "digests.sqlite")
        try:
            yield digests
        finally:
            digests.close()

    def _too_small(self) -> str:
        return f"the limit is {self.limit:,}; give more with {SETTING}=200GB, or a larger disk with L9_SCRATCH=FOLDER"


def _set_limit() -> int | None:
    """What the setting says, in bytes; None where it is not set."""
    words = os.environ.get(SETTING, "").strip()
    if not words:
        return None
    found = SIZE.fullmatch(words)
    if found is None:
        raise UsageError(f"{SETTING}={words}: expected a number of bytes, such as 200GB")
    return int(float(found[1]) * UNITS[found[2]])
