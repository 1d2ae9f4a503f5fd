"""The mesh formats: what is read, and what is refused with which reason."""

import io
import struct

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from mesh_bytes import ply_header

from l9.errors import RefusedObject
from l9.readers.meshes import FORMATS, read_mesh
from l9.readers.obj import read_obj
from l9.readers.off import read_off

SQUARE = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
TWO = [[0, 1, 2], [0, 2, 3]]


def obj(data):
    return read_obj(io.BytesIO(data), "+Y")


@pytest.mark.parametrize(
    ("data", "faces"),
    [
        (SQUARE + b"f 1 2 3 4\n", TWO),
        (SQUARE + b"f 1 2 3\nf 1 3 4", TWO),
        ((SQUARE + b"f 1 2 3 4\n").replace(b"\n", b"\r\n"), TWO),
        ((SQUARE + b"f 1 2 3 4\n").replace(b"\n", b"\r"), TWO),
        (SQUARE + b"f 1 2 3 \\\n4\n", TWO),
        (SQUARE + b"f 1 2 3 4 # a square\n", TWO),
        (b"# v 9 9 9\n\t" + SQUARE.replace(b"\n", b"\n  ") + b"f  1\t2 3  4 \n", TWO),
        (SQUARE + b"vt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1\nf 1//1 3//1 4//1\n", TWO),
        (SQUARE + b"f 1/1 2/1 3/1 4/1\n", TWO),
        (SQUARE + b"f -4 -3 -2 -1\n", TWO),
        (SQUARE + b"o a\ng b\nusemtl x\ns off\nf 1 2 3\no c\nusemtl y\nf 1 3 4\n", TWO),
        (b"mtllib a.mtl\nusemtl wood\n" + SQUARE + b"f 1 2 3 4\n", TWO),
        (b"v 0 0 0 1 .5 .5\nv 1 0 0 1 1 1\nv 1 1 0 1 1 1\nv 0 1 0 1 1 1\nf 1 2 3 4\n", TWO),
    ],
)
def test_obj_of_every_dialect(data, faces):
    mesh = obj(data)
    np.testing.assert_array_equal(mesh.faces, faces)
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert mesh.vertices.dtype == np.float64 and mesh.faces.dtype == np.int64 and mesh.notes == ()


def test_relative_indices_count_back_from_where_they_stand():
    mesh = obj(b"v 9 9 9\nv 0 0 0\nv 1 0 0\nv 1 1 0\nf -3 -2 -1\nv 5 5 5\nv 6 5 5\nv 6 6 5\nf -3 -2 -1\nf 1 2 -1\n")
    np.testing.assert_array_equal(mesh.faces, [[1, 2, 3], [4, 5, 6], [0, 1, 6]])


@pytest.mark.parametrize("ending", [".obj", ".off", ".ply"])
@pytest.mark.parametrize("first", range(6))
def test_concave_faces_are_cut_to_their_area(first, ending):
    """An L of area 3: a fan from two of its corners is right, from the others it reaches outside. A square slightly bent is convex."""
    corners = [(0, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (1, 2, 0), (0, 2, 0)]
    square = [(0, 0, 5), (1, 0, 5), (1, 1, 5), (0, 1, 5.001)]
    mesh = read_mesh(
        io.BytesIO(_faces_file(ending, [*corners[first:], *corners[:first], *square], ["0 1 2 3 4 5", "6 7 8 9"])), ending, "+Y"
    )
    sides = np.diff(mesh.vertices[mesh.faces], axis=1)
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
    assert mesh.notes == () and areas[:4].sum() == pytest.approx(3) and mesh.faces[4:].tolist() == [[6, 7, 8], [6, 8, 9]]


@pytest.mark.parametrize("ending", [".obj", ".off", ".ply"])
def test_faces_that_cross_themselves_are_noted(ending):
    points = [(0, 0, 0), (3, 3, 0), (3, 0, 0), (0, 1, 0)]
    mesh = read_mesh(io.BytesIO(_faces_file(ending, points, ["0 1 2 3"])), ending, "+Y")
    assert mesh.notes == ("1 concave faces cut into fans, which reach beyond them",) and mesh.faces.tolist() == TWO


def _faces_file(ending, points, faces):
    rows = "".join("{} {} {}\n".format(*point) for point in points)
    counted = "".join(f"{len(face.split())} {face}\n" for face in faces)
    if ending == ".off":
        return f"OFF\n{len(points)} {len(faces)} 0\n{rows}{counted}".encode()
    if ending == ".ply":
        return ply_header("ascii", len(points), len(faces)) + (rows + counted).encode()
    lines = "".join("f " + " ".join(str(int(corner) + 1) for corner in face.split()) + "\n" for face in faces)
    return ("v " + rows.rstrip("\n").replace("\n", "\nv ") + "\n" + lines).encode()


def test_faces_too_small_to_be_one_are_left_out_and_noted():
    mesh = obj(SQUARE + b"f 1 2\nf 1 2 3\nf 4\n")
    assert mesh.faces.tolist() == [[0, 1, 2]] and mesh.notes == ("2 faces with fewer than 3 corners left out",)


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", "empty-file", "0 bytes"),
        (b" \n\n", "empty-file", "3 bytes"),
        (SQUARE, "no-faces", "4 vertices"),
        (b"\x00\xff\xd8 picture", "no-faces", "0 vertices"),
        (SQUARE + b"f 1 2\n", "no-faces", "0 faces"),
        (SQUARE + b"f 1 2 3\nf 1 2 99999\n", "index-out-of-range", "face 2 names vertex 99,999 of 4"),
        (SQUARE + b"f 0 1 2\n", "index-out-of-range", "face 1 names vertex 0 of 4"),
        (SQUARE + b"f 1 2 3\nf -5 -4 -3\n", "index-out-of-range", "face 2 names vertex -5 after 4"),
        (b"v 1 2 3\nf -1 -2 -3\n" + SQUARE, "index-out-of-range", "vertex -2 after 1"),
        (SQUARE.replace(b"v 1 0 0", b"v nan 0 0") + b"f 1 2 3\n", "not-finite", "1 of 4"),
        (SQUARE.replace(b"v 1 0 0", b"v 0 1e999 0") + b"f 1 2 3\n", "not-finite", "1 of 4"),
        (SQUARE + b"f 1 2 x\n", "unreadable", "line 1 of those that begin with 'f' .* 1 2 x"),
        (SQUARE + b"f 1.5 2 3\n", "unreadable", "1.5 2 3"),
        (SQUARE + b"f 1 2 99999999999999999999\n", "unreadable", "99999999999999999999"),
        (SQUARE + b"v 1 2\nf 1 2 3\n", "unreadable", "line 5 of those that begin with 'v'"),
        (SQUARE + b"v 1 2 red\nf 1 2 3\n", "unreadable", "1 2 red"),
        (SQUARE + b"f 1 1 1\nf 1 2 2\n", "no-area", "all 2 faces"),
        (b"v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n", "no-area", "all 1 faces"),
    ],
)
def test_obj_that_cannot_be_used_is_refused(data, reason, words):
    with pytest.raises(RefusedObject, match=words) as caught:
        obj(data)
    assert caught.value.reason == reason


@given(st.lists(st.integers(3, 9), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_polygons_keep_their_corners_and_their_order(counts, seed):
    """Each polygon of n corners, however wild, gives n - 2 triangles that together run around it."""
    points = np.random.default_rng(seed).normal(size=(sum(counts), 3))
    lines = ["v {!r} {!r} {!r}".format(*map(float, point)) for point in points]
    ends = np.cumsum(counts)
    lines += ["f " + " ".join(str(n + 1) for n in range(end - count, end)) for count, end in zip(counts, ends, strict=True)]
    mesh = obj("\n".join(lines).encode())
    np.testing.assert_array_equal(mesh.vertices, points)
    for count, end, triangles in zip(counts, ends, np.split(mesh.faces, np.cumsum(np.subtract(counts, 2))[:-1]), strict=True):
        sides = {(int(one[k - 1]), int(one[k])) for one in triangles for k in range(3)}
        around = {(end - count + k, end - count + (k + 1) % count) for k in range(count)}
        assert len(triangles) == count - 2 and {side for side in sides if side[::-1] not in sides} == around


@given(st.binary(max_size=300), st.sampled_from(sorted(FORMATS)))
def test_any_bytes_are_read_or_refused(data, ending):
    for start in (b"", b"OFF\n", b"ply\nformat ascii 1.0\n", b"glTF\x02\0\0\0", b"v 0 0 0\nf ", b"solid\n"):
        try:
            read_mesh(io.BytesIO(start + data), ending, "+Y")
        except RefusedObject as refusal:
            assert refusal.reason


@pytest.mark.parametrize("header", [b"OFF\n4 1 0\n", b"OFF4 1 0\n", b"OFF 4 1 0\r\n", b"# made\nOFF # by hand\n\n4 1 0\n"[7:]])
def test_off_with_any_header(header):
    mesh = read_off(io.BytesIO(header + b"0 0 0\n1 0 0\n1 1 0 # corner\n0 1 0\n4 0 1 2 3 255 0 0\n"), "+Z")
    assert mesh.faces.tolist() == TWO and mesh.vertices.shape == (4, 3) and mesh.up == "+Z"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty-file"),
        (b"PLY\n4 1 0\n", "unreadable"),
        (b"OFF\n", "unreadable"),
        (b"OFF\n-4 1 0\n", "unreadable"),
        (b"OFF\n99999999999 1 0\n0 0 0\n", "truncated"),
        (b"OFF\n3 2 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "truncated"),
        (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n", "unreadable"),
        (b"OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n", "unreadable"),
        (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n", "index-out-of-range"),
        (b"OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n", "no-faces"),
    ],
)
def test_off_that_cannot_be_used_is_refused(data, reason):
    with pytest.raises(RefusedObject) as caught:
        read_off(io.BytesIO(data), "+Y")
    assert caught.value.reason == reason


@pytest.mark.parametrize("ending", [".obj", ".off", ".ply", ".stl", ".glb"])
def test_what_trimesh_writes_is_read_the_same(ending):
    box = trimesh.creation.box((1, 2, 3))
    mesh = read_mesh(io.BytesIO(_bytes(box.export(file_type=ending[1:]))), ending, "+Y")
    triangles = mesh.vertices[mesh.faces]
    np.testing.assert_allclose(triangles, box.triangles, atol=1e-6)


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_ply_and_stl_of_both_encodings(encoding):
    box = trimesh.creation.box((1, 2, 3))
    ply = read_mesh(io.BytesIO(box.export(file_type="ply", encoding=encoding)), ".ply", "+Y")
    stl = read_mesh(io.BytesIO(_bytes(box.export(file_type="stl" if encoding == "binary" else "stl_ascii"))), ".stl", "+Y")
    np.testing.assert_allclose(ply.vertices[ply.faces], stl.vertices[stl.faces], atol=1e-6)
    assert len(ply.vertices) == 8 and len(stl.vertices) == 36


def test_a_glb_scene_is_joined_where_its_nodes_put_it():
    scene = trimesh.Scene()
    box = trimesh.creation.box((1, 1, 1))
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([0, 0, 0]))
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([10, 0, 0]))
    mesh = read_mesh(io.BytesIO(scene.export(file_type="glb")), ".glb", "+Y")
    assert len(mesh.faces) == 24
    np.testing.assert_allclose([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)], [[-0.5, -0.5, -0.5], [10.5, 0.5, 0.5]])


def test_counts_beyond_the_file_are_refused_before_memory_is_taken():
    ply = ply_header("binary_little_endian", 99999999999) + b"1234"
    stl = b"\0" * 80 + struct.pack("<I", 0xFFFFFFFF) + b"\0" * 50
    for data, ending in [(ply, ".ply"), (stl, ".stl")]:
        with pytest.raises(RefusedObject) as caught:
            read_mesh(io.BytesIO(data), ending, "+Y")
        assert caught.value.reason == "truncated"


def test_a_glb_that_names_another_file_opens_nothing(tmp_path, monkeypatch):
    (tmp_path / "secret.bin").write_bytes(b"\0" * 36)
    monkeypatch.chdir(tmp_path)
    text = (
        b'{"asset":{"version":"2.0"},"buffers":[{"uri":"secret.bin","byteLength":36}],"bufferViews":[{"buffer":0,"byteLength":36}],'
        b'"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}],'
        b'"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"nodes":[{"mesh":0}],"scenes":[{"nodes":[0]}],"scene":0}'
    )
    text += b" " * (-len(text) % 4)
    data = b"glTF" + struct.pack("<III", 2, 20 + len(text), len(text)) + b"JSON" + text
    with pytest.raises(RefusedObject, match="unreadable"):
        read_mesh(io.BytesIO(data), ".glb", "+Y")


def test_an_unknown_ending_is_refused():
    with pytest.raises(RefusedObject, match=r"unknown-format: '\.blend'; expected one of \.obj"):
        read_mesh(io.BytesIO(b"x"), ".blend", "+Y")


def _bytes(data):
    return data.encode() if isinstance(data, str) else data
