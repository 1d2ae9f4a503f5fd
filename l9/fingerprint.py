"""Canonical JSON and sha256: the one way in which l9 turns settings and files into keys.

Equal values give equal text: keys sorted, no white space, floats by their shortest round-trip form. What has no canonical
form (a function, a set, NaN) is refused, never guessed by its `repr`.
"""

import contextlib
import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from l9.errors import UsageError

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A plain value: what JSON can hold."""

LOCK_SECONDS = 5  # waited for other processes, which hold the digest cache for milliseconds
SET_UP = (
    "PRAGMA journal_mode=TRUNCATE",  # not WAL, whose shared memory no network share has
    "PRAGMA synchronous=OFF",  # what a power cut damages is begun anew
    "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, size INT, mtime_ns INT, inode INT, sha256 TEXT)",
)
CHUNK = 1 << 20  # bytes read at a time: 1 MiB keeps memory flat and the disk busy


ATOMS = frozenset((str, int, bool, type(None)))  # what is plain as it is
ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)  # once: a plan calls it for every object


def plain(value: Any, where: str = "value") -> Any:
    """`value` as plain JSON types (tuples become lists), or UsageError naming the place that has no canonical form."""
    if type(value) in ATOMS:
        return value
    if type(value) is list:  # the plainest kinds first: `isinstance` costs more than all the rest
        return [item if type(item) in ATOMS else plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: item if type(item) in ATOMS else plain(item, f"{where}.{key}") for key, item in value.items()}
    return _plain_of_other_types(value, where)


def _plain_of_other_types(value: Any, where: str) -> Any:
    if isinstance(value, int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError(f"{where} is {value}; expected a finite number")
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UsageError(f"{where} has the key {key!r}; expected keys that are text")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    raise UsageError(f"{where} is a {type(value).__name__}; expected numbers, strings, lists or dictionaries of them")


def canonical(value: Any) -> str:
    """The one JSON text of a plain value."""
    return ENCODER.encode(plain(value))


quoted = json.encoder.encode_basestring
"""`canonical` of a text, in a third of a microsecond: for those who write the canonical JSON of ten million objects field by field."""


def digest(value: Any) -> str:
    """sha256 (64 hex digits) of the canonical JSON of a plain value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (64 hex digits) of a file's bytes, read 1 MiB at a time."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


class DigestCache:
    """sha256 of files, remembered by (path, size, mtime in ns, inode) in a small sqlite file.

    It only saves time, so it stops nobody: a damaged file is renamed to `<name>.broken` and a new one begun; where sqlite cannot
    work (locked for long, read-only, a share without locks) files are hashed without remembering.
    `rehash=True` reads every file again, for file systems whose times cannot be trusted.
    """

    def __init__(self, path: Path, *, rehash: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._rehash = path, rehash
        self._connection: sqlite3.Connection | None = None
        self._begin()

    def of(self, path: Path) -> str:
        """sha256 of `path`: from the cache if nothing about the file has changed, else read now."""
        known = self.remembered(path)
        if known is not None:
            return known
        stamp = _stamp(path)  # before it is read: a change meanwhile is seen the next time
        sha256 = file_digest(path)
        self._remember(path, stamp, sha256)
        return sha256

    def remembered(self, path: Path) -> str | None:
        """sha256 of `path` if it is known and nothing about the file has changed; None where it would have to be read."""
        row = self._ask("SELECT size, mtime_ns, inode, sha256 FROM digests WHERE path = ?", str(path))
        known = row is not None and row[:3] == _stamp(path) and not self._rehash
        return str(row[3]) if row is not None and known else None

    def remember(self, path: Path, sha256: str) -> None:
        """Note the digest of a file that has just been written and hashed on the way."""
        self._remember(path, _stamp(path), sha256)

    def close(self) -> None:
        """Let go of the sqlite file."""
        if self._connection is not None:
            self._connection.close()

    def _remember(self, path: Path, stamp: tuple[int, int, int], sha256: str) -> None:
        self._ask("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", str(path), *stamp, sha256)

    def _begin(self, *, anew: bool = False) -> None:
        """Open the file, empty if `anew`; what is there already moves out of the way then."""
        if anew:
            with contextlib.suppress(FileNotFoundError):  # another process has just moved it
                self._path.replace(self._path.with_name(f"{self._path.name}.broken"))
        try:
            self._connection = sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level=None)
        except sqlite3.OperationalError:
            return
        for statement in SET_UP:
            self._ask(statement, mend=not anew)

    def _ask(self, statement: str, *values: str | int, mend: bool = True) -> tuple[Any, ...] | None:
        """The first row of the answer; None where there is none, or nothing is remembered."""
        if self._connection is None:
            return None
        try:
            row: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
            return row
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.ProgrammingError):  # a mistake of the caller, such as another thread
                raise
            self.close()
            self._connection = None
            if mend and not isinstance(error, sqlite3.OperationalError):  # damaged: what is locked or out of reach stays where it is
                self._begin(anew=True)
            return None


def _stamp(path: Path) -> tuple[int, int, int]:
    """Size in bytes, time of change in ns, inode."""
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ino
