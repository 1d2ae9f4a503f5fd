"""A furnished room whose surface is known exactly, and depth frames of it along a smooth path, without noise."""

import math

import numpy as np

from l9.geometry.camera import Pinhole, looking_at
from l9.geometry.mesh import Mesh
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene
from l9.geometry.solids import SOLIDS

SIDES = (5.0, 4.0, 2.5)  # metres along x, y and up
THINGS = ("box", "cylinder", "sphere", "table", "chair", "torus", "box", "lamp", "cylinder", "mug")
FOCAL = 525.0  # pixels of a picture 640 wide: a Kinect's
UP = np.array([0.0, 0.0, 1.0])
Frame = tuple[np.ndarray, Pinhole, np.ndarray]
"""Depth, camera and pose."""


def furnished_room(seed: int) -> Mesh:
    """Walls that face inward, and ten solids of 0.5 to 0.9 m on the floor, in two rows."""
    draw = np.random.default_rng(seed)
    shell = SOLIDS["box"](draw)
    vertices, faces = [(np.sign(shell.vertices) + 1) / 2 * SIDES], [shell.faces[:, ::-1]]
    for number, name in enumerate(THINGS):
        solid = SOLIDS[name](draw)
        upright = solid.vertices[:, [2, 0, 1]] * draw.uniform(0.28, 0.5)
        place = np.array([0.8 + number % 5 * 0.85, 0.8 + number // 5 * 2.4, 0.003 - upright[:, 2].min()])
        faces.append(solid.faces + sum(map(len, vertices)))
        vertices.append(upright + place)
    return Mesh(np.concatenate(vertices), np.concatenate(faces), up="+Z")


def path(count: int) -> list[np.ndarray]:
    """Poses of a walk around the middle of the room, eyes at 1.5 m, looking outward and up and down in turn."""
    poses = []
    for k in range(count):
        angle = 2 * math.pi * k / count
        eye = np.array([2.5 + 0.9 * math.cos(angle), 2 + 0.6 * math.sin(angle), 1.5])
        towards = np.array([math.cos(angle + 0.4), math.sin(angle + 0.4), -0.35 + 0.3 * math.sin(3 * angle)])
        poses.append(looking_at(eye, eye + towards, UP))
    return poses


def depth_frames(mesh: Mesh, count: int, width: int, height: int) -> list[Frame]:
    """Exact depth along the path, float32."""
    scene, tensor = raycasting_scene(mesh.vertices, mesh.faces), open3d().core.Tensor
    focal = FOCAL * width / 640
    camera = Pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    frames = []
    for pose in path(count):
        towards = camera.directions().reshape(-1, 3) @ pose[:3, :3].T
        rays = np.concatenate([np.broadcast_to(pose[:3, 3], towards.shape), towards], axis=1).astype(np.float32)
        depth = scene.cast_rays(tensor(rays))["t_hit"].numpy().reshape(height, width)
        frames.append((np.where(np.isfinite(depth), depth, 0).astype(np.float32), camera, pose))
    return frames
