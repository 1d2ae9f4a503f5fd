"""Frames to blocks: a wall that a camera faces, what is in front of it, behind it, and out of view."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import Pinhole
from l9.geometry.scan import Frame, Scan
from l9.stages import fused_blocks
from l9.stages.contract import run_stages

CAMERA = Pinhole.of_field(160, 120, 60.0)
WALL, VOXEL = 2.02, 0.05  # metres; no voxel's centre lies on a border of the band


def scan(depths, asked=None):
    """A camera at the origin that looks along +z, and sees these depths one after the other."""

    def frames(colour, depth):
        if asked is not None:
            asked.append((colour, depth))
        for number, metres in enumerate(depths):
            picture = np.full((120, 160), metres, np.float32)
            yield Frame(number, None, picture, CAMERA, CAMERA, np.eye(4), np.eye(4))

    return Scan(frames)


def blocks(subject, **arguments):
    return list(run_stages(subject, [(fused_blocks, arguments)], object_id="scene0000_00"))


@pytest.mark.parametrize("side", [16, 64])
def test_a_wall_that_the_camera_faces(side):
    rows = blocks(scan([WALL] * 3), voxel=VOXEL, side=side)
    places = [tuple(row["block"]) for row in rows]
    assert places == sorted(set(places)) and len(places) >= 4
    for row in rows:
        centres = (row["block"][:, None] * side + np.arange(side) + 0.5) * VOXEL
        x, y, z = np.meshgrid(*centres, indexing="ij")
        inside = (np.abs(x) < 0.95 * z * 79 / CAMERA.fx) & (np.abs(y) < 0.95 * z * 59 / CAMERA.fy) & (z > 0.1)
        ahead = WALL - z
        band = inside & (np.abs(ahead) < 3 * VOXEL)
        assert_allclose(row["tsdf"][band], ahead[band], atol=1e-3)  # float16
        assert row["known"][band].all()
        free, hidden = inside & (ahead > 3 * VOXEL), inside & (ahead < -3 * VOXEL)
        assert_array_equal(row["tsdf"][free], np.float16(3 * VOXEL))
        assert row["known"][free].all() and not row["known"][hidden].any()
        assert_array_equal(row["tsdf"][hidden], np.float16(-3 * VOXEL))


def test_only_depth_is_read_and_of_some_frames_one():
    asked = []
    every = blocks(scan([WALL, 0.0, 0.0, WALL], asked), every=3)
    assert asked == [(False, True)]
    for one, other in zip(every, blocks(scan([WALL, WALL])), strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_scans_without_frames_or_depth_are_refused():
    for subject, reason in ((Scan(), "no-frames"), (scan([0.0, np.nan]), "no-depth")):
        with pytest.raises(RefusedObject) as caught:
            blocks(subject)
        assert caught.value.reason == reason


@pytest.mark.parametrize("arguments", [{"voxel": 0.0}, {"truncate": 0}, {"side": 24}, {"side": 256}, {"every": 0}])
def test_arguments_that_cannot_be_are_refused(arguments):
    with pytest.raises(UsageError, match="stage fused_blocks"):
        blocks(scan([WALL]), **arguments)
