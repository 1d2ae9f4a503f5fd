"""l9.geometry.scan_columns: a room by hand, floors and outliers, and which columns are kept."""

import numpy as np
import pytest
from column_scenes import CHAIR, FLOOR, WALL, joined, quad, room
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject
from l9.geometry.mesh import AXES, axis_vector
from l9.geometry.scan import Surface
from l9.geometry.scan_columns import HEIGHT, SIDE, floor_level, kept_columns, scan_columns_of, upright

VOXEL = 0.048


def sheet(corner, side, step):
    """Vertices and faces of a level square, in right triangles with legs of `step` metres."""
    count = round(side / step)
    x, y = np.meshgrid(np.arange(count + 1) * step, np.arange(count + 1) * step, indexing="ij")
    first = (np.arange(count)[:, None] * (count + 1) + np.arange(count)).ravel()
    after = first + count + 1
    faces = np.concatenate([np.stack([first, after, first + 1], 1), np.stack([after, after + 1, first + 1], 1)])
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1) + corner, faces


def test_a_room_by_hand():
    found = scan_columns_of(room(base=0.3), "+Z", VOXEL)
    assert_allclose(found.corner, [0, 0, 0.3 - 2.5 * VOXEL], atol=1e-9)
    assert found.labels.shape == (51, 51, HEIGHT)  # 2.4 m and the voxel that the far edge touches
    assert set(np.unique(found.labels)) == {0, WALL, FLOOR, CHAIR}
    assert_array_equal(found.labels[30:50, 30:50, 2], FLOOR)  # its middle is the third layer
    assert not found.labels[:, :, :2].any() and not found.labels[30:, 30:, 3:].any()
    assert_array_equal(found.labels[5:40, 0, 4:39], WALL)
    x = int(0.7 / VOXEL)
    assert_array_equal(np.flatnonzero(found.labels[x, x]), [2, 12])  # the floor, and the seat 0.48 m above it
    assert found.labels[x, x, 12] == CHAIR
    assert (found.vertices >= 0).all()
    assert found.labels.ravel()[found.vertices[12]] == CHAIR


def test_what_most_of_a_voxel_is():
    """A voxel that 60 % of one thing and 40 % of another share is the first; vertices alone decide only where nothing else is."""
    strip = joined(quad((0, 0, 0), (0.6, 0, 0), (0, 3, 0), FLOOR), quad((0.6, 0, 0), (2.4, 0, 0), (0, 3, 0), CHAIR))
    assert_array_equal(scan_columns_of(strip, "+Z", 1.0).labels[:2, 1, 2], [FLOOR, CHAIR])
    loose = Surface(np.concatenate([strip.vertices, [[1.5, 1.5, 1.2]]]), strip.faces, None, np.append(strip.labels, WALL), None)
    found = scan_columns_of(loose, "+Z", 1.0)
    assert found.vertices[-1] >= 0 and found.labels.ravel()[found.vertices[-1]] == 0  # no face names it


@pytest.mark.parametrize("up", AXES)
def test_whichever_axis_is_up(up):
    turn = upright(up)
    assert_allclose(turn @ axis_vector(up), [0, 0, 1])
    assert_allclose(np.linalg.det(turn), 1)
    plain = room()
    turned = Surface(plain.vertices @ turn, plain.faces, None, plain.labels, None)
    expected, found = scan_columns_of(plain, "+Z", VOXEL), scan_columns_of(turned, up, VOXEL)
    assert_array_equal(found.labels, expected.labels)
    assert_array_equal(found.vertices, expected.vertices)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_floor_among_outliers(noise):
    random = np.random.default_rng(0)
    floor = 1.25 + noise * random.standard_normal(5000)
    walls = random.uniform(1.25, 3.5, 12_000)
    far = np.concatenate([np.full(80, -40.0), np.full(500, 60.0), random.uniform(-3, 0, 60)])  # less than 1 % below
    heights = np.concatenate([walls, floor, far])
    assert_allclose(floor_level(heights, np.full(len(heights), 1e-4), VOXEL), 1.25, atol=0.006)


def test_a_floor_below_finely_meshed_furniture():
    """16 m2 of floor in faces of 10 cm, 1 m2 of a top 0.4 m above it in faces of 4 mm: more points, less area."""
    floor, top = sheet((0, 0, 0), 4.0, 0.1), sheet((1, 1, 0.4), 1.0, 0.004)
    vertices, faces = np.concatenate([floor[0], top[0]]), np.concatenate([floor[1], top[1] + len(floor[0])])
    labels = np.repeat([FLOOR, CHAIR], [len(floor[0]), len(top[0])])
    found = scan_columns_of(Surface(vertices, faces, None, labels, None), "+Z", VOXEL)
    assert_allclose(found.corner[2], -2.5 * VOXEL, atol=1e-9)
    assert (found.labels[:, :, 2] == FLOOR).mean() > 0.95


def test_faces_without_area_far_below_are_no_floor():
    plain = room()
    needle = np.array([[1, 1, -0.4], [1, 1.5, -0.4], [1, 2, -0.4]])
    both = np.concatenate([plain.vertices, needle])
    needles = np.tile([[20, 21, 22]], (500, 1))
    surface = Surface(both, np.concatenate([plain.faces, needles]), None, np.append(plain.labels, [CHAIR] * 3), None)
    assert_allclose(scan_columns_of(surface, "+Z", VOXEL).corner[2], -2.5 * VOXEL, atol=1e-9)
    alone = scan_columns_of(Surface(both, needles), "+Z", VOXEL)  # nothing has an area
    assert_allclose(alone.corner[2], -0.4 - 2.5 * VOXEL, atol=1e-9)


def test_points_far_below_and_above_are_left_out():
    outside = joined(quad((1, 1, -30), (0.05, 0, 0), (0, 0.05, 0), WALL), quad((9, 9, 50), (0.5, 0, 0), (0, 0.5, 0), WALL))
    plain = room()
    both = Surface(
        np.concatenate([plain.vertices, outside.vertices]),
        np.concatenate([plain.faces, outside.faces + len(plain.vertices)]),
        None,
        np.concatenate([plain.labels, outside.labels]),
        None,
    )
    found, expected = scan_columns_of(both, "+Z", VOXEL), scan_columns_of(plain, "+Z", VOXEL)
    assert_array_equal(found.labels, expected.labels)  # and the grid is no larger than the room
    assert_array_equal(found.vertices[: len(plain.vertices)], expected.vertices)
    assert_array_equal(found.vertices[len(plain.vertices) :], -1)


def test_kept_columns_by_hand():
    """Slabs of 31 x 31: 62 * 961 * 2 % = 1,191.6 voxels, so two layers of 961 are enough and one is not."""
    labels = np.zeros((SIDE, SIDE, HEIGHT), np.uint8)
    labels[..., 3] = FLOOR
    assert len(kept_columns(labels)) == 0
    labels[..., 4] = FLOOR
    kept = kept_columns(labels)
    assert (15, 15) in set(map(tuple, kept.tolist())) and (0, 0) not in set(map(tuple, kept.tolist()))
    assert_array_equal(kept, sorted(map(tuple, kept.tolist())))
    labels[..., 4] = 41  # half of what is occupied is not annotated
    assert len(kept_columns(labels)) == 0
    labels[:19, :, 4] = FLOOR  # 1 - 12 / 62 of it is
    assert (15, 15) in set(map(tuple, kept_columns(labels).tolist()))
    labels[15, 15] = 0
    assert (15, 15) not in set(map(tuple, kept_columns(labels).tolist()))  # an empty column: nothing to learn


@pytest.mark.parametrize("seed", range(3))
def test_kept_columns_are_those_of_the_definition(seed):
    random = np.random.default_rng(seed)
    labels = np.where(random.random((40, 37, HEIGHT)) < random.random((40, 37, 1)) * 0.05, random.integers(1, 42, (40, 37, 1)), 0)
    padded = np.pad(labels, ((15, 15), (15, 15), (0, 0)))
    expected = []
    for x, y in np.ndindex(40, 37):
        window = padded[x : x + SIDE, y : y + SIDE]
        occupied, annotated = (window > 0).sum(), ((window > 0) & (window < 41)).sum()
        if occupied >= 0.02 * window.size and annotated >= 0.7 * occupied and ((labels[x, y] > 0) & (labels[x, y] < 41)).any():
            expected.append((x, y))
    assert list(map(tuple, kept_columns(labels.astype(np.uint8)).tolist())) == expected and 0 < len(expected) < 40 * 37


def test_bad_surfaces_are_refused():
    plain = room()
    with pytest.raises(RefusedObject, match="no-faces"):
        scan_columns_of(Surface(plain.vertices, plain.faces[:0]), "+Z", VOXEL)
    with pytest.raises(RefusedObject, match="not-finite"):
        scan_columns_of(Surface(np.where(np.arange(len(plain.vertices))[:, None] == 3, np.nan, plain.vertices), plain.faces), "+Z", VOXEL)
    with pytest.raises(RefusedObject, match=r"bad-labels.*1 to 41"):
        scan_columns_of(Surface(plain.vertices, plain.faces, None, np.where(plain.labels == CHAIR, 41, plain.labels), None), "+Z", VOXEL)
    with pytest.raises(RefusedObject, match="too-large"):
        far = joined(quad((0, 0, 0), (1, 0, 0), (0, 1, 0), FLOOR), quad((900, 900, 0), (1, 0, 0), (0, 1, 0), FLOOR))
        scan_columns_of(far, "+Z", VOXEL)
