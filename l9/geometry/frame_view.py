"""A depth frame as fusion looks at it: cleaned, with bounds of its depths, and the blocks of the world that it says something about."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32
from numpy import ndarray

from l9.errors import RefusedObject
from l9.geometry._block_kernels import FARTHEST, SIDE
from l9.geometry._glance_kernels import CLUSTER, TILE, blocks_in_view, cleaned, pyramid
from l9.geometry.camera import Pinhole, inverse_pose, moved


@dataclass(frozen=True)
class FrameView:
    """What is known of a frame before any voxel is looked at.

    depth     float32 (h * w + 1), see `_glance_kernels.cleaned`
    farthest  metres, 0 where the frame is empty
    levels    of the pyramid: first cell, columns and rows
    cells     nearest and farthest depth of each cell, and whether it has no holes
    """

    depth: Float32[ndarray, "pixels"]
    camera: Pinhole
    pose: Float[ndarray, "4 4"]
    truncation: float
    farthest: float
    levels: ndarray
    cells: tuple[ndarray, ndarray, ndarray]

    def arrays(self) -> tuple[ndarray, int, int, ndarray, ndarray]:
        """The view as `_fusion_kernels.observe` takes it."""
        camera = self.camera
        lens = np.array([[camera.fx, 0, camera.cx + 0.5], [0, camera.fy, camera.cy + 0.5], [0, 0, 1]])
        return self.depth, camera.width, camera.height, lens @ inverse_pose(self.pose)[:3, :3], self._place()

    def blocks(self, voxel_size: float) -> Int32[ndarray, "n 4"]:
        """Blocks that the frame says something about: their places, and what; RefusedObject `too-far` for one 2^24 voxels away."""
        if self.farthest <= 0:
            return np.empty((0, 4), np.int32)
        camera, cluster = self.camera, CLUSTER * SIDE * voxel_size
        columns, rows = (np.array([-1, camera.width]) - camera.cx) / camera.fx, (np.array([-1, camera.height]) - camera.cy) / camera.fy
        corners = np.array([[x, y, 1] for x in columns for y in rows]) * (self.farthest + self.truncation)
        reached = moved(np.concatenate([corners, np.zeros((1, 3))]), self.pose.astype(np.float64)) / cluster
        if np.abs(reached).max() >= FARTHEST // CLUSTER - 1:
            raise RefusedObject("too-far", f"{np.abs(reached).max() * cluster:,.0f} m from the origin, in voxels of {voxel_size} m")
        first, last = (np.floor(end).astype(np.int64) for end in (reached.min(axis=0), reached.max(axis=0)))
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height])
        turn = np.ascontiguousarray(inverse_pose(self.pose)[:3, :3])
        return blocks_in_view(first, last, voxel_size, turn, self._place(), lens, self.levels, self.cells, self.truncation)

    def _place(self) -> Float[ndarray, "3"]:
        return np.ascontiguousarray(self.pose[:3, 3], dtype=np.float64)


def frame_view(depth: Float32[ndarray, "h w"], camera: Pinhole, pose: Float[ndarray, "4 4"], truncation: float) -> FrameView:
    """A frame's depth without the pixels at jumps of more than `truncation` (metres), and its pyramid."""
    clean = cleaned(np.ascontiguousarray(depth), truncation)
    levels: list[tuple[int, int, int]] = []
    cells, columns, rows = 0, -(-camera.width // TILE), -(-camera.height // TILE)
    while not levels or levels[-1][1:] != (1, 1):
        levels.append((cells, columns, rows))
        cells, columns, rows = cells + columns * rows, -(-columns // 2), -(-rows // 2)
    table = np.array(levels, dtype=np.int64)
    bounds = np.empty(cells, np.float32), np.empty(cells, np.float32), np.empty(cells, np.bool_)
    pyramid(clean, camera.width, camera.height, table, *bounds)
    return FrameView(clean, camera, pose, truncation, float(bounds[1][-1]), table, bounds)
