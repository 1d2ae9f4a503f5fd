"""What an OBJ file says of its faces beyond their corners: material names and texture coordinates.

The geometry is `obj.py`'s own, triangle for triangle; what is wrong with coordinates or names costs the looks, never the object.
"""

import itertools
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.readers.obj import FACE, obj_polygons
from l9.readers.polygons import Polygons

USED = re.compile(rb"^[ \t]*usemtl[ \t]+(.*?)[ \t]*$", re.MULTILINE)
COORDINATE = re.compile(rb"^[ \t]*vt[ \t]+(.*)$", re.MULTILINE)
FAR = 1e4  # a picture repeated more often than this is no picture; float32 has no digits left for it either


@dataclass(frozen=True)
class ObjSurface:
    """Triangles of an OBJ file, with how they look.

    vertices     the file's own unit
    faces        vertex numbers, as `read_obj` gives them
    uv           texture coordinates of each face's corners, zeros where the file has none
    materials    names that faces use, in the file's order; "" for faces before the first name
    material_of  the number of each face's name
    notes        what had to be left out, one line each
    """

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    uv: Float[ndarray, "f 3 2"]
    materials: tuple[str, ...]
    material_of: Int[ndarray, "f"]
    notes: tuple[str, ...]


def obj_surface(data: bytes) -> ObjSurface:
    """The surface in the text of an OBJ file (see `obj_text`); RefusedObject as `read_obj` says."""
    vertices, polygons = obj_polygons(data)
    corners = Polygons(np.arange(len(polygons.corners)), polygons.counts)  # triangles of corners keep what a corner carries
    places, notes = corners.triangles(vertices[polygons.corners])
    coordinates, more = _coordinates(data, polygons)
    names, name_of = _names(data)
    of_triangle = np.repeat(name_of, np.maximum(polygons.counts - 2, 0))
    used, material_of = np.unique(of_triangle, return_inverse=True)
    materials = tuple(names[number] for number in used)
    return ObjSurface(vertices, polygons.corners[places], coordinates[places], materials, material_of, notes + more)


def _names(data: bytes) -> tuple[tuple[str, ...], Int[ndarray, "p"]]:
    """Every material's name, and the number of the name that stands before each face."""
    numbers: dict[str, int] = {"": 0}
    starts, follows = [0], [0]
    for match in USED.finditer(data):
        starts.append(match.start())
        follows.append(numbers.setdefault(match[1].decode("utf-8", "replace"), len(numbers)))
    faces = np.array([match.start() for match in FACE.finditer(data)], np.int64)
    return tuple(numbers), np.array(follows)[np.searchsorted(starts, faces, side="right") - 1]


def _coordinates(data: bytes, polygons: Polygons) -> tuple[Float[ndarray, "c 2"], tuple[str, ...]]:
    """Texture coordinates of every corner of every face, and a note where they cannot be read."""
    count = len(polygons.corners)
    try:
        words = (number for line in COORDINATE.findall(data) for number in [*line.split(None, 2), b"0"][:2])
        listed = np.fromiter(map(float, words), np.float64).reshape(-1, 2)
        numbers = _numbers(data, polygons.counts)
    except (ValueError, OverflowError):
        return np.zeros((count, 2)), ("texture coordinates are not made of numbers: left out",)
    known = (numbers >= 0) & (numbers < len(listed))
    given = np.zeros((count, 2))
    given[known] = listed[numbers[known]]
    sound = np.abs(given).max(axis=1) < FAR  # False for what is not finite
    lost = int((~sound).sum() + ((numbers >= len(listed)) | (numbers < -1)).sum())
    return np.where(sound[:, None], given, 0.0), ((f"{lost:,} texture coordinates that no picture has: left out",) if lost else ())


def _numbers(data: bytes, counts: Int[ndarray, "p"]) -> Int[ndarray, "c"]:
    """The number of each corner's texture coordinates from 0; -1 where it has none, less where it counts back beyond the first."""
    words = itertools.chain.from_iterable(line.split() for line in FACE.findall(data))
    numbers = np.fromiter((_number(word) for word in words), np.int64, int(counts.sum()))
    if not (numbers < 0).any():
        return numbers - 1
    listed = np.array([match.start() for match in COORDINATE.finditer(data)], np.int64)
    faces = np.array([match.start() for match in FACE.finditer(data)], np.int64)
    before = np.repeat(np.searchsorted(listed, faces), counts)
    back = np.where(before + numbers >= 0, before + numbers, -2)
    return np.where(numbers < 0, back, numbers - 1)


def _number(corner: bytes) -> int:
    parts = corner.split(b"/", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1] else 0
