"""Frames to key point matches: what each column says, checked against the room, the pictures and OpenCV."""

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
from dotted_room import CAMERA, apart, frame, picture_of, scan_of, true_points, turned_world, walk
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import UsageError
from l9.geometry.camera import Pinhole, inverse_pose, moved, project
from l9.geometry.key_point_frames import cut_patches, moved_frames, sift_descriptors
from l9.geometry.key_points import key_points
from l9.geometry.mining import ALL, same_places
from l9.geometry.scan import Frame, Scan
from l9.geometry.view_graph import view_graph, views_of
from l9.stages import key_point_matches
from l9.stages.contract import run_stages
from l9.stages.key_point_matches import sure_matches
from l9.stages.seen_pairs import looked_at

SMALL = {"side": 16, "shown": 0}


def rows_of(scan, object_id="scene0000_00", **arguments):
    return list(run_stages(scan, [(key_point_matches, {**SMALL, **arguments})], object_id=object_id))


@pytest.fixture(scope="module")
def poses():
    return walk(4)


@pytest.fixture(scope="module")
def frames(poses):
    return [frame(2 * number, pose) for number, pose in enumerate(poses)]


@pytest.fixture(scope="module")
def rows(frames):
    return rows_of(scan_of(frames), side=32, shown=2)


def at(pixels, one):
    """The room's points that pixels of a frame show."""
    return true_points(pixels.astype(float), CAMERA, one.colour_pose)[0]


def joined(rows, name):
    return np.concatenate([row[name] for row in rows])


def test_anchors_are_in_the_first_frame_and_matches_in_the_second(rows):
    assert [row["pair"].tolist() for row in rows] == [[0, 2], [0, 4], [2, 4], [0, 6], [2, 6], [4, 6]]
    for row in rows:
        assert len(row["match_frames"]) > 30
        assert_array_equal(row["match_frames"][:, :2], np.broadcast_to(row["pair"], (len(row["match_frames"]), 2)))
        assert (row["match_frames"][:, 2] != row["pair"][0]).all()
        assert (np.diff(row["match_key_points"][:, 0]) > 0).all(), "an anchor has one match in a frame"


def test_places_are_those_of_the_room(rows, poses):
    points, pixels, numbers = (joined(rows, name) for name in ("match_points", "match_pixels", "match_frames"))
    for number, pose in enumerate(poses):
        mine = numbers == 2 * number
        truth, _ = true_points(pixels[mine].astype(float), CAMERA, pose)
        assert_allclose(points[mine], truth, atol=1e-5)
        assert_allclose(joined(rows, "match_depths")[mine], (truth - pose[:3, 3]) @ pose[:3, 2], rtol=1e-5)
    assert np.linalg.norm(points[:, 0] - points[:, 1], axis=1).max() <= 0.02 + 1e-6
    assert np.linalg.norm(points[:, 0] - points[:, 2], axis=1).min() > 0.02 - 1e-6


def test_offsets_are_pixels_by_which_the_anchor_is_missed(rows, poses):
    points, pixels, numbers = (joined(rows, name) for name in ("match_points", "match_pixels", "match_frames"))
    for role in (0, 1):
        for number, pose in enumerate(poses):
            mine = numbers[:, role] == 2 * number
            shown = project(moved(points[mine, 0].astype(float), inverse_pose(pose)), CAMERA)[:, :2]
            assert_allclose(joined(rows, "match_offsets")[mine, role], shown - pixels[mine, role], atol=1e-3)


def test_key_points_patches_and_descriptors_are_those_of_the_pictures(rows, frames):
    names = ("match_frames", "match_key_points", "match_pixels", "match_sizes", "match_angles", "match_octaves", "jitters", "patches")
    numbers, keys, pixels, sizes, angles, octaves, jitters, patches = (joined(rows, name) for name in names)
    for one in frames:
        found = key_points(one)
        mine = numbers == one.number
        for values, column in ((pixels, found.pixels), (sizes, found.sizes), (angles, found.angles), (octaves, found.octaves)):
            assert_array_equal(values[mine], column[keys[mine]])
        assert_array_equal(patches[mine], cut_patches(one.colour, pixels[mine], 32))
        exact = np.concatenate([pixels[mine], sizes[mine, None], angles[mine, None]], axis=1)
        for kind, seen in enumerate((exact, moved_frames(exact, jitters[mine]))):
            assert_array_equal(joined(rows, "sift")[mine, kind], sift_descriptors(one.colour, seen, octaves[mine]))
    assert joined(rows, "orb").any(axis=-1).mean() > 0.95


def test_descriptors_of_one_place_are_alike(rows):
    sift = joined(rows, "sift")[:, :, 0].astype(float)
    same, other = (np.linalg.norm(sift[:, 0] - sift[:, role], axis=1) for role in (1, 2))
    assert np.median(same) < 0.5 * np.median(other)


def test_jitters_have_the_deviations_that_were_asked_for(frames):
    jitters = np.concatenate(
        [joined(rows_of(scan_of(frames), name, seed=0, shift=3.0, zoom=0.2, turn=5), "jitters") for name in "abcd"]
    ).reshape(-1, 4)
    assert_allclose(jitters.std(axis=0), [3, 3, 0.2, 5], rtol=0.1)
    still = joined(rows_of(scan_of(frames), shift=0, zoom=0, turn=0), "jitters")
    assert not still.any()


def test_two_runs_give_the_same_bytes_and_other_objects_other_draws(frames):
    first, again, other = (rows_of(scan_of(frames), name, matches=60, seed=0) for name in "aab")
    for one, two in zip(first, again, strict=True):
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    assert any(one["match_key_points"].tobytes() != two["match_key_points"].tobytes() for one, two in zip(first, other, strict=True))


def test_more_matches_than_asked_for_are_thinned(frames, rows):
    whole = {tuple(key) for row in rows for key in np.concatenate([row["match_frames"][:, :2], row["match_key_points"][:, :2]], 1).tolist()}
    thin = rows_of(scan_of(frames), matches=25)
    kept = [tuple(key) for row in thin for key in np.concatenate([row["match_frames"][:, :2], row["match_key_points"][:, :2]], 1).tolist()]
    assert len(kept) == len(set(kept)) == 25
    assert set(kept) < whole
    assert len(thin) == len(rows), "a pair without matches is a row too"


def test_the_world_may_move(frames, rows):
    turn = np.eye(4)
    turn[:3, 3] = 0.05 * np.array([20, -3, 7])
    for one, other in zip(rows, rows_of(scan_of(turned_world(one, turn) for one in frames), side=32, shown=2), strict=True):
        for name in ("match_key_points", "match_frames", "match_pixels", "patches", "sift", "orb"):
            assert_array_equal(one[name], other[name])


def test_pictures_of_the_pairs_with_the_most_matches_are_kept(rows, poses):
    counts = [len(row["match_frames"]) for row in rows]
    shown = [len(row["shown"]) for row in rows]
    assert sum(shown) == 2
    assert min(count for count, kept in zip(counts, shown, strict=True) if kept) >= max(
        count for count, kept in zip(counts, shown, strict=True) if not kept
    )
    for row in rows:
        assert_array_equal(row["picture_sizes"], [[320, 240]] * 2)
        for view, number in enumerate(row["pair"] if len(row["shown"]) else ()):
            assert_array_equal(row["shown"][0, view], cv2.resize(picture_of(CAMERA, poses[number // 2]), (320, 240)))


def test_pairs_without_matches_show_nothing(poses):
    """The second and third frame look at it from elsewhere, with no key point in common."""
    frames = [frame(number, pose) for number, pose in enumerate([poses[0], poses[3]])]
    frames[1] = Frame(1, np.full_like(frames[1].colour, 90), *(getattr(frames[1], name) for name in list(Frame.__annotations__)[2:]))
    (row,) = rows_of(scan_of(frames), shown=5)
    assert len(row["shown"]) == len(row["match_frames"]) == 0


def test_cameras_that_stand_apart_match_what_is_one_place(poses):
    away = np.eye(4)
    away[0, 3] = -0.05
    frames = [apart(number, pose, CAMERA, Pinhole.of_field(256, 200, 75.0), away) for number, pose in enumerate(poses)]
    found = rows_of(scan_of(frames))
    points, pixels, numbers = (joined(found, name) for name in ("match_points", "match_pixels", "match_frames"))
    assert len(points) > 200
    for number, pose in enumerate(poses):
        truth, _ = true_points(pixels[numbers == number].astype(float), CAMERA, pose)
        assert_allclose(points[numbers == number], truth, atol=0.01)


def test_noisy_frames_know_together_where_key_points_are():
    frames = [frame(number, pose, noise=0.006) for number, pose in enumerate(walk(8))]
    rows = rows_of(scan_of(frames), within=0.01)
    errors, alone = [], []
    for one in frames:
        mine = joined(rows, "match_frames") == one.number
        errors.append(np.linalg.norm(joined(rows, "match_points")[mine] - at(joined(rows, "match_pixels")[mine], one), axis=1))
        found = key_points(one)
        alone.append(np.linalg.norm(found.points - at(found.pixels, one), axis=1))
    assert np.median(np.concatenate(errors)) < 0.75 * np.median(np.concatenate(alone))


def test_borrowed_depth_says_nothing_of_measured_frames():
    """A frame without depth takes what another saw, resampled: that measures nothing anew."""
    frames = [frame(number, pose, depth=number % 2 == 0) for number, pose in enumerate(walk(6))]
    rows = rows_of(scan_of(frames))
    for one in frames[::2]:
        mine = joined(rows, "match_frames") == one.number
        assert mine.sum() > 20
        assert np.median(np.abs(joined(rows, "match_points")[mine] - at(joined(rows, "match_pixels")[mine], one))) < 1e-5
    assert (joined(rows, "match_frames") % 2 == 1).any(), "it has matches all the same"


def test_anchors_that_something_hides_are_left_out():
    """In the second frame a wire hangs 30 cm before the wall at every 16th column: what it shows beside the wires is seen."""
    first, second = (frame(number, pose) for number, pose in enumerate(walk(2)))
    second.depth[:, ::16] -= 0.3
    looked = looked_at(scan_of([first, second]), 1, 500, 640)
    views, found = views_of([first, second]), [key_points(first), key_points(second)]
    graph = view_graph(views, 0.0)
    scene, sure = sure_matches(looked, graph, found, 0.02, 1.75, 0.0, ALL, np.random.default_rng(0))
    candidates = same_places(scene, graph)
    column = np.floor(views[1].pixels(scene.points.points[candidates[:, 0]])[:, 0] + 0.5)
    beside = np.isin(column % 16, (15, 0, 1))
    assert 3 <= beside.sum() < len(candidates) - 3
    assert_array_equal(sure, candidates[~beside])


def test_sharing_more_takes_nothing_from_what_frames_agree_on():
    """With `overlap` fewer pairs have rows, but a key point's place is the same."""
    frames = [frame(number, pose, noise=0.006) for number, pose in enumerate(walk(6))]
    places = [{}, {}]
    for at_least, known in zip((0.0, 0.6), places, strict=True):
        rows = rows_of(scan_of(frames), overlap=at_least)
        for number, key, point in zip(*(joined(rows, name) for name in ("match_frames", "match_key_points", "match_points")), strict=True):
            for role in range(3):
                known[int(number[role]), int(key[role])] = point[role].tolist()
    both = places[0].keys() & places[1].keys()
    assert len(both) > 100 and all(places[0][one] == places[1][one] for one in both)


def test_memory_does_not_grow_with_the_number_of_frames(poses):
    """Forty frames of 320x240 are 19 MiB; between 10 and 40 of them the peak grows by what is kept of a frame, its cells and points."""

    kept = [frame(number, pose) for number, pose in enumerate(poses)]

    def peak(count):
        def read(colour, depth):
            for number in range(count):
                one = kept[number % 4]
                yield replace(one, number=number, colour=one.colour.copy() if colour else None, depth=one.depth.copy() if depth else None)

        tracemalloc.start()
        for _ in run_stages(Scan(read), [(key_point_matches, {**SMALL, "matches": 50, "key_points": 20})], object_id="a"):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)  # imports
    assert peak(40) - peak(10) < 6 << 20


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"matches": 0}, "matches is"),
        ({"matches": 4001}, "matches is"),
        ({"within": 0}, "within is"),
        ({"turned": 4}, "turned is"),
        ({"pixels": -1}, "pixels is"),
        ({"response": 2}, "response is"),
        ({"side": 8}, "side is"),
        ({"shown": 101}, "shown is"),
        ({"zoom": -0.1}, "zoom is"),
        ({"side": 256}, "a row would take"),
        ({"side": 256, "key_points": 100, "matches": 4000}, "would take .* MiB"),
    ],
)
def test_arguments_that_cannot_be_are_refused(frames, arguments, word):
    with pytest.raises(UsageError, match=f"stage key_point_matches: .*{word}"):
        rows_of(scan_of(frames), **arguments)


def test_what_is_left_out_is_noted(poses):
    """A frame in which nothing was measured; and matches of a scene that is one place as far as 10 m, so that none is another."""
    frames = [frame(number, pose) for number, pose in enumerate(poses)]
    scan = scan_of([*frames, replace(frame(9, poses[0]), depth=np.zeros((CAMERA.height, CAMERA.width), np.float32))])
    rows = rows_of(scan, response=0.005)
    assert len(rows) == 6 and scan.notes == ["frame 9: no depth; left out"]
    count = sum(len(row["match_frames"]) for row in rows)
    alone = scan_of(frames)
    assert count > 0 and sum(len(row["match_frames"]) for row in rows_of(alone, response=0.005, within=10)) == 0
    (note,) = alone.notes
    assert "matches have no other place to be told from; left out" in note
