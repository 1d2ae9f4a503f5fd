"""Points drawn from surfaces, and thinned out, side by side with Open3D: one thread each, the same meshes in the same process, in turn.

run     python bench/sample.py                      (make bench ONLY=sample)
peers   Open3D's `sample_points_uniformly` with the triangles' normals, its mesh and normals made beforehand, both results as arrays;
        the same draws in plain numpy (cumsum, searchsorted), to the last bit those of l9. For subsets Open3D's
        `farthest_point_down_sample` and `sample_points_poisson_disk`, from the same 10,240 points
meshes  solids cut into about 500, 5,000 and 100,000 faces; three models of as many where `l9 fetch furniture` was run
prints  points/s at 10,000 and at 100,000 points, faces looked at anew in every call; then milliseconds from 10,240 points to 2,048, and
        the distance of the two nearest that are left, over the mean from a random point to its nearest
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before any library counts the cores

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from models import model_of
from rounds import medians, options, ratio, report, round_robin, say
from scipy.spatial import cKDTree

from l9.geometry.mesh import Mesh
from l9.geometry.normalise import normalise_cube
from l9.geometry.open3d_library import open3d
from l9.geometry.sample import sample_surface
from l9.geometry.solids import SOLIDS
from l9.geometry.subsets import farthest_points, poisson_disk_points
from l9.readers.sweethome import find

COUNTS = (10_000, 100_000)
SECONDS = 0.3  # of one figure, at least
KEPT, TIMES = 2_048, 5  # points that stay, and points for each that they are chosen from
CUT = (("cylinder", 0), ("lamp", 1), ("lamp", 3))  # solid, and how often each face is cut in four: 512, 6,144 and 98,304 faces
MODELS = ("sweethome3d-curvestaircase", "sweethome3d-mannequin", "scopia-ficustree")  # 492, 5,000 and 118,876 faces


def meshes(furniture: Path, seed: int) -> dict[str, Mesh]:
    """What is drawn from, by a name that tells the number of faces."""
    found = []
    for name, times in CUT:
        solid = SOLIDS[name](np.random.default_rng(seed))
        found.append((name, cut_in_four(Mesh(solid.vertices, solid.faces), times)))
    if (furniture / "source.json").is_file():
        found += [(model.id, in_the_cube(model_of(furniture, model))) for model in find(furniture) if model.id in MODELS]
    else:
        say(f"{furniture} holds no furniture: solids alone; `l9 fetch furniture` brings models")
    return {f"{name}, {len(mesh.faces):,} faces": mesh for name, mesh in sorted(found, key=lambda pair: len(pair[1].faces))}


def in_the_cube(mesh: Mesh) -> Mesh:
    """Longest side 1.8, centred."""
    return mesh.moved(normalise_cube(mesh.vertices, mesh.faces))


def cut_in_four(mesh: Mesh, times: int) -> Mesh:
    """Every face cut at the middles of its sides, `times` times; no vertex is shared."""
    corners = mesh.vertices[mesh.faces]
    for _ in range(times):
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        tips = [np.stack([corners[:, k], middles[:, k], middles[:, k - 1]], axis=1) for k in range(3)]
        corners = np.concatenate([*tips, middles])
    return Mesh(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))


def in_numpy(vertices: Any, faces: Any, count: int, *, seed: int) -> tuple[Any, ...]:
    """The draws of l9, a line a formula."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.linalg.norm(normals, axis=1)
    random, until = np.random.default_rng(seed), np.cumsum(doubled)
    drawn = np.minimum(np.searchsorted(until, random.random(count) * until[-1], side="right"), np.flatnonzero(doubled)[-1])
    root, along = np.sqrt(random.random(count))[:, None], random.random(count)[:, None]
    first, second, third = (corners[drawn, k] for k in range(3))
    points = (1 - root) * first + root * (1 - along) * second + root * along * third
    return points.astype(np.float32), (normals[drawn] / doubled[drawn, None]).astype(np.float32), drawn


def in_open3d(mesh: Mesh) -> Any:
    """The mesh as Open3D has it, with the normals of its faces."""
    library = open3d()
    made = library.geometry.TriangleMesh(library.utility.Vector3dVector(mesh.vertices), library.utility.Vector3iVector(mesh.faces))
    return made.compute_triangle_normals()


def arrays(cloud: Any) -> tuple[Any, Any]:
    """Points and normals of a cloud of Open3D; both are its own memory."""
    return np.asarray(cloud.points), np.asarray(cloud.normals)


def calls_per_second(call: Callable[[], Any], number: int) -> float:
    """How often `call` runs in a second, its results thrown away."""
    del number
    start, calls = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS:
        call()
        calls += 1
    return calls / seconds


def drawn(name: str, mesh: Mesh, count: int, given: Any) -> dict[str, Any]:
    """Points/s of the three, and l9 over the other two."""
    peer, seed = in_open3d(mesh), given.seed
    contestants: dict[str, Callable[[], Any]] = {
        "l9": partial(sample_surface, mesh.vertices, mesh.faces, count, seed=seed),
        "open3d": lambda: arrays(peer.sample_points_uniformly(count, use_triangle_normal=True)),
        "numpy": partial(in_numpy, mesh.vertices, mesh.faces, count, seed=seed),
    }
    for one, other in zip(contestants["l9"](), contestants["numpy"](), strict=True):
        assert np.array_equal(one, other)
    say(f"{name}, {count:,} points: calls/s")
    figures = round_robin({key: partial(calls_per_second, call) for key, call in contestants.items()}, given.rounds)
    speeds = {key: round(value * count) for key, value in medians(figures).items()}
    return {"points_per_second": speeds, "l9_over_open3d": ratio(figures, "l9", "open3d"), "l9_over_numpy": ratio(figures, "l9", "numpy")}


def thinned(name: str, mesh: Mesh, given: Any) -> dict[str, Any]:
    """Milliseconds of both libraries for both kinds of subset, and how near the two nearest of each are."""
    points = sample_surface(mesh.vertices, mesh.faces, TIMES * KEPT, seed=given.seed)[0]
    peer, cloud = in_open3d(mesh), open3d().geometry.PointCloud(open3d().utility.Vector3dVector(points))
    contestants: dict[str, Callable[[], Any]] = {
        "farthest, l9": lambda: points[farthest_points(points, KEPT, seed=given.seed)],
        "farthest, open3d": lambda: arrays(cloud.farthest_point_down_sample(KEPT))[0],
        "poisson, l9": lambda: points[poisson_disk_points(points, KEPT, seed=given.seed)],
        "poisson, open3d": lambda: arrays(peer.sample_points_poisson_disk(KEPT, pcl=cloud))[0],
    }
    random = apart(points[:KEPT]).mean()
    nearest = {key: round(float(apart(call()).min() / random), 3) for key, call in contestants.items()}  # compiles what is compiled, too
    say(f"{name}, {TIMES * KEPT:,} points to {KEPT:,}: calls/s")
    figures = round_robin({key: partial(calls_per_second, call) for key, call in contestants.items()}, given.rounds)
    return {
        "milliseconds": {key: round(1000 / value, 1) for key, value in medians(figures).items()},
        "nearest_over_random_mean": nearest,
        "l9_over_open3d": {kind: ratio(figures, f"{kind}, l9", f"{kind}, open3d") for kind in ("farthest", "poisson")},
    }


def apart(points: Any) -> Any:
    """Distance of each point to the nearest other."""
    return cKDTree(points).query(points, k=2)[0][:, 1]


def main() -> None:
    """Measure and report."""
    furniture = {"type": Path, "default": Path("l9-home/raw/furniture"), "help": "where `l9 fetch furniture` put it"}
    given = options(__doc__.splitlines()[0], furniture=furniture)
    found = meshes(given.furniture, given.seed)
    draws = {name: {str(count): drawn(name, mesh, count, given) for count in COUNTS} for name, mesh in found.items()}
    subsets = {name: thinned(name, mesh, given) for name, mesh in found.items()}
    for name, row in draws.items():
        say(f"{name:46}" + "".join(f"  {int(count):,} points: {cell['l9_over_open3d']:.2f} x Open3D" for count, cell in row.items()))
    least = {str(count): min(row[str(count)]["l9_over_open3d"] for row in draws.values()) for count in COUNTS}
    report({"bench": "sample", "threads": 1, "wanted": 1.0, "least_l9_over_open3d": least, "draws": draws, "subsets": subsets})


if __name__ == "__main__":
    main()
