"""Hostile and odd mesh files by code: each is refused with its own reason, or comes through with exactly the right mesh.

All go through one preparation in one sandbox: no file may take its reader 10 s of processor time or 2 GiB, and none may kill the child.
"""

import base64
import json
import struct

import numpy as np
import pytest
from attack_tools import LIMITS, notes_of, prepared
from mesh_bytes import (
    FACES,
    GLB,
    OBJ,
    OFF,
    PLY,
    ROWS,
    V_LINES,
    VERTICES,
    archive,
    binary_ply,
    binary_stl,
    glb,
    gltf_binary,
    gltf_tree,
    ply_header,
    text_stl,
)

from l9.prep.work import new_sandbox

BILLION = 1_000_000_000
MANY = 40 << 20  # bytes of the long lines
ACCESSORS, VIEWS = gltf_tree()["accessors"], gltf_tree()["bufferViews"]
FACE_LINES = OBJ.removeprefix(V_LINES)
FLAT = np.zeros((2, 3, 3))


def scene(binary=None, **changes):
    return glb(gltf_tree(**changes), gltf_binary() if binary is None else binary)


def accessor(**changes):
    return scene(accessors=[{**ACCESSORS[0], **changes}, ACCESSORS[1]])


def indices(*numbers):
    return scene(gltf_binary()[:48] + struct.pack("<12H", *numbers, *[0] * (12 - len(numbers))))


def corner(value):
    """The tetrahedron's vertices with one number replaced."""
    changed = VERTICES.copy()
    changed[1, 0] = value
    return changed


UINT_LISTS = ply_header("binary_little_endian", faces=2, corners="uint int vertex_indices") + bytes(48)
INT_LISTS = ply_header("binary_little_endian", faces=2, corners="int int vertex_indices") + bytes(48)

REFUSED = {
    # empty, truncated
    **{f"empty.{ending}": (b"", "empty-file") for ending in ("obj", "off", "ply", "stl", "glb")},
    "blank.off": (b" \n\n\t", "empty-file"),
    "cut.obj": (OBJ[: OBJ.index(b"v 0 0 1")] + FACE_LINES, "index-out-of-range"),
    "cut-before-faces.obj": (V_LINES, "no-faces"),
    "cut.off": (OFF[:-20], "truncated"),
    "cut.ply": (PLY[:-10], "truncated"),
    "cut-in-a-face.ply": (PLY[:-3], "truncated"),
    "cut-binary.ply": (binary_ply()[:-3], "truncated"),
    "cut-mixed.ply": (binary_ply("<", [*FACES, [0, 1, 2, 3]])[:-3], "truncated"),
    "cut-header.ply": (PLY[:60], "unreadable"),
    "cut.stl": (binary_stl()[:-10], "truncated"),
    "cut-text.stl": (text_stl()[:-12], "truncated"),
    "cut.glb": (GLB[:-10], "truncated"),
    "cut-header.glb": (GLB[:15], "unreadable"),
    # mislabelled
    "ply-called.obj": (PLY, "no-faces"),
    "obj-called.off": (OBJ, "unreadable"),
    "stl-called.ply": (text_stl(), "unreadable"),
    "glb-called.stl": (GLB, "truncated"),
    "zip-called.glb": (archive({"a.obj": OBJ}), "unreadable"),
    "json-called.glb": (json.dumps(gltf_tree()).encode(), "unreadable"),
    "picture-called.obj": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "no-faces"),
    # numbers that are none
    "nan.obj": (OBJ.replace(b"v 1 0 0", b"v nan 0 0"), "not-finite"),
    "inf.obj": (OBJ.replace(b"v 1 0 0", b"v 0 1e999 0"), "not-finite"),
    "nan.off": (OFF.replace(b"1 0 0", b"1 -nan 0"), "not-finite"),
    "inf.ply": (PLY.replace(b"1 0 0", b"inf 0 0"), "not-finite"),
    "nan-binary.ply": (binary_ply().replace(struct.pack("<3f", 1, 0, 0), struct.pack("<3f", np.nan, 0, 0)), "not-finite"),
    "nan.stl": (binary_stl(corner(np.nan)[FACES]), "not-finite"),
    "inf-text.stl": (text_stl(corner(np.inf)[FACES]), "not-finite"),
    "nan.glb": (scene(corner(np.nan).astype("<f4").tobytes() + gltf_binary()[48:]), "not-finite"),
    "huge-matrix.glb": (scene(nodes=[{"scale": [1e299, 1, 1], "children": [1]}, {"scale": [1e299, 1, 1], "mesh": 0}]), "not-finite"),
    "nan-matrix.glb": (scene(nodes=[{"scale": [float("nan"), 1, 1], "mesh": 0}]), "not-finite"),
    "word.obj": (OBJ.replace(b"v 1 0 0", b"v one 0 0"), "unreadable"),
    "word.ply": (PLY.replace(b"1 0 0", b"one 0 0"), "unreadable"),
    "word.stl": (text_stl().replace(b"1.0", b"one"), "unreadable"),
    "string-matrix.glb": (scene(nodes=[{"mesh": 0, "matrix": ["1"] * 16}]), "unreadable"),
    # indices
    "high.obj": (OBJ + b"f 1 2 99999\n", "index-out-of-range"),
    "zero.obj": (OBJ + b"f 0 1 2\n", "index-out-of-range"),
    "negative.obj": (OBJ + b"f -5 -4 -3\n", "index-out-of-range"),
    "fraction.obj": (OBJ + b"f 1.5 2 3\n", "unreadable"),
    "beyond-64-bits.obj": (OBJ + b"f 1 2 99999999999999999999\n", "unreadable"),
    "high.off": (OFF.replace(b"3 1 2 3", b"3 1 2 4"), "index-out-of-range"),
    "negative.off": (OFF.replace(b"3 1 2 3", b"3 1 2 -1"), "index-out-of-range"),
    "fraction.off": (OFF.replace(b"3 1 2 3", b"3 1 2 0.5"), "unreadable"),
    "negative-counts.off": (OFF.replace(b"4 4 0", b"-4 4 0"), "unreadable"),
    "high.ply": (PLY.replace(b"3 1 2 3", b"3 1 2 4"), "index-out-of-range"),
    "negative.ply": (PLY.replace(b"3 1 2 3", b"3 1 2 -1"), "index-out-of-range"),
    "fraction.ply": (PLY.replace(b"3 1 2 3", b"3 1 2 0.5"), "unreadable"),
    "high-binary.ply": (binary_ply("<", [[0, 1, 4]]), "index-out-of-range"),
    "negative-binary.ply": (binary_ply(">", [[0, 1, -1]]), "index-out-of-range"),
    "high.glb": (indices(0, 1, 4), "index-out-of-range"),
    "negative-accessor.glb": (scene(meshes=[{"primitives": [{"attributes": {"POSITION": -2}}]}]), "unreadable"),
    "high-mesh.glb": (scene(nodes=[{"mesh": 7}]), "unreadable"),
    "high-scene.glb": (scene(scene=3), "unreadable"),
    "float-indices.glb": (scene(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "indices": 0}]}]), "unreadable"),
    "uneven-indices.glb": (scene(accessors=[ACCESSORS[0], {**ACCESSORS[1], "count": 11}]), "unreadable"),
    # nothing to see
    "points.obj": (V_LINES + b"f 1 1 1\nf 2 2 3\n", "no-area"),
    "lines-only.obj": (V_LINES + b"l 1 2\nf 1 2\n", "no-faces"),
    "points.off": (b"OFF\n4 1 0\n" + ROWS + b"3 0 0 0\n", "no-area"),
    "points.ply": (binary_ply("<", [[1, 1, 2]]), "no-area"),
    "points.stl": (binary_stl(FLAT), "no-area"),
    "points.glb": (indices(0, 0, 1), "no-area"),
    "cloud.ply": (ply_header("ascii", faces=0) + ROWS, "no-faces"),
    "none.stl": (binary_stl(FLAT[:0]), "no-faces"),
    "no-scene.glb": (scene(scenes=[]), "no-faces"),
    "only-lines.glb": (scene(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 1}]}]), "no-faces"),
    # headers that promise more than there is
    "vertices.off": (OFF.replace(b"4 4 0", b"%d 4 0" % BILLION), "truncated"),
    "faces.off": (OFF.replace(b"4 4 0", b"4 %d 0" % BILLION), "truncated"),
    "corners.off": (OFF.replace(b"3 1 2 3", b"%d 1 2 3" % (2 * BILLION)), "unreadable"),
    "vertices.ply": (ply_header("ascii", BILLION) + ROWS, "truncated"),
    "faces.ply": (ply_header("ascii", faces=BILLION) + ROWS, "truncated"),
    "corners.ply": (PLY.replace(b"3 1 2 3", b"%d 1 2 3" % (2 * BILLION)), "truncated"),
    "vertices-binary.ply": (ply_header("binary_little_endian", BILLION) + bytes(48), "truncated"),
    "faces-binary.ply": (ply_header("binary_big_endian", faces=BILLION) + bytes(48), "truncated"),
    "corners-binary.ply": (UINT_LISTS + struct.pack("<I3i", 2 * BILLION, 0, 1, 2) + bytes(8), "truncated"),
    "later-corners-binary.ply": (UINT_LISTS + struct.pack("<I3iI", 3, 0, 1, 2, 2 * BILLION) + bytes(8), "truncated"),
    "negative-corners.ply": (INT_LISTS + struct.pack("<i3i2i", 3, 0, 1, 2, -9, 0), "unreadable"),
    "rows-beyond-64-bits.ply": (ply_header("ascii", 10**30), "unreadable"),
    "corners-beyond-64-bits.ply": (
        ply_header("binary_little_endian", faces=2, corners="uint64 int vertex_indices") + bytes(48)
        + struct.pack("<Q3iQ3i", 3, 0, 1, 2, (1 << 64) - 1, 0, 1, 2), "truncated",
    ),
    "triangles.stl": (binary_stl(count=0xFFFFFFFF), "truncated"),
    "second-solid-cut.stl": (text_stl() + text_stl()[: text_stl().rindex(b"facet")], "truncated"),
    "less-triangles.stl": (binary_stl(count=1), "unreadable"),
    "count.glb": (accessor(count=BILLION), "truncated"),
    "count-of-zeros.glb": (scene(accessors=[{"componentType": 5126, "count": BILLION, "type": "VEC3"}, ACCESSORS[1]]), "too-large"),
    "more-sparse-rows-than-rows.glb": (
        accessor(sparse={"count": 5, "indices": {"bufferView": 1, "componentType": 5121}, "values": {"bufferView": 0}}), "unreadable",
    ),
    "negative-count.glb": (accessor(count=-1), "unreadable"),
    "fraction-count.glb": (accessor(count=1.5), "unreadable"),
    "offset.glb": (accessor(byteOffset=1 << 62), "truncated"),
    "stride.glb": (scene(bufferViews=[{**VIEWS[0], "byteStride": 1 << 40}, VIEWS[1]]), "truncated"),
    "short-stride.glb": (scene(bufferViews=[{**VIEWS[0], "byteStride": 1}, VIEWS[1]]), "unreadable"),
    "view.glb": (scene(bufferViews=[{**VIEWS[0], "byteLength": BILLION}, VIEWS[1]]), "truncated"),
    "buffer.glb": (scene(buffers=[{"byteLength": BILLION}]), "truncated"),
    "chunk.glb": (GLB[:12] + struct.pack("<I", 0xFFFFFFF0) + GLB[16:], "truncated"),
    "sparse.glb": (
        accessor(sparse={"count": 1, "indices": {"bufferView": 1, "byteOffset": 2, "componentType": 5125}, "values": {"bufferView": 0}}),
        "index-out-of-range",
    ),
    "nothing-behind.glb": (scene(binary=b""), "truncated"),
    # trees that never end
    "circle.glb": (scene(nodes=[{"children": [1]}, {"children": [0], "mesh": 0}]), "unreadable"),
    "itself.glb": (scene(nodes=[{"children": [0], "mesh": 0}]), "unreadable"),
    "doubling.glb": (scene(nodes=[*({"children": [n + 1, n + 1]} for n in range(30)), {"mesh": 0}]), "unreadable"),
    "wide.glb": (scene(scenes=[{"nodes": [*range(200_000)]}], nodes=[{"mesh": 0}] * 200_000), "too-large"),
    "wide-points.glb": (
        scene(
            scenes=[{"nodes": [*range(50_000)]}],
            nodes=[{"mesh": 0}] * 50_000,
            meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}] * 1000}],
        ),
        "too-large",
    ),
    "wide-zeros.glb": (
        scene(
            accessors=[{"componentType": 5126, "count": 3_000_000, "type": "VEC3"}],
            meshes=[{"primitives": [{"attributes": {"POSITION": 0}}] * 50}],
        ),
        "too-large",
    ),
    "brackets.glb": (glb(b"[" * 100_000), "unreadable"),
    "inner-brackets.glb": (glb(b'{"nodes":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "unreadable"),
    "braces.glb": (glb(b'{"a":' * 100_000), "unreadable"),
    "digits.glb": (glb(b'{"scene":' + b"9" * 100_000 + b"}"), "unreadable"),
    # what lies elsewhere, and what l9 does not read
    "file-uri.glb": (scene(buffers=[{"uri": "file:///etc/passwd", "byteLength": 72}]), "unreadable"),
    "path-uri.glb": (scene(buffers=[{"uri": "../../secret.bin", "byteLength": 72}]), "unreadable"),
    "broken-data-uri.glb": (scene(buffers=[{"uri": "data:a/b;base64,!!!", "byteLength": 72}]), "unreadable"),
    "draco.glb": (scene(extensionsRequired=["KHR_draco_mesh_compression"]), "unreadable"),
    "unknown-extension.glb": (scene(extensionsRequired=["ACME_folded_surface"]), "unreadable"),
    # words that nobody should store or show as they are
    "half-a-character.glb": (accessor(type="\ud800"), "unreadable"),
    "escapes.glb": (accessor(type="\x1b[31m"), "unreadable"),
    "escapes.obj": (V_LINES + b"f \x1b]0;title\x07 \x1b[2J 3\n", "unreadable"),
    "escapes.ply": (PLY.replace(b"element face", b"\x1b[2J face"), "unreadable"),
}  # fmt: skip

LONG = {  # 40 MB on one line, made where they are written
    "line.obj": (lambda: b"v " + b"1 " * (MANY // 2), "line-too-long"),
    "face-line.obj": (lambda: V_LINES + b"f " + b"1 " * (MANY // 2), "line-too-long"),
    "continued-line.obj": (lambda: V_LINES + b"f " + b"1 2 3 \\\n" * (MANY // 8), "line-too-long"),
    "spaces.obj": (lambda: b" " * MANY + b"v", "line-too-long"),
    "line.off": (lambda: b"OFF\n3 1 0\n" + b"1 " * (MANY // 2), "line-too-long"),
    "line.ply": (lambda: ply_header("ascii") + b"1 " * (MANY // 2), "line-too-long"),
    "header-line.ply": (lambda: b"ply\ncomment " + b"x" * MANY, "unreadable"),
    "line.stl": (lambda: b"solid " + b"vertex 1 " * (MANY // 9), "line-too-long"),
}  # fmt: skip

SQUARE = ROWS.replace(b"0 0 1", b"1 1 0")
SQUARE_V = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
FAN = [[0, 1, 3], [0, 3, 2]]


def lines_of(vertices):
    return "".join("v {!r} {!r} {!r}\n".format(*map(float, one)) for one in vertices).encode()


COLOURED = ply_header("ascii", vertex="property uchar red\n")
REPLACED = {"count": 3, "indices": {"bufferView": 1, "componentType": 5123}, "values": {"bufferView": 0}}  # rows 0 2 1 by rows 0 1 2
DATA_URI = "data:application/octet-stream;base64," + base64.b64encode(gltf_binary()).decode()

THROUGH = {
    "plain.obj": (OBJ, VERTICES, FACES),
    "crlf.obj": (OBJ.replace(b"\n", b"\r\n"), VERTICES, FACES),
    "cr.obj": (OBJ.replace(b"\n", b"\r"), VERTICES, FACES),
    "bom.obj": (b"\xef\xbb\xbf" + OBJ, VERTICES, FACES),
    "relative.obj": (V_LINES + b"f -4 -2 -3\nf -4 -3 -1\nf -4 -1 -2\nf -3 -2 -1\n", VERTICES, FACES),
    "comments.obj": (b"# v 9 9 9\n" + OBJ.replace(b"\n", b" # f 1 1 1\n"), VERTICES, FACES),
    "comment-with-a-folder.obj": (b"# saved to C:\\models\\\n" + OBJ, VERTICES, FACES),
    "missing-material.obj": (b"mtllib absent.mtl\nusemtl wood\n" + OBJ, VERTICES, FACES),
    "quad.obj": (b"".join(b"v " + row + b"\n" for row in SQUARE.splitlines()) + b"f 1 2 4 3\n", SQUARE_V, FAN),
    "far.obj": (lines_of(VERTICES + 1e6) + FACE_LINES, VERTICES + 1e6, FACES),
    "tiny.obj": (lines_of(VERTICES * 1e-6) + FACE_LINES, VERTICES * 1e-6, FACES),
    "plain.off": (OFF, VERTICES, FACES),
    "bom-and-crlf.off": (b"\xef\xbb\xbf" + OFF.replace(b"\n", b"\r\n"), VERTICES, FACES),
    "glued.off": (OFF.replace(b"OFF\n", b"OFF"), VERTICES, FACES),
    "quad.off": (b"OFF # a square\n4 1 0\n" + SQUARE + b"4 0 1 3 2 255 0 0\n", SQUARE_V, FAN),
    "plain.ply": (PLY, VERTICES, FACES),
    "crlf.ply": (PLY.replace(b"\n", b"\r\n"), VERTICES, FACES),
    "cr.ply": (PLY.replace(b"\n", b"\r"), VERTICES, FACES),
    "quad.ply": (ply_header("ascii", faces=1) + SQUARE + b"4 0 1 3 2\n", SQUARE_V, FAN),
    "coloured.ply": (COLOURED + ROWS.replace(b"\n", b" 7\n") + PLY[PLY.index(b"3 0 2 1") :], VERTICES, FACES),
    "little.ply": (binary_ply("<"), VERTICES, FACES),
    "big.ply": (binary_ply(">"), VERTICES, FACES),
    "mixed.ply": (binary_ply("<", [*FACES, [0, 1, 3, 2]]), VERTICES, [*FACES.tolist(), [0, 1, 3], [0, 3, 2]]),
    "junk-of-nothing.ply": (PLY.replace(b"element vertex", b"element junk %d\nelement vertex" % BILLION), VERTICES, FACES),
    "binary.stl": (binary_stl(), VERTICES[FACES].reshape(-1, 3), np.arange(12).reshape(-1, 3)),
    "binary-called-solid.stl": (binary_stl(head=b"solid facet"), VERTICES[FACES].reshape(-1, 3), np.arange(12).reshape(-1, 3)),
    "text.stl": (text_stl(), VERTICES[FACES].reshape(-1, 3), np.arange(12).reshape(-1, 3)),
    "loud.stl": (text_stl().upper().replace(b"\n", b"\r\n"), VERTICES[FACES].reshape(-1, 3), np.arange(12).reshape(-1, 3)),
    "plain.glb": (GLB, VERTICES, FACES),
    "placed.glb": (scene(nodes=[{"mesh": 0, "translation": [1, 2, 3], "scale": [2, 2, 2]}]), VERTICES * 2 + [1, 2, 3], FACES),
    "mirrored.glb": (scene(nodes=[{"mesh": 0, "scale": [-1, 1, 1]}]), VERTICES * [-1, 1, 1], FACES[:, ::-1]),
    "turned.glb": (scene(nodes=[{"mesh": 0, "rotation": [0, 0, 1, 0]}]), VERTICES * [-1, -1, 1], FACES),
    "outside-picture.glb": (scene(images=[{"uri": "file:///etc/passwd"}, {"uri": "../../x.png"}, {"uri": "x.png"}]), VERTICES, FACES),
    "sparse.glb": (
        scene(accessors=[{"componentType": 5126, "count": 4, "type": "VEC3", "sparse": REPLACED}, ACCESSORS[1]]),
        VERTICES[[0, 2, 1, 0]], FACES,
    ),
    "needs-what-moves-nothing.glb": (scene(extensionsRequired=["KHR_materials_unlit", "KHR_mesh_quantization"]), VERTICES, FACES),
    "data-uri.glb": (glb(gltf_tree(buffers=[{"uri": DATA_URI, "byteLength": 72}])), VERTICES, FACES),
}  # fmt: skip


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    root = tmp_path_factory.mktemp("attacked")
    for folder, files in (("hostile", {**REFUSED, **LONG}), ("sound", THROUGH)):
        (root / folder).mkdir()
        for name, (data, *_) in files.items():
            (root / folder / name).write_bytes(data() if callable(data) else data)
    with new_sandbox(LIMITS) as sandbox:
        store, meshes, reasons = prepared(root, root / "home", sandbox)
        assert sandbox.deaths == 0
    return store, meshes, reasons


@pytest.mark.parametrize("name", [*REFUSED, *LONG])
def test_a_hostile_file_is_refused_with_its_reason(attacked, name):
    _, meshes, reasons = attacked
    assert f"hostile/{name}" not in meshes
    assert reasons[f"hostile/{name}"] == {**REFUSED, **LONG}[name][1]


@pytest.mark.parametrize("name", THROUGH)
def test_a_sound_file_comes_through_exactly(attacked, name):
    _, meshes, reasons = attacked
    _, vertices, faces = THROUGH[name]
    assert f"sound/{name}" not in reasons
    found_vertices, found_faces = meshes[f"sound/{name}"]
    np.testing.assert_array_equal(found_faces, faces)
    np.testing.assert_array_equal(found_vertices, vertices)


def test_what_a_refusal_says_can_be_stored_and_shown(attacked):
    details = {line["id"]: line["detail"] for line in attacked[0].quarantine()}
    assert all(detail.isprintable() for detail in details.values())
    assert r"\ud800" in details["hostile/half-a-character.glb"] and r"\x1b" in details["hostile/escapes.obj"]


def test_every_file_is_counted(attacked):
    store, meshes, reasons = attacked
    assert (len(meshes), len(reasons)) == (len(THROUGH), len(REFUSED) + len(LONG))
    assert store.manifest["counts"]["planned"] == len(THROUGH) + len(REFUSED) + len(LONG)


def test_pictures_elsewhere_are_noted_and_the_mesh_comes_through(attacked):
    notes = {name.removeprefix("sound/"): line for name, line in notes_of(attacked[0]).items() if line}
    assert notes == {
        "outside-picture.glb": "'file:///etc/passwd' leads outside the object's folder: not opened; "
        "'../../x.png' leads outside the object's folder: not opened"
    }


def test_concave_faces_that_cost_too_much_come_through_as_fans(tmp_path):
    """One of 200,000 corners, 400,000 of 5 corners, and a small one with corners that no number can hold the area of."""
    (tmp_path / "root").mkdir()
    angles = np.arange(200_000) * np.pi / 100_000
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1) * (1 - np.arange(200_000) % 2 / 2)[:, None]
    pentagon = np.array([(-1, 4, 0), (-2, 0, 0), (0, 0, 0), (2, 2, 0), (1, 1.5, 0)])
    for name, points, count in (("ring", ring, 1), ("pentagons", pentagon, 400_000), ("huge", pentagon * 1e200, 1)):
        rows = np.zeros(count, [("count", "<u4"), ("corners", "<i4", len(points))])
        rows["count"], rows["corners"] = len(points), np.arange(len(points))
        header = ply_header("binary_little_endian", len(points), count, corners="uint int vertex_indices").replace(b"float", b"double")
        (tmp_path / "root" / f"{name}.ply").write_bytes(header + points.astype("<f8").tobytes() + rows.tobytes())
    with new_sandbox(LIMITS) as sandbox:
        store, meshes, reasons = prepared(tmp_path / "root", tmp_path / "home", sandbox)
        assert sandbox.deaths == 0
    assert reasons == {} and {name: len(faces) for name, (_, faces) in meshes.items()} == {
        "ring.ply": 199_998, "pentagons.ply": 1_200_000, "huge.ply": 3,
    }  # fmt: skip
    notes = notes_of(store)
    assert notes["ring.ply"] == "1 concave faces cut into fans, which reach beyond them" and notes["huge.ply"] == ""
    cut = meshes["pentagons.ply"][1].reshape(-1, 3, 3) != [[0, 1, 2], [0, 2, 3], [0, 3, 4]]
    assert 0 < int(cut.any(axis=(1, 2)).sum()) < 400_000
    assert notes["pentagons.ply"] == f"{400_000 - int(cut.any(axis=(1, 2)).sum()):,} concave faces cut into fans, which reach beyond them"
