"""Sweet Home 3D furniture libraries (`.sh3f`) and its own (`.jar`): zip archives of OBJ files with a catalog.

A catalog numbers its models: `name#7`, `model#7` (a member of the archive), `width#7 depth#7 height#7` (cm) and, where the model lies
on its side, `modelRotation#7`. Meshes leave here upright (+Y), in metres, of the catalog's size, centred in x and z, standing on y = 0.
"""

import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.contract import Found
from l9.readers.files import files_below, printable
from l9.readers.meshes import read_mesh
from l9.readers.properties import parse_properties
from l9.readers.zipped import member_bytes, opened

VERSION = 4
CATALOGS = ("PluginFurnitureCatalog.properties", "com/eteks/sweethome3d/io/DefaultFurnitureCatalog.properties")
MARKERS = ("lightSource.obj", "texturableTriangle.obj")  # no furniture: a lamp's glow, drawn by lines in 8 entries, and a bare wedge
MODEL = re.compile("model#(?:0|[1-9][0-9]{0,8})")  # as Sweet Home 3D counts: no `#01`, and no digits of another script
CATALOG_BYTES = 16 << 20  # the largest catalog there is has 150 KB
MEMBER_BYTES = 64 << 20  # of one unpacked model; the largest has 9 MB
SIZE_METRES = 1000.0  # nothing that stands in a room is larger


def find(root: Path) -> Iterator[Found]:
    """Every model of every catalog below `root`, archives in the order of their paths, models in the order of their numbers.

    The id is the archive's name and the catalog's own id of the model, in lower case with hyphens: `scopia-iron-bed`. An archive
    without a catalog (any other jar) has no models.
    raises  UsageError where the root is no folder; RefusedObject `unreadable` or `too-large` naming the archive
    """
    for path in files_below(root, (".sh3f", ".jar")):
        if not (root / path).is_file():  # opening a pipe would wait for ever
            raise RefusedObject("unreadable", f"{printable(str(path))}: no regular file")
        with (root / path).open("rb") as stream:
            yield from listed_models(stream, path)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Mesh:
    """One model, turned upright as its catalog says and scaled, axis by axis, to its catalog's size in metres.

    raises  RefusedObject `bad-catalog`, `bad-member`, `missing-member`, `too-large`, `unreadable`, and those of the mesh itself
    """
    name = model_member(found)
    with opened(files[0]) as archive:
        data = member_bytes(archive, name, MEMBER_BYTES)
    return upright(read_mesh(io.BytesIO(data), PurePosixPath(name).suffix.lower(), up), found)


def model_member(found: Found) -> str:
    """The name, within its archive, of a model's file; RefusedObject `bad-catalog` or `bad-member`."""
    if "problem" in found.facts:
        raise RefusedObject("bad-catalog", str(found.facts["problem"]))
    return _safe(found.member)


def upright(mesh: Mesh, found: Found) -> Mesh:
    """A model as its file has it, turned and scaled as its catalog says: metres, +Y up, centred in x and z, standing on y = 0."""
    turned = mesh.vertices @ np.array(found.facts.get("rotation", np.eye(3)), np.float64).reshape(3, 3).T
    return checked_mesh(mesh.moved(_sized(turned, turned[mesh.faces.reshape(-1)], np.array(found.facts["size"], np.float64))))


def listed_models(stream: BinaryIO, path: PurePosixPath) -> list[Found]:
    """Every model of the archive in an open stream, which stands at `path` below the root; see `find`."""
    try:
        with opened(stream) as archive:
            names = [name for name in CATALOGS if name in archive.namelist()]
            catalog = parse_properties(member_bytes(archive, names[0], CATALOG_BYTES)) if names else {}
    except RefusedObject as refusal:
        raise RefusedObject(refusal.reason, f"{path}: {refusal.detail}") from refusal
    return list(_models(path, catalog))


def _models(path: PurePosixPath, catalog: dict[str, str]) -> Iterator[Found]:
    numbers = sorted(int(key[6:]) for key in catalog if MODEL.fullmatch(key))
    for number in numbers:
        member = catalog[f"model#{number}"]
        if PurePosixPath(member).name in MARKERS:
            continue
        own = catalog.get(f"id#{number}", "").rpartition("#")[2] or PurePosixPath(member).stem
        identity = f"{_hyphened(path.stem)}-{_hyphened(own)}"
        yield Found(id=identity, files=(str(path),), member=printable(member), facts=_facts(catalog, number))


def _hyphened(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _facts(catalog: dict[str, str], number: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": printable(catalog.get(f"name#{number}", ""))}
    try:
        if not catalog[f"model#{number}"].isprintable():
            raise ValueError("its file's name cannot be printed")
        size = [float(catalog[f"{side}#{number}"]) / 100 for side in ("width", "height", "depth")]  # cm
        if not all(0 < side <= SIZE_METRES for side in size):
            raise ValueError(f"size {size} metres")
        facts["size"] = size
        if text := catalog.get(f"modelRotation#{number}"):
            facts["rotation"] = _rotation(text)
    except (KeyError, ValueError) as error:
        facts["problem"] = f"model {number}: {' '.join(str(error).split())[:100]}"
    return facts


def _rotation(text: str) -> list[float]:
    """Nine numbers of a matrix that turns, row by row; ValueError where it stretches or mirrors."""
    values = [float(word) for word in text.split()]
    if len(values) != 9 or not all(map(math.isfinite, values)):
        raise ValueError(f"modelRotation has {len(values)} values; expected 9 finite numbers")
    matrix = np.array(values).reshape(3, 3)
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3) or np.linalg.det(matrix) < 0:
        raise ValueError("modelRotation is no rotation")
    return values


def _safe(member: str) -> str:
    """The member's name within the archive; catalogs begin it with one slash, which stands for the archive's root."""
    name = member.removeprefix("/")
    if not name or name.startswith("/") or ".." in name.split("/") or re.search(r"[\\:\x00]", name):
        raise RefusedObject("bad-member", f"'{member[:100]}' reaches outside the archive")
    return name


def _sized(vertices: Float[ndarray, "v 3"], used: Float[ndarray, "c 3"], size: Float[ndarray, "3"]) -> Float[ndarray, "v 3"]:
    """Vertices scaled so that those in use fill `size`; a flat side stays flat."""
    low, high = used.min(axis=0), used.max(axis=0)
    extent = high - low
    with np.errstate(over="ignore"):  # what a side of 1e-310 gives is refused with its vertices
        scale = np.divide(size, extent, out=np.ones(3), where=extent > 0)
    ground = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    with np.errstate(invalid="ignore"):
        return (vertices - ground) * scale
