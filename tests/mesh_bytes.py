"""Mesh files by code: a tetrahedron with one corner in the origin in every format and dialect, and archives and GLB files from parts."""

import io
import json
import struct
import zipfile

import numpy as np

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
ROWS = b"".join(b"%d %d %d\n" % tuple(map(int, row)) for row in VERTICES)
V_LINES = b"".join(b"v " + line + b"\n" for line in ROWS.splitlines())
OBJ = V_LINES + b"".join(b"f %d %d %d\n" % tuple(face + 1) for face in FACES)
OFF = b"OFF\n4 4 0\n" + ROWS + b"".join(b"3 %d %d %d\n" % tuple(face) for face in FACES)
CATALOG = "PluginFurnitureCatalog.properties"


def ply_header(kind, vertices=4, faces=4, *, vertex="", face="", corners="uchar int vertex_indices"):
    axes = "property float x\nproperty float y\nproperty float z\n"
    return (
        f"ply\nformat {kind} 1.0\ncomment by code\nelement vertex {vertices}\n{axes}{vertex}element face {faces}\n"
        f"property list {corners}\n{face}end_header\n"
    ).encode()


PLY = ply_header("ascii") + ROWS + b"".join(b"3 %d %d %d\n" % tuple(face) for face in FACES)


def binary_ply(order="<", polygons=FACES):
    kind = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    rows = b"".join(struct.pack(f"{order}B{len(one)}i", len(one), *map(int, one)) for one in polygons)
    return ply_header(kind, faces=len(polygons)) + VERTICES.astype(f"{order}f4").tobytes() + rows


def binary_stl(triangles=VERTICES[FACES], count=None, head=b""):
    rows = b"".join(struct.pack("<12fH", 0, 0, 0, *triangle.reshape(-1), 0) for triangle in triangles)
    return head.ljust(80, b"\0") + struct.pack("<I", len(triangles) if count is None else count) + rows


def text_stl(triangles=VERTICES[FACES]):
    facet = "facet normal 0 0 0\n outer loop\n{} endloop\nendfacet\n"
    bodies = [facet.format("".join("  vertex {} {} {}\n".format(*corner) for corner in triangle)) for triangle in triangles]
    return ("solid made by code\n" + "".join(bodies) + "endsolid\n").encode()


def glb(tree, binary=b""):
    """A GLB file of any JSON value (or bytes that stand for it) and a binary chunk."""
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunk = struct.pack("<II", len(binary), 0x4E4942) + binary if binary else b""
    return b"glTF" + struct.pack("<III", 2, 20 + len(text) + len(chunk), len(text)) + b"JSON" + text + chunk


def gltf_tree(**changes):
    """The document of the tetrahedron in `gltf_binary`, with fields of its top replaced."""
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 12, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": 24}],
        "buffers": [{"byteLength": 72}],
        **changes,
    }


def gltf_binary():
    return VERTICES.astype("<f4").tobytes() + FACES.astype("<u2").tobytes()


GLB = glb(gltf_tree(), gltf_binary())


def archive(members, compression=zipfile.ZIP_DEFLATED):
    """A zip file of name -> bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name), data, compression)
    return stream.getvalue()


def catalog(*members):
    """A Sweet Home 3D catalog of models one metre wide."""
    lines = [
        f"id#{n}=box {n}\nname#{n}=Box\nmodel#{n}={member}\nwidth#{n}=100\ndepth#{n}=100\nheight#{n}=100\n"
        for n, member in enumerate(members, 1)
    ]
    return "".join(lines).encode()
