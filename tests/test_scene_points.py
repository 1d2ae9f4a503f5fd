"""Scans to blocks of labelled points: nine numbers a point, every vertex somewhere, and scans that cannot be such blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject, UsageError
from l9.geometry.scan import Scan, Surface
from l9.stages import scene_points
from l9.stages.contract import run_stages

NO_FACES = np.zeros((0, 3), np.int64)


def scan(count=3000, sides=(2.5, 1.7, 2.0), labels=True, seed=0, **fields):
    """Vertices all over a box that stands anywhere; a label of each is its number modulo 5."""
    draw = np.random.default_rng(seed)
    vertices = draw.random((count, 3)) * sides + [10, -20, 3]
    numbers = np.arange(count)
    known = {"labels": numbers % 5, "instances": numbers % 7} if labels else {}
    return Scan(surface=Surface(vertices, NO_FACES, **{"colours": draw.integers(0, 256, (count, 3)).astype(np.uint8), **known, **fields}))


def rows(subject, **arguments):
    return list(run_stages(subject, [(scene_points, arguments)], object_id="scene0000_00"))


def test_nine_numbers_a_point_as_the_authors_have_them():
    subject = scan()
    surface, found = subject.surface, rows(subject, count=256)
    low, high = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
    for row in found:
        at = surface.vertices[row["vertices"]]
        points = row["points"]
        assert points.shape == (256, 9) and points.dtype == np.float32
        middle = np.array([at[:, 0].min() + 0.5, at[:, 1].min() + 0.5, low[2]])
        assert_allclose(points[:, :3], at - middle, atol=1e-5)
        assert_allclose(points[:, 3:6], surface.colours[row["vertices"]] / 255, atol=1e-6)
        assert_allclose(points[:, 6:], (at - low) / (high - low), atol=1e-6)
        assert (np.abs(points[:, :2]) <= 0.5 + 1e-6).all() and (points[:, 2] >= 0).all()
        assert_array_equal(row["labels"], row["vertices"] % 5)
        assert_allclose(row["room"], high - low, rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"stride": 0.5}, {"count": 100}, {"block": 1.5, "stride": 1.5, "count": 8192}])
def test_every_vertex_stands_in_a_row(arguments):
    found = rows(scan(), **arguments)
    assert set(np.concatenate([row["vertices"] for row in found]).tolist()) == set(range(3000))


def test_a_full_block_takes_as_many_rows_as_it_needs_and_repeats_in_none_of_them():
    found = rows(scan(count=1000, sides=(0.9, 0.9, 1)), count=300)
    assert len(found) == 4
    assert all(len(set(row["vertices"].tolist())) == 300 for row in found)
    assert len(set(np.concatenate([row["vertices"] for row in found[:3]]).tolist())) == 900


def test_a_block_of_few_points_gives_each_about_equally_often():
    (row,) = rows(scan(count=7, sides=(0.5, 0.5, 0.5)), count=100)
    assert set(np.bincount(row["vertices"]).tolist()) == {14, 15}


def test_blocks_of_too_few_points_are_left_out_and_noted():
    subject = scan(count=500, sides=(0.9, 0.9, 1))
    far = subject.surface.vertices.min(axis=0) + np.array([5, 0.1, 0])
    surface = Surface(
        np.vstack([subject.surface.vertices, far[None]]), NO_FACES, np.vstack([subject.surface.colours, [[1, 2, 3]]]).astype(np.uint8)
    )
    kept = Scan(surface=surface)
    assert {500} <= set(np.concatenate([row["vertices"] for row in rows(kept, count=64)]).tolist()) and kept.notes == []
    noted = Scan(surface=surface)
    found = rows(noted, count=64, least=100)
    assert set(np.concatenate([row["vertices"] for row in found]).tolist()) == set(range(500))
    assert noted.notes == ["1 vertices stand in blocks of fewer than 100 alone: left out"]
    with pytest.raises(RefusedObject, match="no-points: no block of 1,000 vertices or more"):
        rows(Scan(surface=surface), least=1000)


def test_one_seed_one_result_and_no_two_scans_alike():
    again, same, other = rows(scan(), count=64, seed=4), rows(scan(), count=64, seed=4), rows(scan(), count=64, seed=5)
    for one, two, three in zip(again, same, other, strict=True):
        assert_array_equal(one["vertices"], two["vertices"])
        assert not np.array_equal(one["vertices"], three["vertices"])
    elsewhere = list(run_stages(scan(), [(scene_points, {"count": 64, "seed": 4})], object_id="scene0001_00"))
    assert not np.array_equal(elsewhere[0]["vertices"], again[0]["vertices"])


def test_a_scan_without_labels_has_zeros():
    assert not any(row["labels"].any() for row in rows(scan(labels=False)))


def test_another_axis_may_point_up():
    subject = scan()
    turned = Surface(subject.surface.vertices[:, [1, 2, 0]], NO_FACES, subject.surface.colours)  # x is now the height
    found = rows(Scan(surface=turned, up="+X"), block=1.0, count=128)
    assert len(found) == len(rows(Scan(surface=Surface(turned.vertices[:, [1, 2, 0]], NO_FACES, turned.colours)), block=1.0, count=128))
    assert all((row["points"][:, 0] >= 0).all() and (np.abs(row["points"][:, 1:3]) <= 0.5 + 1e-6).all() for row in found)


@pytest.mark.parametrize("up", ["-X", "-Y", "-Z"])
def test_heights_count_from_the_lowest_point_where_a_minus_axis_points_up(up):
    """The room of +Z stood on its head: the same heights, with the other sign; places within the room from its least corner."""
    axis = "XYZ".index(up[1])
    subject = scan()
    turned = np.roll(subject.surface.vertices * [1, 1, -1], axis - 2, axis=1)
    found = rows(Scan(surface=Surface(turned, NO_FACES, subject.surface.colours), up=up), count=128)
    low = subject.surface.vertices[:, 2].min()
    for row in found:
        assert_allclose(-row["points"][:, axis], subject.surface.vertices[row["vertices"], 2] - low, atol=1e-5)
        shares = (turned[row["vertices"]] - turned.min(axis=0)) / np.ptp(turned, axis=0)
        assert_allclose(row["points"][:, 6:], shares, atol=1e-6)


def test_a_block_may_give_its_first_rows_alone_and_what_is_left_is_noted():
    subject = scan(count=1000, sides=(0.9, 0.9, 1))
    whole, few = rows(scan(count=1000, sides=(0.9, 0.9, 1)), count=300), rows(subject, count=300, rows=1)
    assert len(whole) == 4 and len(few) == 1 and subject.notes == ["700 vertices of blocks that hold more than their rows take: left out"]
    assert_array_equal(few[0]["vertices"], whole[0]["vertices"])
    dense = scan(count=3000)
    assert len(rows(dense, count=64, stride=0.5, rows=1)) == 4 * 3  # of 2.5 by 1.7 m


def test_vertices_that_are_nowhere_are_left_out_and_noted():
    subject = scan()
    subject.surface.vertices[[5, 6], 1] = np.nan, np.inf
    found = rows(subject, count=200)
    assert set(np.concatenate([row["vertices"] for row in found]).tolist()) == set(range(3000)) - {5, 6}
    assert all(np.isfinite(row["points"]).all() for row in found)
    assert subject.notes == ["2 of 3,000 vertices are not finite: left out"]


def test_a_vertex_far_outside_the_room_has_a_block_of_its_own():
    subject = scan()
    subject.surface.vertices[0] += [40.0, 0, 0]
    found = rows(subject, count=4096)
    alone = [row for row in found if set(row["vertices"].tolist()) == {0}]
    assert len(alone) == 1 and len(found) <= 1 + 3 * 2
    assert alone[0]["points"][0, 6] == 1.0


def flat():
    return Surface(np.array([[0.0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]), NO_FACES, np.zeros((3, 3), np.uint8))


def test_a_room_without_height_has_places_of_nothing():
    (row,) = rows(Scan(surface=flat()), count=8)
    assert not row["points"][:, [2, 8]].any() and np.isfinite(row["points"]).all()


@pytest.mark.parametrize(
    ("surface", "words"),
    [
        (None, "no-surface: frames alone"),
        (Surface(np.zeros((4, 3)), NO_FACES), "no-colours: 4 vertices"),
        (Surface(np.full((4, 3), np.nan), NO_FACES, np.zeros((4, 3), np.uint8)), "no-points: 4 vertices, none of them finite"),
        (Surface(np.zeros((0, 3)), NO_FACES, np.zeros((0, 3), np.uint8)), "no-points: 0 vertices"),
        (Surface(np.eye(3) * 1e5, NO_FACES, np.zeros((3, 3), np.uint8)), "too-large: 100,000 metres"),
        (Surface(np.eye(3), NO_FACES, np.zeros((3, 3), np.uint8), np.array([0, 1, 256]), np.zeros(3, np.int64)), "bad-label: .*0 to 256"),
        (Surface(np.eye(3), NO_FACES, np.zeros((3, 3), np.uint8), np.array([0, -1, 2]), np.zeros(3, np.int64)), "bad-label: .*-1 to 2"),
    ],
)
def test_scans_that_have_no_such_blocks_are_refused(surface, words):
    with pytest.raises(RefusedObject, match=words):
        rows(Scan(surface=surface))


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": 0},
        {"count": 1 << 21},
        {"block": 0.0},
        {"block": float("nan")},
        {"stride": 1.5},
        {"stride": 0.01},
        {"least": 0},
        {"rows": 0},
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments):
    with pytest.raises(UsageError, match="stage scene_points"):
        rows(scan(), **arguments)
