"""Rooms by ray casting: depths that can be told by hand, pictures the right way up, shadows, and a sensor's noise."""

from dataclasses import replace

import numpy as np
import pytest
from room_by_hand import CAMERA, SIDES, room

from l9.geometry.camera import Pinhole, back_project, moved
from l9.sources.rooms.paint import encoded, linear
from l9.sources.rooms.scanner import scan_room, shown
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.thing import NYU40


@pytest.fixture(scope="module")
def frames():
    return list(scan_room(room(), CAMERA))


def test_depth_is_along_the_axis_and_exact(frames):
    seen = frames[0]
    picture = seen.instances == 4
    assert picture[20:40, 30:50].all()
    np.testing.assert_allclose(seen.exact[picture], 2.0, atol=2e-6)
    wall = (seen.instances == 2) & (seen.normals @ [0, 0, -1.0] > 0.99)
    assert wall[30, 0]
    assert wall[30, 79]  # at the border a ray is 2.3 m long
    np.testing.assert_allclose(seen.exact[wall], 2.01, atol=2e-6)


def test_every_point_lies_on_a_surface_of_the_room(frames):
    for seen, pose in zip(frames, room().poses, strict=True):
        points = moved(back_project(seen.exact, CAMERA), pose)
        assert len(points) == CAMERA.width * CAMERA.height
        walls = np.minimum(np.abs(points), np.abs(points - SIDES)).min(axis=1)
        cube = np.abs(np.abs(points - [2.0, 2.5, 0.25]).max(axis=1) - 0.25)
        art = np.abs(points[:, 1] - 4.99)
        assert np.minimum(np.minimum(walls, cube), art).max() < 1e-5


def test_labels_instances_and_normals_are_of_what_is_seen(frames):
    seen = frames[1]
    assert set(np.unique(seen.instances)) == {1, 2, 3, 4}
    for instance, label in ((1, "floor"), (2, "wall"), (3, "chair"), (4, "picture")):
        assert set(seen.labels[seen.instances == instance]) == {NYU40[label]}
    world = seen.normals @ room().poses[1][:3, :3].T
    np.testing.assert_allclose(world[seen.instances == 1], np.broadcast_to([0, 0, 1], (int((seen.instances == 1).sum()), 3)), atol=1e-6)
    assert (np.einsum("ijk,ijk->ij", seen.normals, CAMERA.directions()) < 0).all()  # towards the camera


def test_backs_of_faces_are_lit_and_look_at_the_camera():
    turned = room()
    walls = turned.things[1]
    flipped = replace(walls, model=replace(walls.model, faces=walls.model.faces[:, ::-1]))
    again = next(scan_room(replace(turned, things=(turned.things[0], flipped, *turned.things[2:])), CAMERA))
    first = next(scan_room(turned, CAMERA))
    np.testing.assert_array_equal(again.normals, first.normals)
    assert np.abs(again.frame.colour.astype(int) - first.frame.colour).max() <= 1


def test_a_picture_hangs_upright_and_is_not_mirrored(frames):
    seen = frames[0]
    rows, columns = np.nonzero(seen.instances == 4)
    low, high = (rows.min(), columns.min()), (rows.max(), columns.max())
    corners = [seen.frame.colour[row, column].astype(int) for row in (low[0] + 2, high[0] - 2) for column in (low[1] + 2, high[1] - 2)]
    red, green, blue, yellow = corners
    for colour, bright in ((red, [0]), (green, [1]), (blue, [2]), (yellow, [0, 1])):
        dark = [channel for channel in range(3) if channel not in bright]
        assert colour[bright].min() > 2 * colour[dark].max(), corners


def test_a_cube_casts_a_shadow_away_from_the_light():
    lit = room()
    floor = list(scan_room(lit, CAMERA, smooth=False))[1]
    points = moved(CAMERA.directions() * floor.exact[..., None], lit.poses[1])
    on_floor = floor.instances == 1
    behind = on_floor & (points[..., 0] > 2.3) & (points[..., 0] < 2.5) & (np.abs(points[..., 1] - 2.5) < 0.2)
    before = on_floor & (points[..., 0] > 1.4) & (points[..., 0] < 1.6) & (np.abs(points[..., 1] - 2.5) < 0.2)
    assert behind.sum() > 3
    assert before.sum() > 3
    light = linear(floor.frame.colour / np.float32(255))
    assert light[behind].max() < 0.6 * light[before].min()
    assert light[behind].min() > 0.01  # light from the walls reaches it


def test_brightness_is_what_a_light_says_it_is():
    """A grey floor 2.5 m below a lamp of power 2: 2 / 2.5^2 of its colour, and what the walls give back."""
    lit = room()
    below = replace(lit, poses=lit.poses[1:2], things=lit.things[:2])
    dark = replace(below, lights=(replace(lit.lights[0], place=np.array([1.0, 2.5, -2.5])),))  # below the floor: walls alone give light
    scans = [next(scan_room(one, CAMERA, smooth=False)) for one in (below, dark)]
    points = moved(CAMERA.directions() * scans[0].exact[..., None], below.poses[0])
    near = (np.linalg.norm(points - [1.0, 2.5, 0.0], axis=-1) < 0.15) & (scans[0].instances == 1)
    assert near.any()
    direct = linear(scans[0].frame.colour[near] / np.float32(255)) - linear(scans[1].frame.colour[near] / np.float32(255))
    np.testing.assert_allclose(direct, 0.9 * linear(np.array(0.5, np.float32)) * 2 / 2.5**2, rtol=0.05)


def test_edges_are_the_mean_of_four_rays():
    hard, soft = (next(scan_room(room(), CAMERA, smooth=smooth)) for smooth in (False, True))
    np.testing.assert_array_equal(hard.exact, soft.exact)
    differ = (hard.frame.colour != soft.frame.colour).any(axis=-1)
    assert 0 < differ.mean() < 0.2
    assert not differ[28:32, 5:15].any()  # in the midst of a wall nothing changes


def test_pixels_that_meet_nothing_are_zeros():
    outside = room()
    alone = replace(outside, things=outside.things[2:3])
    seen = list(scan_room(alone, CAMERA))[1]
    empty = seen.instances == 0
    assert 0.3 < empty.mean() < 1
    for values in (seen.exact, seen.labels, seen.normals, seen.frame.colour[~_grown(~empty)]):
        picture = values[empty] if values.shape[:2] == empty.shape else values
        assert not picture.any()


def _grown(mask):
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def test_noise_is_seeded_and_grows_with_the_square_of_depth():
    camera = Pinhole.of_field(160, 120, 40.0)
    first, again, other = (list(scan_room(room(), camera, sensor=Sensor(), seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0].frame.depth, again[0].frame.depth)
    assert (first[0].frame.depth != other[0].frame.depth).mean() > 0.5
    np.testing.assert_array_equal(first[0].exact, other[0].exact)
    for seen in (first[0], first[2]):
        kept = seen.frame.depth > 0
        assert kept.mean() > 0.9
        error = (seen.frame.depth - seen.exact)[kept] / seen.exact[kept] ** 2
        assert error.std() == pytest.approx(1.425e-3, rel=0.05)
        assert np.abs(error).max() < 6 * 1.425e-3
        np.testing.assert_allclose(seen.frame.depth * 1000, np.rint(seen.frame.depth * 1000), atol=1e-3)


def test_a_sensor_loses_what_is_near_far_grazing_or_at_an_edge():
    depth = np.full((40, 60), 2.0, np.float32)
    depth[:, 30:] = 4.0
    depth[:10, :10], depth[:10, 50:], depth[30:, 50:] = 0.25, 9.0, 0.0
    cosine = np.ones_like(depth)
    cosine[20:, :10] = 0.05
    measured = Sensor().measured(depth, cosine, np.random.default_rng(0))
    for lost in (measured[:10, :10], measured[:10, 50:], measured[30:, 50:], measured[20:, :10]):
        assert not lost.any()
    edge = measured[:, 29:31] == 0
    assert 0.25 < edge.mean() < 0.75
    assert (measured[12:18, 2:26] > 0).all()


def test_colours_go_to_light_and_back():
    values = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(encoded(linear(values)), values, atol=1e-5)
    bytes_shown = shown(linear(values))
    assert (np.abs(bytes_shown[:200].astype(int) - np.arange(200)) <= 1).all()
    bright = shown(np.linspace(0, 10, 1000, dtype=np.float32))
    assert (np.diff(bright.astype(int)) >= 0).all()
    assert bright[-1] == 255
