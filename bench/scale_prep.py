"""`l9 prep` of many small meshes in a process of its own, and the bare loop that is its peer.

run     python bench/scale_prep.py MESHES HOME WORKERS COUNT SHARDS
prints  seconds of the whole, of listing, plan (digests of all files included) and index with manifest, the driver's peak MiB, and objects a
        second from the end of the first shard to that of the last: starting up is not in it
peer    multiprocessing.Pool: trimesh.load, the box to [-0.9, 0.9], trimesh.sample, one np.savez a mesh; no sandbox, quarantine or keys
"""

import json
import multiprocessing
import resource
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from l9.config import Pipeline, Prep, Set, Use
from l9.fingerprint import canonical
from l9.stages import normalise, surface_points

POINTS = 256
A_FOLDER = 1000  # meshes in one folder: few enough for any file system
STAGES = Prep(Use(normalise, kind="cube"), Use(surface_points, count=POINTS))
CARD = """name: boxes
what: boxes of random sides
licence: none needed
reader: l9.readers.folder:read
shards: SHARDS
"""
FACES = "3 0 2 1\n3 0 3 2\n3 4 5 6\n3 4 6 7\n3 0 1 5\n3 0 5 4\n3 1 2 6\n3 1 6 5\n3 2 3 7\n3 2 7 6\n3 3 0 4\n3 3 4 7\n"
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float)


def meshes_below(folder: Path, count: int, seed: int) -> Path:
    """`count` OFF files of 12 faces, 1,000 a folder; what is there from an earlier time is used again."""
    root = folder / f"boxes-{count}-{seed}"
    if root.is_dir():
        return root
    made = root.with_suffix(".part")
    shutil.rmtree(made, ignore_errors=True)
    sides = np.random.default_rng(seed).uniform(0.1, 2.0, (count, 3))
    for number in range(count):
        path = made / f"class_{number // A_FOLDER:04d}" / f"{number:07d}.off"
        path.parent.mkdir(parents=True, exist_ok=True)
        corners = "".join(f"{x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in CORNERS * sides[number])
        path.write_text(f"OFF\n8 12 0\n{corners}{FACES}")
    return made.rename(root)


def bare_one(path: Path, out: Path) -> int:
    """One mesh by hand."""
    import trimesh

    mesh = trimesh.load(path, process=False)
    low, high = mesh.bounds
    mesh.vertices = (mesh.vertices - (low + high) / 2) * (1.8 / (high - low).max())
    points, faces = trimesh.sample.sample_surface(mesh, POINTS, seed=0)
    np.savez(out / f"{path.stem}.npz", points=points.astype(np.float32), normals=mesh.face_normals[faces].astype(np.float32))
    return 1


def bare_seconds(root: Path, out: Path, workers: int, count: int) -> float:
    """The bare loop over the first `count` meshes, from the pool's start to its end."""
    paths = sorted(root.rglob("*.off"))[:count]
    out.mkdir(parents=True)
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        done = sum(pool.imap_unordered(partial(bare_one, out=out), paths, chunksize=16))
    assert done == count
    seconds = time.perf_counter() - start
    shutil.rmtree(out)
    return seconds


def timed(module: Any, name: str, told: dict[str, float]) -> None:
    """Have a function of a module note its seconds."""
    function: Callable[..., Any] = getattr(module, name)

    def noting(*words: Any, **more: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*words, **more)
        finally:
            told[f"{name}_s"] = round(time.perf_counter() - start, 2)

    setattr(module, name, noting)


def steady_rate(home: Path, count: int) -> float:
    """Objects a second from the end of the first shard to that of the last, by the times of their files."""
    ends = sorted(path.stat().st_mtime for path in (home / "store" / "shards").glob("*.arrow"))
    return count * (1 - 1 / len(ends)) / (ends[-1] - ends[0])


def main() -> None:
    """Prepare once; the last line is JSON."""
    root, home, workers, count, shards = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])
    from l9.cli import main as l9
    from l9.prep import run, sets

    told: dict[str, float] = {}
    for module, name in ((sets, "find_objects"), (sets, "make_plan"), (run, "write_store")):
        timed(module, name, told)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    card, recipe = home / "boxes.yaml", home / "recipe.json"
    card.write_text(CARD.replace("SHARDS", str(shards)))
    recipe.write_text(canonical(Pipeline("bench", {"boxes": Set(str(card), STAGES)}).describe()))
    sys.argv = ["l9", "prep", str(recipe), "--root", str(root), "--workers", str(workers), "--home", str(home), "--json"]
    start = time.perf_counter()
    try:
        l9()
    except SystemExit as end:
        assert not end.code
    seconds = time.perf_counter() - start
    manifests = list((home / "store").glob("*/manifest.json"))
    assert json.loads(manifests[0].read_text())["counts"]["done"] == count
    told["steady_per_second"] = round(steady_rate(home, count), 1)
    shutil.rmtree(home)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"objects": count, "workers": workers, "seconds": round(seconds, 1), "peak_mib": peak, **told}))


if __name__ == "__main__":
    main()
