"""Binary glTF (GLB): the triangles of its first scene, moved as its nodes say; nothing else of it.

Our own because trimesh 5.2 reads sparse accessors as zeros, leaves out fans without a word, follows numbers below 0 and takes memory for
whatever count an accessor names. A tree of nodes that meets itself is a refusal: so neither circles nor a doubling at every level get in.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis, Mesh, checked_mesh
from l9.readers.gltf import Document, listed, wrong
from l9.readers.lines import read_whole
from l9.readers.materials import outside_notes

MAX_PARTS = 50_000  # primitives of all nodes; each takes about 60 microseconds
MAX_CORNERS = 10_000_000  # vertices, or corners of triangles, of all parts together: about 1 GB while they are joined
POINTS, LINES, TRIANGLES, STRIP, FAN = 0, (1, 2, 3), 4, 5, 6
INSTANCES = "EXT_mesh_gpu_instancing"
Part = tuple[Float[ndarray, "v 3"], Int[ndarray, "f 3"]]


def read_glb(stream: BinaryIO, up: Axis) -> Mesh:
    """All triangles of a GLB file's first scene as one mesh, float64; points and lines are left out and noted.

    raises  RefusedObject `empty-file`, `unreadable`, `truncated`, `too-large`, `no-faces`, `index-out-of-range`, `not-finite`
            or `no-area`
    """
    document = Document(read_whole(stream))
    parts: list[Part] = []
    left_out = corners = 0
    for mesh, matrix in _placed_meshes(document):
        for primitive in listed(mesh, "primitives", dict):
            part = _part(document, primitive, f"part {len(parts) + 1}")
            if part is None:
                left_out += 1
            else:
                corners += max(len(part[0]), part[1].size)
                parts.append(_moved(part, matrix))
            if len(parts) + left_out > MAX_PARTS or corners > MAX_CORNERS:
                raise RefusedObject("too-large", f"more than {MAX_PARTS:,} parts or {MAX_CORNERS:,} corners")
    if not parts:
        raise RefusedObject("no-faces", "0 vertices, 0 faces")
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = np.concatenate([faces + start for (_, faces), start in zip(parts, starts[:-1], strict=True)])
    return checked_mesh(Mesh(np.concatenate([vertices for vertices, _ in parts]), faces, up, _notes(document, left_out)))


def _notes(document: Document, left_out: int) -> tuple[str, ...]:
    addresses = [image["uri"] for image in document.items("images", dict) if isinstance(image.get("uri"), str)]
    outside = outside_notes(address for address in addresses if not address.startswith("data:"))
    return ((f"{left_out:,} parts of points or lines left out",) if left_out else ()) + _posed(document) + outside


def _posed(document: Document) -> tuple[str, ...]:
    """What would move or repeat the triangles where it is shown, and is left alone here."""
    nodes, meshes = document.items("nodes", dict), document.items("meshes", dict)
    skins = sum("skin" in node for node in nodes)
    blended = sum(bool(mesh.get("weights")) for mesh in meshes) + sum(bool(node.get("weights")) for node in nodes)
    repeated = sum(INSTANCES in node["extensions"] for node in nodes if isinstance(node.get("extensions"), dict))
    found = [
        (skins, "skins left alone: as the node stands"),
        (blended, "blended shapes left alone"),
        (repeated, "nodes shown once, not in each of their places"),
    ]
    return tuple(f"{count:,} {what}" for count, what in found if count)


def _placed_meshes(document: Document) -> Iterator[tuple[dict[str, Any], Float[ndarray, "4 4"]]]:
    """Every mesh of the first scene with the matrix from its own axes to the world's, parents before children, in the file's order."""
    waiting = [(number, np.eye(4)) for number in reversed(listed(document.scene(), "nodes", int))]
    seen: set[int] = set()
    while waiting:
        number, above = waiting.pop()
        node = document.item("nodes", number)
        if number in seen:
            raise wrong(f"node {number} stands in the tree twice, or in a circle")
        seen.add(number)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of huge numbers is refused with the vertices
            matrix = above @ _matrix(node, number)
        if "mesh" in node:
            yield document.item("meshes", node["mesh"]), matrix
        waiting.extend((child, matrix) for child in reversed(listed(node, "children", int)))


def _matrix(node: dict[str, Any], number: int) -> Float[ndarray, "4 4"]:
    """From a node's axes to its parent's: its matrix, or translation after rotation after scale."""
    if "matrix" in node:
        return _numbers(node, "matrix", 16, number).reshape(4, 4).T
    matrix = np.eye(4)
    if "rotation" in node:
        matrix[:3, :3] = _turned(_numbers(node, "rotation", 4, number))
    if "scale" in node:
        matrix[:3, :3] *= _numbers(node, "scale", 3, number)
    if "translation" in node:
        matrix[:3, 3] = _numbers(node, "translation", 3, number)
    return matrix


def _numbers(node: dict[str, Any], name: str, count: int, number: int) -> Float[ndarray, "n"]:
    values = listed(node, name, int | float)
    if len(values) != count or any(abs(value) >= 1e300 for value in values):
        raise wrong(f"node {number}: {name} is not made of {count} numbers")
    return np.array(values, np.float64)


def _turned(quaternion: Float[ndarray, "4"]) -> Float[ndarray, "3 3"]:
    """The rotation of a quaternion x y z w; none where it has no length."""
    length = float(np.linalg.norm(quaternion))
    if length == 0:
        return np.eye(3)
    x, y, z, w = quaternion / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _moved(part: Part, matrix: Float[ndarray, "4 4"]) -> Part:
    """A part in the world's axes; a mirror turns its triangles over, so that they look outwards still."""
    vertices, faces = part
    with np.errstate(over="ignore", invalid="ignore"):
        placed = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        return placed, faces[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else faces


def _part(document: Document, primitive: dict[str, Any], name: str) -> Part | None:
    """Vertices and faces of one primitive; None where it has no triangles by its kind."""
    mode, attributes = primitive.get("mode", TRIANGLES), primitive.get("attributes")
    if mode in (POINTS, *LINES):
        return None
    if mode not in (TRIANGLES, STRIP, FAN) or not isinstance(attributes, dict):
        raise wrong(f"{name}: mode {str(mode)[:20]}, or no attributes")
    with np.errstate(invalid="ignore"):  # numbers that are none are refused with their vertex
        vertices = document.array(attributes.get("POSITION")).astype(np.float64)
    if vertices.shape[1] != 3:
        raise wrong(f"{name}: positions of {vertices.shape[1]} numbers")
    corners = np.arange(len(vertices), dtype=np.int64)
    if "indices" in primitive:
        numbers = document.array(primitive["indices"])
        if numbers.dtype.kind != "u" or numbers.shape[1] != 1:
            raise wrong(f"{name}: indices are no whole numbers")
        corners = numbers[:, 0].astype(np.int64)
    if len(corners) and corners.max() >= len(vertices):
        raise RefusedObject("index-out-of-range", f"{name} names vertex {corners.max():,} of {len(vertices):,}")
    return vertices, _faces(corners, mode, name)


def _faces(corners: Int[ndarray, "c"], mode: int, name: str) -> Int[ndarray, "f 3"]:
    if mode == TRIANGLES:
        if len(corners) % 3:
            raise wrong(f"{name}: {len(corners):,} corners are no whole number of triangles")
        return corners.reshape(-1, 3)
    first = np.arange(max(0, len(corners) - 2))
    if mode == FAN:
        return corners[np.stack([np.zeros_like(first), first + 1, first + 2], axis=1)] if len(first) else np.zeros((0, 3), np.int64)
    odd = first % 2  # every second triangle of a strip is turned round
    return corners[np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)] if len(first) else np.zeros((0, 3), np.int64)
