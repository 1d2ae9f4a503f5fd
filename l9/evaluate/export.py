"""`l9 export STORE`: a store in a form that others read, as a folder that is there whole or not at all.

matches  <DIR>/<scan>/matches.txt, negatives.txt: Matterport3D's lists of key point matches (l9/readers/match_lists.py)
parquet  <DIR>/part-00000.parquet, one a shard

<DIR>/export.json says what was exported, so that the same words find it done.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from l9.errors import UsageError
from l9.evaluate.export_matches import matches_files
from l9.evaluate.export_parquet import parquet_files
from l9.fingerprint import canonical
from l9.progress import Progress, Say, quiet
from l9.store.publish import atomic_write, publish, temporary_name
from l9.store.store import Store

FORMATS = ("matches", "parquet")
ABOUT = "export.json"


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    format   one of FORMATS
    store    its id; `manifest` the sha256 that stands for every byte of it
    objects  scans of matches, or objects
    matches  of all of them, 0 where the format has none
    files    without `export.json`; `bytes` of them together
    """

    format: str
    store: str
    manifest: str
    objects: int = 0
    matches: int = 0
    files: int = 0
    bytes: int = 0


def check_format(kind: str) -> None:
    """UsageError naming the formats there are."""
    if kind not in FORMATS:
        raise UsageError(f"--format is '{kind}'; expected {' or '.join(FORMATS)}")


def export_store(store: Store, kind: str, folder: Path, say: Say = quiet) -> Exported:
    """Write the store below `folder`, which is new, empty, or already what it would become: then nothing is done.

    raises  UsageError for another format, a folder of something else, or a store that has not the columns
    """
    check_format(kind)
    folder = folder.resolve()
    there = _there(store, kind, folder)
    if there is not None:
        return there
    makes: Callable[..., tuple[int, int]] = matches_files if kind == "matches" else parquet_files
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = temporary_name(folder)
    try:
        place.mkdir()
        with Progress(f"export {store.id}", len(store.manifest["shards"]), "shards", to=say) as progress:
            objects, matches = makes(store, place, progress.advance)
        sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file()]
        done = Exported(kind, store.id, store.digest, objects, matches, len(sizes), sum(sizes))
        atomic_write(place / ABOUT, (canonical(asdict(done)) + "\n").encode())
        publish(place, folder)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return done


def _there(store: Store, kind: str, folder: Path) -> Exported | None:
    """The export that is already in the folder, None where it is new or empty; UsageError where it holds something else."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a new folder.  --to DIR")
    if not any(folder.iterdir()):
        return None
    try:
        done = Exported(**json.loads((folder / ABOUT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        raise UsageError(f"{folder} is not empty; expected a new folder, or an earlier export of {store.id}.  --to DIR") from None
    if (done.format, done.manifest) != (kind, store.digest):
        raise UsageError(f"{folder} holds {done.format} of {done.store}; expected a new folder.  --to DIR")
    return done
