"""The surface of a room as a scan of it would be: even triangles of what the camera saw, coloured, with the thing at each vertex."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from l9.errors import DataError
from l9.geometry.camera import Pinhole
from l9.geometry.scan import Surface
from l9.sources.rooms.pieces import Pieces, cut
from l9.sources.rooms.scanner import shown
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.thing import Room
from l9.sources.rooms.traced import CLEAR, TracedRoom, turned

LONGEST = 0.05  # metres of an edge before corners are brought together
LOOKS = 40  # frames, evenly spread, that are asked what they see: those between them see little more
TOGETHER = 0.01  # metres of the cells in which a thing's corners become one vertex: about what a scan resolves
BITS = 16  # of a cell's number along one axis: 655 m


def room_surface(room: Room, traced: TracedRoom, camera: Pinhole, *, reach: float = Sensor.farthest) -> Surface:
    """What a camera on its way saw of a room; vertices float64, metres, at most TOGETHER away from the faces they were on.

    labels     NYU40 ids
    instances  k for things[k - 1]
    colours    as frames show them, lit and with shadows
    reach      metres that the camera sees; what it came no nearer to is left out
    raises     DataError where it saw nothing
    """
    pieces = cut(traced.vertices, traced.faces, LONGEST)
    corners = pieces.corners(traced.vertices, traced.faces)
    sides = _seen_sides(traced, pieces, corners.mean(axis=1).astype(np.float32), room.poses, camera, reach)
    seen = sides != 0
    if not seen.any():
        raise DataError(f"none of {len(room.poses):,} frames sees anything of the room; expected poses inside it, OpenCV axes")
    return _joined(traced, pieces.some(seen), corners[seen], sides[seen])


def _seen_sides(
    traced: TracedRoom, pieces: Pieces, middles: Float32[ndarray, "p 3"], poses: Float[ndarray, "n 4 4"], camera: Pinhole, reach: float
) -> Float32[ndarray, "p"]:
    """For each piece: 1 where a camera saw the front of its face first, -1 for its back, 0 where none saw its middle."""
    normals = traced.normals[pieces.face]
    sides = np.zeros(len(middles), np.float32)
    for pose in poses[:: max(1, -(-len(poses) // LOOKS))]:
        left = np.flatnonzero(sides == 0)
        left = left[_in_view(middles[left], pose, camera, reach)]
        towards = pose[:3, 3].astype(np.float32) - middles[left]
        side = np.sign(np.einsum("ij,ij->i", normals[left], towards))
        lifted = middles[left] + CLEAR * side[:, None] * normals[left]
        hidden = traced.occluded(np.concatenate([lifted, towards], axis=1))
        sides[left[~hidden]] = side[~hidden]
    return sides


def _in_view(points: Float32[ndarray, "n 3"], pose: Float[ndarray, "4 4"], camera: Pinhole, reach: float) -> Bool[ndarray, "n"]:
    """Which points fall into a camera's picture, no farther than `reach` along its axis."""
    x, y, z = turned(points - pose[:3, 3].astype(np.float32), pose[:3, :3].T).T
    u, v = camera.fx * x + camera.cx * z, camera.fy * y + camera.cy * z  # pixels times depth
    low, right, lower = -0.5 * z, (camera.width - 0.5) * z, (camera.height - 0.5) * z
    return (z > 0) & (z < reach) & (u > low) & (u < right) & (v > low) & (v < lower)


def _joined(traced: TracedRoom, pieces: Pieces, corners: Float[ndarray, "p 3 3"], sides: Float32[ndarray, "p"]) -> Surface:
    """Pieces with each thing's corners of a cell as one vertex in their midst; what shrinks to a line, or is there twice, is left out."""
    things = np.repeat(traced.thing_of[pieces.face], 3)
    points = corners.reshape(-1, 3)
    _, first, vertex_of, counts = np.unique(_cells(points, things), return_index=True, return_inverse=True, return_counts=True)
    vertices = np.stack([np.bincount(vertex_of, points[:, axis]) for axis in range(3)], axis=1) / counts[:, None]
    faces = _proper(vertex_of.reshape(-1, 3))
    used = np.unique(faces)
    number = np.zeros(len(vertices), np.int64)
    number[used] = np.arange(len(used))
    sample, piece = first[used], first[used] // 3
    face, at = pieces.face[piece], pieces.at.reshape(-1, 2)[sample].astype(np.float32)
    facing = sides[piece, None] * traced.normals[face]
    colours = shown(traced.radiance(face, at, points[sample].astype(np.float32), facing))
    instances = things[sample] + 1
    return Surface(vertices[used], number[faces], colours, traced.label_of[instances - 1], instances)


def _cells(points: Float[ndarray, "n 3"], things: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
    """One number for each cell of each thing."""
    places = np.floor((points - points.min(axis=0)) / TOGETHER).astype(np.int64)
    x, y, z = np.minimum(places, (1 << BITS) - 1).T
    return ((things << BITS | x) << BITS | y) << BITS | z


def _proper(faces: Int[ndarray, "f 3"]) -> Int[ndarray, "g 3"]:
    """Faces with three different vertices, each once, in their order."""
    first, second, third = faces.T
    faces = faces[(first != second) & (second != third) & (third != first)]
    once = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)[1]
    return faces[np.sort(once)]
