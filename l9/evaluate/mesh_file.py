"""A surface that a network made, as a binary PLY file that every viewer opens."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from l9.errors import UsageError
from l9.store.publish import atomic_write

HEADER = """ply
format binary_little_endian 1.0
comment made by l9
element vertex {vertices}
property float x
property float y
property float z
element face {faces}
property list uchar int vertex_indices
end_header
"""


def check_mesh_path(path: Path) -> Path:
    """The path; UsageError where its name does not end in .ply, or its folder is not there."""
    if path.suffix.lower() != ".ply":
        raise UsageError(f"--to {path}: expected a name that ends in .ply")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--to {path}: no such folder as {path.parent}")
    return path


def write_mesh(path: Path, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> dict[str, Any]:
    """Write vertices (float32) and triangles; returns `{"mesh", "vertices", "faces"}`. UsageError where there are no faces to write."""
    if len(faces) == 0:
        raise UsageError(f"{path}: not written, since the answer has no surface; a scan of more of the object may help")
    triangles = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    triangles["count"], triangles["corners"] = 3, faces
    header = HEADER.format(vertices=len(vertices), faces=len(faces)).encode()
    atomic_write(path, header + vertices.astype("<f4").tobytes() + triangles.tobytes())
    return {"mesh": str(path), "vertices": len(vertices), "faces": len(faces)}
