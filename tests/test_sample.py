"""l9.geometry.sample and subsets: points on the surface, uniform by area or spread evenly, one seed one result."""

import numpy as np
import pytest
from geometry_cases import few, solid, solids, soups
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial import cKDTree
from scipy.stats import chisquare

from l9.errors import RefusedObject
from l9.geometry._sample_kernels import draw_faces, running_areas
from l9.geometry.sample import sample_surface
from l9.geometry.sdf import sdf_at
from l9.geometry.subsets import farthest_points, poisson_disk_points

SUBSETS = [farthest_points, poisson_disk_points]
UNLIKELY = 1e-3  # of a test of chance with a fixed seed: it fails for good or never


def plainly_sampled(vertices, faces, count, seed):
    """The same draws in plain numpy, a line a formula: what the compiled loops must give to the last bit."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.linalg.norm(normals, axis=1)
    random = np.random.default_rng(seed)
    until = np.cumsum(doubled)
    drawn = np.minimum(np.searchsorted(until, random.random(count) * until[-1], side="right"), np.flatnonzero(doubled)[-1])
    root, along = np.sqrt(random.random(count))[:, None], random.random(count)[:, None]
    first, second, third = (corners[drawn, k] for k in range(3))
    points = (1 - root) * first + root * (1 - along) * second + root * along * third
    return points.astype(np.float32), (normals[drawn] / doubled[drawn, None]).astype(np.float32), drawn


def strewn(count, seed=0, sides=1.0):
    """Loose triangles with sides from a millionth of `sides` to `sides`: areas over twelve powers of ten."""
    random = np.random.default_rng(seed)
    corners = random.standard_normal((count, 3, 3)) * sides * 10 ** random.uniform(-6, 0, (count, 1, 1))
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def nearest_apart(points):
    """Distance of each point to the nearest other."""
    return cKDTree(points).query(points, k=2)[0][:, 1]


def farthest_left(points, numbers):
    """How far the point that is farthest from a subset is from it."""
    return cKDTree(points[numbers]).query(points)[0].max()


@few
@given(solids(), st.integers(0, 2**63 - 1))
def test_points_lie_on_the_surface_and_on_their_face(drawn, seed):
    vertices, faces = solid(*drawn)
    points, normals, numbers = sample_surface(vertices, faces, 500, seed=seed)
    assert (points.dtype, normals.dtype, numbers.dtype) == (np.float32, np.float32, np.int64)
    assert_allclose(sdf_at(vertices, faces, points, sign="none"), 0, atol=1e-6)
    assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    assert_allclose(((points - vertices[faces[numbers, 0]]) * normals).sum(axis=1), 0, atol=1e-6)


def test_one_seed_gives_one_result_and_another_gives_another():
    mesh = solid("mug")
    first, again, other = (sample_surface(*mesh, 64, seed=seed) for seed in (3, 3, 4))
    for one, same in zip(first, again, strict=True):
        assert_array_equal(one, same)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("count", [0, 1, 7, 1_000, 30_000])
@pytest.mark.parametrize(
    "mesh",
    [solid("mug"), solid("capsule"), strewn(3_000), strewn(1), strewn(50, sides=1e-75)],
    ids=["mug", "capsule", "strewn", "one", "tiny"],
)
def test_the_draws_are_those_of_plain_numpy_to_the_last_bit(mesh, count):
    for found, expected in zip(sample_surface(*mesh, count, seed=9), plainly_sampled(*mesh, count, 9), strict=True):
        assert_array_equal(found, expected)


@few
@given(soups(), st.integers(0, 2**63 - 1))
def test_slivers_segments_and_points_are_drawn_as_plain_numpy_draws_them(mesh, seed):
    vertices, faces = mesh
    if not np.cross(vertices[1::3] - vertices[::3], vertices[2::3] - vertices[::3]).any():
        with pytest.raises(RefusedObject, match="no-area"):
            sample_surface(vertices, faces, 5, seed=seed)
        return
    for found, expected in zip(sample_surface(vertices, faces, 200, seed=seed), plainly_sampled(vertices, faces, 200, seed), strict=True):
        assert_array_equal(found, expected)


@pytest.mark.parametrize("buckets", [1, 3, 97, 485, 1_009, 97_000])
@pytest.mark.parametrize("unequal", [True, False])
def test_a_draw_at_the_edge_of_a_face_or_bucket_is_looked_up_as_searchsorted_does(buckets, unequal):
    """Where a sum and a product round apart, as edges of equal faces and of buckets do, and at 0 before faces without area."""
    vertices, faces = strewn(500, seed=2)
    if not unequal:
        vertices = np.tile(vertices[:3], (500, 1))
    vertices[:9] = vertices[300:330] = vertices[-6:] = 1  # faces that are points: first, in the middle, last; 485 have an area
    until, last = running_areas(vertices, faces)
    edges = np.concatenate([until / until[-1], np.arange(buckets) / buckets])
    random = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)])
    random = random[(random >= 0) & (random < 1)]
    assert_array_equal(draw_faces(until, last, buckets, random), np.minimum(np.searchsorted(until, random * until[-1], side="right"), last))


def test_a_share_that_rounds_up_to_the_whole_area_draws_the_last_face_with_any():
    assert_array_equal(draw_faces(np.array([5e-324, 5e-324]), 0, 1, np.array([0.9])), [0])


def test_float32_vertices_and_int32_faces_are_worked_on_in_float64():
    vertices, faces = solid("mug")
    small, short = vertices.astype(np.float32), np.asfortranarray(faces.astype(np.int32))
    for found, expected in zip(
        sample_surface(small, short, 100, seed=1), sample_surface(small.astype(float), faces, 100, seed=1), strict=True
    ):
        assert_array_equal(found, expected)


def test_draws_are_uniform_by_area_and_within_a_face():
    """Chi square over 300 faces of unequal areas, and over the four halves-of-sides triangles of each point's face."""
    random = np.random.default_rng(0)
    vertices, faces = random.standard_normal((120, 3)), random.permuted(np.tile(np.arange(120), (300, 1)), axis=1)[:, :3]
    points, _, numbers = sample_surface(vertices, faces, 60_000, seed=1)
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert chisquare(np.bincount(numbers, minlength=300), 60_000 * areas / areas.sum()).pvalue > UNLIKELY
    shares = np.linalg.solve(corners[numbers].swapaxes(1, 2), points[:, :, None].astype(float))[:, :, 0]
    quarter = np.where((shares > 0.5).any(axis=1), shares.argmax(axis=1), 3)
    assert chisquare(np.bincount(quarter)).pvalue > UNLIKELY


def test_points_come_in_random_order():
    """Whoever takes the first 5,000 of 20,000 takes no part of the surface: face numbers do not follow places (spread 0.007)."""
    _, _, numbers = sample_surface(*solid("capsule"), 20_000, seed=0)
    assert abs(np.corrcoef(numbers, np.arange(20_000))[0, 1]) < 0.03
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.03


def test_faces_are_drawn_by_area_and_points_evenly_within():
    """Two triangles of area 1 and 3 of one rectangle 1 x 4, cut in four strips: binomial spread is 0.003 at 20,000."""
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [5, 0, 0], [11, 0, 0], [5, 1, 0]])
    points, _, numbers = sample_surface(vertices, np.array([[0, 1, 2], [3, 4, 5]]), 20_000, seed=0)
    assert_allclose((numbers == 1).mean(), 0.75, atol=0.015)
    large = points[numbers == 1]
    assert_allclose(large.mean(axis=0), [7, 1 / 3, 0], atol=0.05)
    assert_allclose((large[:, 1] < 0.5).mean(), 0.75, atol=0.015)


def test_a_face_without_area_is_never_drawn():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]])
    faces = np.array([[3, 3, 3], [0, 1, 1], [0, 1, 2], [1, 1, 2], [3, 3, 3]])
    _, _, numbers = sample_surface(vertices, faces, 5_000, seed=0)
    assert set(numbers) == {2}


def test_slivers_have_unit_normals():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, 1e-12, 0]], dtype=np.float64)
    _, normals, _ = sample_surface(vertices, np.array([[0, 1, 2]]), 10, seed=0)
    assert_allclose(normals, np.broadcast_to([0, 0, 1], (10, 3)))


def test_a_mesh_without_area_is_refused():
    with pytest.raises(RefusedObject, match="no-area"):
        sample_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), 5, seed=0)


@pytest.mark.parametrize("faces", [np.empty((0, 3), np.int64), np.array([[0, 1, 2]])], ids=["none", "too large to multiply"])
def test_an_area_that_is_none_or_no_number_is_refused(faces):
    with pytest.raises(RefusedObject, match="no-area"):
        sample_surface(np.array([[0.0, 0, 0], [1e200, 0, 0], [0, 1e200, 0]]), faces, 5, seed=0)


@pytest.mark.parametrize("face", [[0, 1, 3], [0, -1, 2]])
def test_a_vertex_that_is_not_there_is_refused(face):
    with pytest.raises(RefusedObject, match="index-out-of-range"):
        sample_surface(np.eye(3), np.array([[0, 1, 2], face]), 5, seed=0)


@pytest.mark.parametrize("choose", SUBSETS)
def test_a_subset_has_distinct_numbers_and_repeats_by_its_seed(choose):
    points = sample_surface(*solid("chair"), 1_000, seed=0)[0]
    first, again, other = (choose(points, 200, seed=seed) for seed in (3, 3, 4))
    assert (first.dtype, len(first), len(set(first))) == (np.int64, 200, 200)
    assert 0 <= first.min() <= first.max() < 1_000
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("choose", SUBSETS)
@pytest.mark.parametrize("count", [0, 1, 2, 9, 10])
def test_a_subset_may_be_none_or_all_of_the_points_and_no_more(choose, count):
    points = np.random.default_rng(0).random((10, 3))
    assert len(set(choose(points, count, seed=0))) == count
    with pytest.raises(RefusedObject, match="too-few-points: 10 points; expected at least 11"):
        choose(points, 11, seed=0)


@pytest.mark.parametrize("choose", SUBSETS)
@pytest.mark.parametrize("places", [1, 3, 50])
def test_points_that_coincide_are_chosen_once_each(choose, places):
    points = np.repeat(np.random.default_rng(0).random((places, 3)), 120 // places + 1, axis=0)
    numbers = choose(points, 100, seed=0)
    assert len(set(numbers)) == 100
    if choose is farthest_points:
        assert len(np.unique(points[numbers[:places]], axis=0)) == places
        if places > 1:
            assert_array_equal(numbers[:places], choose(points, places, seed=0))


@pytest.mark.parametrize(("total", "count"), [(40, 40), (600, 100), (5_000, 300)])
def test_every_farthest_point_is_the_farthest_from_those_before(total, count):
    points = sample_surface(*solid("chair"), total, seed=0)[0]
    numbers = farthest_points(points, count, seed=5)
    reached = np.linalg.norm(points - points[numbers[0]], axis=1)
    for number in numbers[1:]:
        assert_allclose(reached[number], reached.max(), rtol=1e-5)  # float32 within
        reached = np.minimum(reached, np.linalg.norm(points - points[number], axis=1))


def test_farthest_points_leave_no_point_farther_than_any_random_subset_does():
    points = sample_surface(*solid("mug"), 2_000, seed=0)[0]
    random = np.random.default_rng(0)
    best = min(farthest_left(points, random.permutation(2_000)[:200]) for _ in range(100))
    assert farthest_left(points, farthest_points(points, 200, seed=0)) < 0.7 * best


def test_farthest_points_are_the_same_far_from_the_origin():
    """In whole 2^-20, so that moving by 2^20 rounds nothing: in float32 all of them would be one place."""
    points = np.round(solid("capsule")[0] * 2**20) / 2**20
    assert_array_equal(farthest_points(points + 2**20, 100, seed=0), farthest_points(points, 100, seed=0))


@pytest.mark.parametrize("mesh", [solid("mug"), solid("table"), strewn(60)], ids=["mug", "table", "loose"])
@pytest.mark.parametrize("sides", [1, 2])
def test_poisson_disk_points_keep_apart(mesh, sides):
    """Doubled sides have twice the area in the same place, from which a radius must not be read."""
    vertices, faces = mesh
    faces = np.concatenate([faces, faces[:, ::-1]][:sides])
    points = sample_surface(vertices, faces, 2_500, seed=0)[0]
    apart = nearest_apart(points[poisson_disk_points(points, 500, seed=0)])
    assert apart.min() > 6 * nearest_apart(points[:500]).min()
    assert apart.min() > 0.6 * apart.mean()
    assert apart.mean() > 1.3 * nearest_apart(points[:500]).mean()


def test_poisson_disk_points_come_in_random_order_from_points_in_rows():
    rows = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0), [0.0], indexing="ij"), axis=-1).reshape(-1, 3)
    numbers = poisson_disk_points(rows, 400, seed=0)
    assert abs(np.corrcoef(numbers, np.arange(400))[0, 1]) < 0.2
    assert nearest_apart(rows[numbers]).min() > 1


def test_poisson_disk_points_are_as_good_on_a_million_points():
    """Five for each that stays are looked at: of all, the pairs of near points would take 14 GB."""
    points = np.random.default_rng(0).random((1_000_000, 3)) * [1, 1, 0]
    apart = nearest_apart(points[poisson_disk_points(points, 2_000, seed=0)])
    assert apart.min() > 0.6 * np.sqrt(2 / np.sqrt(3) / 2_000)  # the best that is possible: a hexagonal grid
