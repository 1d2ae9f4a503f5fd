"""Depth frames fused into a signed distance field, side by side with Open3D: the same frames in the same process, in turn.

run     python bench/fusion.py                      (make bench ONLY=fusion)
scene   a room of 5 x 4 x 2.5 m with ten solids, 60 exact frames of 640x480 along a walk; band of 3 voxels on each side
peers   Open3D's `t.geometry.VoxelBlockGrid` on the processor (blocks of 16^3, float32, hash of the blocks large enough from the start), and
        `UniformTSDFVolume`, dense over the room, which is the old one that works: `ScalableTSDFVolume` of Open3D 0.20.0 takes depth in
        metres for millimetres when it looks for blocks, and gives an empty mesh (checked at each run)
prints  seconds of all frames, and with the mesh; the others' time over that of l9; distance of the mesh's vertices to the exact surface
threads one, by a process bound to one core, then all
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from fusion_room import SIDES, Frame, depth_frames, furnished_room
from rounds import medians, options, ratio, report, round_robin, say

from l9.geometry.fused_surface import fused_surface
from l9.geometry.fusion import BAND, Fusion
from l9.geometry.mesh import Mesh
from l9.geometry.open3d_library import open3d
from l9.geometry.scene import raycasting_scene

SIZES = (0.02, 0.05)  # metres a voxel
FRAMES, WIDTH, HEIGHT = 60, 640, 480
FARTHEST = 100.0  # metres: no depth is left out
Fused = tuple[float, np.ndarray]
"""Seconds of the frames, and the mesh's vertices."""


def by_l9(frames: list[Frame], size: float, threads: int) -> Fused:
    """Fusion and its surface."""
    start = time.perf_counter()
    fusion = Fusion(size, threads=threads)
    for depth, camera, pose in frames:
        fusion.add(depth, camera, pose)
    seconds = time.perf_counter() - start
    return seconds, fused_surface(fusion)[0]


def by_blocks(frames: list[Any], size: float) -> Fused:
    """The tensor API; `frames` are its images, intrinsics and extrinsics."""
    core, start = open3d().core, time.perf_counter()
    grid = open3d().t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight"),
        attr_dtypes=(core.float32, core.float32),
        attr_channels=((1,), (1,)),
        voxel_size=size,
        block_resolution=16,
        block_count=4000,
        device=core.Device("CPU:0"),
    )
    for depth, intrinsic, extrinsic in frames:
        near = grid.compute_unique_block_coordinates(depth, intrinsic, extrinsic, 1.0, FARTHEST, float(BAND))
        grid.integrate(near, depth, intrinsic, extrinsic, 1.0, FARTHEST, float(BAND))
    seconds = time.perf_counter() - start
    return seconds, grid.extract_triangle_mesh(weight_threshold=0.0).vertex.positions.numpy()


def by_volume(frames: list[Any], size: float, *, scalable: bool) -> Fused:
    """The older API; `frames` are its images, intrinsics and extrinsics."""
    library, start = open3d().pipelines.integration, time.perf_counter()
    band, plain = BAND * size, library.TSDFVolumeColorType.NoColor
    if scalable:
        volume = library.ScalableTSDFVolume(voxel_length=size, sdf_trunc=band, color_type=plain)
    else:
        side = max(SIDES) + 2 * band
        volume = library.UniformTSDFVolume(
            length=side, resolution=round(side / size), sdf_trunc=band, color_type=plain, origin=np.full((3, 1), -band)
        )
    for image, intrinsic, extrinsic in frames:
        volume.integrate(image, intrinsic, extrinsic)
    seconds = time.perf_counter() - start
    return seconds, np.asarray(volume.extract_triangle_mesh().vertices)


def tensor_frames(frames: list[Frame]) -> list[Any]:
    """What the tensor API is given, made before the clock starts."""
    library, tensor = open3d().t.geometry, open3d().core.Tensor
    made = []
    for depth, camera, pose in frames:
        lens = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
        made.append((library.Image(tensor(depth)), tensor(lens), tensor(np.linalg.inv(pose))))
    return made


def older_frames(frames: list[Frame]) -> list[Any]:
    """The same for the older API, which wants a colour too."""
    library, made = open3d().geometry, []
    for depth, camera, pose in frames:
        black = library.Image(np.zeros((*depth.shape, 3), np.uint8))
        image = library.RGBDImage.create_from_color_and_depth(black, library.Image(depth), 1.0, FARTHEST, False)
        lens = open3d().camera.PinholeCameraIntrinsic(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
        made.append((image, lens, np.linalg.inv(pose)))
    return made


def measured(mesh: Mesh, frames: list[Frame], size: float, threads: int, rounds: int) -> dict[str, Any]:
    """One row: all contestants at one size of voxels."""
    older, tensors = older_frames(frames), tensor_frames(frames)
    contestants: dict[str, Callable[[], Fused]] = {
        "l9": partial(by_l9, frames, size, threads),
        "VoxelBlockGrid": partial(by_blocks, tensors, size),
        "UniformTSDFVolume": partial(by_volume, older, size, scalable=False),
    }
    fusing: dict[str, list[float]] = {name: [] for name in contestants}
    vertices: dict[str, np.ndarray] = {}

    def seconds(name: str, number: int) -> float:
        del number
        start = time.perf_counter()
        alone, vertices[name] = contestants[name]()
        fusing[name].append(alone)
        return time.perf_counter() - start

    by_l9(frames[:1], size, threads)  # compiles
    say(f"{100 * size:g} cm, {threads} threads: seconds of {len(frames)} frames and the mesh")
    whole = round_robin({name: partial(seconds, name) for name in contestants}, rounds)
    return {
        "seconds": {name: round(value, 3) for name, value in medians(fusing).items()},
        "seconds_with_mesh": {name: round(value, 3) for name, value in medians(whole).items()},
        "over_l9": {name: round(ratio(fusing, name, "l9"), 2) for name in contestants if name != "l9"},
        "over_l9_with_mesh": {name: round(ratio(whole, name, "l9"), 2) for name in contestants if name != "l9"},
        "error_mm": {name: errors(mesh, found) for name, found in vertices.items()},
        "scalable_vertices": len(by_volume(older[:2], size, scalable=True)[1]),
    }


def errors(mesh: Mesh, vertices: np.ndarray) -> dict[str, float]:
    """Millimetres from vertices to the exact surface."""
    points = open3d().core.Tensor(np.ascontiguousarray(vertices, dtype=np.float32))
    away = 1000 * raycasting_scene(mesh.vertices, mesh.faces).compute_distance(points).numpy()
    middle, most = np.percentile(away, [50, 95])
    return {"median": round(float(middle), 3), "p95": round(float(most), 3), "vertices": len(vertices)}


def in_a_process(threads: int, given: Any) -> dict[str, Any]:
    """The rows of so many threads, by a process that has no more cores than that and no libraries that counted them before."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    command = [sys.executable, str(Path(__file__)), "--threads", str(threads), "--rounds", str(given.rounds), "--seed", str(given.seed)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    pin = partial(os.sched_setaffinity, 0, cores)
    done = subprocess.run(command, env=environment, preexec_fn=pin, check=True, stdout=subprocess.PIPE, text=True)
    rows: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return rows


def main() -> None:
    """Measure and report; with --threads, only the rows of so many."""
    given = options(__doc__.splitlines()[0], threads={"type": int, "default": 0, "help": "0: one, then all, in processes of their own"})
    if given.threads:
        mesh = furnished_room(given.seed)
        frames = depth_frames(mesh, FRAMES, WIDTH, HEIGHT)
        print(json.dumps({f"{100 * size:g} cm": measured(mesh, frames, size, given.threads, given.rounds) for size in SIZES}))
        return
    counts = sorted({1, len(os.sched_getaffinity(0))})
    rows = {f"{threads} threads": in_a_process(threads, given) for threads in counts}
    for threads, of_size in rows.items():
        for size, row in of_size.items():
            say(f"{size}, {threads}: {row['over_l9']} x l9; median and 95 % error (mm) {row['error_mm']}")
    report({"bench": "fusion", "wanted": {"over_l9": 1.0, "error_median_mm": 10.0}, "rows": rows})


if __name__ == "__main__":
    main()
