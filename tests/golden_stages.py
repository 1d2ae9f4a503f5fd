"""What each stage made of one chair, or of a scan, when its version was set; `python tests/golden_stages.py` writes it anew."""

import hashlib
import json
from pathlib import Path

import numpy as np
from dotted_room import frame, scan_of, walk

from l9.geometry.camera import Pinhole
from l9.geometry.cloud import PointCloud
from l9.geometry.distance_fields import DistanceFields, cut_complete, cut_partial
from l9.geometry.image import Image
from l9.geometry.match_lists import ListedMatches, MatchLists
from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.geometry.scan import Frame, Scan, Surface
from l9.geometry.solids import SOLIDS
from l9.stages import (
    attributes,
    box_size,
    coarse_occupancy,
    dense_matches,
    fused_blocks,
    fused_mesh,
    key_point_matches,
    labelled_points,
    listed_matches,
    normalise,
    occupancy,
    pixels,
    published_scans,
    scene_blocks,
    scene_columns,
    scene_points,
    sdf,
    sdf_points,
    seen_surface,
    surface_points,
    view_pairs,
    views,
    virtual_scans,
    volume_matches,
)
from l9.stages.contract import columns_of, run_stages, stage_info

PATH = Path(__file__).parent / "golden" / "stages.json"
TOLERANCE = 2e-4  # of a statistic: processors differ in the last digits of float32, never by this
STEPS = {
    "normalise": [(normalise, {"kind": "sphere"}), (surface_points, {"count": 256, "seed": 0})],
    "occupancy": [(occupancy, {"resolution": 24, "kind": "solid", "rotations": 3})],
    "sdf": [(sdf, {"resolution": 24, "dtype": "float16"})],
    "sdf_points": [(sdf_points, {"count": 256, "seed": 0})],
    "seen_surface": [(seen_surface, {"views": 2, "size": 64})],
    "surface_points": [(surface_points, {"count": 256, "seed": 0})],
    "pixels": [(pixels, {"size": 24, "mask": True})],
    "attributes": [(attributes, {"count": 3})],
    "published_scans": [(published_scans, {})],
    "virtual_scans": [(virtual_scans, {"scans": 1, "seed": 0})],
    "views": [(views, {"count": 3, "size": 48})],
    "box_size": [(box_size, {})],
    "coarse_occupancy": [(coarse_occupancy, {"seed": 0})],
    "scene_blocks": [(scene_blocks, {"voxel": 0.125, "truncate": 2, "side": 24})],
    "scene_columns": [(scene_columns, {"voxel": 0.03, "per_scan": 3})],
    "scene_points": [(scene_points, {"count": 64, "block": 1.0, "seed": 0})],
    "fused_blocks": [(fused_blocks, {"voxel": 0.125, "truncate": 2, "side": 32})],
    "fused_mesh": [(fused_mesh, {"voxel": 0.05})],
    "labelled_points": [(labelled_points, {"count": 256, "seed": 0, "normals": True})],
    "view_pairs": [(view_pairs, {"flow": 16})],
    "dense_matches": [(dense_matches, {"seed": 0})],
    "key_point_matches": [(key_point_matches, {"matches": 20, "side": 16, "seed": 0})],
    "volume_matches": [(volume_matches, {"fragment": 1, "matches": 10, "side": 16, "voxel": 0.02, "seed": 0})],
    "listed_matches": [(listed_matches, {"side": 16, "seed": 0})],
}
# by floats of OpenCV's and Open3D's, or bytes: they may round apart on another processor: statistics of 1/255 of them
FROM_PICTURES = (
    "dense_pixels",
    "flow",
    "fpfh",
    "image",
    "mask",
    "match_angles",
    "match_offsets",
    "match_pixels",
    "match_sizes",
    "orb",
    "patches",
    "shown",
    "sift",
    "volumes",
)


def _statistics(cell):
    """Mean, mean square and eight fixed random projections: one changed voxel moves them by more than the tolerance."""
    values = cell.astype(np.float64).ravel()
    weights = np.random.default_rng(0).standard_normal((8, len(values))) / np.sqrt(len(values))
    return [round(float(value), 6) for value in (values.mean(), (values**2).mean(), *(weights @ values))]


def _cloud(mesh):
    """1,000 points of the mesh, each labelled by the eighth of space it lies in."""
    points, normals, _ = sample_surface(mesh.vertices, mesh.faces, 1000, seed=0)
    return PointCloud(points.astype(np.float64), normals.astype(np.float64), (points > 0) @ np.array([1, 2, 4]))


def _front(mesh):
    """The faces that look to +z."""
    corners = mesh.vertices[mesh.faces]
    return Mesh(mesh.vertices, mesh.faces[np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0])


def _frames(colour, depth):
    """A ball of half a metre, 2 m ahead of a camera that looks along +z, in the middle of one block."""
    camera = Pinhole.of_field(96, 96, 40.0)
    rays = camera.directions()
    squares, along = (rays**2).sum(axis=-1), 2 * rays[..., 2]
    root = along**2 - squares * (4 - 0.25)
    picture = np.where(root > 0, (along - np.sqrt(np.maximum(root, 0))) / squares, 0).astype(np.float32)
    pose = np.eye(4)
    pose[:3, 3] = 2, 2, 0.3
    yield Frame(0, None, picture, camera, camera, pose, pose)


def _scan(mesh):
    """The mesh within one block, labelled by height and by side; its frames see a ball's front."""
    vertices = mesh.vertices + 1.5
    return Scan(_frames, Surface(vertices, mesh.faces, labels=1 + (vertices[:, 1] > 1.5), instances=1 + (vertices[:, 0] > 1.5)))


def _coloured(mesh):
    """Points of the mesh within one block, coloured by place, labelled by height."""
    points, _, _ = sample_surface(mesh.vertices, mesh.faces, 50, seed=0)
    vertices = points.astype(np.float64) / 2
    colours = np.clip(128 + 250 * vertices, 0, 255).astype(np.uint8)
    return Scan(None, Surface(vertices, mesh.faces[:0], colours, 1 + (vertices[:, 1] > 0), 1 + (vertices[:, 0] > 0)))


def _pair(mesh):
    """Two frames of a dotted room, of noisy depth."""
    del mesh
    return scan_of(frame(number, pose, noise=1e-3) for number, pose in enumerate(walk(2)))


def _lists(mesh):
    """Two pictures of 200x150 smooth pixels, and five matches between them that are of no real place."""
    del mesh
    columns, rows = np.meshgrid(np.arange(200), np.arange(150))
    pictures = [np.stack([columns + number, rows, (columns * rows) % 251], axis=-1).astype(np.uint8) for number in range(3)]
    count = np.arange(15, dtype=np.float32).reshape(5, 3)
    pixels = np.stack([60 + 4 * count, 70 + count], axis=-1)
    points = np.stack([count, 0 * count, 0 * count + 1], axis=-1)
    frames = np.tile(np.array([0, 1, 2], np.int32), (5, 1))
    octave = np.full((5, 3), 0x100FF, np.int32)  # the doubled picture's first layer
    matches = ListedMatches(frames, pixels, count + 1, points, 0 * pixels, count + 3, 20 * count, octave)
    return MatchLists(matches, lambda number: pictures[number])


def _fields(mesh):
    """Fields of a ball about (1, 2, 3) voxels from the middle, half of which no camera saw."""
    del mesh
    away = np.indices((32, 32, 32)) - 15.5 - np.array([1, 2, 3]).reshape(3, 1, 1, 1)
    distance = np.linalg.norm(away, axis=0) - 8
    partial = cut_partial(np.where(away[1] < 0, -np.inf, distance))
    return DistanceFields(partial[None], cut_complete(np.abs(distance)))


def _picture(mesh):
    """Smooth colours that are opaque in a disc, with three attributes."""
    del mesh
    rows, columns = np.mgrid[:70, :64]
    colours = np.stack([3 * rows, 4 * columns, (rows * columns) % 251], axis=-1).astype(np.uint8)
    alpha = np.clip(900 - (rows - 35) ** 2 - (columns - 30) ** 2, 0, 255).astype(np.uint8)
    return Image(colours, alpha, np.array([1, -1, 1], np.int8))


def measured():
    """Per stage its version, and per column its dtype, shape, statistics and, where the stage computes no rounded floats, sha256."""
    made = SOLIDS["chair"](np.random.default_rng(0))
    mesh, found = Mesh(made.vertices, made.faces), {}
    scans = {"scene_blocks": _scan, "scene_columns": _scan, "scene_points": _coloured, "fused_blocks": _scan, "fused_mesh": _scan}
    pairs = {"view_pairs": _pair, "dense_matches": _pair, "key_point_matches": _pair, "listed_matches": _lists, "volume_matches": _pair}
    pictures = {"pixels": _picture, "attributes": _picture}
    subjects = {"labelled_points": _cloud, "published_scans": _fields, "seen_surface": _front, **pictures, **scans, **pairs}
    for name, steps in STEPS.items():
        subject = subjects.get(name, lambda mesh: mesh)(mesh)
        (row,) = run_stages(subject, steps, object_id="chair/0000")
        columns = {
            column.name: {
                "dtype": column.dtype,
                "shape": list(column.shape),
                "statistics": _statistics(row[column.name] / 255 if column.name in FROM_PICTURES else row[column.name]),
            }
            for column in columns_of(steps)
        }
        if name == "occupancy":
            columns["occupancy"]["sha256"] = hashlib.sha256(row["occupancy"].tobytes()).hexdigest()
        found[name] = {"version": stage_info(steps[0][0]).version, "columns": columns}
    return found


if __name__ == "__main__":
    PATH.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
