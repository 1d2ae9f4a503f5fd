"""Stores: the index, quarantine and manifest that make shards into one data set. The manifest is written last: its existence means done.

<home>/store/shards/<key>.arrow|.json            shards, shared by all stores of a home
<home>/store/<name>-<key12>/index.arrow          one line per row, in ascending order of (object, row)
<home>/store/<name>-<key12>/quarantine.jsonl     one line per refused object, in ascending order of id
<home>/store/<name>-<key12>/timings.jsonl        how long things took: for people, in no digest
<home>/store/<name>-<key12>/manifest.json        what all of this is, with sha256 of each file
"""

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import numpy as np
import pyarrow as pa

from l9.errors import StoreError, UsageError
from l9.fingerprint import Json, canonical, file_digest
from l9.store.columns import Column
from l9.store.ended import Ended
from l9.store.facts import ShardFacts, ShardLine
from l9.store.index import labels_in, read_index, write_index
from l9.store.mapped import Shard
from l9.store.mapped import verify as verify_shard
from l9.store.planned import FORMAT, KEY_DIGITS, READABLE, PlanFacts
from l9.store.publish import HashedSink, atomic_write

T = TypeVar("T")
REMAKE = "l9 prep with the same recipe makes it again"


def shards_folder(home: Path) -> Path:
    """Where the shards of a home live, once for all its stores."""
    return home / "store" / "shards"


def store_folder(home: Path, name: str, key: str) -> Path:
    """Where a store lives: its name and the first 12 hex digits of its key."""
    return home / "store" / f"{name}-{key[:KEY_DIGITS]}"


def write_store(home: Path, name: str, plan: PlanFacts, shards: Iterable[ShardFacts], timings: Sequence[Mapping[str, Any]] = ()) -> "Store":
    """Make finished shards a store.

    shards   in any order, taken one at a time; together they hold or quarantine every object of the plan exactly once
    timings  one plain line each, for `timings.jsonl`
    raises   StoreError unless done + quarantined = planned, object by object
    """
    ended = Ended(plan.table)
    for facts in shards:
        ended.add(facts)
    ended.assert_complete()
    folder = store_folder(home, name, plan.key)
    index = _written(folder / FILES["index"], lambda sink: write_index(sink, ended, plan.columns))
    quarantine = _written(folder / FILES["quarantine"], lambda sink: _write_quarantine(sink, ended))
    atomic_write(folder / "timings.jsonl", "".join(canonical(line) + "\n" for line in timings).encode())
    manifest = _manifest(name, plan, ended.lines, index, quarantine)
    atomic_write(folder / "manifest.json", (canonical(manifest) + "\n").encode())
    return Store.open(folder)


def standing_store(home: Path, name: str, plan: PlanFacts, shards: Iterable[ShardLine]) -> "Store | None":
    """The store that `write_store` would make of these shards, where it is there already, byte for byte; None where it is to be made."""
    ordered = sorted(shards, key=lambda line: line.key)
    try:
        store = Store.open(store_folder(home, name, plan.key))
        index, quarantine = store.checked("index"), store.checked("quarantine")
    except StoreError:
        return None
    expected = canonical(_manifest(name, plan, ordered, index, quarantine)) + "\n"
    return store if hashlib.sha256(expected.encode()).hexdigest() == store.digest else None


class Store:
    """A finished store.

    path      its folder; `id` the folder's name
    manifest  as plain JSON; `digest` the sha256 of its bytes, which stands for every byte of the store
    columns   what every row holds; `up` the axis that points up
    """

    def __init__(self, path: Path, text: bytes) -> None:
        self.path = path
        self.manifest = _checked_manifest(path, text)
        self.digest = hashlib.sha256(text).hexdigest()
        self.columns = _columns_of(path, self.manifest["columns"])

    @classmethod
    def open(cls, path: Path) -> "Store":
        """The store in this folder; StoreError if it is unfinished, changed, or of another format version."""
        try:
            text = (path / "manifest.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(f"{path}: no manifest, so no finished store; {REMAKE}") from None
        return cls(path, text)

    @property
    def id(self) -> str:
        """`<name>-<key12>`."""
        return self.path.name

    @property
    def up(self) -> str:
        """The axis that points up in every stored object, such as "+Y"."""
        return str(self.manifest["up"])

    @property
    def shards_folder(self) -> Path:
        """Where its shards are."""
        return self.path.parent / "shards"

    @cached_property
    def index(self) -> pa.Table:
        """One line per row (l9/store/index.py), in memory, checked against the manifest's sha256."""
        return read_index(self.part("index"), self.columns)

    @cached_property
    def shards(self) -> list[Shard]:
        """Its shards, mapped, in the manifest's order: what the index column `shard` counts."""
        return [Shard.open(self.shards_folder, line["key"], line["sha256"]) for line in self.manifest["shards"]]

    def column(self, name: str) -> Column:
        """The column called `name`; UsageError names what is there."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UsageError(f"store {self.id} has no column '{name}'; it has {', '.join(column.name for column in self.columns)}")

    def quarantine(self) -> Iterator[dict[str, str]]:
        """Refused objects: id, path, reason, detail, key."""
        for line in self.part("quarantine").splitlines():
            yield json.loads(line)

    def verify(self) -> None:
        """Read every byte of the store; StoreError names the file that changed, or whose columns are not the manifest's."""
        self.checked("index")
        self.checked("quarantine")
        for line in self.manifest["shards"]:
            if verify_shard(self.shards_folder, line["key"], line["sha256"]) != self.columns:
                raise StoreError(f"shard {line['key']}: its columns are not those of {self.path / 'manifest.json'}; {REMAKE}")

    def labels(self) -> set[str]:
        """Every label that a row has; the index is read batch by batch, not kept."""
        self.checked("index")
        return labels_in(self.path / FILES["index"])

    def part(self, part: Literal["index", "quarantine"]) -> bytes:
        """The bytes of one of its two files; StoreError where they are not those the manifest names."""
        content = self._part(part, Path.read_bytes)
        self._assert_named(part, hashlib.sha256(content).hexdigest())
        return content

    def checked(self, part: Literal["index", "quarantine"]) -> str:
        """The sha256 of one of its two files, read without keeping it; StoreError where it is not the one the manifest names."""
        return self._assert_named(part, self._part(part, file_digest))

    def _part(self, part: Literal["index", "quarantine"], read: Callable[[Path], T]) -> T:
        path = self.path / FILES[part]
        try:
            return read(path)
        except FileNotFoundError:
            raise StoreError(f"{path}: missing; {REMAKE}") from None

    def _assert_named(self, part: Literal["index", "quarantine"], sha256: str) -> str:
        if sha256 != self.manifest[part]["sha256"]:
            raise StoreError(f"{self.path / FILES[part]}: changed since it was written (sha256 differs from the manifest); {REMAKE}")
        return sha256


FILES: dict[Literal["index", "quarantine"], str] = {"index": "index.arrow", "quarantine": "quarantine.jsonl"}


def list_stores(home: Path) -> list[Path]:
    """Folders of all finished stores of a home, the newest manifest last."""
    return sorted(
        (path.parent for path in (home / "store").glob("*/manifest.json")),
        key=lambda path: ((path / "manifest.json").stat().st_mtime_ns, path.name),
    )


def find_store(home: Path, words: str) -> Store:
    """The store that a person means: its id, a unique prefix of it, a path, or `latest`.

    raises  UsageError with near matches where there is none, or all matches where there are several
    """
    stores = list_stores(home)
    if words == "latest" and stores:
        return Store.open(stores[-1])
    if (Path(words) / "manifest.json").exists():
        return Store.open(Path(words))
    names = {path.name: path for path in stores}
    matches = [words] if words in names else [name for name in names if words and name.startswith(words)]
    if len(matches) == 1:
        return Store.open(names[matches[0]])
    if matches:
        raise UsageError(f"store '{words}' may be {', '.join(sorted(matches))}; give more letters")
    near = difflib.get_close_matches(words, names, 3, 0.3) or sorted(names)
    there = f"there is {', '.join(near)}.  Stores are the folders below {home / 'store'}" if near else "none yet: l9 prep RECIPE makes one"
    raise UsageError(f"no store '{words}' in {home}; {there}")


def _written(path: Path, write: Callable[[HashedSink], None]) -> str:
    """sha256 of what `write` writes as `path`."""
    digests: list[str] = []

    def hashed(stream: BinaryIO) -> None:
        sink = HashedSink(stream)
        write(sink)
        digests.append(sink.state.hexdigest())

    atomic_write(path, hashed)
    return digests[0]


def _write_quarantine(sink: HashedSink, ended: Ended) -> None:
    places = sorted(ended.refusals)
    for place, planned in zip(places, ended.planned.take(np.array(places, np.int64)), strict=True):
        sink.write((canonical({**vars(ended.refusals[place]), "path": planned.path, "key": planned.key}) + "\n").encode())


def _manifest(name: str, plan: PlanFacts, shards: Sequence[ShardLine], index: str, quarantine: str) -> dict[str, Json]:
    """The manifest of shards in order of their keys; `index` and `quarantine` are the sha256 of those files."""
    return {
        "format": FORMAT,
        "name": name,
        "key": plan.key,
        "card": plan.card,
        "up": plan.up,
        "columns": [column.describe() for column in plan.columns],
        "counts": {
            "planned": len(plan.objects),
            "done": sum(line.done for line in shards),
            "quarantined": sum(line.quarantined for line in shards),
            "rows": sum(line.rows for line in shards),
        },
        "index": {"name": FILES["index"], "sha256": index},
        "quarantine": {"name": FILES["quarantine"], "sha256": quarantine},
        "shards": [line.describe() for line in shards],
    }


MANIFEST_FIELDS = {
    "name": str, "key": str, "card": str, "up": str, "columns": list, "counts": dict, "index": dict, "quarantine": dict, "shards": list,
}  # fmt: skip


COUNTS = ("planned", "done", "quarantined", "rows")
SHARD_FIELDS = {"key": str, "sha256": str, "rows": int, "bytes": int}


def _holds(line: Any, fields: Mapping[str, type]) -> bool:
    return isinstance(line, dict) and all(type(line.get(name)) is kind for name, kind in fields.items())


def _checked_manifest(path: Path, text: bytes) -> dict[str, Any]:
    where = path / "manifest.json"
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: not JSON ({error}); {REMAKE}") from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version not in READABLE:
        raise StoreError(f"{where}: format version {version}, this l9 reads {' and '.join(map(str, READABLE))}; {REMAKE}")
    wrong = [name for name, kind in MANIFEST_FIELDS.items() if not isinstance(manifest.get(name), kind)]
    wrong = wrong or [name for name in COUNTS if type(manifest["counts"].get(name)) is not int]
    wrong = wrong or [name for name in ("index", "quarantine") if not _holds(manifest[name], {"sha256": str})]
    wrong = wrong or [name for name in ("shards",) if not all(_holds(line, SHARD_FIELDS) for line in manifest[name])]
    if wrong:
        raise StoreError(f"{where}: {', '.join(wrong)}: missing or of another type; {REMAKE}")
    return dict(manifest)


def _columns_of(path: Path, described: list[Any]) -> tuple[Column, ...]:
    try:
        return tuple(Column.from_plain(told) for told in described)
    except (StoreError, AttributeError) as error:  # AttributeError: no mapping at all
        raise StoreError(f"{path / 'manifest.json'}: columns: {error}; {REMAKE}") from error
