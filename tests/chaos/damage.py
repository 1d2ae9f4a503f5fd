"""What a disk, a careless hand or another version may do to a finished store: each damage changes one file of a home."""

import json
import os
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def _first(home: Path, pattern: str) -> Path:
    """The largest file of a pattern below `<home>/store`; the first by name of equals."""
    return min((home / "store").glob(pattern), key=lambda path: (-path.stat().st_size, path.name))


def _flip(pattern: str, *, in_silence: bool = False) -> Damage:
    """Turn one bit in the middle over; `in_silence` leaves size, time and inode as they were."""

    def damage(home: Path) -> None:
        path = _first(home, pattern)
        content, stamp = bytearray(path.read_bytes()), path.stat().st_mtime_ns
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(stamp, stamp if in_silence else stamp + 1))

    return damage


def _cut(pattern: str) -> Damage:
    """Leave the first half."""

    def damage(home: Path) -> None:
        path = _first(home, pattern)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def _gone(pattern: str) -> Damage:
    return lambda home: _first(home, pattern).unlink()


def _filled(pattern: str, content: bytes) -> Damage:
    def damage(home: Path) -> None:
        _first(home, pattern).write_bytes(content)

    return damage


def _edited(pattern: str, edit: Callable[[dict[str, object]], object]) -> Damage:
    """Sound JSON, but not what was written."""

    def damage(home: Path) -> None:
        path = _first(home, pattern)
        value = json.loads(path.read_text())
        edit(value)
        path.write_text(json.dumps(value, sort_keys=True, separators=(",", ":")))

    return damage


def _exchanged(home: Path) -> None:
    """Two shards change places."""
    one, other = sorted((home / "store").glob("shards/*.arrow"))[:2]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


SHARD, SIDECAR, INDEX, QUARANTINE, MANIFEST = "shards/*.arrow", "shards/*.json", "*/index.arrow", "*/quarantine.jsonl", "*/manifest.json"

DAMAGES: dict[str, Damage] = {
    "shard-flip": _flip(SHARD),
    "shard-cut": _cut(SHARD),
    "shard-gone": _gone(SHARD),
    "shard-empty": _filled(SHARD, b""),
    "shards-exchanged": _exchanged,
    "sidecar-flip": _flip(SIDECAR),
    "sidecar-cut": _cut(SIDECAR),
    "sidecar-gone": _gone(SIDECAR),
    "sidecar-no-json": _filled(SIDECAR, b"[" * 100_000),
    "sidecar-edited": _edited(SIDECAR, lambda value: value.update(quarantined=[])),
    "sidecar-of-version-99": _edited(SIDECAR, lambda value: value.update(format=99)),
    "index-flip": _flip(INDEX),
    "index-gone": _gone(INDEX),
    "quarantine-flip": _flip(QUARANTINE),
    "quarantine-gone": _gone(QUARANTINE),
    "manifest-flip": _flip(MANIFEST),
    "manifest-cut": _cut(MANIFEST),
    "manifest-gone": _gone(MANIFEST),
    "manifest-edited": _edited(MANIFEST, lambda value: value.update(counts={"planned": 64, "done": 64, "quarantined": 0, "rows": 116})),
    "manifest-of-version-99": _edited(MANIFEST, lambda value: value.update(format=99)),
    "digests-garbage": _filled("digests.sqlite", b"no database" * 999),
}
SILENT: Damage = _flip(SHARD, in_silence=True)  # found by --rehash alone
