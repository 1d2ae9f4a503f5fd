"""Rooms in ScanNet's own format, read back byte by byte: recording, surface, labels of every vertex, and the truth of every frame."""

import csv
import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from room_by_hand import CAMERA, SIDES, room

from l9.errors import DataError, UsageError
from l9.sources.rooms.labels import COLUMNS, label_ids, write_labels
from l9.sources.rooms.pieces import cut
from l9.sources.rooms.scanner import scan_room
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.surface import LONGEST, TOGETHER
from l9.sources.rooms.thing import NYU40
from l9.sources.rooms.write import write_room

NAME = "scene0000_00"
IDS = label_ids([("cube seat", "chair"), ("art", "picture"), ("shelf", "bookshelf")])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("rooms")
    write_labels(root, IDS)
    write_room(root, NAME, room(), CAMERA, IDS, sensor=Sensor(), seed=3)
    return root


@pytest.fixture(scope="module")
def scans():
    return list(scan_room(room(), CAMERA, sensor=Sensor(), seed=3))


@pytest.fixture(scope="module")
def surface(root):
    return read_ply((root / "scans" / NAME / f"{NAME}_vh_clean_2.ply").read_bytes())


def read_ply(data):
    header, _, body = data.partition(b"end_header\n")
    lines = header.decode().splitlines()
    counts = [int(line.split()[2]) for line in lines if line.startswith("element")]
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert [line.split()[1:] for line in lines if line.startswith("property")] == [
        *(["float", axis] for axis in "xyz"),
        *(["uchar", one] for one in ("red", "green", "blue", "alpha")),
        ["list", "uchar", "int", "vertex_indices"],
    ]
    vertices = np.frombuffer(body, "<f4, <f4, <f4, u1, u1, u1, u1", counts[0])
    faces = np.frombuffer(body, "u1, (3,)<i4", counts[1], offset=counts[0] * 16)
    assert len(body) == counts[0] * 16 + counts[1] * 13
    assert (faces["f0"] == 3).all()
    points = np.stack([vertices[f"f{axis}"] for axis in range(3)], axis=1)
    return points, np.stack([vertices[f"f{channel}"] for channel in range(3, 7)], axis=1), faces["f1"]


def take(stream, form):
    return struct.unpack("<" + form, stream.read(struct.calcsize("<" + form)))


def test_the_recording_reads_back(root, scans):
    with (root / "scans" / NAME / f"{NAME}.sens").open("rb") as stream:
        version, length = take(stream, "IQ")
        assert (version, stream.read(length)) == (4, b"l9 rooms")
        matrices = np.frombuffer(stream.read(256), "<f4").reshape(4, 4, 4)
        for inner, outer in (matrices[:2], matrices[2:]):
            np.testing.assert_allclose([inner[0, 0], inner[1, 1], inner[0, 2], inner[1, 2]], [CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy])
            np.testing.assert_array_equal(outer, np.eye(4))
        assert take(stream, "2i4I") == (2, 1, 80, 60, 80, 60)
        assert take(stream, "fQ") == (1000.0, 3)
        for number, scanned in enumerate(scans):
            np.testing.assert_array_equal(np.frombuffer(stream.read(64), "<f4").reshape(4, 4), room().poses[number].astype(np.float32))
            *times, colour, depth = take(stream, "4Q")
            assert times == [round(number * 1e6 / 30)] * 2
            packed = io.BytesIO()
            Image.fromarray(scanned.frame.colour).save(packed, "JPEG", quality=90)
            assert stream.read(colour) == packed.getvalue()
            assert np.asarray(Image.open(packed)).shape == (60, 80, 3)
            units = np.frombuffer(zlib.decompress(stream.read(depth)), "<u2").reshape(60, 80)
            np.testing.assert_array_equal(units, np.rint(scanned.frame.depth * 1000))
            assert units.any()
        assert take(stream, "Q") == (0,)
        assert stream.read() == b""


def test_every_vertex_has_the_label_of_its_thing(root, surface):
    folder = root / "scans" / NAME
    segments = np.array(json.loads((folder / f"{NAME}_vh_clean_2.0.010000.segs.json").read_text())["segIndices"])
    groups = json.loads((folder / f"{NAME}.aggregation.json").read_text())["segGroups"]
    with (root / "scannetv2-labels.combined.tsv").open(encoding="utf-8", newline="") as file:
        nyu40 = {row["raw_category"]: int(row["nyu40id"]) for row in csv.DictReader(file, delimiter="\t")}
    points = surface[0]
    assert len(segments) == len(points)
    labels = np.zeros(len(points), int)
    for group in groups:
        own = np.isin(segments, group["segments"])
        assert not labels[own].any()
        labels[own] = nyu40[group["label"]]
    walls = np.minimum(np.abs(points), np.abs(points - SIDES))
    surfaces = {
        "floor": np.abs(points[:, 2]),
        "wall": np.minimum(walls[:, :2].min(axis=1), np.abs(points[:, 2] - SIDES[2])),
        "chair": np.abs(np.abs(points - [2.0, 2.5, 0.25]).max(axis=1) - 0.25),
        "picture": np.abs(points - [2.0, 4.99, 1.5])[:, 1] + np.maximum(np.abs(points - [2.0, 4.99, 1.5]).max(axis=1) - 0.5, 0),
    }
    for label, away in surfaces.items():
        assert (labels == NYU40[label]).sum() > 50
        assert away[labels == NYU40[label]].max() < TOGETHER
        alone = np.min([other for name, other in surfaces.items() if name != label], axis=0) > TOGETHER
        assert (labels[alone] == NYU40[label]).all()
        assert alone.any()
    assert {group["objectId"]: group["label"] for group in groups} == {0: "floor", 1: "wall", 2: "cube seat", 3: "art"}
    assert (labels > 0).all()


def test_segments_are_small_and_connected(root, surface):
    segments = np.array(json.loads((root / "scans" / NAME / f"{NAME}_vh_clean_2.0.010000.segs.json").read_text())["segIndices"])
    points, _, faces = surface
    assert 50 < len(np.unique(segments)) < 2000
    for segment in np.unique(segments):
        assert np.ptp(points[segments == segment], axis=0).max() <= 0.51
    inner = faces[(segments[faces] == segments[faces][:, :1]).all(axis=1)]
    assert len(inner) > 0.7 * len(faces)


def test_the_surface_is_even_and_only_what_was_seen(surface):
    points, colours, faces = surface
    edges = np.linalg.norm(points[faces] - points[np.roll(faces, -1, axis=1)], axis=2)
    assert edges.max() <= LONGEST + 2 * np.sqrt(3) * TOGETHER
    assert edges.min() > 0
    assert points.min() > -1e-6
    assert (points <= SIDES + 1e-6).all()
    assert len(np.unique(np.sort(faces, axis=1), axis=0)) == len(faces)
    below = (np.abs(points[faces].mean(axis=1) - [2.0, 2.5, 0.0]) < [0.2, 0.2, 1e-3]).all(axis=1)
    assert not below.any()  # neither the cube's lower side nor the floor under it
    assert (colours[:, 3] == 255).all()
    top = (np.abs(points - [2.0, 2.5, 0.5]) < [0.2, 0.2, 1e-3]).all(axis=1)
    assert top.any()
    assert (colours[top, 0] > 2 * colours[top, 1].astype(int)).all()  # red, as the cube is


def test_the_surface_has_no_gaps_where_faces_are_cut():
    wall = room().things[1].model
    pieces = cut(wall.vertices, wall.faces, 0.3)
    corners = pieces.corners(wall.vertices, wall.faces)
    assert np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max() <= 0.3
    ends = np.round(np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2, 3), 6)
    edges = [tuple(sorted(map(tuple, pair))) for pair in ends.tolist()]
    counts = {edge: edges.count(edge) for edge in set(edges)}
    lonely = [edge for edge, count in counts.items() if count != 2]
    assert lonely  # only where the floor is missing
    assert all(first[2] == second[2] == 0 for first, second in lonely)


def test_the_truth_of_every_pixel(root, scans):
    ids = np.array([0, *(IDS[thing.name][0] for thing in room().things)])
    for kind in ("label", "instance", "normal"):
        with zipfile.ZipFile(root / "scans" / NAME / f"{NAME}_2d-{kind}.zip") as archive:
            assert archive.namelist() == [f"{kind}/{number}.png" for number in range(3)]
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            pictures = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()]
            for picture, scanned in zip(pictures, scans, strict=True):
                assert picture.mode == {"label": "I;16", "instance": "L", "normal": "RGB"}[kind]
                values = np.asarray(picture)
                if kind == "normal":
                    decoded = (values.astype(float) - 128) / 127
                    assert np.abs(decoded - scanned.normals).max() <= 0.5 / 127 + 1e-6
                else:
                    np.testing.assert_array_equal(values, scanned.instances if kind == "instance" else ids[scanned.instances])


def test_what_the_text_file_says(root):
    lines = (root / "scans" / NAME / f"{NAME}.txt").read_text().splitlines()
    values = dict(line.split(" = ") for line in lines)
    expected = "axisAlignment colorHeight colorWidth depthHeight depthWidth fx_color fx_depth fy_color fy_depth mx_color mx_depth my_color"
    assert list(values) == [*expected.split(), "my_depth", "numColorFrames", "numDepthFrames", "sceneType"]
    np.testing.assert_array_equal(np.array(values["axisAlignment"].split(), float).reshape(4, 4), np.eye(4))
    assert float(values["fx_depth"]) == pytest.approx(CAMERA.fx, abs=1e-5)
    assert (values["colorWidth"], values["depthHeight"], values["numDepthFrames"]) == ("80", "60", "3")


def test_the_same_room_and_seed_give_the_same_bytes(root, tmp_path):
    def digests(folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "scans" / NAME).iterdir())}

    write_room(tmp_path / "same", NAME, room(), CAMERA, IDS, sensor=Sensor(), seed=3)
    write_room(tmp_path / "other", NAME, room(), CAMERA, IDS, sensor=Sensor(), seed=4)
    first, same, other = digests(root), digests(tmp_path / "same"), digests(tmp_path / "other")
    assert len(first) == 9
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {f"{NAME}.sens"}


def test_a_folder_has_its_name_when_it_is_whole(tmp_path, monkeypatch):
    left = tmp_path / "scans" / (NAME + ".part")
    left.mkdir(parents=True)
    (left / "of an earlier run").write_text("")

    def fails(*_args, **_parameters):
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("l9.sources.rooms.write.room_surface", fails)
        with pytest.raises(OSError, match="no space"):
            write_room(tmp_path, NAME, room(), CAMERA, IDS)
    assert not (tmp_path / "scans" / NAME).exists()
    folder = write_room(tmp_path, NAME, room(), CAMERA, IDS)
    assert not left.exists()
    assert len(list(folder.iterdir())) == 9
    with pytest.raises(UsageError, match="exists"):
        write_room(tmp_path, NAME, room(), CAMERA, IDS)


def test_rooms_that_have_no_place_in_the_format_are_refused(tmp_path):
    one = room()
    with pytest.raises(UsageError, match="scene0000_00"):
        write_room(tmp_path, "../scene0000_00", one, CAMERA, IDS)
    with pytest.raises(UsageError, match="256 things"):
        write_room(tmp_path, NAME, replace(one, things=one.things[:1] * 256), CAMERA, IDS)
    with pytest.raises(UsageError, match="'cube seat' does not stand for 'chair'"):
        write_room(tmp_path, NAME, one, CAMERA, label_ids([("cube seat", "table"), ("art", "picture")]))
    assert not (tmp_path / "scans").exists()
    outwards = replace(one, poses=one.poses[:1] + np.array([[0, 0, 0, 0], [0, 0, 0, 9.0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    with pytest.raises(DataError, match="none of 1 frames"):
        write_room(tmp_path, NAME, outwards, CAMERA, IDS)
    assert not (tmp_path / "scans" / NAME).exists()


def test_the_table_of_labels(tmp_path):
    lines = write_labels(tmp_path, IDS).read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    rows = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines[1:]]
    assert len({row["id"] for row in rows}) == len(rows) == len(NYU40) + 3
    assert {row["raw_category"] for row in rows} == {*NYU40, "cube seat", "art", "shelf"}
    assert all(int(row["nyu40id"]) == NYU40[row["category"]] for row in rows)
    assert next(row for row in rows if row["raw_category"] == "refrigerator")["nyu40class"] == "refridgerator"
    assert label_ids([("b", "chair"), ("a", "desk")]) == label_ids([("a", "desk"), ("b", "chair"), ("a", "desk")])
    for bad in ([("a", "chair"), ("a", "desk")], [("a\tb", "chair")], [("", "chair")], [("a", "throne")]):
        with pytest.raises(UsageError):
            label_ids(bad)
