"""l9.geometry.cloud, and what each stage makes of a cloud."""

import numpy as np
import pytest
from geometry_cases import few, solid
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from l9.errors import RefusedObject
from l9.geometry.cloud import PointCloud, checked_cloud, drawn_points
from l9.geometry.mesh import Mesh
from l9.geometry.sample import sample_surface
from l9.stages import (
    coarse_occupancy,
    labelled_points,
    normalise,
    occupancy,
    scene_points,
    sdf,
    surface_points,
    views,
)
from l9.stages.contract import changes, columns_of, run_stages


def cloud(count=500, normals=True, labels=True, seed=0):
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(count, 3)) * [1, 2, 3] + 7
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    return PointCloud(points, unit if normals else None, np.arange(count) % 50 if labels else None, up="+Z")


def row(stage, subject, **arguments):
    (only,) = run_stages(subject, [(stage, arguments)], object_id="a")
    assert list(only) == [column.name for column in columns_of([(stage, arguments)])]
    return only


@pytest.mark.parametrize(
    ("subject", "reason", "words"),
    [
        (PointCloud(np.zeros((0, 3))), "no-points", "0 points"),
        (PointCloud(np.array([[0, 0, np.nan], [0, 0, 0]])), "not-finite", "1 of 2 points"),
        (PointCloud(np.zeros((2, 3)), np.array([[0, 0, 1], [0, np.inf, 0]])), "not-finite", "1 of 2 normals"),
        (PointCloud(np.zeros((2, 3)), np.zeros((3, 3))), "uneven", "2 points and 3 normals"),
        (PointCloud(np.zeros((2, 3)), labels=np.zeros(1, np.int64)), "uneven", "2 points and 1 labels"),
    ],
)
def test_a_cloud_that_cannot_be_used_is_refused(subject, reason, words):
    with pytest.raises(RefusedObject, match=words) as caught:
        checked_cloud(subject)
    assert caught.value.reason == reason


def test_a_good_cloud_passes_and_moves_with_all_it_has():
    given_cloud = cloud()
    assert checked_cloud(given_cloud) is given_cloud
    moved = given_cloud.moved(given_cloud.points + 1)
    assert moved.up == "+Z" and moved.normals is given_cloud.normals and moved.labels is given_cloud.labels


@few
@given(points=st.integers(1, 200), count=st.integers(1, 200), seed=st.integers(0, 2**63 - 1))
def test_points_are_drawn_without_replacement_and_repeat_evenly(points, count, seed):
    numbers = drawn_points(points, count, seed=seed, repeat=True)
    times = np.bincount(numbers, minlength=points)
    assert len(numbers) == count and len(times) == points and times.max() - times.min() <= 1
    assert_array_equal(numbers, drawn_points(points, count, seed=seed, repeat=True))
    if count <= points:
        assert_array_equal(numbers, drawn_points(points, count, seed=seed))
    else:
        with pytest.raises(RefusedObject, match="too-few-points"):
            drawn_points(points, count, seed=seed)


@pytest.mark.parametrize("kind", ["cube", "sphere"])
def test_a_cloud_is_normalised_as_a_mesh_of_its_points_is(kind):
    vertices, faces = solid("chair")
    used = vertices[np.unique(faces)] * 3 + 2
    found = normalise(PointCloud(used, up="-X"), kind=kind)
    expected = normalise(Mesh(vertices * 3 + 2, faces), kind=kind)
    assert_allclose(found.points, expected.vertices[np.unique(faces)], atol=1e-12)
    assert found.up == "-X"


def test_a_cloud_without_size_cannot_be_normalised():
    with pytest.raises(RefusedObject, match="size 0"):
        normalise(PointCloud(np.ones((4, 3))))


def test_surface_points_of_a_cloud_are_some_of_its_points_with_their_normals():
    subject = cloud()
    found = row(surface_points, subject, count=100, seed=3)
    places = {point.tobytes(): number for number, point in enumerate(subject.points.astype(np.float32))}
    numbers = [places[point.tobytes()] for point in found["points"]]
    assert len(set(numbers)) == 100
    assert_array_equal(found["normals"], subject.normals[numbers].astype(np.float32))
    assert_array_equal(found["points"], row(surface_points, subject, count=100, seed=3)["points"])
    assert not np.array_equal(found["points"], row(surface_points, subject, count=100, seed=4)["points"])


def test_normals_are_left_out_where_nobody_asks_for_them():
    assert list(row(surface_points, cloud(normals=False), count=10, normals=False)) == ["points"]
    mesh = Mesh(*solid("chair"))
    with_normals, without = (row(surface_points, mesh, count=10, normals=normals) for normals in (True, False))
    assert list(without) == ["points"]
    assert_array_equal(with_normals["points"], without["points"])


def test_labelled_points_keep_their_labels():
    subject = cloud()
    found = row(labelled_points, subject, count=200, normals=True)
    labels = {point.tobytes(): label for point, label in zip(subject.points.astype(np.float32), subject.labels, strict=True)}
    assert found["parts"].dtype == np.uint8
    assert found["parts"].tolist() == [labels[point.tobytes()] for point in found["points"]]
    assert found["normals"].shape == (200, 3)
    repeated = row(labelled_points, subject, count=750, repeat=True)
    assert len(np.unique(repeated["points"], axis=0)) == 500
    assert repeated["parts"].tolist() == [labels[point.tobytes()] for point in repeated["points"]]


@pytest.mark.parametrize(
    ("stage", "subject", "arguments", "words"),
    [
        (surface_points, cloud(), {"count": 501}, "too-few-points: 500 points; expected at least 501"),
        (surface_points, cloud(normals=False), {"count": 10}, "no-normals"),
        (labelled_points, cloud(), {"count": 501}, "too-few-points"),
        (labelled_points, cloud(labels=False), {"count": 10}, "no-labels"),
        (labelled_points, cloud(normals=False), {"count": 10, "normals": True}, "no-normals"),
        (labelled_points, PointCloud(np.zeros((2, 3)), labels=np.array([0, 256])), {"count": 1}, "bad-label"),
        (labelled_points, PointCloud(np.zeros((2, 3)), labels=np.array([-1, 0])), {"count": 1}, "bad-label"),
    ],
)
def test_what_a_cloud_does_not_have_is_its_refusal(stage, subject, arguments, words):
    with pytest.raises(RefusedObject, match=words):
        list(run_stages(subject, [(stage, arguments)], object_id="a"))


@pytest.mark.parametrize("stage", [occupancy, sdf, views, coarse_occupancy], ids=lambda stage: stage.__name__)
def test_a_stage_that_needs_faces_refuses_a_cloud(stage):
    with pytest.raises(RefusedObject, match=f"stage {stage.__name__} takes a Mesh; this object is a PointCloud") as caught:
        list(run_stages(cloud(), [(stage, {})], object_id="a"))
    assert caught.value.reason == "no-faces"


def test_a_mesh_whose_faces_have_parts_gives_points_with_these():
    """The lower half of a box is part 7, the upper 9; a part follows its faces wherever the mesh is moved."""
    vertices, faces = solid("box")
    mesh = Mesh(vertices, faces, parts=np.where(vertices[faces].mean(axis=1)[:, 1] > 0, 9, 7))
    assert_array_equal(mesh.moved(vertices + 1).parts, mesh.parts)
    found = next(labelled_points(mesh, count=400, normals=True, seed=3))
    points, normals, drawn = sample_surface(vertices, faces, 400, seed=3)
    assert_array_equal(found["points"], points)
    assert_array_equal(found["parts"], mesh.parts[drawn])
    assert_array_equal(found["normals"], normals)


def test_a_mesh_without_parts_has_no_labels():
    with pytest.raises(RefusedObject, match="no-labels: a mesh of 12 faces without parts"):
        list(run_stages(Mesh(*solid("box")), [(labelled_points, {})], object_id="a"))


def test_a_stage_that_needs_a_scan_refuses_a_mesh():
    with pytest.raises(RefusedObject, match="stage scene_points takes a Scan; this object is a Mesh") as caught:
        list(run_stages(Mesh(*solid("box")), [(scene_points, {})], object_id="a"))
    assert caught.value.reason == "wrong-kind"


@changes(version=1)
def anything(subject):
    return subject


def test_a_stage_that_says_no_type_takes_anything():
    assert next(run_stages(cloud(), [(anything, {}), (surface_points, {"count": 1})], object_id="a"))["points"].shape == (1, 3)
