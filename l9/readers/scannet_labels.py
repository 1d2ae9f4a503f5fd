"""From ScanNet's label files to a class and a thing for each vertex.

vertex -> segs.json `segIndices` -> the group of aggregation.json that names the segment -> its `label`, a raw category -> a row of the
table of labels -> nyu40id -> one of the benchmark's 20 classes, or none. A segment may be in no group; then its vertices are unlabelled.
source  Dai et al., ScanNet, CVPR 2017, and the evaluation of its benchmark
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from l9.errors import RefusedObject

BENCHMARK = {  # the benchmark's 20 classes and their ids among NYU's 40
    "wall": 1, "floor": 2, "cabinet": 3, "bed": 4, "chair": 5, "sofa": 6, "table": 7, "door": 8, "window": 9, "bookshelf": 10,
    "picture": 11, "counter": 12, "desk": 14, "curtain": 16, "refrigerator": 24, "shower curtain": 28, "toilet": 33, "sink": 34,
    "bathtub": 36, "otherfurniture": 39,
}  # fmt: skip
NYU_CLASSES = 40
JSON_BYTES = 256 << 20  # of one label file; a scene of a million vertices has 8 MB
TABLE_BYTES = 16 << 20  # of the table of labels; ScanNet's has 100 kB
MOST_UNKNOWN = 3  # raw categories that the table lacks, named in a note


@dataclass(frozen=True)
class VertexLabels:
    """What each vertex is.

    labels     an id of `BENCHMARK`, 0 for other classes and where there is none
    instances  objectId + 1 of the group, 0 where there is none: things of other classes have one, too
    notes      what the files say that cannot be used, one line each
    """

    labels: Int64[ndarray, "v"]
    instances: Int64[ndarray, "v"]
    notes: list[str]


def read_table(stream: BinaryIO) -> dict[str, int]:
    """Raw category -> nyu40id of a `labels.combined.tsv`. The first version's has no column raw_category: `category` is its key then.

    raises  RefusedObject `bad-labels` where the columns are missing, or a line has another number of them
    """
    text = _text(stream, TABLE_BYTES, "the table of labels")
    rows = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        columns = next(rows, [])
        key = "raw_category" if "raw_category" in columns else "category"
        if key not in columns or "nyu40id" not in columns:
            raise RefusedObject("bad-labels", f"the table of labels has columns {' '.join(columns)[:80]!r}; expected {key} and nyu40id")
        places = columns.index(key), columns.index("nyu40id")
        return {row[places[0]].strip(): _nyu40(row[places[1]], number) for number, row in enumerate(rows, 2) if row}
    except (csv.Error, IndexError) as error:
        raise RefusedObject("bad-labels", f"line {rows.line_num:,} of the table of labels: {error}") from error


def _nyu40(word: str, line: int) -> int:
    word = word.strip()
    if not word:
        return 0
    if not re.fullmatch(r"[0-9]{1,3}", word) or int(word) > NYU_CLASSES:
        raise RefusedObject("bad-labels", f"line {line:,} of the table of labels: nyu40id is {word[:20]!r}; expected 0 to {NYU_CLASSES}")
    return int(word)


def vertex_labels(segments: BinaryIO, groups: BinaryIO, table: Mapping[str, int], vertices: int) -> VertexLabels:
    """The class and the thing of each vertex of a scene's mesh.

    segments, groups  `..._vh_clean_2.0.010000.segs.json` and `....aggregation.json` of that mesh
    raises            RefusedObject `bad-labels` where a file is not what it should be, `labels-disagree` where they are of other meshes
    """
    segment_of = _segments(segments, vertices)
    known, places = np.unique(segment_of, return_inverse=True)
    labels, instances = np.zeros(len(known), np.int64), np.zeros(len(known), np.int64)
    unknown: set[str] = set()
    twice = 0
    for name, thing, members in _groups(groups):
        found = np.searchsorted(known, members)
        if (found == len(known)).any() or (known[found] != members).any():
            raise RefusedObject("labels-disagree", f"group {thing} names a segment that no vertex has; expected both files of one mesh")
        if name not in table:
            unknown.add(name)
        twice += int(np.count_nonzero(instances[found]))
        number = table.get(name, 0)
        labels[found] = number if number in BENCHMARK.values() else 0
        instances[found] = thing + 1
    return VertexLabels(labels[places], instances[places], _notes(unknown, twice))


def _notes(unknown: set[str], twice: int) -> list[str]:
    notes = [f"{twice:,} segments are in two groups: the later one counts"] if twice else []
    if unknown:
        shown = ", ".join(repr(name[:40]) for name in sorted(unknown)[:MOST_UNKNOWN])
        notes.append(f"{len(unknown):,} labels that the table lacks: unlabelled ({shown}{', ...' if len(unknown) > MOST_UNKNOWN else ''})")
    return notes


def _segments(stream: BinaryIO, vertices: int) -> Int64[ndarray, "v"]:
    numbers = _json(stream, "segs.json").get("segIndices")
    if not isinstance(numbers, list):
        raise RefusedObject("bad-labels", "segs.json has no list segIndices")
    if len(numbers) != vertices:
        raise RefusedObject("labels-disagree", f"segs.json has {len(numbers):,} vertices, the mesh {vertices:,}")
    return _whole(numbers, "segIndices")


def _groups(stream: BinaryIO) -> list[tuple[str, int, Int64[ndarray, "n"]]]:
    """Label, objectId and segments of each group."""
    listed = _json(stream, "aggregation.json").get("segGroups")
    if not isinstance(listed, list):
        raise RefusedObject("bad-labels", "aggregation.json has no list segGroups")
    groups = []
    for number, group in enumerate(listed):
        about = group if isinstance(group, dict) else {}
        name, thing, members = about.get("label"), about.get("objectId", about.get("id")), about.get("segments")
        if not isinstance(name, str) or type(thing) is not int or not 0 <= thing < 2**31 or not isinstance(members, list):
            raise RefusedObject("bad-labels", f"group {number} of aggregation.json; expected label, objectId and segments")
        groups.append((name.strip(), thing, _whole(members, f"segments of group {number}")))
    return groups


def _whole(values: list[Any], what: str) -> Int64[ndarray, "n"]:
    if not all(type(value) is int and abs(value) < 2**62 for value in values):
        raise RefusedObject("bad-labels", f"{what} are no whole numbers")
    return np.array(values, np.int64)


def _json(stream: BinaryIO, what: str) -> dict[str, Any]:
    try:
        value = json.loads(_text(stream, JSON_BYTES, what))
    except (ValueError, RecursionError) as error:
        raise RefusedObject("bad-labels", f"{what} is no JSON: {' '.join(str(error).split())[:100]}") from error
    if not isinstance(value, dict):
        raise RefusedObject("bad-labels", f"{what} is a {type(value).__name__}; expected an object")
    return value


def _text(stream: BinaryIO, most: int, what: str) -> str:
    data = stream.read(most + 1)
    if len(data) > most:
        raise RefusedObject("too-large", f"{what} has more than {most:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedObject("bad-labels", f"{what} is no UTF-8 text (byte {error.start:,})") from error
