"""A run's folder and its copy in a remote home: only what changed travels, and what says "done" comes last.

<home>/cache/synced/<name>.<part>.json   size and time of each file on both sides when they were last the same

Two may write a folder at once, on different machines: the one who asked for a training, and the one who trains. Each has its own files
(`PARTS`), and each part goes its own way. Where somebody else has changed the copy of a part since, it wins over what is here; else what
is here is as new, or newer and to be pushed.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from l9.fingerprint import Json, canonical
from l9.store.patience import at_once
from l9.store.publish import TEMPORARY, atomic_write
from l9.store.remote import RemoteFile, RemoteHome

DONE = ("source.json", "result.json", "run.json")  # whose existence means done: they come last, and go first
CHECKPOINT = re.compile(r"checkpoints/[^/]+/state\.json")  # names the tensors beside it, and is not ahead of metrics.jsonl
ASKED = ("training.json", "error.json", "tags.json", "track.json", "track.pending")  # written by who asked for a training
PARTS = ("asked", "trained")
STAYS = re.compile(rf"(.*/)?({re.escape(TEMPORARY)}.*|lock|track\.lock)|ray/.*")  # of use on this machine alone

Stamp = list[int]
"""Size in bytes, time of change in ns since 1970."""
Known = dict[str, list[int]]
"""File -> its stamp here, then its stamp there."""


class Mirror:
    """One part of a folder below the working folder `home`, and of the files called `<name>/...` in the remote home."""

    def __init__(self, home: Path, remote: RemoteHome, name: str, part: str) -> None:
        self.remote, self.name, self.folder, self.part = remote, name, home / name, part
        self._record = home / "cache" / "synced" / f"{name}.{part}.json"

    def push(self) -> list[str]:
        """Bring what changed here there; returns its names. What went away here goes there, if it was ever the same on both sides.

        What changed there alone stays as it is there: the next pull brings it.
        """
        known, mine, there = self._known(), self._mine(), self._there()
        changed = [name for name in mine if known.get(name, [])[:2] != mine[name]]
        gone = [name for name in there if known.get(name, [])[2:] == there[name] and name not in mine]
        self._each(self._remove, [name for name in (*gone, *changed) if name in DONE and name in there])
        in_turn(self._push, changed)
        self._each(self._remove, [name for name in gone if name not in DONE])
        if changed or gone:
            unchanged = {name: known[name][2:] for name in mine if name not in changed}
            self._note(mine, unchanged | {name: stamp for name, stamp in self._there().items() if name in changed})
        return changed

    def pull(self, there: Mapping[str, Stamp] | None = None, *, exactly: bool = False) -> list[str]:
        """Where the copy changed since they were the same, make the folder like it; returns the names of what was brought.

        there    what `list_files` says of the copy, where it is known already
        exactly  also where only what is here changed

        Broken off, it is as far as it came, and nothing that came is taken for a change that was made here.
        """
        there = self._there() if there is None else self._of_part(there)
        known, mine = self._known(), self._mine()
        if not exactly and {name: stamps[2:] for name, stamps in known.items()} == there:
            return []
        different = [name for name in there if known.get(name) != [*mine.get(name, []), *there[name]]]
        for name in sorted((name for name in mine if name not in there or name in different), key=lambda name: name not in DONE):
            if name not in there or name in DONE:
                (self.folder / name).unlink(missing_ok=True)
        brought: list[str] = []

        def bring(name: str) -> None:
            self._pull(name, there[name])
            brought.append(name)

        try:
            in_turn(bring, different)
        finally:
            after, same = self._mine(), {name for name in there if name not in different} | set(brought)
            self._note(after, {name: there[name] for name in same})
        return different

    def pull_only(self, names: Iterable[str], there: Mapping[str, Stamp]) -> None:
        """Bring these files of the copy, where they are not the same here and the copy changed; the folder does not become like it."""
        there = self._of_part(there)
        if {name: stamps[2:] for name, stamps in self._known().items()} == there:
            return
        for name in sorted(set(names) & set(there), key=_turn):
            path = self.folder / name
            if not path.exists() or _stamp(path) != there[name]:
                self._pull(name, there[name])

    @property
    def known(self) -> bool:
        """Whether they were ever the same."""
        return bool(self._known())

    def _push(self, name: str) -> None:
        with suppress(FileNotFoundError):  # replaced or removed since it was listed: the next push sees what is there then
            self.remote.push(self.folder / name, f"{self.name}/{name}")

    def _pull(self, name: str, stamp: Stamp) -> None:
        path = self.folder / name
        self.remote.pull(f"{self.name}/{name}", path)
        os.utime(path, ns=(time.time_ns(), stamp[1]))  # when a run began is told by its files' times

    def _remove(self, name: str) -> None:
        self.remote.remove(f"{self.name}/{name}")

    def _each(self, work: Callable[[str], None], names: Iterable[str]) -> None:
        at_once(work, dict.fromkeys(names))

    def _mine(self) -> dict[str, Stamp]:
        found: dict[str, Stamp] = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            with suppress(FileNotFoundError):
                if self._has(name) and not STAYS.fullmatch(name) and TEMPORARY not in name and path.is_file() and not path.is_symlink():
                    found[name] = _stamp(path)
        return found

    def _there(self) -> dict[str, Stamp]:
        return self._of_part(relative(self.remote.list_files(self.name), self.name))

    def _of_part(self, files: Mapping[str, Stamp]) -> dict[str, Stamp]:
        return {name: stamp for name, stamp in files.items() if self._has(name)}

    def _has(self, name: str) -> bool:
        return (name in ASKED) == (self.part == "asked")

    def _known(self) -> Known:
        try:
            return {str(name): [int(one) for one in stamps] for name, stamps in json.loads(self._record.read_bytes()).items()}
        except (OSError, ValueError, AttributeError, TypeError):  # not there, or damaged: everything is compared anew
            return {}

    def _note(self, mine: Mapping[str, Stamp], there: Mapping[str, Stamp]) -> None:
        known: dict[str, Json] = {name: [*mine[name], *there[name]] for name in mine if name in there}
        atomic_write(self._record, canonical(known).encode())


def relative(files: Iterable[RemoteFile], name: str) -> dict[str, Stamp]:
    """Files below `name` -> their stamps, names as they are within it."""
    return {file.name[len(name) + 1 :]: [file.bytes, file.modified_ns] for file in files}


def in_turn(work: Callable[[str], None], names: Iterable[str]) -> None:
    """`work` on each file, several at a time, but none before everything that has to be there first."""
    turns: dict[int, list[str]] = {}
    for name in names:
        turns.setdefault(_turn(name), []).append(name)
    for turn in sorted(turns):
        at_once(work, turns[turn])


def _turn(name: str) -> int:
    return 2 if name in DONE else 1 if CHECKPOINT.fullmatch(name) else 0


def _stamp(path: Path) -> Stamp:
    about = path.stat()
    return [about.st_size, about.st_mtime_ns]
