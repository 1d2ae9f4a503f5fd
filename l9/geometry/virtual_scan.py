"""A mesh as a depth camera sees it on a short walk around it: a partial distance field, and the complete one beside it.

Both lie on one grid of 32^3 voxels over [-1, 1]^3 (`l9.geometry.distance_fields` says how they are to be read). A mesh that
`normalise_cube` fitted spans 28.8 voxels, so that 1.6 stay empty on each side.
sources  Dai, Qi, Niessner, Shape completion using 3D-encoder-predictor CNNs and shape synthesis, CVPR 2017, section 3; of several frames
         the authors' code (angeladai/cnncomplete, VoxelGrid::integrate) keeps the distance that is nearest to 0, not the mean
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from numpy.random import Generator

from l9.geometry.camera import Pinhole
from l9.geometry.distance_fields import KNOWN, SIDE, TRUNCATION, cut_complete, cut_partial
from l9.geometry.grid import grid_centres, voxel_size
from l9.geometry.mesh import Axis
from l9.geometry.open3d_library import open3d
from l9.geometry.sdf import measured_grid
from l9.geometry.views import orbit_pose

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene

Misses = Literal["unknown", "free"]
"""What a ray that meets nothing says of the voxels along it: nothing, as in 3D-EPN's scans and a sensor's without an echo; or free."""


@dataclass(frozen=True)
class Walk:
    """From where a mesh is looked at: bounds of what is drawn for each walk.

    views       cameras, evenly spaced along the walk
    field       full opening of a picture, degrees
    distances   nearest and farthest, as multiples of where the sphere about the origin that holds the mesh just fits the picture
    elevations  lowest and highest above the ground, degrees
    sweep       degrees about `up` from the first camera to the last, at most
    """

    views: int
    field: int | float
    distances: tuple[int | float, int | float]
    elevations: tuple[int | float, int | float]
    sweep: int | float

    def poses(self, random: Generator, up: Axis, radius: float) -> Float[ndarray, "views 4 4"]:
        """Camera-to-world of one walk (OpenCV axes); every camera looks at the origin.

        Azimuth begins anywhere and turns either way by up to `sweep`; elevation and distance go straight from one value drawn within
        their bounds to another.

        radius  of the sphere about the origin that holds the mesh, in its unit
        """
        start, turn = random.uniform(0, 2 * math.pi), math.radians(self.sweep) * random.uniform(-1, 1)
        elevations = np.radians(random.uniform(*self.elevations, size=2))
        fits = radius / math.sin(math.radians(self.field) / 2)
        distances = fits * random.uniform(*self.distances, size=2)
        poses = np.empty((self.views, 4, 4))
        for view, share in enumerate(np.linspace(0, 1, self.views)):
            elevation, distance = (ends[0] + share * (ends[1] - ends[0]) for ends in (elevations, distances))
            poses[view] = orbit_pose(up, start + share * turn, float(elevation), radius)
            poses[view, :3, 3] = -distance * poses[view, :3, 2]
        return poses


def cast_depth(scene: "RaycastingScene", camera: Pinhole, pose: Float[ndarray, "4 4"]) -> Float32[ndarray, "h w"]:
    """Exact depth of every pixel along the optical axis, in the mesh's unit; infinite where its ray meets nothing.

    scene  of `l9.geometry.scene.raycasting_scene`; both sides of a face are seen
    """
    directions = camera.directions() @ pose[:3, :3].T
    rays = np.concatenate([np.broadcast_to(pose[:3, 3], directions.shape), directions], axis=-1).astype(np.float32)
    found: Float32[ndarray, "h w"] = scene.cast_rays(open3d().core.Tensor(rays), nthreads=1)["t_hit"].numpy()
    return found


def partial_grid(
    depths: Float32[ndarray, "views h w"], camera: Pinhole, poses: Float[ndarray, "views 4 4"], misses: Misses = "unknown"
) -> Float32[ndarray, "32 32 32"]:
    """What depth pictures say of each voxel, indexed [x, y, z]: how far behind it, along the camera's axis, its pixel's surface lies.

    depths   along the optical axis, in units of [-1, 1]^3; infinite where nothing was met
    returns  voxels, cut at 3 on both sides: +3 free, -1 or more known, less than -1 unknown (-3 where no picture says anything). Of
             several pictures the one with the distance nearest to 0 counts, and none that hides a voxel from view against one that
             shows it; so the order of pictures does not matter
    """
    from l9.geometry._virtual_kernels import keep_nearest

    kept = np.full((SIDE, SIDE, SIDE), -np.inf)
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    for depth, pose in zip(depths, poses, strict=True):
        turn, place = np.ascontiguousarray(pose[:3, :3].T), np.ascontiguousarray(pose[:3, 3])
        keep_nearest(kept, np.ascontiguousarray(depth), lens, turn, place, grid_centres(SIDE), KNOWN, misses == "free")
    return cut_partial(kept)


def complete_grid(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Float32[ndarray, "32 32 32"]:
    """Unsigned distance of each voxel's centre to the whole surface, exact, voxels, cut at 3; indexed [x, y, z].

    raises  RefusedObject as `l9.geometry.sdf.sdf_grid`
    """
    found = measured_grid(vertices, faces, SIDE, sign="none", band=TRUNCATION).values
    return cut_complete(found / np.float32(voxel_size(SIDE, (-1.0, 1.0))))


def holding_radius(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> float:
    """Of the sphere about the origin that holds the mesh, in its unit; above 0."""
    return max(float(np.linalg.norm(vertices[faces.reshape(-1)], axis=1).max()), 1e-6)
