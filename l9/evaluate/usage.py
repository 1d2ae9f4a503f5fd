"""Stores, and the runs that stand on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l9.errors import StoreError, UsageError
from l9.evaluate.runs import read_plain, run_folders
from l9.store.store import Store, list_stores


def stores_used(home: Path) -> dict[str, list[str]]:
    """Store folder's name -> names of the runs and trainings that refer to it, finished or not, newest first.

    What a run will need later counts from its start: it notes every store it stands on before its first training begins.
    raises  UsageError naming a file of a run that cannot be read: then it is not known what is used
    """
    used: dict[str, list[str]] = {}
    for folder in run_folders(home):
        for store in sorted(set(_stores_of(folder))):
            used.setdefault(store, []).append(folder.name)
    return used


def _stores_of(folder: Path) -> Iterator[str]:
    files = {name: folder / f"{name}.json" for name in ("training", "run", "track")}
    about = {name: read_plain(path) if path.is_file() else {} for name, path in files.items()}
    try:
        places = [one["store"] for one in about["training"].get("sets", {}).values()]
        places += [one["store"] for one in about["run"].get("stores", {}).values()]
        places += [one["source"] for one in about["track"].get("datasets", [])]
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(f"{folder}: its files do not say which stores it stands on ({error}); expected those l9 run writes") from error
    yield from (Path(str(place)).name for place in places)


def store_rows(home: Path) -> Iterator[dict[str, Any]]:
    """One plain row for each store, the newest first: what is in it, bytes of its shards, when it was made, which runs use it.

    created  seconds since 1970, of the manifest's file
    problem  "" or why the store cannot be read; then the counts are missing
    """
    used = stores_used(home)
    for path in reversed(list_stores(home)):
        row: dict[str, Any] = {"store": path.name, "created": (path / "manifest.json").stat().st_mtime, "runs": used.get(path.name, [])}
        try:
            manifest = Store.open(path).manifest
        except StoreError as error:
            yield {**row, "problem": str(error)}
            continue
        counts = {name: manifest["counts"][name] for name in ("planned", "done", "quarantined", "rows")}
        size = sum(int(line["bytes"]) for line in manifest["shards"])
        columns = [column["name"] for column in manifest["columns"]]
        yield {**row, "card": manifest["card"], "columns": columns, **counts, "bytes": size, "problem": ""}
