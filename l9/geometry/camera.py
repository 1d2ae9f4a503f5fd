"""Pinhole cameras: from pixels to points, and back.

A camera's axes are OpenCV's: x right, y down, z forward. Pixel (column u, row v) has its centre at exactly (u, v). A pose is the 4x4
matrix that takes points of the camera to the world.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from l9.errors import ShapeError


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion.

    width, height  pixels
    fx, fy         focal lengths, pixels
    cx, cy         where the optical axis meets the picture, pixels from the centre of the pixel at the upper left
    source         Hartley & Zisserman, 2nd ed., eq. 6.10
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @staticmethod
    def of_field(width: int, height: int, degrees: float) -> "Pinhole":
        """The camera whose picture opens `degrees` from its left edge to its right one, with square pixels."""
        focal = width / 2 / math.tan(math.radians(degrees) / 2)
        return Pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

    def resized(self, width: int, height: int) -> "Pinhole":
        """The same camera with more or fewer pixels in its picture."""
        across, down = width / self.width, height / self.height
        cx, cy = (self.cx + 0.5) * across - 0.5, (self.cy + 0.5) * down - 0.5
        return Pinhole(width, height, self.fx * across, self.fy * down, cx, cy)

    def directions(self) -> Float[ndarray, "h w 3"]:
        """What a ray through each pixel's centre covers while z grows by 1, float64."""
        x = (np.arange(self.width) - self.cx) / self.fx
        y = (np.arange(self.height) - self.cy) / self.fy
        columns, rows = np.meshgrid(x, y)
        return np.stack([columns, rows, np.ones_like(rows)], axis=-1)


def back_project(depth: Float[ndarray, "h w"], camera: Pinhole) -> Float[ndarray, "n 3"]:
    """Points of every pixel that has a depth, in the camera's axes.

    depth    metres along the optical axis, 0 or non-finite where the sensor saw nothing
    returns  float64, metres, in row-major order of the pixels; those without depth are left out
    raises   ShapeError if depth and camera disagree on height and width
    source   Hartley & Zisserman, 2nd ed., eq. 6.3
    """
    check_size(depth, camera)
    seen = np.isfinite(depth) & (depth > 0)
    return camera.directions()[seen] * depth[seen, None].astype(np.float64)


def lifted(pixels: Float[ndarray, "n 2"] | Int[ndarray, "n 2"], depths: Float[ndarray, "n"], camera: Pinhole) -> Float[ndarray, "n 3"]:
    """Points (metres, float64, the camera's axes) of pixels (column, row) whose depths (metres along the optical axis) are known."""
    z = depths.astype(np.float64)
    return np.stack([(pixels[:, 0] - camera.cx) / camera.fx * z, (pixels[:, 1] - camera.cy) / camera.fy * z, z], axis=1)


def project(points: Float[ndarray, "n 3"], camera: Pinhole) -> Float[ndarray, "n 3"]:
    """Column, row (pixels) and depth (metres) of points in the camera's axes, float64; NaN where a point is not in front of it."""
    z = points[:, 2].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = camera.fx * points[:, 0] / z + camera.cx
        v = camera.fy * points[:, 1] / z + camera.cy
    return np.where((z > 0)[:, None], np.stack([u, v, z], axis=1), np.nan)


def depth_of_disparity(disparity: Float32[ndarray, "h w"], focal: float, baseline: float, doffs: float = 0.0) -> Float32[ndarray, "h w"]:
    """Depth of each pixel of one picture of a rectified pair.

    disparity  pixels between where the left and the right picture show the same point; infinite, NaN, 0 or less where nobody knows
    focal      pixels, of both cameras
    baseline   metres from camera to camera
    doffs      how much further to the right the right camera's axis meets its picture, pixels
    returns    metres along the optical axis, 0 where there is no disparity, or where it puts the point at infinity or behind the camera
    source     Hartley & Zisserman, 2nd ed., section 11.12; Middlebury stereo, calib.txt: z = focal * baseline / (disparity + doffs)
    """
    with np.errstate(invalid="ignore"):
        apart = disparity.astype(np.float64) + doffs
        seen = np.isfinite(disparity) & (disparity > 0) & (apart > 0)
    depth = np.zeros(disparity.shape, np.float32)
    with np.errstate(over="ignore"):
        depth[seen] = focal * baseline / apart[seen]
    depth[~np.isfinite(depth)] = 0
    return depth


def moved(points: Float[ndarray, "*n 3"], pose: Float[ndarray, "4 4"]) -> Float[ndarray, "*n 3"]:
    """Points through a pose: from the camera's axes to the world's."""
    return points @ pose[:3, :3].T + pose[:3, 3]


def inverse_pose(pose: Float[ndarray, "4 4"]) -> Float[ndarray, "4 4"]:
    """World-to-camera of a camera-to-world pose; the rotation is taken as one, so its transpose is its inverse."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def looking_at(eye: Float[ndarray, "3"], target: Float[ndarray, "3"], up: Float[ndarray, "3"]) -> Float[ndarray, "4 4"]:
    """Camera-to-world pose of a camera at `eye` that looks at `target`, `up` upwards in its picture; they must not lie in one line."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, eye
    return pose


def check_size(depth: Float[ndarray, "h w"], camera: Pinhole) -> None:
    """ShapeError if a picture and its camera disagree on height and width."""
    if depth.shape != (camera.height, camera.width):
        raise ShapeError(f"depth has {depth.shape[1]}x{depth.shape[0]} pixels, its camera {camera.width}x{camera.height}")


def depth_normals(depth: Float[ndarray, "h w"], camera: Pinhole, jump: float = 0.05) -> Float32[ndarray, "h w 3"]:
    """Unit normals of the surface at each pixel, facing the camera, in its axes: across the pixels on its left and right, above and below.

    depth    metres along the optical axis, 0 or non-finite where the sensor saw nothing
    jump     share of a pixel's depth by which each of the four may be off; beyond it lies another thing
    returns  (0, 0, 0) where one of the five depths is missing or beyond a jump, and in the outermost rows and columns
    raises   ShapeError if depth and camera disagree on height and width
    source   Newcombe et al., KinectFusion, 2011, eq. 3 (with central differences in place of forward ones)
    """
    check_size(depth, camera)
    normals = np.zeros((*depth.shape, 3), np.float32)
    if min(depth.shape) < 3:
        return normals
    seen = np.isfinite(depth) & (depth > 0)
    z = np.where(seen, depth, 0).astype(np.float64)
    points = camera.directions() * z[..., None]
    facing = np.cross(points[2:, 1:-1] - points[:-2, 1:-1], points[1:-1, 2:] - points[1:-1, :-2])
    middle, around = z[1:-1, 1:-1], (z[1:-1, :-2], z[1:-1, 2:], z[:-2, 1:-1], z[2:, 1:-1])
    near = np.logical_and.reduce([(other > 0) & (np.abs(other - middle) <= jump * middle) for other in around])
    length = np.linalg.norm(facing, axis=-1)
    found = near & seen[1:-1, 1:-1] & (length > 0)
    normals[1:-1, 1:-1][found] = facing[found] / length[found, None]
    return normals
