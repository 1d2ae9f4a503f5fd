"""The whole card `furniture` to 64^3 signed distances: `l9 prep` beside a bare process pool that calls Open3D; objects a second.

run      python bench/whole.py                       (make bench ONLY=whole; `l9 fetch furniture` first)
peer     multiprocessing.Pool of 2 started processes: the same reader and normalisation, Open3D's compute_signed_distance on one thread, a
         float16 array to a file; no sandbox, no quarantine, no keys, and signs only of closed meshes
counted  from the start of the command to its end, starting up included, each once over all 911 models
prints   objects a second of both, their ratio, and what `l9 prep` says of signs and doubt
"""

import json
import multiprocessing
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from models import model_of
from rounds import options, report, say
from sdf_peers import CONTESTANTS

from l9.config import Pipeline, Prep, Set, Use
from l9.errors import RefusedObject
from l9.fingerprint import canonical
from l9.geometry.normalise import normalise_cube
from l9.readers import sweethome
from l9.readers.contract import Found
from l9.stages import normalise, sdf

WORKERS = 2
RESOLUTION = 64
STAGES = Prep(Use(normalise, kind="cube"), Use(sdf, resolution=RESOLUTION))


def by_l9(folder: Path, root: Path) -> dict[str, Any]:
    """`l9 prep` into an empty home, as a process of its own: what it answers, and its seconds."""
    home, recipe = folder / "home", folder / "recipe.json"
    shutil.rmtree(home, ignore_errors=True)
    recipe.write_text(canonical(Pipeline("bench", {"furniture": Set("furniture", STAGES)}).describe()))
    words = ["prep", str(recipe), "--root", str(root), "--workers", str(WORKERS), "--home", str(home), "--json"]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "l9.cli", *words], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    shutil.rmtree(home, ignore_errors=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "seconds": seconds}


def one_by_open3d(found: Found, root: Path, folder: Path) -> bool:
    """One object's grid in a file; whether it could be read."""
    try:
        mesh = model_of(root, found)
    except RefusedObject:
        return False
    grid = CONTESTANTS["Open3D"].load()(normalise_cube(mesh.vertices, mesh.faces), mesh.faces, RESOLUTION)
    np.save(folder / f"{found.id.replace('/', '-')}.npy", grid.astype(np.float16))
    return True


def by_open3d(folder: Path, root: Path) -> dict[str, Any]:
    """The pool, from its start to its end."""
    grids = folder / "open3d"
    shutil.rmtree(grids, ignore_errors=True)
    grids.mkdir()
    models = list(sweethome.find(root))
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        done = sum(pool.imap_unordered(partial(one_by_open3d, root=root, folder=grids), models, chunksize=4))
    seconds = time.perf_counter() - start
    shutil.rmtree(grids)
    return {"done": done, "seconds": seconds}


def main() -> None:
    """Measure and report."""
    given = options(__doc__.splitlines()[0], home={"type": Path, "default": Path("l9-home")})
    folder, root = (given.work / "whole").resolve(), (given.home / "raw" / "furniture").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ours, peer = by_l9(folder, root), by_open3d(folder, root)
    rates = {name: found["done"] / found["seconds"] for name, found in (("l9", ours), ("Open3D", peer))}
    for name, rate in rates.items():
        say(f"{name:8} {rate:6.1f} objects/s")
    counts = {"planned": ours["planned"], "done": ours["done"], "quarantined": ours["quarantined"], "peer_done": peer["done"]}
    rates = {"objects_per_second": rates, "l9_over_open3d": rates["l9"] / rates["Open3D"]}
    report({"bench": "whole", "workers": WORKERS, **counts, **rates, "numbers": ours["numbers"]})


if __name__ == "__main__":
    main()
