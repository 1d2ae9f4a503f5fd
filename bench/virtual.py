"""Partial scans of an object, side by side with Open3D: the same walks in the same process, in turn, on one core.

run     python bench/virtual.py                     (make bench ONLY=virtual)
work    4 views of 128x128 pixels cast, and fused on 32^3 voxels; ray tracing scenes are built before the clock starts, for all by Open3D
shapes  thirty solids (box, chair, cone, cylinder, lamp, mug, table ...) whose exact distance is known
peers   Open3D's rays with its `t.geometry.VoxelBlockGrid` (blocks of 8^3), and with `UniformTSDFVolume`, dense over the same box; l9's own
        rays with its sparse `Fusion`. All three keep the mean of the frames; `virtual_scans` keeps the nearest to 0, as 3D-EPN's authors do
prints  milliseconds an object, with the dense field read out; over that of l9; how far known voxels within a voxel of the surface are from
        the exact distance (voxels), and what share of all voxels is known
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rounds import medians, options, ratio, report, round_robin, say

from l9.geometry.camera import Pinhole
from l9.geometry.fusion import Fusion
from l9.geometry.grid import grid_centres
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene
from l9.geometry.solids import SOLIDS
from l9.geometry.virtual_scan import Walk, cast_depth, holding_radius, partial_grid

SIZE, FIELD, VIEWS, SIDE, BAND = 128, 43.0, 4, 32, 3.0
VOXEL = 2 / SIDE  # of the box
OBJECTS = 30
FARTHEST = 100.0  # no depth is left out
CAMERA = Pinhole.of_field(SIZE, SIZE, FIELD)
LENS = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1.0]])


@dataclass(frozen=True)
class Subject:
    """What is scanned: its ray tracing scene, the walk's poses, and the exact distance of every voxel."""

    scene: Any
    poses: np.ndarray
    distance: np.ndarray


def subjects(seed: int) -> list[Subject]:
    """Solids of all kinds, one walk around each."""
    walk, made = Walk(VIEWS, FIELD, (0.9, 1.3), (-10.0, 50.0), 90.0), []
    centres = np.stack(np.meshgrid(*[grid_centres(SIDE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    for number in range(OBJECTS):
        random = np.random.default_rng([seed, number])
        solid = SOLIDS[sorted(SOLIDS)[number % len(SOLIDS)]](random)
        poses = walk.poses(random, "+Y", holding_radius(solid.vertices, solid.faces))
        distance = solid.sdf(centres).reshape(SIDE, SIDE, SIDE) / VOXEL
        made.append(Subject(raycasting_scene(solid.vertices, solid.faces), poses, distance))
    return made


def by_l9(subject: Subject) -> np.ndarray:
    """Voxels; -1 or more is known."""
    depths = np.stack([cast_depth(subject.scene, CAMERA, pose) for pose in subject.poses])
    return partial_grid(depths, CAMERA, subject.poses)


def by_fusion(subject: Subject) -> np.ndarray:
    """l9's rays, and the fusion that scans of rooms go through."""
    fusion = Fusion(VOXEL)
    for pose in subject.poses:
        fusion.add(cast_depth(subject.scene, CAMERA, pose), CAMERA, pose)
    return fusion.grid_block((-SIDE // 2,) * 3, SIDE).values / VOXEL


def rays_of(subject: Subject, pose: np.ndarray) -> np.ndarray:
    """Depth by Open3D's own pinhole rays, 0 where nothing was met."""
    core = open3d().core
    rays = open3d().t.geometry.RaycastingScene.create_rays_pinhole(core.Tensor(LENS), core.Tensor(np.linalg.inv(pose)), SIZE, SIZE)
    depth = subject.scene.cast_rays(rays, nthreads=1)["t_hit"].numpy()
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


def by_blocks(subject: Subject) -> np.ndarray:
    """The tensor API; its voxels lie at whole multiples of their size, so the poses are moved by half of one."""
    core, library = open3d().core, open3d().t.geometry
    grid = library.VoxelBlockGrid(("tsdf", "weight"), (core.float32, core.float32), ((1,), (1,)), VOXEL, 8, 200, core.Device("CPU:0"))
    for pose in subject.poses:
        moved = pose.copy()
        moved[:3, 3] -= VOXEL / 2
        seen = library.Image(core.Tensor(rays_of(subject, pose)))
        lens, extrinsic = core.Tensor(LENS), core.Tensor(np.linalg.inv(moved))
        near = grid.compute_unique_block_coordinates(seen, lens, extrinsic, 1.0, FARTHEST, BAND)
        grid.integrate(near, seen, lens, extrinsic, 1.0, FARTHEST, BAND)
    places, numbers = grid.voxel_coordinates_and_flattened_indices()
    at = np.rint(places.numpy() / VOXEL).astype(np.int64) + SIDE // 2
    numbers = numbers.numpy()
    known = (at >= 0).all(axis=1) & (at < SIDE).all(axis=1) & (grid.attribute("weight").numpy().reshape(-1)[numbers] > 0)
    field = np.full((SIDE,) * 3, -BAND, np.float32)
    field[tuple(at[known].T)] = grid.attribute("tsdf").numpy().reshape(-1)[numbers[known]] * BAND
    return field


def by_volume(subject: Subject) -> np.ndarray:
    """The older API, dense; it wants a colour too."""
    library = open3d()
    integration = library.pipelines.integration
    volume = integration.UniformTSDFVolume(2.0, SIDE, BAND * VOXEL, integration.TSDFVolumeColorType.NoColor, np.full((3, 1), -1.0))
    lens = library.camera.PinholeCameraIntrinsic(SIZE, SIZE, CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    black = library.geometry.Image(np.zeros((SIZE, SIZE, 3), np.uint8))
    for pose in subject.poses:
        depth = library.geometry.Image(rays_of(subject, pose))
        image = library.geometry.RGBDImage.create_from_color_and_depth(black, depth, 1.0, FARTHEST, False)
        volume.integrate(image, lens, np.linalg.inv(pose))
    values = np.asarray(volume.extract_volume_tsdf()).reshape(SIDE, SIDE, SIDE, 2)
    return np.where(values[..., 1] > 0, values[..., 0] * BAND, -BAND)


def quality(field: np.ndarray, subject: Subject) -> tuple[float, float]:
    """Mean error of known voxels within one of the surface, voxels, and the share of voxels that are known."""
    known = field >= -1
    near = known & (np.abs(subject.distance) <= 1)
    return float(np.abs(field - subject.distance)[near].mean()) if near.any() else float("nan"), float(known.mean())


def main() -> None:
    """Measure and report."""
    given = options(__doc__.splitlines()[0])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    made = subjects(given.seed)
    contestants: dict[str, Callable[[Subject], np.ndarray]] = {
        "l9": by_l9,
        "l9 rays, l9 Fusion": by_fusion,
        "Open3D rays, VoxelBlockGrid": by_blocks,
        "Open3D rays, UniformTSDFVolume": by_volume,
    }

    def milliseconds(name: str, number: int) -> float:
        del number
        start = time.perf_counter()
        for subject in made:
            contestants[name](subject)
        return 1000 * (time.perf_counter() - start) / len(made)

    found = {name: np.array([quality(scan(subject), subject) for subject in made]) for name, scan in contestants.items()}  # compiles too
    figures = round_robin({name: partial(milliseconds, name) for name in contestants}, given.rounds)
    middle = medians(figures)
    rows = {
        name: {
            "milliseconds": round(middle[name], 2),
            "over_l9": round(ratio(figures, name, "l9"), 2),
            "error_voxels": round(float(np.nanmean(found[name][:, 0])), 3),
            "known_share": round(float(found[name][:, 1].mean()), 3),
        }
        for name in contestants
    }
    for name, row in rows.items():
        say(f"{name:34} {row}")
    report({"bench": "virtual", "objects": len(made), "wanted": {"milliseconds": 150}, "rows": rows})


if __name__ == "__main__":
    main()
