"""STL as text and as binary."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mesh_bytes import FACES, VERTICES, binary_stl, text_stl

from l9.errors import RefusedObject
from l9.readers.stl import read_stl

finite = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3), st.just(3)), elements=finite))
def test_text_and_binary_give_the_same_corners(triangles):
    triangles = np.concatenate([triangles, VERTICES[FACES].astype(np.float32)])
    for data in (binary_stl(triangles), binary_stl(triangles, head=b"solid"), text_stl(triangles.astype(np.float64))):
        mesh = read_stl(io.BytesIO(data), "+Z")
        assert np.array_equal(mesh.vertices, triangles.reshape(-1, 3)) and mesh.vertices.dtype == np.float64 and mesh.up == "+Z"
        assert np.array_equal(mesh.faces, np.arange(3 * len(triangles)).reshape(-1, 3))


def test_a_signalling_nan_is_refused_without_a_warning():
    data = binary_stl()
    with pytest.raises(RefusedObject, match="not-finite"):
        read_stl(io.BytesIO(data[:96] + b"\x01\x00\xa0\x7f" + data[100:]), "+Y")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("vertex 1.0 0.0 0.0", "vertex 1.0 0.0", "unreadable"),
        ("vertex 1.0 0.0 0.0", "vertex 1.0 0.0 x", "unreadable"),
        ("  vertex 1.0 0.0 0.0\n", "", "unreadable"),
        ("facet normal", "plane normal", "unreadable"),
        ("endsolid", "", "truncated"),
    ],
)
def test_text_that_is_not_made_of_triangles_is_refused(old, new, reason):
    with pytest.raises(RefusedObject) as caught:
        read_stl(io.BytesIO(text_stl().replace(old.encode(), new.encode(), 1)), "+Y")
    assert caught.value.reason == reason
