"""Fast point feature histograms (FPFH) at given places of a surface, as Open3D computes them.

source  Rusu, Blodow, Beetz, Fast point feature histograms for 3D registration, ICRA 2009
"""

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

NUMBERS = 33  # three angles in 11 bins each
NORMALS, FEATURE = 2, 5  # radii in voxels of the thinned cloud, and
MOST_NORMALS, MOST_FEATURE = 30, 100  # neighbours at most: all four as Open3D's own tutorial of global registration has them


def fpfh(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], places: Float[ndarray, "n 3"], voxel: float
) -> Float32[ndarray, "n 33"]:
    """Of each place the histogram of the point nearest to it of the surface's vertices, thinned to one a voxel.

    Normals are those of the thinned cloud, on the side on which the faces are seen counter-clockwise: the cameras'.

    vertices, places  metres
    voxel             metres, of the cloud: normals are fitted to what lies within 2, histograms made of what lies within 5 voxels
    """
    from l9.geometry.open3d_library import open3d

    if not len(places) or not len(vertices):
        return np.zeros((len(places), NUMBERS), np.float32)
    package = open3d()
    search, vector = package.geometry.KDTreeSearchParamHybrid, package.utility.Vector3dVector
    mesh = package.geometry.TriangleMesh(vector(vertices.astype(np.float64)), package.utility.Vector3iVector(faces.astype(np.int32)))
    mesh.compute_vertex_normals()
    cloud = package.geometry.PointCloud(mesh.vertices)
    cloud.normals = mesh.vertex_normals
    cloud = cloud.voxel_down_sample(voxel)
    cloud.estimate_normals(search(NORMALS * voxel, MOST_NORMALS))  # keeps the sides of the normals that are there
    nearest = _nearest(np.asarray(cloud.points), places)
    chosen, of_place = np.unique(nearest, return_inverse=True)
    found = package.pipelines.registration.compute_fpfh_feature(cloud, search(FEATURE * voxel, MOST_FEATURE), chosen.tolist())
    return np.asarray(found.data).T[of_place].astype(np.float32)


def _nearest(points: Float[ndarray, "p 3"], places: Float[ndarray, "n 3"]) -> Int[ndarray, "n"]:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(points).query(places)[1])
