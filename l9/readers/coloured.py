"""Furniture with its materials: a model of a Sweet Home 3D library, in the colours and pictures that lie beside it.

Shape, size and axes are those of `sweethome.read`. Material files and pictures are members of the model's own archive, in its own
folder or below; whatever leads elsewhere, is missing or cannot be read leaves a plain colour and a note.
"""

import io
import posixpath
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.geometry.model import Material, Model
from l9.readers.contract import Found
from l9.readers.files import printable
from l9.readers.materials import LIBRARY, MATERIAL_BYTES, leads_outside
from l9.readers.meshes import read_mesh
from l9.readers.mtl import Described, read_mtl
from l9.readers.named_colours import colour_named
from l9.readers.obj import obj_text
from l9.readers.obj_surface import ObjSurface, obj_surface
from l9.readers.pictures import small_picture
from l9.readers.sweethome import MEMBER_BYTES, model_member, upright
from l9.readers.zipped import member_bytes, opened

LIBRARIES = 8  # material files of one model that are read; models have one
PICTURES = 64  # pictures of one model that are decoded, 50 MB of pixels; the most that a model names is 17
PICTURE_BYTES = 32 << 20  # of one packed picture; the largest has 0.2 MB
BLACK = 0.02  # a picture under a colour darker than this would not be seen: some exporters write Kd 0 0 0 beside it


def read_model(files: Sequence[BinaryIO], found: Found, up: Axis) -> Model:
    """One model: metres, +Y up, of its catalog's size, centred in x and z, standing on y = 0; float64 vertices.

    Faces without a material, or of one that is not described, have the colour that their material's name says, else a light grey.
    raises  RefusedObject as `sweethome.read`; never for a material or a picture
    """
    name = model_member(found)
    with opened(files[0]) as archive:
        data = member_bytes(archive, name, MEMBER_BYTES)
        if PurePosixPath(name).suffix.lower() != ".obj":
            return _plain(upright(read_mesh(io.BytesIO(data), PurePosixPath(name).suffix.lower(), up), found))
        text = obj_text(io.BytesIO(data))
        surface = obj_surface(text)
        mesh = upright(checked_mesh(Mesh(surface.vertices, surface.faces, up)), found)
        materials, notes = _materials(text, surface, _Beside(archive, name))
    return Model(mesh.vertices, mesh.faces, materials, surface.material_of, surface.uv, surface.notes + notes)


def _plain(mesh: Mesh) -> Model:
    count = len(mesh.faces)
    return Model(mesh.vertices, mesh.faces, (Material(),), np.zeros(count, np.int64), np.zeros((count, 3, 2)), mesh.notes)


class _Beside:
    """Members of an archive in one member's folder, by the paths that files there write."""

    def __init__(self, archive: zipfile.ZipFile, member: str) -> None:
        self._archive = archive
        self._folder = posixpath.dirname(member)

    def read(self, reference: str, limit: int) -> bytes:
        """Bytes of what a path names; RefusedObject `outside`, `missing-member`, `too-large` or `unreadable`."""
        if leads_outside(reference):
            raise RefusedObject("outside", "leads outside the object's folder")
        path = posixpath.normpath(posixpath.join(self._folder, reference.strip().strip('"').replace("\\", "/")))
        try:
            return member_bytes(self._archive, path, limit)
        except (MemoryError, RefusedObject):
            raise
        except Exception as error:  # a broken member beside a sound model; zipfile's errors are many, see `sweethome.opened`
            raise RefusedObject("unreadable", type(error).__name__) from error


def _materials(text: bytes, surface: ObjSurface, beside: _Beside) -> tuple[tuple[Material, ...], tuple[str, ...]]:
    """A material for each name of a surface, and what to note."""
    described, notes = _described(text, beside)
    pictures: dict[str, UInt8[ndarray, "h w 3"] | None] = {}
    materials = []
    for name in surface.materials:
        about = described.get(name, Described())
        if about.picture and about.picture not in pictures:
            pictures[about.picture] = _picture(about.picture, beside, notes) if len(pictures) < PICTURES else None
        materials.append(_material(name, about, pictures.get(about.picture)))
    if len(pictures) > PICTURES:
        notes.append(f"{len(pictures):,} pictures: those after the first {PICTURES} leave plain colours")
    return tuple(materials), tuple(notes)


def _described(text: bytes, beside: _Beside) -> tuple[dict[str, Described], list[str]]:
    """What all material files that an OBJ names say, and what to note of them."""
    described: dict[str, Described] = {}
    notes: list[str] = []
    for line in LIBRARY.findall(text)[:LIBRARIES]:
        reference = line.decode("utf-8", "replace").strip()
        try:
            described |= read_mtl(beside.read(reference, MATERIAL_BYTES))
        except RefusedObject as refusal:
            notes.append(f"'{printable(reference[:100])}' {_why(refusal)}: faces have plain colours")
    return described, notes


def _picture(reference: str, beside: _Beside, notes: list[str]) -> UInt8[ndarray, "h w 3"] | None:
    try:
        return small_picture(beside.read(reference, PICTURE_BYTES))
    except RefusedObject as refusal:
        notes.append(f"'{printable(reference[:100])}' {_why(refusal)}: its material has a plain colour")
        return None


def _why(refusal: RefusedObject) -> str:
    return "is not in the archive" if refusal.reason == "missing-member" else printable(refusal.detail)


def _material(name: str, about: Described, picture: UInt8[ndarray, "h w 3"] | None) -> Material:
    colour = about.colour or colour_named(name)
    if picture is not None and max(colour) < BLACK:
        colour = (1.0, 1.0, 1.0)
    return Material(colour, picture)
