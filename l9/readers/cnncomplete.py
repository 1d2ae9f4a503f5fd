"""The scans that 3D-EPN was trained on: partial and complete distance fields of ShapeNet models, 32^3, as their authors publish them.

    <root>/shapenet_dim32_sdf/<synset>/<id>__<walk>__.sdf    a partial field; several walks of a model
           shapenet_dim32_df/<synset>/<id>__0__.df           the complete one
           completion_train.txt, completion_test.txt         lines `ShapeNetCore.v1\\<synset>\\<id>`: 25,650 and 5,397 models
           benchmark_test.txt                                1,200 of the latter

A field is three uint64 (voxels along x, y, z), then float32 in voxels, x fastest, little-endian. (Code in Python that reshapes them
row by row gets [z, y, x], for input and target alike.) A voxel that no frame saw is -infinity. The lists are the catalog: what they
name is planned, and quarantined where it is not there; a model that both name is tested.
Known from the authors' code (VoxelGrid::saveToFile, evaluate, benchmark/) and from others' that reads the published files; nobody here has
had them. Their program that evaluates (DistanceFieldVis::loadDF) expects three float32 more before the three uint64: such a file is
refused by its size. Assumed: that up is +Y, as in the models.
source  Dai, Qi, Niessner, Shape completion using 3D-encoder-predictor CNNs and shape synthesis, CVPR 2017
"""

import os
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from l9.errors import RefusedObject, UsageError
from l9.geometry.distance_fields import SIDE, DistanceFields, cut_complete, cut_partial
from l9.geometry.mesh import Axis
from l9.readers.contract import REFUSE, Found
from l9.readers.lists import check_root, named, read_lines, safe_name
from l9.readers.loose_frames import borrowed

VERSION = 1
PARTIAL, COMPLETE = "shapenet_dim32_sdf", "shapenet_dim32_df"
TESTS = ("completion", "benchmark")
CLASSES = {
    **{"02691156": "airplane", "02933112": "cabinet", "02958343": "car", "03001627": "chair"},
    **{"03636649": "lamp", "04256520": "sofa", "04379243": "table", "04530566": "vessel"},
}
WALK = re.compile(r"(.+)__(\d{1,4})__\.sdf")
HEADER = struct.Struct("<3Q")
FIELD_BYTES = 4 * SIDE**3


def find(root: Path, test: str = "completion") -> Iterator[Found]:
    """Every model that the lists name: ids `03001627/1007e20d5e811b308351982a6e40cf41`; files: the complete field, then each walk's.

    test    "completion", or "benchmark": only its 1,200 models are tested, and the others of completion_test.txt are no objects
    raises  UsageError where `root` has no lists, or `test` is neither; RefusedObject `missing-file` or `bad-catalog` naming a list
    """
    if test not in TESTS:
        raise UsageError(f"parameters.test is {test!r}; expected one of {' '.join(TESTS)}")
    check_root(root, lambda folder: (folder / "completion_train.txt").is_file(), "completion_train.txt and completion_test.txt")
    tested, known = _listed(root, f"{test}_test.txt"), _listed(root, "completion_test.txt")
    walks: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for synset, name in sorted(tested | (_listed(root, "completion_train.txt") - known)):
        if synset not in walks:
            walks[synset] = _walks(root / PARTIAL / synset)
        target = f"{COMPLETE}/{synset}/{name}__0__.df"
        scans = [f"{PARTIAL}/{synset}/{file}" for _, file in sorted(walks[synset].get(name, []))]
        facts = {REFUSE: ["missing-file", absent]} if (absent := _absent(root, target, scans, name)) else {}
        split = "test" if (synset, name) in tested else "train"
        yield Found(f"{synset}/{name}", (target, *scans), "", CLASSES[synset], split, facts)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, test: str = "completion") -> DistanceFields:
    """The fields of one model, cut at 3 voxels.

    raises  RefusedObject naming the file: `truncated`, `wrong-size` (other than 32^3, or bytes after them), `not-finite` (NaN),
            `negative-distance` in a complete field
    """
    del test
    fields = []
    for number, name in enumerate(found.files):
        with borrowed(files, number) as stream, named(name.rpartition("/")[2]):
            fields.append(read_field(stream))
    with named(found.files[0].rpartition("/")[2]):
        complete = checked_complete(fields[0])
    return DistanceFields(np.stack([cut_partial(field) for field in fields[1:]]), complete, up)


def read_field(stream: BinaryIO) -> Float32[ndarray, "32 32 32"]:
    """One field as it stands in its file, indexed [x, y, z]; no more is read than 32^3 voxels take."""
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        raise RefusedObject("truncated", f"{len(head)} bytes; expected {HEADER.size} of a header")
    sides = HEADER.unpack(head)
    if sides != (SIDE,) * 3:
        raise RefusedObject("wrong-size", f"{' x '.join(f'{side:,}' for side in sides)} voxels; expected {SIDE} x {SIDE} x {SIDE}")
    data = stream.read(FIELD_BYTES + 1)
    if len(data) < FIELD_BYTES:
        raise RefusedObject("truncated", f"{len(data):,} bytes of voxels; expected {FIELD_BYTES:,}")
    if len(data) > FIELD_BYTES:
        raise RefusedObject("wrong-size", f"bytes after the {SIDE}^3 voxels that the header says")
    return checked_numbers(np.frombuffer(data, "<f4").astype(np.float32).reshape(SIDE, SIDE, SIDE).transpose(2, 1, 0))


def checked_numbers(field: Float32[ndarray, "*grid"]) -> Float32[ndarray, "*grid"]:
    """The field; RefusedObject `not-finite` where a voxel is no number (infinity is one: far away, or never seen)."""
    if nowhere := int(np.isnan(field).sum()):
        raise RefusedObject("not-finite", f"{nowhere:,} of {field.size:,} voxels are NaN")
    return field


def checked_complete(field: Float32[ndarray, "32 32 32"]) -> Float32[ndarray, "32 32 32"]:
    """A complete field cut at 3 voxels; RefusedObject `negative-distance`."""
    if (least := float(field.min())) < 0:
        raise RefusedObject("negative-distance", f"the least of {field.size:,} voxels is {least:g}; expected 0 or more")
    return cut_complete(field)


def _listed(root: Path, name: str) -> set[tuple[str, str]]:
    """Synset and id of every line of a list."""
    found = set()
    for line in read_lines(root, name):
        synset, _, model = line.replace("\\", "/").removeprefix("ShapeNetCore.v1/").partition("/")
        if synset not in CLASSES or not safe_name(model):
            raise RefusedObject("bad-catalog", f"{name}: {line[:80]!r}; expected ShapeNetCore.v1\\<synset>\\<id> of one of its 8 synsets")
        found.add((synset, model))
    return found


def _walks(folder: Path) -> dict[str, list[tuple[int, str]]]:
    """Number and file of every walk in a synset's folder, by model; other files are none."""
    found: dict[str, list[tuple[int, str]]] = {}
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if (match := WALK.fullmatch(entry.name)) and entry.is_file():
                    found.setdefault(match[1], []).append((int(match[2]), entry.name))
    return found


def _absent(root: Path, target: str, scans: list[str], name: str) -> str:
    """What of a model is not there; "" where nothing lacks."""
    if not scans:
        return f"{PARTIAL}/{Path(target).parent.name}/{name}__<walk>__.sdf is not there"
    return "" if (root / target).is_file() else f"{target} is not there"
