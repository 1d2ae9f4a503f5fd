"""Polygons into triangles: convex ones stay fans, concave ones are covered exactly, and what cannot be cut is counted."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import l9.readers.polygons
from l9.readers.ears import CORNER, cut_ears
from l9.readers.polygons import STEPS, TURNED, Polygons

TILT = Rotation.from_euler("xyz", [0.4, -0.7, 1.1]).as_matrix()
BEYOND = "{} concave faces cut into fans, which reach beyond them"
ARROW = [(0, 0), (2, -1), (0, 4), (-2, -1)]
BOX = [(0, 0), (6, 0), (6, 6), (0, 6)]


def hole(x, y):
    """A square of side 1 walked around clockwise, from its lower left corner back to it."""
    return [(x, y), (x, y + 1), (x + 1, y + 1), (x + 1, y), (x, y)]


def spiral(turns, count):
    angles = np.linspace(0, 2 * np.pi * turns, count)
    inner, outer = (np.stack([r * np.cos(angles), r * np.sin(angles)], axis=1) for r in (1 + angles, 3 + angles))
    return [*outer, *inner[::-1]]


def star(points, inner=0.3):
    angles = np.arange(2 * points) * np.pi / points
    radii = np.where(np.arange(2 * points) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


SHAPES = {
    "arrow": ARROW,
    "L": [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)],
    "U": [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)],
    "star": star(7),
    "spiral": spiral(2, 25),
    "corners on one line": [
        *((0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (3, 2), (3, 3), (3, 4)),
        *((2, 4), (2, 3), (2, 2), (2, 1), (1, 1), (1, 2), (1, 3), (0, 3), (0, 2), (0, 1)),
    ],
    "a hole": [(0, 0), *hole(1, 1), *BOX],
    "a chain of holes": [(0, 0), (1, 1), (1, 2), (2, 2), *hole(3, 3), (2, 2), (2, 1), (1, 1), *BOX],
    "holes from one corner": [(0, 0), *hole(1, 2), (0, 0), *hole(2, 1), *BOX],
    "holes along an edge": [*BOX, (0, 3), *hole(1, 3), (0, 3), (0, 1), *hole(1, 1), (0, 1)],
    "squares that touch": [(0, 0), (2, 0), (2, 2), (4, 2), (4, 4), (2, 4), (2, 2), (0, 2)],
    "an edge walked back": [(0, 0), (2, 0), (4, 0), (2, 0), (2, 2), (0, 2)],
    "a slit": [(0, 0), (4, 0), (4, 2), (1, 2), (4, 2), (4, 4), (0, 4)],
    "an edge walked back in steps": [(0, 0), (2, 0), (3, 0), (4, 0), (2, 0), (2, 2), (0, 2)],
    "a corner twice, one thrice": [(0, 0), (4, 0), (4, 0), (4, 0), (4, 4), (2, 1), (2, 1), (0, 4)],
    "triangles that touch, corners twice": [(0, 6), (0, 6), (0, 0), (3, 0), (6, 0), (6, 0), (6, 6), (3, 0)],
    "squares that touch, corners twice": [(0, 0), (0, 0), (2, 0), (2, 2), (4, 2), (4, 4), (4, 4), (2, 4), (2, 2), (2, 2), (0, 2)],
}  # fmt: skip


def tilted(plane, turn=TILT, place=(30.0, -20.0, 10.0)):
    plane = np.asarray(plane, float)
    return np.column_stack([plane, np.zeros(len(plane))]) @ turn.T + place


def cut(*faces):
    """Triangles and notes of faces that share no corners, each a list of points."""
    counts = np.array([len(face) for face in faces])
    return Polygons(np.arange(counts.sum()), counts).triangles(np.concatenate(faces).astype(float))


def fan(count):
    return [[0, k, k + 1] for k in range(1, count - 1)]


def area(plane):
    x, y = np.asarray(plane, float).T
    return (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2


def areas(plane, triangles):
    """Signed: above 0 where a triangle turns as the polygon does, which is to the left here."""
    a, b, c = np.asarray(plane, float)[triangles].swapaxes(0, 1)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (c - a)[:, 0] * (b - a)[:, 1]) / 2


def windings(plane, points):
    """How often a polygon goes around each point."""
    angles = np.unwrap([np.arctan2(*(np.asarray(plane, float) - point).T[::-1]) for point in points])
    return np.round((np.unwrap(np.column_stack([angles, angles[:, :1]]), axis=1) @ [-1, *[0] * (len(plane) - 1), 1]) / (2 * np.pi))


def assert_exact(plane, triangles):
    """Triangles of the polygon's own corners that cover it and nothing else, each side of theirs shared by two or one of the polygon's."""
    plane, found = np.asarray(plane, float), areas(plane, triangles)
    assert len(triangles) == len(plane) - 2
    assert found.min() >= -1e-9 * area(plane) and found.sum() == pytest.approx(area(plane), rel=1e-9)
    sides = {(int(one[k]), int(one[k - 2])) for one in triangles for k in range(3)}
    assert len(sides) == 3 * len(triangles), "two triangles run along one side in the same direction"
    assert {side for side in sides if side[::-1] not in sides} == {(k, (k + 1) % len(plane)) for k in range(len(plane))}
    large = triangles[found > 1e-6 * area(plane)]
    assert (windings(plane, plane[large].mean(axis=1)) == 1).all()


@given(st.lists(st.floats(0.1, 1), min_size=3, max_size=12), st.integers(0, 2**32 - 1), st.integers(0, 11))
def test_a_convex_face_stays_a_fan_around_its_first_corner(steps, seed, first):
    angles = np.cumsum(steps) / np.sum(steps) * 2 * np.pi
    points = tilted(
        np.roll(np.stack([np.cos(angles), 2 * np.sin(angles)], axis=1), first, axis=0), Rotation.random(random_state=seed).as_matrix()
    )
    triangles, notes = cut(points)
    assert triangles.tolist() == fan(len(points)) and triangles.dtype == np.int64 and notes == ()


@pytest.mark.parametrize("first", range(4))
def test_a_concave_quad_is_cut_along_the_diagonal_inside_of_it(first):
    plane = np.roll(ARROW, -first, axis=0)
    plane[plane[:, 1] == 0] = (0, 1)  # the hollow corner
    triangles, notes = cut(tilted(plane))
    assert triangles.tolist() == ([[0, 1, 2], [0, 2, 3]] if first % 2 == 0 else [[1, 2, 3], [1, 3, 0]]) and notes == ()
    assert_exact(plane, triangles)


@pytest.mark.parametrize("turn", [np.eye(3), TILT, -np.eye(3)], ids=["flat", "tilted", "mirrored"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_concave_face_is_covered_exactly_from_whichever_corner_it_begins(shape, turn):
    for first in range(len(SHAPES[shape])):
        plane = np.roll(SHAPES[shape], first, axis=0)
        triangles, notes = cut(tilted(plane, turn))
        assert notes == ()
        assert_exact(plane, triangles)


def test_the_plane_a_face_lies_in_changes_nothing():
    """Rounding puts corners of one line beside it by 1e-16 of the size, to either side: no slivers come of it."""
    plane = SHAPES["corners on one line"]
    for seed in range(100):
        turned = np.roll(plane, seed, axis=0)
        triangles, notes = cut(tilted(turned, Rotation.random(random_state=seed).as_matrix()))
        assert notes == ()
        assert_exact(turned, triangles)
        level = cut(tilted(turned, np.eye(3)))[0]
        assert (areas(turned, triangles) < 1e-9).sum() == (areas(turned, level) < 1e-9).sum()


def test_corners_along_a_straight_edge_get_triangles_with_an_area():
    edge = [(x, 0) for x in range(8)]
    for first in range(len(edge) + 3):
        plane = np.roll([*edge, (7, 3), (3, 1), (0, 3)], first, axis=0)
        triangles, _ = cut(tilted(plane))
        assert triangles.tolist() == fan(len(plane)) or areas(plane, triangles).min() > 0.1


@st.composite
def simple_polygons(draw):
    """Around one point at radii from 0.1 to 1, or tied through points anywhere without crossing."""
    count, generator = draw(st.integers(4, 24)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        angles = (np.arange(count) + generator.uniform(0, 0.9, count)) * 2 * np.pi / count
        return generator.uniform(0.1, 1, (count, 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ring = generator.uniform(size=(count, 2))
    while (crossing := _crossing(ring)) is not None:
        first, last = crossing
        ring[first + 1 : last + 1] = ring[first + 1 : last + 1][::-1].copy()  # each time the ring gets shorter
    return ring if area(ring) > 0 else ring[::-1]


def _crossing(ring):
    """The numbers of two edges that cross each other."""
    following = np.roll(ring, -1, axis=0)
    side = areas_of(ring[:, None], following[:, None], ring[None]) * areas_of(ring[:, None], following[:, None], following[None]) < 0
    found = np.argwhere(np.triu(side & side.T, 2))
    return tuple(found[0]) if len(found) else None


def areas_of(a, b, c):
    return (b - a)[..., 0] * (c - a)[..., 1] - (c - a)[..., 0] * (b - a)[..., 1]


@settings(deadline=None)
@given(simple_polygons(), st.integers(0, 2**32 - 1))
def test_any_simple_polygon_in_any_plane_is_covered_exactly(plane, seed):
    triangles, notes = cut(tilted(plane, Rotation.random(random_state=seed).as_matrix()))
    assert notes == ()
    if triangles.tolist() != fan(len(plane)) or areas(plane, triangles).min() >= 0:  # a fan may turn back by a thousandth
        assert_exact(plane, triangles)
    assert areas(plane, triangles).min() > -1.001 * TURNED * area(plane)


def test_each_face_is_cut_by_itself_and_keeps_its_place():
    """Triangles stay as many as corners less 2, so that whatever belongs to a face is found by counting."""
    square, small, lines = np.array(BOX), np.array(SHAPES["L"]), [(0, 0), (1, 1)]
    faces = [square, np.roll(ARROW, 1, axis=0), np.roll(small, 1, axis=0), lines, square[:3], np.roll(small, 2, axis=0), square]
    triangles, notes = cut(*map(tilted, faces))
    assert notes == ("1 faces with fewer than 3 corners left out",)
    ends, at = np.cumsum([len(face) for face in faces]), 0
    for face, end in zip(faces, ends, strict=True):
        own, at = triangles[at : at + max(len(face) - 2, 0)] - (end - len(face)), at + max(len(face) - 2, 0)
        if len(face) > 2:
            assert_exact(face, own)
    assert at == len(triangles)


def test_blocks_change_nothing(monkeypatch):
    shapes = [tilted(np.roll(plane, first, axis=0)) for plane in [*SHAPES.values(), BOX] for first in range(4)]
    whole = cut(*shapes)
    monkeypatch.setattr(l9.readers.polygons, "BLOCK", 10)
    np.testing.assert_array_equal(cut(*shapes)[0], whole[0])


@pytest.mark.parametrize(
    "points",
    [
        tilted([(0, 0), (1, 1), (1, 0), (0, 1)], np.eye(3), (0, 0, 0)),
        tilted([(0, 0), (1, 1), (2, 2), (2, 0), (1, 1), (0, 2)], np.eye(3), (0, 0, 0)),
        tilted([(0, 0), (3, 3), (3, 0), (0, 1)]),
        tilted([(0, 0), (0, 1), (3, 0), (3, 3)]),
        tilted([(math.cos(k * 0.8 * math.pi), math.sin(k * 0.8 * math.pi)) for k in range(5)]),
        tilted([(0, 0), (4, 0), (4, 4), (2, -1), (0, 4)]),
        np.array([(0, 0, 0), (21.82, -25.06, 0.4), (19.7, -22.79, -1.09), (2.62, 1.42, 1.79)]),  # of a tree in the furniture
    ],
    ids=["bow tie of area 0", "bow tie of six", "uneven bow tie", "from another corner", "pentagram", "edge crossed", "twisted"],
)
def test_a_face_that_turns_back_however_it_is_cut_stays_a_fan_and_is_counted(points):
    triangles, notes = cut(points, tilted(BOX), points)
    assert notes == (BEYOND.format(2),)
    assert triangles[: len(points) - 2].tolist() == fan(len(points))


@pytest.mark.parametrize(("scale", "place"), [(1e-6, 0), (1e-6, 1e-3), (1, 1e6), (1e6, 0), (1e50, 0)])
def test_concave_faces_of_any_size_and_anywhere_are_covered_exactly(scale, place):
    for shape in ("L", "star"):
        plane = np.roll(SHAPES[shape], 1, axis=0)
        triangles, notes = cut(tilted(plane, place=(0, 0, 0)) * scale + place)
        assert notes == ()
        assert_exact(plane, triangles)


@pytest.mark.parametrize("number", [1e-200, 1e100, 1e200, 8e307, np.inf, np.nan])
def test_numbers_without_an_area_are_read_without_a_warning(number):
    """Multiplied by it, and with an edge walked to there and back: none of them is worth a word, and each face keeps its triangles."""
    concave = np.array([(0, 1, 0), (0, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (1, 2, 0), (0, 2, 0)], float)
    spiked = np.insert(np.roll(concave, 1, axis=0), 3, [(number, 0, 0), (2, 0, 0)], axis=0)
    with np.errstate(invalid="ignore"):
        triangles, _ = cut(concave * number, spiked)
    assert len(triangles) == 5 + 7


def test_ears_follow_teeth_of_a_thousandth_of_the_size():
    plane = [*((k / 1000, k % 2 / 1000) for k in range(40)), (1, 1), (0, 1)]
    for first in range(len(plane)):
        turned = np.roll(plane, first, axis=0)
        triangles, _ = cut_ears(*turned.T.tolist(), STEPS)
        assert_exact(turned, np.array(triangles))


def test_ears_are_cut_within_a_budget():
    x, y = np.array(SHAPES["U"], float).T.tolist()
    triangles, spent = cut_ears(x, y, STEPS)
    assert (triangles, spent) == cut_ears(x, y, spent) and len(triangles) == 6
    assert cut_ears(x, y, spent - 1) == ([], spent - 1) and cut_ears(x, y, 0) == ([], 0)


def test_faces_beyond_the_budget_stay_fans_and_are_counted(monkeypatch):
    """Those that come first are cut; quads cost none of it."""
    el = np.roll(SHAPES["L"], 1, axis=0)
    _, spent = cut_ears(*np.array(el, float).T.tolist(), STEPS)
    monkeypatch.setattr(l9.readers.polygons, "STEPS", 2 * spent + 1)
    triangles, notes = cut(*[tilted(el)] * 5, tilted(np.roll(ARROW, 1, axis=0)))
    assert notes == (BEYOND.format(3),)
    for face in range(2):
        assert_exact(el, triangles[4 * face : 4 * face + 4] - 6 * face)
    assert [(triangles[4 * face : 4 * face + 4] - 6 * face).tolist() == fan(6) for face in range(5)] == [False, False, True, True, True]
    assert_exact(np.roll(ARROW, 1, axis=0), triangles[20:] - 30)


def test_a_face_too_large_for_the_budget_takes_nothing_from_the_others(monkeypatch):
    large, el = star(50), np.roll(SHAPES["L"], 1, axis=0)
    monkeypatch.setattr(l9.readers.polygons, "STEPS", CORNER * len(large))
    triangles, notes = cut(tilted(el), tilted(large), tilted(el))
    assert notes == (BEYOND.format(1),) and (triangles[4 : 2 + len(large)] - 6).tolist() == fan(len(large))
    assert_exact(el, triangles[:4])
    assert_exact(el, triangles[-4:] - 6 - len(large))
