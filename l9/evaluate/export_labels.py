"""Labels of meshes' vertices as ScanNet's benchmark takes them: `<scan>.txt` with NYU's id of each vertex on a line of its own.

Of a run they are a task's answers, 0 for a vertex outside the columns; of a store what its scans are labelled, 0 where there is nothing.
source  Dai et al., ScanNet, CVPR 2017, and the format that its benchmark asks of a submission
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.config import Training
from l9.data.samples import Part, Samples
from l9.errors import UsageError
from l9.readers.lists import safe_path
from l9.store.publish import atomic_write
from l9.store.store import Store
from l9.typed import from_plain

if TYPE_CHECKING:
    from l9.train.assemble import Job

NEEDED = ("column_labels", "vertex_voxels", "vertex_labels")


def stored_scans(store: Store, part: str) -> Samples:
    """Every scan of a part of a store, with labels or without; UsageError where its columns are none, or there is no such scan."""
    there = {column.name for column in store.columns}
    if lacking := [name for name in NEEDED if name not in there]:
        raise UsageError(f"store {store.id} has no column '{lacking[0]}'; --format scannet takes what the stage scene_columns makes")
    return _some(Samples.of(store, part=_part(part)), store, part)


def tested_scans(job: "Job", part: str) -> list[Samples]:
    """Every scan of a part of the sets that a training is tested on; as `stored_scans`."""
    training = from_plain(Training, job["training"], "training")
    found = []
    for name in training.test or tuple(job["sets"])[:1]:
        chosen = job["sets"][name]
        store = Store.open(Path(chosen["store"]))
        scans = Samples.of(store, part=_part(part), fold=chosen["fold"], whole=part == "test" and chosen.get("whole", False))
        found.append(_some(scans, store, part))
    return found


def label_files(
    sets: Sequence[Samples], answer: Callable[[Any], UInt8[ndarray, "x y z"]] | None, place: Path, advance: Callable[[], None]
) -> tuple[int, int]:
    """A file for each scan; how many scans and vertices there are.

    answer   of a task; None: what the scans are labelled
    advance  called after each scan
    raises   UsageError where an id is no path, or two sets hold scans of one name
    """
    from l9.tasks.column_scans import scans_of

    objects = total = 0
    for samples in sets:
        for scan in scans_of(samples):
            file = place / f"{scan.name}.txt"
            if not safe_path(scan.name):
                raise UsageError(f"object {scan.name[:80]!r} names no file below DIR; --format scannet makes one of each id")
            if file.exists():
                raise UsageError(f"two sets have a scan {scan.name}; --format scannet makes one file of it")
            labels = scan.vertex_labels if answer is None else scan.of_vertices(answer(scan))
            atomic_write(file, ("\n".join(map(str, labels.tolist())) + "\n").encode())
            objects, total = objects + 1, total + len(labels)
            advance()
    return objects, total


def answering(task: Any, name: str) -> Callable[[Any], UInt8[ndarray, "x y z"]]:
    """How a task answers for a scan; UsageError for one that labels no voxels."""
    found = getattr(task, "answers", None)
    if not callable(found):
        raise UsageError(f"{name}: task {type(task).__name__} labels no vertices; --format scannet takes LabelColumns or FrequentLabels")
    return cast(Callable[[Any], UInt8[ndarray, "x y z"]], found)


def _some(scans: Samples, store: Store, part: str) -> Samples:
    if len(scans) == 0:
        raise UsageError(f"store {store.id} has no scan of the part {part}; --part {' or '.join(get_args(Part))}")
    return scans


def _part(word: str) -> Part:
    if word not in get_args(Part):
        raise UsageError(f"--part is '{word}'; expected {', '.join(get_args(Part))}")
    return cast(Part, word)


def scans_in(sets: Sequence[Samples]) -> int:
    """How many files there will be."""
    return sum(len(np.unique(np.stack([one.store_numbers, one.rows], axis=1), axis=0)) for one in sets)
