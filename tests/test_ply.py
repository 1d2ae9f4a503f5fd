"""PLY in its three encodings: the same polygons whatever the encoding, and headers of every form."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mesh_bytes import FACES, PLY, ROWS, VERTICES, binary_ply, ply_header

from l9.errors import RefusedObject
from l9.readers.ply import MAX_LISTS, read_ply
from l9.readers.ply_header import read_header
from l9.readers.polygons import Polygons


def ply(data):
    return read_ply(io.BytesIO(data), "+Y")


polygons = st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=6), min_size=0, max_size=9).map(lambda more: [[0, 1, 2], *more])


@given(polygons)
def test_every_encoding_gives_the_same_mesh(faces):
    text = (
        ply_header("ascii", faces=len(faces)) + ROWS + b"".join(" ".join(map(str, [len(face), *face])).encode() + b"\n" for face in faces)
    )
    meshes = [ply(text), ply(binary_ply("<", faces)), ply(binary_ply(">", faces))]
    triangles, notes = Polygons(np.concatenate(faces).astype(np.int64), np.array([len(face) for face in faces])).triangles(VERTICES)
    for mesh in meshes:
        assert mesh.faces.tolist() == triangles.tolist() and mesh.vertices.tolist() == VERTICES.tolist()
        assert mesh.vertices.dtype == np.float64 and mesh.faces.dtype == np.int64
        assert mesh.notes == notes  # of the polygons drawn here some cross themselves


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("uneven", [False, True])
def test_other_lists_and_properties_of_a_face_are_stepped_over(order, uneven):
    kind = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    extra = "property list ushort float texcoord\nproperty short part\n"
    data = ply_header(kind, faces=2, vertex="property double heat\n", face=extra, corners="uint short vertex_index")
    data += b"".join(struct.pack(f"{order}3fd", *row, 9) for row in VERTICES)
    for number, face in enumerate(FACES[:2]):
        length = 6 + 2 * (number * uneven)
        data += struct.pack(f"{order}I3h", 3, *face) + struct.pack(f"{order}H{length}fh", length, *range(length), -1)
    mesh = ply(data)
    assert mesh.faces.tolist() == FACES[:2].tolist() and mesh.vertices.tolist() == VERTICES.tolist()


def test_elements_between_vertices_and_faces_are_stepped_over():
    edges = "element edge 2\nproperty int vertex1\nproperty list uchar int more\nelement face"
    header = ply_header("binary_little_endian").replace(b"element face", edges.encode())
    data = (
        header
        + binary_ply()[-4 * 13 - 48 :][:48]
        + struct.pack("<iBi", 0, 1, 7)
        + struct.pack("<iB2i", 0, 2, 7, 8)
        + binary_ply()[-4 * 13 :]
    )
    assert ply(data).faces.tolist() == FACES.tolist()
    lines = PLY.replace(b"element face", edges.encode()).replace(b"3 0 2 1", b"0 1 7\n0 2 7 8\n3 0 2 1")
    assert ply(lines).faces.tolist() == FACES.tolist()


def test_a_texture_that_leads_outside_is_noted():
    named = PLY.replace(b"comment by code", b"comment TextureFile ../x.png\ncomment TextureFile y.png")
    assert ply(named).notes == ("'../x.png' leads outside the object's folder: not opened",)


def test_a_header_is_what_it_says():
    header = read_header(ply_header("binary_big_endian", 5, 7))
    assert (header.order, header.comments, header.end) == (">", ("by code",), len(ply_header("binary_big_endian", 5, 7)))
    assert [(element.name, element.count, element.least_bytes, element.has_lists) for element in header.elements] == [
        ("vertex", 5, 12, False),
        ("face", 7, 1, True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "element vertex -1",
        "element vertex 1e9",
        "element vertex",
        "property quad x",
        "property list float int x",
        "property list uchar x",
        "what 1",
    ],
)
def test_a_header_that_is_none_is_refused(line):
    for place in (b"element face", b"end_header"):
        with pytest.raises(RefusedObject, match="unreadable"):
            ply(PLY.replace(place, line.encode() + b"\n" + place))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((b"property float z\n", b""), "unreadable"),
        ((b"property float z", b"property list uchar float z"), "unreadable"),
        ((b"vertex_indices", b"corner_numbers"), "no-faces"),
        ((b"list uchar int", b"list uchar float"), "no-faces"),
        ((b"element face", b"element vertex 1\nproperty float x\nelement face"), "unreadable"),
        ((b"format ascii", b"format utf8"), "unreadable"),
        ((b"format ascii 1.0\n", b""), "unreadable"),
    ],
)
def test_headers_without_a_mesh_are_refused(changes, reason):
    with pytest.raises(RefusedObject) as caught:
        ply(PLY.replace(*changes))
    assert caught.value.reason == reason


def test_too_many_lists_of_differing_length_are_refused():
    header = ply_header("binary_little_endian", faces=MAX_LISTS + 1)
    with pytest.raises(RefusedObject, match="too-large"):
        ply(header + bytes(48) + b"\1" + bytes(MAX_LISTS + 5))
