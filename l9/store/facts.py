"""The sidecar of a shard: what is in it, beside it as JSON, written last, so that its existence means the shard is done."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l9.errors import StoreError
from l9.fingerprint import Json, canonical
from l9.store.planned import FORMAT, READABLE
from l9.store.publish import atomic_write

REBUILD = "l9 prep with the same recipe rebuilds it"


@dataclass(frozen=True)
class Refusal:
    """One object that could not be used: `reason` is a short word that can be counted, `detail` one line with the numbers."""

    id: str
    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class ShardLine:
    """One shard in few words: its key, the sha256 and bytes of its file, its rows, and how many objects ended how."""

    key: str
    sha256: str
    rows: int
    bytes: int
    done: int
    quarantined: int

    def describe(self) -> dict[str, Json]:
        """Its line in the manifest."""
        return {"key": self.key, "sha256": self.sha256, "rows": self.rows, "bytes": self.bytes}


@dataclass(frozen=True)
class ShardFacts:
    """What is in a shard; deterministic facts only.

    rows         rows in the file, objects in ascending order of id
    objects      (id, rows) of each object, in that order
    quarantined  refused objects, in ascending order of id
    sha256       of the Arrow file, `bytes` long
    items        ragged column -> number of items in each row
    notes        object -> what its reader had to leave out, in one line; objects of which there is nothing to say are not in it
    """

    key: str
    rows: int
    objects: tuple[tuple[str, int], ...]
    quarantined: tuple[Refusal, ...]
    sha256: str
    bytes: int
    items: dict[str, list[int]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> "ShardLine":
        """What a manifest and a driver keep of it."""
        return ShardLine(self.key, self.sha256, self.rows, self.bytes, len(self.objects), len(self.quarantined))

    def describe(self) -> dict[str, Json]:
        """As plain JSON, the key apart: that is the file's name. `checksum` is the sha256 of all the rest."""
        facts: dict[str, Json] = {
            "format": FORMAT,
            "rows": self.rows,
            "objects": [{"id": name, "rows": rows, "notes": self.notes.get(name, "")} for name, rows in self.objects],
            "quarantined": [vars(refusal) for refusal in self.quarantined],
            "sha256": self.sha256,
            "bytes": self.bytes,
            "items": {name: list(counts) for name, counts in self.items.items()},
        }
        return {**facts, "checksum": _checksum(facts)}


def arrow_path(folder: Path, key: str) -> Path:
    """Where the rows of a shard are; StoreError for a key that would lead out of the folder."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,128}", key):
        raise StoreError(f"{folder}: {key!r} is no shard's key; expected letters and digits")
    return folder / f"{key}.arrow"


def sidecar_path(folder: Path, key: str) -> Path:
    """Where the facts of a shard are."""
    return arrow_path(folder, key).with_suffix(".json")


def mark_undone(folder: Path, key: str) -> None:
    """Take the sidecar of a shard that turned out to be damaged, so that the next prep makes the shard again."""
    sidecar_path(folder, key).unlink(missing_ok=True)


def write_facts(folder: Path, facts: ShardFacts) -> None:
    """Write the sidecar: from now on the shard is done."""
    atomic_write(sidecar_path(folder, facts.key), canonical(facts.describe()).encode())


def read_facts(folder: Path, key: str) -> ShardFacts:
    """The facts of a finished shard; StoreError if there are none, or if they are not what a sidecar holds."""
    path = sidecar_path(folder, key)
    try:
        plain = json.loads(path.read_bytes())
        checksum = _checksum({name: value for name, value in plain.items() if name != "checksum"}) if isinstance(plain, dict) else ""
    except FileNotFoundError:
        raise StoreError(f"{path}: missing; {REBUILD}") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: not JSON ({error}); {REBUILD}") from error
    if not isinstance(plain, dict) or plain.get("format") not in READABLE:
        raise StoreError(f"{path}: expected format version {' or '.join(map(str, READABLE))}; {REBUILD}")
    if plain.get("checksum", checksum if plain["format"] == 1 else "") != checksum:  # version 1 had none
        raise StoreError(f"{path}: changed since it was written (its checksum differs); {REBUILD}")
    try:
        facts = _facts(key, plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{path}: field {error} is missing or of another type; {REBUILD}") from error
    if facts.rows != sum(rows for _, rows in facts.objects) or any(len(counts) != facts.rows for counts in facts.items.values()):
        raise StoreError(f"{path}: its counts do not add up to {facts.rows} rows; {REBUILD}")
    return facts


def shard_done(folder: Path, key: str) -> ShardFacts | None:
    """The facts of a shard that is done, else None. The cheap check: a sound sidecar, and a file of the size it states."""
    try:
        facts = read_facts(folder, key)
        return facts if facts.bytes == arrow_path(folder, key).stat().st_size else None
    except (StoreError, OSError):
        return None


def _checksum(facts: dict[str, Any]) -> str:
    """As `fingerprint.digest`, without its check of every value: what comes from JSON is plain, and a sidecar may name many objects."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _facts(key: str, plain: dict[str, Any]) -> ShardFacts:
    return ShardFacts(
        key=key,
        rows=int(plain["rows"]),
        objects=tuple((str(line["id"]), int(line["rows"])) for line in plain["objects"]),
        quarantined=tuple(Refusal(**{name: str(value) for name, value in line.items()}) for line in plain["quarantined"]),
        sha256=str(plain["sha256"]),
        bytes=int(plain["bytes"]),
        items={str(name): [int(count) for count in counts] for name, counts in plain["items"].items()},
        notes={str(line["id"]): str(line["notes"]) for line in plain["objects"] if line.get("notes")},
    )
