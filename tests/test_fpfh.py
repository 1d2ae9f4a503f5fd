"""FPFH at places: Open3D's own numbers on the same cloud, of the nearest point."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from l9.geometry.fpfh import fpfh
from l9.geometry.open3d_library import open3d

VOXEL = 0.05


@pytest.fixture(scope="module")
def surface():
    """A wavy sheet of 1 m, seen from above: vertices 2 cm apart, faces counter-clockwise from there."""
    side = 51
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    vertices = np.stack([x, y, 0.05 * np.sin(9 * x) * np.cos(7 * y * y)], axis=-1).reshape(-1, 3).astype(np.float32)
    first = (side * np.arange(side - 1)[:, None] + np.arange(side - 1)).ravel()
    faces = np.concatenate(
        [np.stack([first, first + side, first + 1], axis=1), np.stack([first + 1, first + side, first + side + 1], axis=1)]
    )
    return vertices, faces.astype(np.int32)


def test_it_is_open3ds_own_on_the_same_cloud(surface):
    vertices, faces = surface
    places = np.random.default_rng(0).uniform((0.1, 0.1, 0), (0.9, 0.9, 0), (20, 3))
    package = open3d()
    cloud = package.geometry.PointCloud(package.utility.Vector3dVector(vertices.astype(np.float64))).voxel_down_sample(VOXEL)
    cloud.estimate_normals(package.geometry.KDTreeSearchParamHybrid(2 * VOXEL, 30))
    cloud.orient_normals_to_align_with_direction(np.array([0.0, 0.0, 1.0]))
    whole = package.pipelines.registration.compute_fpfh_feature(cloud, package.geometry.KDTreeSearchParamHybrid(5 * VOXEL, 100))
    nearest = np.linalg.norm(np.asarray(cloud.points) - places[:, None], axis=-1).argmin(axis=1)
    found = fpfh(vertices, faces, places, VOXEL)
    assert found.shape == (20, 33) and found.dtype == np.float32
    assert_allclose(found, np.asarray(whole.data).T[nearest], rtol=1e-5, atol=1e-4)
    assert_allclose(found.reshape(20, 3, 11).sum(axis=-1), 200, rtol=1e-4)  # 100 of its own, 100 of its neighbours


def test_a_shape_keeps_its_histogram_and_others_differ(surface):
    """Moved as a whole by whole voxels, nothing changes; and another place is farther off than rounding."""
    vertices, faces = surface
    places = np.array([[0.3, 0.3, 0.0], [0.6, 0.8, 0.0]])
    found = fpfh(vertices, faces, places, VOXEL)
    moved = np.array([4.0, -2.0, 1.0])
    assert_allclose(fpfh(vertices + moved, faces, places + moved, VOXEL), found, atol=0.5)
    assert np.linalg.norm(found[0] - found[1]) > 10


def test_without_places_or_a_surface_there_are_no_numbers(surface):
    vertices, faces = surface
    assert fpfh(vertices, faces, np.zeros((0, 3)), VOXEL).shape == (0, 33)
    assert not fpfh(np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((2, 3)), VOXEL).any()
