"""The page of one scan: frames, the surface by labels from above, what its depths fuse to; and small pictures of scans among others."""

from dataclasses import replace

import numpy as np
import pytest
from room_by_hand import CAMERA, room

from l9.draw.scan_sheet import depth_picture, label_colours, scan_sheet, scan_tile
from l9.draw.surface_view import behind, surface_view, view_axes
from l9.errors import RefusedObject
from l9.geometry.frame_colours import UNSEEN, colours_from_frames
from l9.geometry.mesh import AXES
from l9.geometry.scan import Scan, Surface
from l9.readers.scannet_labels import BENCHMARK
from l9.sources.rooms.scanner import scan_room

SIZE = (80, 60)


@pytest.fixture(scope="module")
def frames():
    return [one.frame for one in scan_room(room(), CAMERA)]


def scan_of(frames, surface=None):
    return Scan(None if frames is None else lambda colour, depth: iter(frames), surface)


def slabs():
    """A table top of 1 x 1 m at z = 1, a floor of 2 x 2 m at z = 0, and a ceiling at z = 2 that looks down; +X has the table."""
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    vertices = np.concatenate([2 * square, square + np.array([1, 0, 1]), 2 * square + np.array([0, 0, 2])])
    up = np.array([[0, 1, 2], [0, 2, 3]])
    faces = np.concatenate([up, up + 4, up[:, ::-1] + 8])
    labels = np.repeat([BENCHMARK["floor"], BENCHMARK["table"], 0], 4)
    return Surface(vertices, faces, None, labels, np.repeat([1, 2, 3], 4))


def test_from_above_the_ceiling_is_not_in_the_way():
    """+X is to the right and +Y up in the picture: the table covers the lower right quarter of the floor."""
    surface = slabs()
    colours = label_colours()[surface.labels]
    view = surface_view(surface.vertices, surface.faces, colours, up="+Z", elevation_degrees=90.0, size=(50, 50))
    np.testing.assert_array_equal(view[37, 37], label_colours()[BENCHMARK["table"]])
    for row, column in ((12, 12), (12, 37), (37, 12)):
        np.testing.assert_array_equal(view[row, column], label_colours()[BENCHMARK["floor"]])
    assert (view[0] == 255).all() and (view[:, 0] == 255).all(), "a border is left free"


def test_a_surface_seen_from_behind_alone_is_an_empty_picture():
    surface = slabs()
    view = surface_view(surface.vertices, surface.faces[4:], label_colours()[surface.labels], up="+Z", elevation_degrees=90.0, size=SIZE)
    assert view.shape == (60, 80, 3) and (view == 255).all()


@pytest.mark.parametrize("up", AXES)
@pytest.mark.parametrize("elevation", [90.0, 50.0, 0.0])
def test_views_are_turned_not_mirrored(up, elevation):
    axes = view_axes(up, elevation)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("up", AXES)
def test_a_recording_that_looks_one_way_is_seen_from_behind(up):
    """The viewer of a level view looks where the cameras did, whichever axis is up; cameras that look all around give none."""
    for angle in (0.3, 2.0, -2.5):
        looking = -view_axes(up, 0.0, angle)[2]
        assert behind(np.array([looking, looking]), up) == pytest.approx(angle)
    assert behind(np.array([looking, -looking]), up) is None and behind(np.zeros((0, 3)), up) is None


def test_points_have_the_colour_that_frames_see(frames):
    """The four quarters of the picture on the wall, 1 cm before y = 5; what lies behind a wall is seen by none."""
    places = np.array([[1.75, 4.99, 1.75], [2.25, 4.99, 1.75], [1.75, 4.99, 1.25], [2.25, 4.99, 1.25], [2.0, 7.0, 1.5]])
    colours = colours_from_frames(places, frames, 0.02)
    assert tuple(colours[-1]) == UNSEEN
    red, green, blue, yellow = colours[:4].astype(int)
    assert red.argmax() == 0 and green.argmax() == 1 and blue.argmax() == 2 and yellow.argmin() == 2
    bare = colours_from_frames(places, [], 0.02)
    assert (bare == UNSEEN).all()


def test_near_is_light_and_far_is_dark():
    picture = depth_picture(np.array([[0, 1, 2, 3]], np.float32)).astype(int).sum(axis=-1)[0]
    assert picture[0] == 3 * 255 and picture[1] > picture[2] > picture[3]
    assert (depth_picture(np.zeros((2, 2), np.float32)) == 255).all()
    assert (depth_picture(np.ones((2, 2), np.float32)) == depth_picture(np.full((2, 2), 3, np.float32))).all()


def test_a_page_has_frames_labels_and_the_fused_surface(frames):
    facts, page = scan_sheet(scan_of(frames, slabs()), "toy")
    assert (facts.frames, facts.fused_frames, facts.things, facts.classes) == (len(frames), len(frames), 3, 2)
    assert facts.fused_faces > 1000 and page.ndim == 3 and page.dtype == np.uint8
    table = (page == label_colours()[BENCHMARK["table"]]).all(axis=-1)
    assert table.sum() > 10_000, "the panel from above, and the legend"


def test_a_scan_may_be_frames_alone_a_surface_alone_or_without_depth(frames):
    facts, _ = scan_sheet(scan_of(frames), "frames")
    assert facts.fused_faces > 0 and facts.things == 0
    facts, page = scan_sheet(scan_of(None, slabs()), "surface")
    assert facts.frames == facts.fused_faces == 0 and (page < 255).any()
    blind = [replace(frame, depth=np.zeros_like(frame.depth)) for frame in frames]
    facts, page = scan_sheet(scan_of(blind, slabs()), "blind")
    assert facts.fused_faces == 0 and facts.fused_frames == len(frames)
    facts, _ = scan_sheet(scan_of(blind[:1]), "one blind frame")
    assert facts.frames == 1


def test_small_pictures_are_of_the_surface_or_the_first_frame(frames):
    facts, tile = scan_tile(scan_of(frames, slabs()), 64)
    assert tile.shape == (64, 64, 3) and facts == {"vertices": 12, "faces": 6, "size": [2.0, 2.0, 2.0]}
    facts, tile = scan_tile(scan_of(frames), 64)
    assert facts["faces"] == 0 and (tile < 255).any()
    with pytest.raises(RefusedObject, match="no-frames"):
        scan_tile(scan_of([]), 64)
