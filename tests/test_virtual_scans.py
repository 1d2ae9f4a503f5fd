"""l9.geometry.virtual_scan and the stage: what cameras know of shapes whose truth is known, and what they cannot."""

import numpy as np
import pytest
from geometry_cases import QUARTER_TURNS, few, solid, solids, turned_grid
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.config import Use, build_arguments, with_defaults
from l9.errors import RecipeError, RefusedObject, UsageError
from l9.geometry.camera import Pinhole, inverse_pose, moved
from l9.geometry.distance_fields import UNKNOWN
from l9.geometry.grid import grid_centres
from l9.geometry.mesh import AXES, Mesh, axis_vector
from l9.geometry.scene import raycasting_scene
from l9.geometry.solids import SOLIDS
from l9.geometry.virtual_scan import Walk, cast_depth, complete_grid, holding_radius, partial_grid
from l9.stages import virtual_scans
from l9.stages.contract import columns_of, run_stages

CAMERA = Pinhole.of_field(128, 128, 43.0)
WALK = Walk(4, 43.0, (0.9, 1.3), (-10.0, 50.0), 90.0)
SQUARE = np.array([[-0.9, -0.9, 0.0], [0.9, -0.9, 0.0], [0.9, 0.9, 0.0], [-0.9, 0.9, 0.0]]), np.array([[0, 1, 2], [0, 2, 3]])


def centres():
    return np.stack(np.meshgrid(*[grid_centres(32)] * 3, indexing="ij"), axis=-1)


def rows(mesh, name="chair/0000", **arguments):
    return list(run_stages(Mesh(*mesh), [(virtual_scans, {"seed": 0, **arguments})], object_id=name))


def walked(mesh, seed, up="+Y", walk=WALK):
    """Depths and poses of one walk."""
    poses = walk.poses(np.random.default_rng(seed), up, holding_radius(*mesh))
    scene = raycasting_scene(*mesh)
    return np.stack([cast_depth(scene, CAMERA, pose) for pose in poses]), poses


def ahead(pose, radius, shift=(0, 0)):
    """How far behind each voxel a ball's front lies along the camera's axis, voxels, by formula; NaN where its ray misses.

    shift  pixels by which the ray passes beside the voxel's centre
    """
    local, middle = moved(centres(), inverse_pose(pose)), moved(np.zeros((1, 3)), inverse_pose(pose))[0]
    rays = local / local[..., 2:] + np.array([*shift, 0]) / CAMERA.fx
    a, b = (rays**2).sum(axis=-1), rays @ middle
    with np.errstate(invalid="ignore"):
        front = (b - np.sqrt(b**2 - a * (middle @ middle - radius**2))) / a
    return (front - local[..., 2]) * 16


@pytest.mark.parametrize("seed", range(4))
def test_a_ball_is_known_in_front_and_unknown_behind(seed):
    """Each voxel takes a pixel whose ray passes within half a pixel: what it says lies between what rays on all sides of that say."""
    mesh, radius = solid("sphere"), 0.9
    depths, poses = walked(mesh, seed, walk=Walk(1, 43.0, (1.1, 1.3), (-10.0, 50.0), 90.0))
    partial = partial_grid(depths, CAMERA, poses)
    corners = np.stack([ahead(poses[0], radius, (across, down)) for across in (-0.51, 0, 0.51) for down in (-0.51, 0, 0.51)])
    met, missed = ~np.isnan(corners).any(axis=0), np.isnan(corners).all(axis=0)
    least, most = np.clip(corners.min(axis=0), -3, 3) - 0.01, np.clip(corners.max(axis=0), -3, 3) + 0.01  # 128 facets a turn
    assert met.sum() > 8000
    assert ((partial >= least) & (partial <= most))[met].all()
    assert_array_equal(partial[missed], np.float32(-3))
    distance = 16 * (np.linalg.norm(centres(), axis=-1) - radius)
    near = met & (np.abs(partial) < 1)
    assert (np.abs(partial - distance)[near] < 1).all()  # along the axis is farther than to the nearest place
    assert not (met & (distance < -1.5) & (partial >= -1)).any()  # nothing is known within the ball
    assert_allclose(complete_grid(*mesh), np.minimum(np.abs(distance), 3), atol=0.01)


def test_a_box_seen_from_one_side_is_a_plane_before_darkness():
    """The camera looks along -z at the face z = 0.4 of a box: in front of it the distance to the plane, behind it nothing."""
    mesh = solid("box")[0] / np.abs(solid("box")[0]).max(axis=0) * [0.7, 0.7, 0.4], solid("box")[1]
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 3.0
    partial = partial_grid(cast_depth(raycasting_scene(*mesh), CAMERA, pose)[None], CAMERA, pose[None])
    x, y, z = np.moveaxis(centres(), -1, 0)
    reach = 0.7 / 2.6 * (3 - z)  # of the face's shadow and of the rays that meet it
    inside = (np.abs(x) < reach - 0.05) & (np.abs(y) < reach - 0.05)
    seen = np.maximum(np.abs(x), np.abs(y)) < (3 - z) * np.tan(np.radians(21.5)) - 0.05
    outside = ((np.abs(x) > reach + 0.05) | (np.abs(y) > reach + 0.05)) & seen
    signed = 16 * (z - 0.4)
    assert_allclose(partial[inside & (signed >= -1)], np.minimum(signed, 3)[inside & (signed >= -1)], atol=1e-4)
    assert (partial[inside & (signed < -1)] <= UNKNOWN).all()
    assert_array_equal(partial[inside & (signed < -3)], np.float32(-3))
    assert_array_equal(partial[outside], np.float32(-3))
    free = partial_grid(cast_depth(raycasting_scene(*mesh), CAMERA, pose)[None], CAMERA, pose[None], "free")
    assert_array_equal(free[outside], np.float32(3))
    assert_array_equal(free[inside], partial[inside])


def test_what_float16_would_round_to_known_stays_unknown():
    """A plane at a depth such that a layer of voxels lies 1.0002 voxels behind it."""
    camera, pose = Pinhole.of_field(8, 8, 43.0), np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 3.0
    for behind, known in ((1.0002, False), (0.9998, True)):
        depth = np.full((1, 8, 8), 3 - grid_centres(32)[20] - behind / 16, np.float32)
        value = partial_grid(depth, camera, pose[None])[16, 16, 20].astype(np.float16)
        assert (value >= -1) == known


@few
@given(solids(), st.integers(0, 9), st.sampled_from(range(24)))
def test_turning_mesh_and_cameras_turns_the_scan(drawn, seed, number):
    """But for voxels whose pixel's ray just meets or misses an edge, in float32."""
    turn, (vertices, faces) = QUARTER_TURNS[number], solid(*drawn)
    depths, poses = walked((vertices, faces), seed)
    turned_poses = poses.copy()
    turned_poses[:, :3] = turn @ poses[:, :3]
    scene = raycasting_scene(vertices @ turn.T, faces)
    turned_depths = np.stack([cast_depth(scene, CAMERA, pose) for pose in turned_poses])
    before, after = turned_grid(partial_grid(depths, CAMERA, poses), turn), partial_grid(turned_depths, CAMERA, turned_poses)
    assert (np.abs(before - after) > 1e-3).mean() < 1e-3


@few
@given(solids(), st.integers(0, 9), st.permutations(range(4)))
def test_more_pictures_only_add_and_their_order_does_not_matter(drawn, seed, order):
    depths, poses = walked(solid(*drawn), seed)
    whole, part = partial_grid(depths, CAMERA, poses), partial_grid(depths[:2], CAMERA, poses[:2])
    assert_array_equal(whole, partial_grid(depths[order], CAMERA, poses[order]))
    assert (whole >= -1)[part >= -1].all()
    assert (np.abs(whole) <= np.abs(part))[part >= -1].all()


@few
@given(solids(), st.integers(0, 9))
def test_no_surface_is_farther_than_a_camera_saw_it(drawn, seed):
    """A known voxel's distance is to a place on the surface along one ray: the true distance is no larger, but for the pixel's width."""
    mesh = solid(*drawn)
    partial = partial_grid(*(lambda depths, poses: (depths, CAMERA, poses))(*walked(mesh, seed)))
    known = partial >= -1
    assert known.any()
    assert (complete_grid(*mesh) - np.abs(partial))[known].max() < 0.4


@pytest.mark.parametrize("up", AXES)
def test_cameras_walk_within_their_bounds(up):
    walk, poses, ways = Walk(5, 40, (1.0, 2.0), (10, 20), 60), [], set()
    for seed in range(20):
        found = walk.poses(np.random.default_rng(seed), up, 0.8)
        places = found[:, :3, 3]
        away = np.linalg.norm(places, axis=1)
        lifts = np.degrees(np.arcsin(places @ axis_vector(up) / away))
        fits = 0.8 / np.sin(np.radians(20))
        assert ((away >= fits - 1e-9) & (away <= 2 * fits + 1e-9) & (lifts >= 10 - 1e-9) & (lifts <= 20 + 1e-9)).all()
        assert_allclose(found[:, :3, 2], -places / away[:, None], atol=1e-12)
        level = places - np.outer(places @ axis_vector(up), axis_vector(up))
        level /= np.linalg.norm(level, axis=1, keepdims=True)
        assert level[0] @ level[-1] >= 0.5 - 1e-9
        poses.append(level[0])
        ways.add(np.cross(level[0], level[-1]) @ axis_vector(up) > 0)
    assert np.linalg.norm(np.mean(poses, axis=0)) < 0.6  # walks begin anywhere around
    assert ways == {True, False}


def test_an_open_sheet_is_known_on_the_side_it_is_seen_from():
    row = rows(SQUARE, scans=1, sweep=0, distances=(1.2, 1.3))[0]
    x, y, z = np.moveaxis(centres(), -1, 0)
    flat = (np.abs(x) < 0.9) & (np.abs(y) < 0.9)
    assert_allclose(row["complete"][flat], np.minimum(16 * np.abs(z), 3)[flat], atol=2e-3)  # float16
    eye = row["cameras"][0, :3, 3].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        met = eye + (centres() - eye) * (eye[2] / (eye[2] - z))[..., None]
    under = (np.abs(met[..., :2]) < 0.85).all(axis=-1)
    front, back = under & (z * eye[2] > 0) & (np.abs(z) < np.abs(eye[2])), flat & (z * eye[2] < 0)
    assert front.sum() > 2000 and (row["partial"][front] >= -1).all()
    assert (row["partial"][back] < -1).mean() > 0.9  # but within a voxel of the sheet
    assert (row["partial"][back & (np.abs(z) > 0.1)] < -1).all()


def test_a_scan_that_saw_everything_is_fine():
    row = rows(SQUARE, scans=1, seed=1, views=24, sweep=360, distances=(1.5, 1.5), misses="free")[0]  # a walk to both sides
    assert (row["partial"] >= -1).all()


@pytest.mark.parametrize(
    ("mesh", "arguments"),
    [((SQUARE[0][:, [0, 2, 1]], SQUARE[1]), {"elevations": (0, 0)}), ((solid("chair")[0] + 9, solid("chair")[1]), {})],
    ids=["a sheet edge on", "outside the box"],
)
def test_a_scan_that_saw_nothing_is_refused(mesh, arguments):
    with pytest.raises(RefusedObject, match="scan 0: 8 walks of 4 cameras met no surface") as caught:
        rows(mesh, **arguments)
    assert caught.value.reason == "saw-nothing"


def test_rows_are_what_the_columns_say_and_one_seed_is_one_result():
    mesh = solid("chair")
    first, again, other, renamed = rows(mesh), rows(mesh), rows(mesh, seed=1), rows(mesh, name="chair/0001")
    assert len(first) == 6
    for number, row in enumerate(first):
        for column in columns_of([(virtual_scans, {})]):
            value = row[column.name]
            assert (value.shape, value.dtype) == (column.shape, np.dtype(column.dtype))
            assert value.tobytes() == again[number][column.name].tobytes()
            if column.name != "complete":
                assert (value != other[number][column.name]).any()
                assert (value != renamed[number][column.name]).any()
                assert (value != first[number - 1][column.name]).any()
        assert np.abs(row["partial"]).max() == 3 and row["complete"].min() >= 0 and row["complete"].max() == 3
        assert 0.1 < (row["partial"] < -1).mean() < 1
    truth = SOLIDS["chair"](np.random.default_rng(0)).sdf(centres().reshape(-1, 3)).reshape(32, 32, 32)
    assert_allclose(first[0]["complete"], np.minimum(np.abs(16 * truth), 3), atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scans": 0}, "scans is 0"),
        ({"views": 65}, "views is 65"),
        ({"size": 513}, "size is 513"),
        ({"seed": -1}, "seed is -1"),
        ({"field": 61}, "field is 61; expected degrees from 10 to 60"),
        ({"sweep": -1}, "sweep is -1"),
        ({"distances": (0.5, 1)}, "distances is 0.5; expected multiples from 0.6 to 3"),
        ({"distances": (2, 1)}, r"distances is \(2, 1\); expected the lower one first"),
        ({"elevations": (0, float("nan"))}, "elevations is nan"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(UsageError, match=f"stage virtual_scans: {words}"):
        columns_of([(virtual_scans, arguments)])


def test_an_unknown_word_is_refused_by_a_recipe():
    with pytest.raises(RecipeError, match="misses"):
        with_defaults(Use(virtual_scans, misses="perhaps"), leading=1)


def test_a_recipe_may_say_bounds_as_lists():
    use = with_defaults(Use(virtual_scans, distances=[1, 1.5]), leading=1)
    assert build_arguments(use)["distances"] == (1, 1.5)
