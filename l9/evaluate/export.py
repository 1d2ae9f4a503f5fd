"""`l9 export STORE`, `l9 export RUN`: in a form that others read, as a folder that is there whole or not at all.

matches  <DIR>/<scan>/matches.txt, negatives.txt: Matterport3D's lists of key point matches (l9/readers/match_lists.py)
parquet  <DIR>/part-00000.parquet, one a shard
scannet  <DIR>/<scan>.txt: a label for each vertex, what a run answers or a store holds (l9/evaluate/export_labels.py)

<DIR>/export.json says what was exported, so that the same words find it done.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from l9.data.samples import Samples
from l9.errors import UsageError
from l9.evaluate.export_labels import answering, label_files, scans_in, stored_scans, tested_scans
from l9.evaluate.export_matches import matches_files
from l9.evaluate.export_parquet import parquet_files
from l9.fingerprint import canonical, digest
from l9.progress import Progress, Say, quiet
from l9.store.publish import atomic_write, publish, temporary_name
from l9.store.store import Store

FORMATS = ("matches", "parquet", "scannet")
ABOUT = "export.json"


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    format   one of FORMATS
    store    its id; `manifest` the sha256 that stands for every byte of it
    objects  scans of matches, or objects
    matches  of all of them, 0 where the format has none
    files    without `export.json`; `bytes` of them together
    run      folder name of the training whose answers they are; "" for what the store holds
    part     of the store, "" for all of it
    vertices of all scans with labels, 0 where the format has none
    """

    format: str
    store: str
    manifest: str
    objects: int = 0
    matches: int = 0
    files: int = 0
    bytes: int = 0
    run: str = ""
    part: str = ""
    vertices: int = 0


def check_format(kind: str) -> None:
    """UsageError naming the formats there are."""
    if kind not in FORMATS:
        raise UsageError(f"--format is '{kind}'; expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def export_store(store: Store, kind: str, folder: Path, say: Say = quiet, part: str = "") -> Exported:
    """Write the store below `folder`, which is new, empty, or already what it would become: then nothing is done.

    part    of the store's scans, for the format scannet; "" for all
    raises  UsageError for another format, a folder of something else, or a store that has not the columns
    """
    check_format(kind)
    if part and kind != "scannet":
        raise UsageError(f"--part goes with --format scannet; {kind} holds the whole store")
    planned = Exported(kind, store.id, store.digest, part=part)
    if kind == "scannet":
        scans = [stored_scans(store, part or "all")]
        return _export(planned, folder, scans_in(scans), "scans", say, lambda place, advance: _labels(planned, scans, None, place, advance))
    makes: Callable[..., tuple[int, int]] = matches_files if kind == "matches" else parquet_files

    def made(place: Path, advance: Callable[[], None]) -> Exported:
        objects, matches = makes(store, place, advance)
        return replace(planned, objects=objects, matches=matches)

    return _export(planned, folder, len(store.manifest["shards"]), "shards", say, made)


def export_run(training: Path, home: Path, folder: Path, say: Say = quiet, part: str = "test") -> Exported:
    """Write what a finished training answers for each vertex of its sets' scans, in the format scannet; `folder` as in `export_store`.

    part    which scans: those to submit are the test part, whose labels nobody has
    raises  UsageError for a training that labels no vertices, a folder of something else, or a part without scans
    """
    from l9.evaluate.restored import restored
    from l9.train.fit import read_job

    job = read_job(training, home)
    scans = tested_scans(job, part)
    stores = [store for samples in scans for store in samples.stores]
    manifest = stores[0].digest if len(stores) == 1 else digest([store.digest for store in stores])
    planned = Exported("scannet", " ".join(store.id for store in stores), manifest, run=training.name, part=part)
    if (there := _there(planned, folder.resolve())) is not None:
        return there
    task = restored(training, home).task
    answer = answering(task, training.name)
    return _export(planned, folder, scans_in(scans), "scans", say, lambda place, advance: _labels(planned, scans, answer, place, advance))


def _labels(planned: Exported, scans: list[Samples], answer: Any, place: Path, advance: Callable[[], None]) -> Exported:
    objects, vertices = label_files(scans, answer, place, advance)
    return replace(planned, objects=objects, vertices=vertices)


def _export(
    planned: Exported, folder: Path, count: int, unit: str, say: Say, made: Callable[[Path, Callable[[], None]], Exported]
) -> Exported:
    """What `made` writes into a folder, in its place; or what is there already."""
    folder = folder.resolve()
    there = _there(planned, folder)
    if there is not None:
        return there
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = temporary_name(folder)
    try:
        place.mkdir()
        with Progress(f"export {planned.run or planned.store}", count, unit, to=say) as progress:
            told = made(place, progress.advance)
        sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file()]
        done = replace(told, files=len(sizes), bytes=sum(sizes))
        atomic_write(place / ABOUT, (canonical(asdict(done)) + "\n").encode())
        publish(place, folder)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return done


def _there(planned: Exported, folder: Path) -> Exported | None:
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
        raise UsageError(f"{folder} is not empty; expected a new folder, or an earlier export of {planned.store}.  --to DIR") from None
    if any(getattr(done, name) != getattr(planned, name) for name in ("format", "manifest", "run", "part")):
        raise UsageError(f"{folder} holds {done.format} of {done.run or done.store}; expected a new folder.  --to DIR")
    return done
