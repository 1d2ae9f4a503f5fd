"""Grey pictures of a mesh from a ring of cameras, by ray casting: no display and no GPU are needed."""

import math

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from l9.geometry.mesh import Axis, axis_vector
from l9.geometry.normalise import rotation_about
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene

FIELD_DEGREES = 40.0  # full opening of a picture; the mesh's enclosing sphere just fits
MARGIN = 1.05  # how much farther than that the camera stands, so that the border stays white
AMBIENT = 0.25  # share of the light that comes from everywhere
SAMPLES = 2  # rays per pixel and direction, averaged, so that thin legs do not break up


def render_views(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    *,
    up: Axis,
    count: int = 12,
    size: int = 128,
    elevation_degrees: float = 30.0,
) -> UInt8[ndarray, "views h w"]:
    """Shaded views, indexed [view, row, column]: white background, row 0 on top, `up` pointing up in the picture.

    View k stands k * 360 / count degrees about `up`, `elevation_degrees` above the ground, and looks at the origin from where the
    sphere about the origin that holds the mesh fits; the light comes from the camera. Both sides of a face are lit.
    source  Su et al., Multi-view convolutional neural networks, ICCV 2015, section 3.1 (12 views, 30 degrees)
    """
    Tensor = open3d().core.Tensor

    scene = raycasting_scene(vertices, faces)
    radius = float(np.linalg.norm(vertices[faces.reshape(-1)], axis=1).max())
    pictures = np.empty((count, size, size), dtype=np.uint8)
    for view in range(count):
        pose = orbit_pose(up, 2 * math.pi * view / count, math.radians(elevation_degrees), max(radius, 1e-6))
        rays = _rays(pose, size * SAMPLES)
        seen = scene.cast_rays(Tensor(rays), nthreads=1)
        shade = _lambert(seen["primitive_normals"].numpy(), rays[..., 3:], np.isfinite(seen["t_hit"].numpy()))
        pictures[view] = np.rint(255 * shade.reshape(size, SAMPLES, size, SAMPLES).mean(axis=(1, 3))).astype(np.uint8)
    return pictures


def orbit_pose(up: Axis, azimuth: float, elevation: float, radius: float) -> Float[ndarray, "4 4"]:
    """Camera-to-world pose (OpenCV axes: x right, y down, z forward) that looks at the origin.

    azimuth, elevation  radians about `up`, and above the ground
    radius              of the sphere about the origin that fits the picture, in the mesh's unit
    """
    towards_up = axis_vector(up)
    ground = np.roll(np.abs(towards_up), 1)  # the axis after `up` in the order X Y Z: +Z for +Y
    level = rotation_about(up, azimuth) @ ground
    outward = math.cos(elevation) * level + math.sin(elevation) * towards_up
    right = np.cross(towards_up, level)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(-outward, right), -outward
    pose[:3, 3] = outward * MARGIN * radius / math.sin(math.radians(FIELD_DEGREES / 2))
    return pose


def _rays(pose: Float[ndarray, "4 4"], size: int) -> Float32[ndarray, "h w 6"]:
    """Origin and unit direction of the ray through every pixel centre of a square picture."""
    across = ((np.arange(size) + 0.5) / size * 2 - 1) * math.tan(math.radians(FIELD_DEGREES / 2))
    columns, rows = np.meshgrid(across, across)
    directions = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ pose[:3, :3].T
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return np.concatenate([np.broadcast_to(pose[:3, 3], directions.shape), directions], axis=-1).astype(np.float32)


def _lambert(normals: Float[ndarray, "h w 3"], directions: Float[ndarray, "h w 3"], hit: Bool[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Brightness 0..1 of each ray: light from the camera on either side of the face, 1 where nothing was hit."""
    facing = np.abs((normals * directions).sum(axis=-1))
    return np.where(hit, 0.9 * (AMBIENT + (1 - AMBIENT) * facing), 1.0)
