"""l9.geometry.fusion and fused_surface: distances, signs and knowledge where they can be said beforehand, and surfaces without seams."""

import math

import numpy as np
import pytest
import trimesh
from geometry_cases import few
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, ShapeError, UsageError
from l9.geometry._fusion_kernels import observe
from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.cube_table import EDGES, cube_triangles
from l9.geometry.fused_surface import fused_surface
from l9.geometry.fusion import Fusion

CAMERA = Pinhole.of_field(160, 120, 50.0)
SMALL = Pinhole.of_field(48, 36, 60.0)
RADIUS = 0.5


def sphere_depth(camera, pose, centre=(0.0, 0.0, 0.0)):
    """Depth of a ball by the formula, 0 beside it."""
    rays = camera.directions() @ pose[:3, :3].T
    to_centre = np.asarray(centre) - pose[:3, 3]
    square, along = (rays**2).sum(axis=-1), rays @ to_centre
    under = along**2 - square * (to_centre @ to_centre - RADIUS**2)
    return np.where(under > 0, (along - np.sqrt(np.maximum(under, 0))) / square, 0).astype(np.float32)


def around(count, away=1.6):
    """Poses of cameras all around the origin, evenly on a spiral."""
    for k in range(count):
        height = 1 - (2 * k + 1) / count
        angle, level = k * math.pi * (3 - math.sqrt(5)), math.sqrt(1 - height**2)
        eye = away * np.array([level * math.cos(angle), level * math.sin(angle), height])
        yield looking_at(eye, np.zeros(3), np.array([0.1, 0.2, 1.0]))


def sphere_frames(count=16, camera=CAMERA):
    return [(sphere_depth(camera, pose), camera, pose) for pose in around(count)]


def fused(frames, size=0.02, **options):
    fusion = Fusion(size, **options)
    for frame in frames:
        fusion.add(*frame)
    return fusion


def wall(depth, camera=SMALL):
    """A frame of a plane square to the axis, seen from the origin."""
    return np.full((camera.height, camera.width), depth, np.float32), camera, np.eye(4)


def contents(fusion):
    return {grid.corner: grid for grid in fusion.blocks()}


def assert_closed(faces):
    """Every edge is passed as often one way as the other."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(edges)
    there, back = (np.unique(turned, axis=0, return_counts=True) for turned in (edges, edges[:, ::-1]))
    assert_array_equal(there[0], back[0])
    assert_array_equal(there[1], back[1])


@pytest.fixture(scope="module")
def ball():
    return fused(sphere_frames())


def test_a_wall_has_its_projective_distance():
    fusion = fused([wall(2.0)], size=0.05)
    grid = fusion.grid_block((-5, -5, 34), 10)
    z = (np.arange(34, 44) + 0.5) * 0.05
    known = z < 2.15
    assert_array_equal(grid.known, np.broadcast_to(known, grid.known.shape))
    assert_allclose(grid.values, np.broadcast_to(np.where(known, np.minimum(2 - z, 0.15), -0.15), grid.values.shape), atol=1e-6)
    assert_array_equal(grid.weights, np.broadcast_to(np.abs(2 - z) < 0.15, grid.weights.shape))


def test_free_space_is_known_up_to_the_camera_and_nothing_beside_or_behind_it():
    fusion = fused([wall(2.0)], size=0.05)
    assert fusion.grid_block((0, 0, 4), 1).known.all()  # 22 cm before the camera: no block with distances is near
    assert fusion.grid_block((-1, -1, 20), 2).values.min() == np.float32(0.15)
    for corner in ((0, 0, -4), (40, 0, 20), (0, 0, 50), (0, 500, 0), (-(1 << 30), 0, 0)):
        unknown = fusion.grid_block(corner, 2)
        assert not unknown.known.any()
        assert_array_equal(unknown.values, np.float32(-0.15))
        assert not unknown.weights.any()
    assert min(grid.corner[2] for grid in fusion.blocks()) == 32  # and only those by the wall have any


def test_a_block_wholly_in_view_is_known_as_its_voxels_would_be():
    camera, pose = SMALL, looking_at(np.array([0.3, -0.2, 0.1]), np.array([1.0, 2.0, 0.7]), np.array([0.0, 0.0, 1.0]))
    fusion = fused([(wall(2.5)[0], camera, pose)], size=0.03)
    grid = fusion.grid_block((-40, -40, -40), 150)
    voxels = np.stack(np.meshgrid(*[(np.arange(-40, 110) + 0.5) * 0.03] * 3, indexing="ij"), axis=-1)
    x, y, z = np.moveaxis((voxels - pose[:3, 3]) @ pose[:3, :3], -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
        margin = np.minimum.reduce([u + 0.5, camera.width - 0.5 - u, v + 0.5, camera.height - 0.5 - v, 1e3 * (2.59 - z), 1e3 * z])
    sure = np.abs(margin) > 1e-3
    assert sure.mean() > 0.99
    assert 0.05 < grid.known.mean() < 0.5
    assert_array_equal(grid.known[sure], margin[sure] > 0)


def test_a_ball_is_where_it_is(ball):
    vertices, faces = fused_surface(ball)
    assert vertices.dtype == np.float32
    assert faces.dtype == np.int32
    off = np.abs(np.linalg.norm(vertices, axis=1) - RADIUS)
    assert np.median(off) <= ball.voxel_size / 5
    assert off.max() < ball.voxel_size
    assert_closed(faces)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight
    assert_allclose(mesh.volume, 4 / 3 * math.pi * RADIUS**3, rtol=0.02)  # above 0: it faces outward


def test_what_is_known_of_a_ball(ball):
    def at(x, y, z):
        corner = tuple(math.floor(value / ball.voxel_size) for value in (x, y, z))
        grid = ball.grid_block(corner, 1)
        return float(grid.values[0, 0, 0]), bool(grid.known[0, 0, 0])

    for axis in np.concatenate([np.eye(3), -np.eye(3)]):
        value, known = at(*(axis * (RADIUS + 0.03)))
        assert known
        assert 0.01 < value <= 0.06
        value, known = at(*(axis * (RADIUS - 0.03)))
        assert known
        assert -0.06 <= value < -0.01
        assert at(*(axis * (RADIUS - 0.2))) == (-np.float32(0.06), False)
    assert at(0, 0, 0) == (-np.float32(0.06), False)


def test_free_space_beside_a_ball_is_known_only_where_a_pixel_measured():
    """Rays that hit nothing say nothing: a sensor that saw nothing is no proof of free space."""
    pose = looking_at(np.array([0.0, 0.0, -1.6]), np.zeros(3), np.array([0.0, -1.0, 0.0]))
    fusion = fused([(sphere_depth(CAMERA, pose), CAMERA, pose)])
    assert fusion.grid_block((0, 0, -50), 1).known.all()
    assert not fusion.grid_block((27, 0, -10), 1).known.any()


def test_frames_in_another_order_give_the_same():
    frames = sphere_frames(8)
    one, other = contents(fused(frames)), contents(fused(frames[::-1]))
    assert one.keys() == other.keys()
    assert len(one) > 8
    for corner, grid in one.items():
        assert_array_equal(grid.known, other[corner].known)
        assert_array_equal(grid.weights, other[corner].weights)
        assert_allclose(grid.values, other[corner].values, atol=1e-7)


@pytest.mark.parametrize("options", [{}, {"carve": True, "weighting": "inverse square"}])
def test_two_threads_give_the_bytes_of_one(options):
    frames = sphere_frames(5)
    one, two = (fused(frames, size=0.03, threads=threads, **options) for threads in (1, 2))
    for first, second in zip(one.blocks(), two.blocks(), strict=True):
        assert first.corner == second.corner
        assert_array_equal(first.values, second.values)
    for first, second in zip(fused_surface(one), fused_surface(two), strict=True):
        assert_array_equal(first, second)


def test_one_compiled_function_sees_all_blocks():
    """A second one, for parts of one block, rounded otherwise on some machines: its voxels then differed with the number of threads."""
    for threads in (1, 2):
        fused(sphere_frames(5), size=0.03, threads=threads)
    assert len(observe.signatures) == 1


def test_an_empty_frame_changes_nothing():
    for nothing in (0.0, np.nan, np.inf, -1.0):
        fusion = fused([wall(2.0)], size=0.05)
        before = contents(fusion)
        fusion.add(*wall(nothing))
        after = contents(fusion)
        assert before.keys() == after.keys()
        for corner, grid in before.items():
            assert_array_equal(grid.values, after[corner].values)
            assert_array_equal(grid.weights, after[corner].weights)
        assert not list(fused([wall(nothing)]).blocks())


def test_memory_is_flat_in_the_number_of_frames():
    fusion = fused([wall(2.0)], size=0.05)
    counts = (fusion.kept.count, fusion.kept.fine_count, *(len(rows) for rows in fusion.kept.voxels()))
    before = contents(fusion)
    for _ in range(49):
        fusion.add(*wall(2.0))
    assert (fusion.kept.count, fusion.kept.fine_count, *(len(rows) for rows in fusion.kept.voxels())) == counts
    for corner, grid in contents(fusion).items():
        assert_array_equal(grid.weights, 50 * before[corner].weights)
        assert_allclose(grid.values, before[corner].values, atol=1e-6)


@few
@given(st.tuples(*[st.integers(-40, 40)] * 3))
def test_moving_the_world_by_whole_voxels_moves_the_field(shift):
    size = 1 / 32
    pose = looking_at(np.array([0.5, -1.5, 0.25]), np.zeros(3), np.array([0.0, 0.0, 1.0]))
    moved = pose.copy()
    moved[:3, 3] += np.array(shift) * size
    depth = sphere_depth(SMALL, pose)
    here, there = (fused([(depth, SMALL, where)], size=size) for where in (pose, moved))
    one, other = here.grid_block((-24, -24, -24), 48), there.grid_block(tuple(number - 24 for number in shift), 48)
    same = one.known == other.known
    assert same.mean() > 0.9999  # a voxel that two pixels share may fall to either
    both = one.known & other.known
    assert both.mean() > 0.01
    assert (np.abs(one.values - other.values)[both] < 1e-5).mean() > 0.999


def test_weights_follow_the_distance_where_asked():
    far = np.eye(4)
    far[2, 3] = -2.0
    frames = [wall(2.0), (wall(4.05)[0], SMALL, far)]  # the second is off by 5 cm
    for weighting, share in (("one", 1 / 2), ("inverse square", (1 / 4) / (1 + 1 / 4))):
        grid = fused(frames, size=0.05, weighting=weighting).grid_block((0, 0, 39), 1)
        assert_allclose(grid.values[0, 0, 0], 0.025 + share * 0.05, atol=2e-3)


def test_what_has_gone_away_is_carved_where_asked():
    frames = [wall(1.0), *[wall(2.0)] * 5]
    kept, carved = (fused_surface(fused(frames, size=0.05, carve=carve))[0] for carve in (False, True))
    assert_allclose(np.unique(np.round(kept[:, 2], 2)), [1, 1.15, 2])  # a sheet: its back is where the band ends in space seen free
    assert_allclose(carved[:, 2], 2, atol=1e-3)


def test_a_pixel_between_two_depths_has_no_say():
    depth = np.full((36, 48), 2.0, np.float32)
    depth[:, 24] = 1.0
    fusion = fused([(depth, SMALL, np.eye(4))], size=0.05)
    assert {grid.corner[2] for grid in fusion.blocks()} == {32}
    depth[:, 25:] = 1.0  # now it is the edge of something
    assert {grid.corner[2] for grid in fused([(depth, SMALL, np.eye(4))], size=0.05).blocks()} == {16, 32}


def test_a_field_of_any_signs_has_a_surface_without_holes():
    """Noise has all 256 kinds of cubes, within blocks and across their borders; its outermost layer is outside."""
    draw = np.random.default_rng(0)
    fusion = Fusion(1.0, 1.0)
    places = np.array([[x, y, z] for x in (-1, 0) for y in (-1, 0) for z in (-1, 0)], np.int32)
    numbers = fusion.kept.entered(places)
    fusion.kept.refine(numbers)
    field = draw.uniform(-1, 1, (32, 32, 32)).astype(np.float32)
    for face in (0, -1):
        field[face] = field[:, face] = field[:, :, face] = 0.5
    for place, number in zip(places, numbers, strict=True):
        x, y, z = 16 * (place + 1)
        fusion.kept.sums[fusion.kept.fine[number]] = field[x : x + 16, y : y + 16, z : z + 16]
        fusion.kept.weights[fusion.kept.fine[number]] = 1
    fusion.kept.seen[numbers] = 0xFFFF
    vertices, faces = fused_surface(fusion)
    assert len(faces) > 50_000
    assert_closed(faces)
    assert len(np.unique(faces)) == len(vertices)
    sides = vertices - 0.5 - np.floor(vertices - 0.5)
    assert ((sides > 0).sum(axis=1) <= 1).all()  # every vertex lies on an edge of the lattice
    assert trimesh.Trimesh(vertices, faces, process=False).volume > 0


def test_unknown_voxels_have_no_surface():
    fusion = fused([wall(2.0)], size=0.05)
    fusion.kept.seen[:] &= np.uint16(0x01FF)  # the wall lies between bits 7 and 8
    assert len(fused_surface(fusion)[1])
    fusion.kept.seen[:] = 0
    assert [len(rows) for rows in fused_surface(fusion)] == [0, 0]


def test_nothing_fused_is_no_surface():
    vertices, faces = fused_surface(Fusion(0.05))
    assert vertices.shape == faces.shape == (0, 3)
    assert Fusion(0.05).extent() is None


def test_the_extent_holds_all_blocks(ball):
    low, high = ball.extent()
    corners = np.array([grid.corner for grid in ball.blocks()])
    assert_array_equal(low, corners.min(axis=0))
    assert_array_equal(high, corners.max(axis=0) + 16)


def test_each_case_of_a_cube_uses_the_edges_that_are_crossed():
    table, counts = cube_triangles()
    for case in range(256):
        crossed = {n for n, (low, high) in enumerate(EDGES) if (case >> low & 1) != (case >> high & 1)}
        assert set(table[case, : 3 * counts[case]].tolist()) == crossed
    assert counts[0] == counts[255] == 0
    assert counts[1] == 1


def test_what_cannot_be_fused_is_refused():
    fusion, (depth, camera, pose) = Fusion(0.05), wall(2.0)
    with pytest.raises(ShapeError, match="48x35 pixels"):
        fusion.add(depth[:-1], camera, pose)
    for place in ((0, 0), (1, 3)):
        broken = pose.copy()
        broken[place] = np.nan
        with pytest.raises(RefusedObject, match="not-finite"):
            fusion.add(depth, camera, broken)
    with pytest.raises(RefusedObject, match="too-far"):
        fusion.add(depth * 1e7, camera, pose)
    assert not list(fusion.blocks())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"voxel_size": 0.0}, "voxel_size"),
        ({"voxel_size": math.nan}, "voxel_size"),
        ({"voxel_size": 0.1, "truncation": 0.05}, "truncation"),
        ({"voxel_size": 0.1, "threads": 0}, "threads"),
    ],
)
def test_settings_that_make_no_sense(options, word):
    with pytest.raises(UsageError, match=word):
        Fusion(**options)
    with pytest.raises(UsageError, match="side is 0"):
        Fusion(0.1).grid_block((0, 0, 0), 0)
