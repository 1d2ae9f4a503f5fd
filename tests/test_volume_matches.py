"""Places that two fragments saw, in a room whose every depth is known: where they lie, how volumes are turned, and what gives none."""

from dataclasses import replace

import numpy as np
import pytest
from dotted_room import SIDES, UP, frame, scan_of
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, UsageError
from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.scan import Scan
from l9.stages import volume_matches
from l9.stages.contract import columns_of, run_stages

SMALL = {"fragment": 2, "matches": 40, "side": 16, "seed": 3}
CAMERA = Pinhole.of_field(160, 120, 70.0)
CORNER = np.array([3.0, 2.5, 0.0])  # of the room: every camera looks there


def poses(count):
    """Cameras on their way around a corner, some 10 degrees from one to the next."""
    eyes = CORNER + [(-1.6 + 0.1 * number, -0.6 - 0.2 * number, 1.1 + 0.05 * number) for number in range(count)]
    return [looking_at(eye, CORNER, UP) for eye in eyes]


@pytest.fixture(scope="module")
def frames():
    return [frame(number, pose, CAMERA, colour=False) for number, pose in enumerate(poses(6))]


@pytest.fixture(scope="module")
def matches(frames):
    return rows_of(frames)


def rows_of(frames, **arguments):
    given = Scan(None) if frames is None else scan_of(frames)
    return list(run_stages(given, [(volume_matches, SMALL | arguments)], object_id="room"))


def all_of(rows, name):
    return np.concatenate([row[name] for row in rows])


def walls(points):
    """Distance to the nearest wall, metres."""
    return np.abs(np.stack([points, SIDES - points])).min(axis=(0, -1))


def in_world(point, pose, side, voxel=0.01):
    """Centres of a volume's voxels around a point of the world, in axes of a camera."""
    steps = voxel * (np.arange(side) - (side - 1) / 2)
    return point + np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1) @ pose[:3, :3].T


def test_rows_are_what_the_columns_say(matches):
    for row in matches:
        for column in columns_of([(volume_matches, SMALL)]):
            items = len(row["match_frames"])
            assert row[column.name].shape == ((items, *column.shape) if column.kind == "ragged" else column.shape)
            assert row[column.name].dtype == np.dtype(column.dtype)
    assert sum(len(row["match_frames"]) for row in matches) == SMALL["matches"]
    assert len(matches) == 3 and [tuple(row["pair"]) for row in matches] == [(0, 2), (0, 4), (2, 4)]


def test_roles_are_the_same_place_and_another_one(matches):
    points, numbers = all_of(matches, "match_points"), all_of(matches, "match_frames")
    assert_array_equal(numbers[:, :2], np.repeat([row["pair"] for row in matches], [len(row["volumes"]) for row in matches], axis=0))
    assert (numbers[:, 2] != numbers[:, 0]).all()
    assert walls(points).max() < 1e-5, "each is a pixel's own point"
    same = np.linalg.norm(points[:, 0] - points[:, 1], axis=1)
    assert 0 < same.max() < 0.06, "half a pixel's width at its depth aslant, and 3 cm"
    assert np.linalg.norm(points[:, 0] - points[:, 2], axis=1).min() > 0.1


def test_volumes_hold_distances_in_the_axes_of_the_first_camera(matches, frames):
    """Where a value is above 0, a wall is as near as it says, give or take the distance to a vertex; around the middle all is seen."""
    near = np.linalg.norm(in_world(np.zeros(3), np.eye(4), 16), axis=-1) < 0.04
    points, numbers, volumes = (all_of(matches, name) for name in ("match_points", "match_frames", "volumes"))
    assert volumes[:, :, 7:9, 7:9, 7:9].max(axis=(2, 3, 4)).min() > 200, "the surface passes the middle"
    off, beyond = [], []
    for match, role in np.ndindex(points.shape[:2]):
        away = walls(in_world(points[match, role], frames[numbers[match, role]].pose, 16)) / 0.01
        says = 5 * (1 - volumes[match, role] / 255)
        beyond.append((away - says)[volumes[match, role] > 0])
        off.append(np.abs(np.minimum(away, 5) - says)[near])
    assert np.concatenate(beyond).max() < 1.0, "voxels"
    assert np.median(off) < 0.2 and np.quantile(off, 0.95) < 1.0, "but in corners, which fusion rounds"


def test_fragments_that_share_axes_agree():
    """Cameras that are moved and not turned: the volume of a place is the same one, up to where its pixel and vertices fall."""
    first = poses(1)[0]
    given = []
    for number in range(2):
        pose = first.copy()
        pose[:3, 3] += 0.1 * number * first[:3, 0]
        given.append(frame(number, pose, CAMERA, colour=False))
    volumes = all_of(rows_of(given, fragment=1), "volumes").astype(float)
    turned = volumes.transpose(0, 1, 3, 2, 4)
    same, across = np.abs(volumes[:, 0] - volumes[:, 1]).mean(axis=(1, 2, 3)), np.abs(volumes[:, 0] - turned[:, 1]).mean(axis=(1, 2, 3))
    assert np.median(same) < 12 < 2 * np.median(same) + 12 < np.median(across)


@pytest.mark.parametrize(("longer", "agrees"), [(0.02, True), (0.05, False)])
def test_depths_must_agree_to_3_cm(longer, agrees):
    """Twice the same camera, whose second depth is longer."""
    one = frame(0, poses(1)[0], CAMERA, colour=False)
    other = replace(one, number=1, depth=one.depth + np.float32(longer))
    if agrees:
        points = all_of(rows_of([one, other], fragment=1), "match_points")
        assert_allclose((np.linalg.inv(one.pose)[2, :3] * (points[:, 1] - points[:, 0])).sum(axis=1), longer, atol=1e-4)
    else:
        with pytest.raises(RefusedObject, match="no-overlap"):
            rows_of([one, other], fragment=1)


def test_one_seed_gives_the_same_bytes_and_another_one_others(matches, frames):
    again, others = rows_of(frames), rows_of(frames, seed=4)
    for name in ("match_points", "volumes", "fpfh"):
        assert_array_equal(all_of(again, name), all_of(matches, name))
    assert not np.array_equal(all_of(others, "match_points"), all_of(matches, "match_points"))


def test_fragments_are_spread_and_frames_skipped(frames):
    assert [tuple(row["pair"]) for row in rows_of(frames, fragments=2)] == [(0, 4)]
    some = rows_of(frames, every=2, fragment=1)
    assert {number for row in some for number in row["pair"].tolist()} == {0, 2, 4}


def test_descriptors_of_a_flat_wall_and_of_an_edge_differ(matches):
    """Numbers are histograms: 200 per cent in each of three."""
    found = all_of(matches, "fpfh")
    assert_allclose(found.reshape(len(found), 3, 3, 11).sum(axis=-1), 200, rtol=1e-3)


def test_scans_without_matches_are_refused(frames):
    blind = [replace(one, depth=np.zeros_like(one.depth)) for one in frames]
    back = looking_at(np.array([1.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.5]), UP)
    away = [*frames[:2], *(frame(number, back, CAMERA, colour=False) for number in (2, 3))]
    short = frames[:3]  # one whole fragment
    for given, reason in ((None, "no-frames"), ([], "no-depth"), (blind, "no-depth"), (short, "no-depth"), (away, "no-overlap")):
        with pytest.raises(RefusedObject, match=reason):
            rows_of(given)


@pytest.mark.parametrize(
    "arguments",
    [
        {"fragment": 0},
        {"fragments": 1},
        {"every": 0},
        {"matches": 0},
        {"side": 4},
        {"voxel": 0.0},
        {"apart": -1.0},
        {"cloud": 0.0},
        {"side": 64},
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments):
    with pytest.raises(UsageError, match="volume_matches"):
        columns_of([(volume_matches, {"matches": 300} | arguments)])
