"""Yield: a surface that was seen of an object, such as a fused scan, as the partial distance field that networks complete.

A surface alone does not say which space its cameras saw. So cameras are put where its faces look, and what they see of its front is
known: the surface within a voxel of it, and the way to it. All else is unknown, what the back of a face hides and where no face is met.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.geometry.distance_fields import SIDE
from l9.geometry.grid import voxel_size
from l9.geometry.mesh import Axis, Mesh, axis_vector
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene
from l9.geometry.views import orbit_pose
from l9.geometry.virtual_scan import holding_radius, partial_grid
from l9.stages.contract import yields
from l9.stages.limits import MAX_RESOLUTION, check_number, check_size
from l9.store.columns import Column, Row

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene

FIELD = 43.0  # full opening of a picture, degrees: that of `virtual_scans`
STEEPEST = 80.0  # degrees above the ground, of a camera
LEAST_SIDE = 0.1  # length of the mean of the faces' normals below which they look all around
MOST_VIEWS = 64


def _columns(views: int = 4, size: int = 128, sweep: int | float = 90.0, fit: int | float = 1.6) -> tuple[Column, ...]:
    check_number("seen_surface", "views", views, most=MOST_VIEWS)
    check_number("seen_surface", "size", size, most=MAX_RESOLUTION)
    check_size("seen_surface", "sweep", sweep, least=0, most=360, unit="degrees")
    check_size("seen_surface", "fit", fit, least=0.1, most=2, unit="units of the box")
    return (
        Column("partial", "float16", (SIDE, SIDE, SIDE), unit="voxel", axes="x y z"),
        Column("placement", "float64", (4,), unit="of the file", axes="middle x, y, z and side of a voxel"),
    )


@yields(columns=_columns, version=1)
def seen_surface(mesh: Mesh, views: int = 4, size: int = 128, sweep: int | float = 90.0, fit: int | float = 1.6) -> Iterator[Row]:
    """One row: `partial` as in `virtual_scans`, and `placement`, which takes voxels back to where the mesh was.

    views   cameras, evenly about the side on which the faces look
    size    pixels of a picture, each way
    sweep   degrees about `mesh.up` that they cover
    fit     longest side of the box of what was seen, where the grid has 2; below the 1.8 of whole objects, since more of one is to come
    raises  RefusedObject `no-side` where the faces look all around, as those of a whole object do; `saw-nothing` where the cameras met no
            front of a face; `no-area` for a mesh without size
    """
    _columns(views, size, sweep, fit)
    used = mesh.vertices[mesh.faces.reshape(-1)]
    middle, longest = (used.min(axis=0) + used.max(axis=0)) / 2, float(np.ptp(used, axis=0).max())
    if not (longest > 0 and math.isfinite(fit / longest)):
        raise RefusedObject("no-area", f"size {longest:g}; expected one that can be scaled to {fit:g}")
    vertices = (mesh.vertices - middle) * (fit / longest)
    corners = vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    poses = _poses(normals, mesh.up, holding_radius(vertices, mesh.faces), views, math.radians(sweep))
    scene, camera = raycasting_scene(vertices, mesh.faces), Pinhole.of_field(size, size, FIELD)
    depths = np.stack([_front_depth(scene, camera, pose) for pose in poses])
    if not np.isfinite(depths).any():
        raise RefusedObject("saw-nothing", f"{views} cameras where the faces look met no front of one")
    placement = np.array([*middle, voxel_size(SIDE, (-1.0, 1.0)) * longest / fit])
    yield {"partial": partial_grid(depths, camera, poses).astype(np.float16), "placement": placement}


def _poses(normals: Float[ndarray, "f 3"], up: Axis, radius: float, views: int, sweep: float) -> Float[ndarray, "views 4 4"]:
    """Cameras that look at the origin from where most of the surface can be seen; normals of twice the length of each face's area."""
    mean = normals.sum(axis=0) / max(float(np.linalg.norm(normals, axis=1).sum()), 1e-300)
    if np.linalg.norm(mean) < LEAST_SIDE:
        raise RefusedObject("no-side", "its faces look all around; expected the part of a surface that was seen, each face to its camera")
    side, upward = mean / np.linalg.norm(mean), axis_vector(up)
    ground = np.roll(np.abs(upward), 1)
    azimuth = math.atan2(float(side @ np.cross(upward, ground)), float(side @ ground))
    steepest = math.radians(STEEPEST)
    elevation = min(max(math.asin(min(max(float(side @ upward), -1.0), 1.0)), -steepest), steepest)
    shares = np.linspace(-0.5, 0.5, views) if views > 1 else [0.0]
    return np.stack([orbit_pose(up, azimuth + float(share) * sweep, elevation, radius) for share in shares])


def _front_depth(scene: "RaycastingScene", camera: Pinhole, pose: Float[ndarray, "4 4"]) -> Float32[ndarray, "h w"]:
    """Depth along the optical axis of each pixel; infinite where its ray meets nothing, or the back of a face."""
    directions = camera.directions() @ pose[:3, :3].T
    rays = np.concatenate([np.broadcast_to(pose[:3, 3], directions.shape), directions], axis=-1).astype(np.float32)
    found = scene.cast_rays(open3d().core.Tensor(rays), nthreads=1)
    fronts = (found["primitive_normals"].numpy() * directions).sum(axis=-1) < 0
    return np.where(fronts, found["t_hit"].numpy(), np.float32(np.inf)).astype(np.float32)
