"""Composed rooms: nothing stands in anything else, everything is inside the walls, and a camera walks through freely."""

import csv
import dataclasses
import math
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from household import CATALOG
from hypothesis import given, settings
from hypothesis import strategies as st

from l9.errors import DataError, UsageError
from l9.geometry import solids
from l9.geometry.scene import raycasting_scene
from l9.readers.contract import Found
from l9.sources.rooms import made
from l9.sources.rooms.boxes import Box, distances, hits, overlap
from l9.sources.rooms.catalog import LABEL_OF, Furniture, catalog_of, furniture_of
from l9.sources.rooms.compose import ATTEMPTS, KINDS, arranged_room, compose_room
from l9.sources.rooms.looks import in_sight, in_view, sights, turns
from l9.sources.rooms.path import floor_path
from l9.sources.rooms.placing import GAP, pose_of
from l9.sources.rooms.plan import Plan, draw_plan
from l9.sources.rooms.roles import RULES
from l9.sources.rooms.thing import NYU40, Material, Model
from l9.sources.rooms.tops import heights_below, resting_height

LABELS = Path(__file__).parent.parent / "datasets" / "furniture" / "labels.csv"
MADE_OF = {"table": solids.table, "chair": solids.chair, "cup": solids.cylinder}
SEEDS = (0, 1, 2, 3, 11, 12, 21)  # all six kinds of rooms
UP = np.array([0.0, 0.0, 1.0])


@cache
def model(identity):
    """A solid stretched to its catalog's size: +Y up, standing on y = 0."""
    furniture = next(one for one in CATALOG if one.id == identity)
    solid = MADE_OF.get(furniture.kind, solids.box)(np.random.default_rng(5))
    low, high = solid.vertices.min(axis=0), solid.vertices.max(axis=0)
    size = np.array([furniture.width, furniture.height, furniture.depth])
    vertices = (solid.vertices - [(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2]) / (high - low) * size
    count = len(solid.faces)
    return Model(vertices, solid.faces, (Material(),), np.zeros(count, np.int64), np.zeros((count, 3, 2)))


@cache
def composed(seed):
    """A room, and the arrangement it was made of: the first attempt's with as many things of the same names."""
    room = compose_room(CATALOG, model, seed=seed, frames=60)
    for attempt in range(ATTEMPTS):
        arranged, shell, lights = arranged_room(CATALOG, model, seed=seed, attempt=attempt)
        names = [thing.name for thing in (*shell, *(one.own for one in arranged.placed))]
        if names == [thing.name for thing in room.things] and all(
            (one.place == other.place).all() for one, other in zip(lights, room.lights, strict=True)
        ):
            return room, arranged
    raise AssertionError(f"room {seed} is none of its attempts")


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_nothing_stands_in_anything_else(seed):
    room, _, _ = arranged_room(CATALOG, model, seed=seed)
    assert len(room.placed) > 10
    for number, one in enumerate(room.placed):
        for other in room.placed[:number]:
            assert room.placed[one.on] is other if one.on >= 0 and overlap(one.box, other.box) else not overlap(one.box, other.box)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_everything_is_within_its_box_and_the_walls(seed):
    room, _, _ = arranged_room(CATALOG, model, seed=seed)
    for one in room.placed:
        vertices = (one.thing().model.vertices - [one.box.x, one.box.y, one.box.low]) @ pose_of(one.box)[:3, :3]
        half = np.array([one.box.width, one.box.depth]) / 2
        assert (np.abs(vertices[:, :2]) <= half + 1e-6).all()
        assert vertices[:, 2].min() >= -1e-6 and vertices[:, 2].max() <= one.box.high - one.box.low + 1e-6
        if one.role not in ("door", "window"):
            assert room.plan.holds(one.box), one.role


def test_what_hangs_has_a_wall_behind_it():
    """Both ends of its back are at one wall, within that wall's own length: an L has walls that end within the room."""
    checked = 0
    for seed in (*range(40), *SEEDS):
        plan, placed = (room := arranged_room(CATALOG, model, seed=seed)[0]).plan, room.placed
        for one in (one for one in placed if one.role in ("picture", "wall lamp", "wall television", "radiator")):
            ends = np.array([one.box.at(side * one.box.width / 2, -one.box.depth / 2) for side in (-1, 1)])
            at_one = [
                ((along >= 0) & (along <= wall.length) & (np.abs((ends - wall.start) @ wall.inward) < 0.05)).all()
                for wall in plan.walls
                for along in [(ends - wall.start) @ wall.direction]
            ]
            assert any(at_one), (seed, one.role, one.box)
            checked += bool(plan.blocks)
    assert checked > 10, "in rooms of an L's shape"


def test_things_on_others_touch_them():
    checked = 0
    for seed in SEEDS:
        room = composed(seed)[1]
        for one in (one for one in room.placed if one.on >= 0):
            host = room.placed[one.on].thing().model
            scene = raycasting_scene(host.vertices, host.faces)
            corners = one.box.grown(-0.02).corners() if min(one.box.width, one.box.depth) > 0.05 else one.box.corners()
            rays = np.array([[x, y, one.box.low + 0.01, 0, 0, -1] for x, y in corners], np.float32)
            assert np.allclose(scene.cast_rays(rays)["t_hit"].numpy(), 0.01, atol=1e-4), one.role
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_every_pose_is_inside_and_free(seed):
    room, arranged = composed(seed)
    eyes = room.poses[:, :3, 3]
    assert room.poses.shape == (60, 4, 4)
    assert arranged.plan.far_from_walls(eyes[:, :2], 0.25 - 1e-6).all()
    assert (eyes[:, 2] >= 1.2).all() and (eyes[:, 2] <= 1.7).all()
    for one in arranged.placed:
        across = distances(eyes[:, :2], one.box)
        above = np.maximum(np.maximum(one.box.low - eyes[:, 2], eyes[:, 2] - one.box.high), 0)
        assert (np.hypot(across, above) >= 0.25 - 1e-6).all(), one.role


@pytest.mark.parametrize("seed", SEEDS)
def test_looks_are_level_slow_and_show_the_room(seed):
    room, arranged = composed(seed)
    assert np.allclose(room.poses[:, :3, :3] @ room.poses[:, :3, :3].transpose(0, 2, 1), np.eye(3), atol=1e-9)
    assert np.allclose(room.poses[:, 2, 0], 0, atol=1e-9) and (room.poses[:, 2, 1] < 0).all()  # the horizon is level, y points down
    down = np.degrees(np.arcsin(-room.poses[:, 2, 2]))
    assert down.min() >= 10 - 1e-6 and down.max() <= 35 + 1e-6
    assert 0 < turns(room.poses).max() < 15
    boxes = [one.box for one in arranged.placed]
    points = sights(arranged.plan, boxes)
    seen, could = np.zeros(len(points), np.bool_), np.zeros(len(points), np.bool_)
    for pose in room.poses:
        yaw, pitch = math.atan2(pose[1, 2], pose[0, 2]), math.asin(-pose[2, 2])
        visible = in_sight(pose[:3, 3], points, [*boxes, *arranged.plan.blocks])
        could |= visible
        seen |= visible & in_view(pose[:3, 3], yaw, pitch, points)
    assert could.sum() > 50 and seen.sum() > 0.65 * could.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_room_has_all_its_parts(seed):
    room, _ = composed(seed)
    labels = Counter(thing.label for thing in room.things)
    assert labels["wall"] in (4, 6) and labels["floor"] == labels["ceiling"] == 1
    assert labels["door"] and labels["window"]
    assert sum(bool(thing.source) and thing.label not in ("door", "window") for thing in room.things) >= 6
    assert labels.keys() <= NYU40.keys()
    assert 2 <= len(room.lights) <= 7
    for thing in room.things:
        faces = len(thing.model.faces)
        assert thing.model.uv.shape == (faces, 3, 2) and thing.model.material_of.shape == (faces,)
        assert thing.model.material_of.max() < len(thing.model.materials)


def test_seeds_cover_all_kinds():
    assert {KINDS[int(np.random.default_rng([seed, 0]).integers(len(KINDS)))] for seed in SEEDS} == set(KINDS)


def test_the_same_seed_gives_the_same_room():
    one, other = (compose_room(CATALOG, model, seed=7, frames=20) for _ in range(2))
    assert [thing.name for thing in one.things] == [thing.name for thing in other.things]
    assert one.poses.tobytes() == other.poses.tobytes()
    for mine, theirs in zip(one.things, other.things, strict=True):
        assert mine.model.vertices.tobytes() == theirs.model.vertices.tobytes()
        assert mine.model.materials[0].colour == theirs.model.materials[0].colour
    assert compose_room(CATALOG, model, seed=8, frames=20).poses.tobytes() != one.poses.tobytes()


def test_chairs_face_their_table():
    faced = 0
    for seed in SEEDS:
        room = composed(seed)[1]
        tables = [one.box for one in room.placed if one.role in ("dining table", "desk")]
        for chair in (one.box for one in room.placed if one.role == "chair"):
            table = min(tables, key=lambda box: float(distances(np.array([[chair.x, chair.y]]), box)[0]))
            reach = np.array([chair.at(0.0, step) for step in np.linspace(0, 1.2, 60)])
            assert (distances(reach, table) == 0).any()
            faced += 1
    assert faced >= 6


def test_openings_are_cut_and_filled():
    room, arranged = composed(3)
    walls = [thing.model for thing in room.things if thing.label == "wall"]
    for one in (one for one in arranged.placed if one.role in ("door", "window")):
        outside = np.array([*one.box.at(0.0, -1.0), (one.box.low + one.box.high) / 2])
        ray = np.array([[*outside, *one.box.front, 0]], np.float32)
        for wall in walls:
            hit = float(raycasting_scene(wall.vertices, wall.faces).cast_rays(ray)["t_hit"].numpy()[0])
            assert hit > 1.5, "a wall is in the hole"


def test_walls_are_closed():
    for thing in composed(2)[0].things[:3]:
        corners = np.unique(np.round(thing.model.vertices, 6), axis=0, return_inverse=True)[1][thing.model.faces]
        edges = Counter((a, b) for face in corners for a, b in zip(face, np.roll(face, -1), strict=True))
        unmatched = sum(edges[edge] != edges[edge[::-1]] for edge in edges)
        assert thing.label == "wall" and unmatched == 0 and len(edges) > 24


def test_folds_share_no_model_between_splits():
    parts = {split: {one.id for one in catalog_of(CATALOG, split)} for split in ("train", "validation", "test")}
    assert all(parts.values()) and sum(map(len, parts.values())) == len(CATALOG)
    assert {one.fold for one in catalog_of(CATALOG, "test")} == {0}
    assert {one.fold for one in catalog_of(CATALOG, "validation")} == {1}
    assert {one.fold for one in catalog_of(CATALOG, "train")} == {2, 3, 4}
    with pytest.raises(UsageError, match="no split 'tset'"):
        catalog_of(CATALOG, "tset")


def test_every_class_of_the_furniture_set_has_a_label():
    with LABELS.open(encoding="utf-8") as stream:
        kinds = {row["class"] for row in csv.DictReader(stream)} - {"other"}
    assert kinds == LABEL_OF.keys()
    assert set(LABEL_OF.values()) <= NYU40.keys()
    assert {rule.kind for rule in RULES} <= kinds
    ids = list(NYU40.values())
    assert sorted(ids) == list(range(1, 41))


def test_furniture_leaves_out_what_cannot_stand_in_a_room():
    rows = {name: {"class": "chair", "fold": "2", "name": "Chair"} for name in ("good", "bad", "huge", "flat", "sizeless")}
    rows["vague"] = {"class": "other", "fold": "2", "name": "Rock"}
    sizes = {"good": [0.4, 0.9, 0.5], "bad": [0.4, 0.9, 0.5], "huge": [4.0, 0.9, 0.5], "flat": [0.4, 0.9, 0.001], "vague": [1.0, 1.0, 1.0]}
    found = [Found(name, ("a.sh3f",), facts={"size": sizes[name]} if name in sizes else {}) for name in (*rows, "unknown")]
    assert furniture_of(found, rows, {"bad"}) == (Furniture("good", "chair", "Chair", 0.4, 0.5, 0.9, 2),)


def test_a_model_larger_than_its_catalog_is_refused():
    def larger(identity):
        return dataclasses.replace(model(identity), vertices=model(identity).vertices * 1.1)

    with pytest.raises(DataError, match="the model reaches from"):
        compose_room(CATALOG, larger, seed=0, frames=5)


def test_no_furniture_is_an_error_not_a_loop():
    with pytest.raises(DataError, match="room 4: no room with 6 pieces"):
        compose_room((), model, seed=4, frames=5)


def test_a_full_floor_has_no_path():
    plan, random = Plan(3.0, 3.0, 2.5), np.random.default_rng(0)
    full = Box(1.5, 1.5, 2.4, 2.4, 0.0, 1.0)
    assert floor_path(plan, [full], 10, random) is None
    assert floor_path(plan, [dataclasses.replace(full, high=0.02)], 10, random).shape == (10, 2)


def test_boxes_know_what_overlaps():
    one = Box(0.0, 0.0, 1.0, 1.0, 0.0, 1.0)
    assert not overlap(one, Box(1.0, 0.0, 1.0, 1.0, 0.0, 1.0)) and not overlap(one, Box(0.0, 0.0, 1.0, 1.0, 1.0, 2.0))
    assert overlap(one, Box(1 - GAP, 0.0, 1.0, 1.0, 0.0, 1.0))
    diamond = Box(1.1, 1.1, 1.0, 1.0, 0.0, 1.0, math.pi / 4)  # its bounding box reaches into the other, it does not
    assert not overlap(one, diamond) and overlap(one, dataclasses.replace(diamond, x=0.8, y=0.8))
    assert np.allclose(distances(np.array([[2.0, 0.0], [0.1, 0.2], [1.5, 1.5]]), one), [1.5, 0, math.sqrt(2)])
    eye, beyond = np.array([-2.0, 0.0, 0.5]), np.array([[2.0, 0.0, 0.5], [2.0, 5.0, 0.5], [-1.0, 0.0, 0.5]])
    assert hits(eye, beyond, one).tolist() == [True, False, False]


def test_rays_find_the_highest_surface():
    table = made.counter((1.2, 0.6, 0.9), np.random.default_rng(1))
    assert np.allclose(heights_below(table, np.array([[0.0, 0.0], [0.55, 0.25]])), 0.9)
    assert heights_below(table, np.array([[0.7, 0.0]]))[0] == -np.inf
    assert resting_height(table, Box(0.0, 0.0, 0.2, 0.2, 0.0, 0.1, 0.3)) == pytest.approx(0.9)
    assert resting_height(table, Box(0.6, 0.0, 0.2, 0.2, 0.0, 0.1)) is None  # half of it has nothing below


@given(st.integers(0, 10**6))
def test_plans_have_the_asked_sizes(seed):
    plan = draw_plan(np.random.default_rng(seed))
    assert 3 <= plan.width <= 6.5 and 3 <= plan.depth <= 6 and 2.4 <= plan.height <= 2.8
    starts, ends = np.array([wall.start for wall in plan.walls]), np.array([wall.end for wall in plan.walls])
    area = float((starts[:, 0] * ends[:, 1] - ends[:, 0] * starts[:, 1]).sum()) / 2
    assert area == pytest.approx(plan.area) and plan.area > 6  # positive: counter-clockwise
