"""Binary glTF: nodes place meshes as trimesh does, and every form of primitive gives its triangles."""

import io

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_bytes import FACES, VERTICES, glb, gltf_binary, gltf_tree

from l9.readers.glb import read_glb

number = st.floats(-3, 3).map(lambda value: round(value, 2))
node = st.fixed_dictionaries(
    {"mesh": st.just(0)},
    optional={
        "translation": st.tuples(number, number, number),
        "rotation": st.tuples(number, number, number, number).filter(lambda q: sum(v * v for v in q) > 0.1),
        "scale": st.tuples(*[number.filter(lambda value: abs(value) > 0.1)] * 3),
    },
)


def read(**changes):
    return read_glb(io.BytesIO(glb(gltf_tree(**changes), gltf_binary())), "+Y")


@given(st.lists(node, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_chain_of_nodes_moves_as_trimesh_moves_it(nodes):
    chain = [{**one, "children": [place + 1]} for place, one in enumerate(nodes[:-1])] + nodes[-1:]
    mesh = read(nodes=chain)
    scene = trimesh.load_scene(io.BytesIO(glb(gltf_tree(nodes=chain), gltf_binary())), file_type="glb", process=False)
    theirs = list(np.concatenate([part.triangles for part in scene.dump()]))
    assert len(theirs) == len(mesh.faces)
    for triangle in mesh.vertices[mesh.faces]:
        found = [number for number, other in enumerate(theirs) if _turns_alike(triangle, other)]
        assert found
        del theirs[found[0]]


def _turns_alike(triangle, other):
    """Whether two triangles are one, from whichever corner on: 1e-4 is what float32 leaves of four transforms' products."""
    return any(np.abs(np.roll(other, turn, axis=0) - triangle).max() < 1e-4 for turn in range(3))


@pytest.mark.parametrize(
    ("mode", "indices", "faces"),
    [
        (4, None, None),
        (4, 1, FACES.tolist()),
        (5, 2, [[0, 2, 1], [2, 0, 1], [1, 0, 1]]),
        (6, 2, [[0, 2, 1], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_every_mode_gives_its_triangles(mode, indices, faces):
    accessors = [*gltf_tree()["accessors"], {"bufferView": 1, "componentType": 5123, "count": 5, "type": "SCALAR"}]
    if indices is None:
        accessors[0] = {**accessors[0], "count": 3}
        faces = [[0, 1, 2]]
    primitive = {"attributes": {"POSITION": 0}, "mode": mode, **({} if indices is None else {"indices": indices})}
    assert read(accessors=accessors, meshes=[{"primitives": [primitive]}]).faces.tolist() == faces


def test_points_and_lines_are_left_out_and_noted():
    line = {"attributes": {"POSITION": 0}, "mode": 3}
    mesh = read(meshes=[{"primitives": [line, {"attributes": {"POSITION": 0}, "indices": 1}, line]}])
    assert mesh.faces.tolist() == FACES.tolist() and mesh.notes == ("2 parts of points or lines left out",)


def test_what_would_move_or_repeat_a_mesh_is_noted():
    mesh = read(nodes=[{"mesh": 0, "skin": 0, "weights": [0.5], "extensions": {"EXT_mesh_gpu_instancing": {}}}])
    assert mesh.vertices.tolist() == VERTICES.tolist()
    assert [note.partition(",")[0] for note in mesh.notes] == [
        "1 skins left alone: as the node stands",
        "1 blended shapes left alone",
        "1 nodes shown once",
    ]


def test_normalised_whole_numbers_are_shares_of_one():
    accessors, views = gltf_tree()["accessors"], gltf_tree()["bufferViews"]
    packed = (VERTICES * 127).astype("i1")
    rows = np.zeros((4, 4), "i1")
    rows[:, :3] = packed
    changed = {**accessors[0], "componentType": 5120, "normalized": True}
    tree = gltf_tree(
        accessors=[changed, accessors[1]], bufferViews=[{"buffer": 0, "byteLength": 16, "byteStride": 4}, {**views[1], "byteOffset": 16}]
    )
    mesh = read_glb(io.BytesIO(glb({**tree, "buffers": [{"byteLength": 40}]}, rows.tobytes() + FACES.astype("<u2").tobytes())), "+Y")
    assert mesh.vertices.tolist() == VERTICES.tolist() and mesh.faces.tolist() == FACES.tolist()
