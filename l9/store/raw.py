"""Fetched open data (`raw/<card>/`) in a remote home: fetched once, `source.json` last, checked by the digests in it."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from l9.errors import StoreError
from l9.fingerprint import file_digest
from l9.store.mirror import DONE, in_turn, relative
from l9.store.remote import RemoteHome

SOURCE = DONE[0]


def push_raw(home: Path, remote: RemoteHome, name: str) -> None:
    """Push what was fetched for the card `name`; nothing where that is there, or where nothing is fetched for it."""
    folder = home / "raw" / name
    if not (folder / SOURCE).is_file() or remote.exists(f"raw/{name}/{SOURCE}"):
        return
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    in_turn(lambda file: remote.push(folder / file, f"raw/{name}/{file}"), files)


def pull_raw(home: Path, remote: RemoteHome, name: str) -> None:
    """Bring what was fetched for the card `name`, if it is there whole and not here.

    raises  StoreError where a file is not the one that was fetched
    """
    folder = home / "raw" / name
    if (folder / SOURCE).is_file():
        return
    files = relative(remote.list_files(f"raw/{name}"), f"raw/{name}")
    if SOURCE not in files:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
        kept = Path(place) / "kept"
        in_turn(lambda file: remote.pull(f"raw/{name}/{file}", kept / file), files)
        _check(kept, f"{remote.url}: raw/{name}")
        kept.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # an empty one, or what came before a remote copy was there
        kept.rename(folder)


def _check(folder: Path, where: str) -> None:
    try:
        told: dict[str, Any] = json.loads((folder / SOURCE).read_bytes())["files"]
        wrong = [name for name, sha256 in told.items() if file_digest(folder / name) != sha256]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{where}: not what was fetched ({error}); remove it there, then l9 fetch") from error
    if wrong:
        raise StoreError(f"{where}/{wrong[0]} is not what was fetched (its sha256 differs); remove raw there, then l9 fetch")
