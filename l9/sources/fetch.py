"""Bring open data by the machine's own package client, as an ordinary user, into `<home>/raw/<card>/`.

A card names packages, never an address: where they come from is the client's own configuration. What stands in the folder is
complete, because the folder appears under its name only when everything is in it.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from l9.cards import Card, load_card
from l9.errors import FetchError, UsageError
from l9.fingerprint import Json, file_digest
from l9.sources.rooms.bring import bring_rooms, room_set
from l9.store.lock import locked

MANIFEST = "source.json"
FURNITURE = "furniture"  # the card whose models stand in rooms
KEPT = re.compile(r".*\.(sh3f|jar)|copyright")  # data and its licence; programs and their pictures stay behind
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian policy 5.6.1; also keeps options from being taken for packages
UPDATE_SECONDS, DOWNLOAD_SECONDS, UNPACK_SECONDS = 900, 3600, 600
FALLBACK = "the card `shapes` needs no download:  l9 prep --card shapes"


def fetch(card: Card, home: Path, say: Callable[[str], None]) -> Path:
    """The root of a card's data, brought now if it is not there.

    The root holds `source.json`: packages, versions, sha256 of each archive and of each file kept.
    raises  FetchError in one line: nothing may be fetched, the client is missing, failed, or took too long
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
    if set(card.source) != {"apt"}:
        raise FetchError(f"card {card.name}: source names {', '.join(sorted(card.source))}; l9 can fetch with apt")
    if root.exists() and any(root.iterdir()):
        raise FetchError(f"{root} holds files that l9 did not fetch; move them away, or use them with --root {root}")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{card.name}-", dir=root.parent) as folder:
        _fetch_apt(card, Path(folder), say)
        _publish(Path(folder) / "kept", root)
    say(f"{card.name}: ready in {root}")
    return root


def raw_name(card: Card) -> str:
    """Where below `raw/` the files of a card are: its name; of composed rooms also their key, so that other seeds lie beside them."""
    return f"{card.name}/{room_set(card).key(load_card(FURNITURE))}" if "compose" in card.source else card.name


def with_rooms(card: Card, scenes: int | None, seed: int | None) -> Card:
    """The card with another number of rooms or another seed; UsageError where it composes none."""
    if scenes is None and seed is None:
        return card
    if "compose" not in card.source:
        raise UsageError(f"card {card.name} composes no rooms; --scenes and --seed are for those that do:  l9 fetch rooms")
    given = {"scenes": scenes, "seed": seed}
    settings = {**card.source["compose"], **{name: value for name, value in given.items() if value is not None}}
    return replace(card, source={**card.source, "compose": settings})


def _fetch_composed(card: Card, home: Path, root: Path, say: Callable[[str], None]) -> None:
    furniture, part = load_card(FURNITURE), root.with_name(f".{root.name}.part")
    models = fetch(furniture, home, say)
    with locked(root.with_name(f".{root.name}.lock")) as mine:
        if not mine:
            raise FetchError(f"{root}: another l9 fetch composes it at this moment; wait for that one")
        if (root / MANIFEST).is_file():
            return
        part.mkdir(exist_ok=True)
        bring_rooms(part, room_set(card), furniture, models, say)
        files = {path.relative_to(part).as_posix(): file_digest(path) for path in sorted(part.rglob("*")) if path.is_file()}
        brought = json.loads((models / MANIFEST).read_bytes())
        about = {"card": card.name, "client": "l9", "rooms": asdict(room_set(card)), "packages": brought["packages"], "files": files}
        _write_manifest(part / MANIFEST, about)
        _publish(part, root)
    say(f"{card.name}: ready in {root}")


def _fetch_apt(card: Card, folder: Path, say: Callable[[str], None]) -> None:
    packages = _packages(card)
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise FetchError(f"card {card.name} is brought by {tool}, which this machine has not; {FALLBACK}")
    archives = folder / "archives"
    archives.mkdir()
    options = _private_apt(folder / "apt")
    say(f"{card.name}: asking apt where {' and '.join(packages)} are")
    # A failed update alone is no end: one broken third-party list must not hide packages that the others have.
    update_error = _run(["apt-get", *options, "-q", "update"], archives, UPDATE_SECONDS)
    say(f"{card.name}: apt downloads {' and '.join(packages)}")
    error = _run(["apt-get", *options, "-q", "download", *packages], archives, DOWNLOAD_SECONDS)
    if error:
        raise FetchError(f"card {card.name}: apt-get download failed: {update_error or error}; {FALLBACK}")
    found = sorted(archives.glob("*.deb"))
    if len(found) != len(packages):
        raise FetchError(f"card {card.name}: apt-get brought {len(found)} of {len(packages)} archives; {FALLBACK}")
    say(f"{card.name}: unpacking {sum(path.stat().st_size for path in found) / 1e6:.0f} MB")
    described = [_unpack(path, folder / "unpacked") for path in found]
    kept = _keep(folder / "unpacked", folder / "kept")
    if not kept:
        raise FetchError(f"card {card.name}: {' and '.join(packages)} hold no file that l9 reads; {FALLBACK}")
    _write_manifest(folder / "kept" / MANIFEST, {"card": card.name, "client": "apt", "packages": described, "files": kept})


def _packages(card: Card) -> list[str]:
    packages = card.source["apt"]
    if not isinstance(packages, list) or not packages or not all(isinstance(p, str) and PACKAGE.fullmatch(p) for p in packages):
        raise FetchError(f"card {card.name}: source.apt is {packages!r}; expected a list of package names")
    return packages


def _private_apt(folder: Path) -> list[str]:
    """Options under which apt keeps lists and cache in `folder`: works for any user, and leaves the machine's own alone."""
    for name in ("state/lists/partial", "cache/archives/partial", "log"):
        (folder / name).mkdir(parents=True)
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::Lists": folder / "state" / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::Log": folder / "log",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",  # as root apt would hand the work to _apt, who may not write here
        "APT::Get::List-Cleanup": "0",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _run(command: Sequence[str], folder: Path, seconds: int) -> str:
    """ "" if the command succeeds, else the last error it printed; FetchError if it takes too long."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise FetchError(f"{command[0]} took more than {seconds} s; try again when the network answers, or {FALLBACK}") from None
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")] or lines
    return errors[-1][:300] if errors else f"exit code {done.returncode}"


def _unpack(archive: Path, folder: Path) -> dict[str, Json]:
    folder.mkdir(exist_ok=True)
    if error := _run(["dpkg-deb", "-x", str(archive), str(folder)], archive.parent, UNPACK_SECONDS):
        raise FetchError(f"{archive.name} cannot be unpacked: {error}")
    fields = subprocess.run(
        ["dpkg-deb", "-f", str(archive), "Package", "Version"], capture_output=True, text=True, timeout=UNPACK_SECONDS, check=False
    ).stdout
    named = dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)
    return {
        "package": named.get("Package", ""),
        "version": named.get("Version", ""),
        "archive": archive.name,
        "sha256": file_digest(archive),
    }


def _keep(unpacked: Path, kept: Path) -> dict[str, Json]:
    """Move what l9 reads to `kept`, paths as in the package; returns path -> sha256."""
    moved: dict[str, Json] = {}
    for path in _regular_files(unpacked):
        below = path.relative_to(unpacked)
        target = kept / below
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        target.chmod(0o644)
        moved[below.as_posix()] = file_digest(target)
    return moved


def _regular_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if KEPT.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            yield path


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
