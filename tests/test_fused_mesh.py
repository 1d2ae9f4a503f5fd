"""Frames to a mesh: where the surface is, which way its faces look, what colour it has; and what gives none."""

from dataclasses import replace

import numpy as np
import pytest
from room_by_hand import CAMERA, SIDES, room

from l9.errors import RefusedObject, UsageError
from l9.geometry.scan import Scan
from l9.sources.rooms.scanner import scan_room
from l9.stages import fused_blocks, fused_mesh
from l9.stages.contract import run_stages


@pytest.fixture(scope="module")
def frames():
    return [one.frame for one in scan_room(room(), CAMERA)]


def mesh_of(frames, **arguments):
    scan = Scan(None if frames is None else lambda colour, depth: iter(frames))
    (row,) = run_stages(scan, [(fused_mesh, {"voxel": 0.04, **arguments})], object_id="room")
    return row


def test_the_room_by_hand_comes_back(frames):
    """Vertices lie on walls, floor, cube or picture, but at edges, where pixels of 4 cm see both sides; faces look at the camera; the
    cube is red."""
    row = mesh_of(frames)
    vertices, faces = row["vertices"], row["faces"]
    assert len(faces) > 2000 and faces.max() < len(vertices) and row["colours"].shape == vertices.shape
    walls = np.minimum(np.abs(vertices), np.abs(vertices - SIDES)).min(axis=1)
    cube = np.abs(np.abs(vertices - [2, 2.5, 0.25]).max(axis=1) - 0.25)
    off = np.minimum(walls, cube)
    assert np.median(off) < 0.005 and (off < 0.0201).mean() > 0.95, "most within an eighth of a voxel, nearly all within half of one"
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    eyes = np.array([frame.pose[:3, 3] for frame in frames])
    seen_from = ((eyes[:, None] - corners.mean(axis=1)) * normals).sum(axis=-1)
    assert (seen_from > 0).any(axis=0).mean() > 0.98
    top = (np.abs(vertices - [2, 2.5, 0.5]) < [0.2, 0.2, 0.02]).all(axis=1)
    red = row["colours"][top].astype(int)
    assert top.sum() > 20 and (red[:, 0] > 2 * red[:, 1]).mean() > 0.95


def test_it_is_the_surface_of_the_blocks(frames):
    """Every vertex lies in a block that `fused_blocks` gives."""
    scan = Scan(lambda colour, depth: iter(frames))
    places = {tuple(row["block"]) for row in run_stages(scan, [(fused_blocks, {"voxel": 0.04, "side": 16})], object_id="room")}
    found = np.floor(mesh_of(frames)["vertices"] / (16 * 0.04)).astype(int)
    inside = [tuple(place) in places for place in np.unique(found, axis=0)]
    assert np.mean(inside) > 0.95, "a vertex between two blocks may count as of the empty one"


def test_of_some_frames_one_is_taken(frames):
    some, all_of_them = mesh_of(frames, every=2), mesh_of(frames)
    alone = mesh_of(frames[::2])
    assert all((some[name] == alone[name]).all() for name in some)
    assert len(some["faces"]) != len(all_of_them["faces"])


def test_scans_without_a_surface_are_refused(frames):
    blind = [replace(frame, depth=np.zeros_like(frame.depth)) for frame in frames]
    one_pixel = np.zeros_like(frames[0].depth)
    one_pixel[30, 40] = 2
    for given, reason in ((None, "no-frames"), ([], "no-depth"), (blind, "no-depth"), ([replace(frames[0], depth=one_pixel)], "no-depth")):
        with pytest.raises(RefusedObject, match=reason):
            mesh_of(given)


@pytest.mark.parametrize("arguments", [{"voxel": 0.0}, {"truncate": 0.5}, {"truncate": 100}, {"every": 0}])
def test_arguments_that_cannot_be_are_refused(frames, arguments):
    with pytest.raises(UsageError, match="fused_mesh"):
        mesh_of(frames, **arguments)
