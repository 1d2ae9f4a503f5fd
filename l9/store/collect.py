"""`l9 store gc`: what below <home>/store is of no use any more, and its removal, safe beside a preparation at work and against a kill.

unnamed shard     no manifest in this home names it: recipes that were changed, stores that were removed, preparations given up
leftover          temporary files of killed writers, shards without a sidecar and sidecars without a shard, folders without a manifest
unused store      only where asked for: no run refers to it. Its shards go with it unless another store names them

Nothing younger than a grace time is touched: a preparation writes its shards, and marks those it takes over (`mark_used`), before its
manifest names them, so the grace time has to be longer than a preparation takes. Nothing that a manifest names is ever removed, links are
not followed, and files of other names are left alone.
"""

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from l9.errors import StoreError
from l9.store.publish import TEMPORARY, sync_folder
from l9.store.store import shards_folder

UNNAMED, LEFTOVER, UNUSED = "unnamed shard", "leftover", "unused store"
STORE_NAME = re.compile(r".+-[0-9a-f]{12}")
STORE_FILES = ("manifest.json", "index.arrow", "quarantine.jsonl", "timings.jsonl")  # in the order in which they go: the manifest first
SHARD_FILES = (".json", ".arrow")  # likewise: without its sidecar a shard is not done


@dataclass(frozen=True)
class Waste:
    """One thing to remove.

    what   "unnamed shard", "leftover" or "unused store"
    name   of the shard, file or store, below <home>/store
    paths  its files, in the order of removal; `folder` goes last, if nothing else is in it
    bytes  of its files
    """

    what: str
    name: str
    paths: tuple[Path, ...]
    bytes: int
    folder: Path | None = None


@dataclass(frozen=True)
class Sweep:
    """What `find_waste` found: what may go, and what is too young to go."""

    waste: tuple[Waste, ...]
    young: tuple[Waste, ...]


def find_waste(home: Path, older_than_seconds: float, used: Mapping[str, Sequence[str]] | None = None) -> Sweep:
    """Look, and touch nothing.

    older_than_seconds  the grace time: what has a file that changed since is young
    used                store -> runs that refer to it; None: every store stays
    raises              StoreError where a manifest cannot be read, so that it is not known what it names, or the shards' folder is a link
    """
    folder, shards = home / "store", shards_folder(home)
    if shards.is_symlink():
        raise StoreError(f"{shards}: is a link, so other homes may use its shards; expected a folder.  Nothing was removed")
    stores = [path for path in _sorted(folder) if path != shards and path.is_dir()]
    named = {path: _named_in(path) for path in stores if (path / "manifest.json").exists()}
    own = [path for path in stores if not path.is_symlink() and STORE_NAME.fullmatch(path.name)]
    doomed = [] if used is None else [path for path in own if path in named and not used.get(path.name)]
    found = [_store_waste(LEFTOVER, path) for path in own if path not in named]
    found += _temporaries([folder, shards, *(path for path in own if path in named and path not in doomed)])
    going = [_store_waste(UNUSED, path) for path in doomed]
    cutoff = time.time() - older_than_seconds
    kept_names = {path.name for path in named} - {one.name for one in going if not _young(one, cutoff)}
    keys = {key for path, keys_of in named.items() if path.name in kept_names for key in keys_of}
    found += [*going, *_shard_waste(shards, keys)]
    order = {UNUSED: 0, UNNAMED: 1, LEFTOVER: 2}
    found.sort(key=lambda one: (order[one.what], one.name))
    young = tuple(one for one in found if _young(one, cutoff))
    return Sweep(tuple(one for one in found if one not in young), young)


def remove_waste(sweep: Sweep, older_than_seconds: float) -> list[Waste]:
    """Remove it, stores first and each by its manifest first; returns what went: what became young since, such as a shard that a
    preparation takes over, stays."""
    removed = []
    for one in sweep.waste:
        if _young(one, time.time() - older_than_seconds):
            continue
        for path in one.paths:
            path.unlink(missing_ok=True)
            if path.name == STORE_FILES[0]:
                sync_folder(path.parent)  # on the disk before any shard goes: no power cut leaves a store without its shards
        if one.folder is not None:
            with contextlib.suppress(OSError):  # something else is in it, or a preparation has just begun there
                one.folder.rmdir()
        removed.append(one)
    return removed


def mark_used(*paths: Path) -> None:
    """Make finished files young again: the sidecar of a shard that a preparation takes over before its own manifest names it, or the
    `timings.jsonl` of a store that a run is about to begin on."""
    for path in paths:
        with contextlib.suppress(OSError):  # not there, or a home that cannot be written to: that one is not swept either
            os.utime(path)


def _named_in(store: Path) -> set[str]:
    """Keys of the shards that a manifest names, of whatever format version."""
    path = store / "manifest.json"
    try:
        return {str(line["key"]) for line in json.loads(path.read_bytes())["shards"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        cure = f"remove {store} if the store is not wanted, or l9 prep with its recipe makes it again"
        raise StoreError(f"{path}: cannot be read, so it is not known which shards it names; nothing was removed.  {cure}") from error


def _temporaries(folders: Sequence[Path]) -> Iterator[Waste]:
    for folder in folders:
        for path in _temporary_files(folder):
            yield Waste(LEFTOVER, f"{folder.name}/{path.name}", (path,), _size(path))


def _temporary_files(folder: Path) -> list[Path]:
    return [path for path in _sorted(folder) if path.name.startswith(TEMPORARY) and not path.is_symlink() and path.is_file()]


def _store_waste(what: str, store: Path) -> Waste:
    files = [path for path in (store / name for name in STORE_FILES) if path.exists() or path.is_symlink()]
    paths = (*files, *_temporary_files(store))
    return Waste(what, store.name, paths, sum(map(_size, paths)), store)


def _shard_waste(folder: Path, named: set[str]) -> Iterator[Waste]:
    """Shards that nobody names; half ones are leftovers."""
    for key in sorted({path.stem for path in _sorted(folder) if path.suffix in SHARD_FILES} - named):
        paths = tuple(path for path in (folder / f"{key}{ending}" for ending in SHARD_FILES) if path.exists() or path.is_symlink())
        if not key.startswith("."):
            yield Waste(UNNAMED if len(paths) == len(SHARD_FILES) else LEFTOVER, f"shards/{key}", paths, sum(map(_size, paths)))


def _young(one: Waste, cutoff: float) -> bool:
    """Whether one of its files changed after `cutoff`; of a folder without files, the folder."""
    times = [_changed(path) for path in one.paths] or [_changed(path) for path in (one.folder,) if path is not None]
    return max(times, default=0.0) > cutoff


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0


def _sorted(folder: Path) -> list[Path]:
    return sorted(Path(entry.path) for entry in os.scandir(folder)) if folder.is_dir() else []
