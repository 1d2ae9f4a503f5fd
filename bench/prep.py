"""Preparation side by side with a bare process pool over the same stages, and the driver's memory from 1,000 to 50,000 objects.

run     python bench/prep.py                        (make bench ONLY=prep)
peer    multiprocessing.Pool of 2 started processes that call reader and stages and throw the rows away: no sandbox, no shards, no
        quarantine, no keys
prints  objects/s of both with 2 workers, start-up aside: the time of many objects less that of few, per object between; then the peak
        resident memory of the driver of `l9 prep` for 1,000 and for 50,000 small objects
"""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rounds import medians, options, ratio, report, round_robin, say

from l9.config import Pipeline, Prep, Set, Use, build_arguments
from l9.fingerprint import canonical
from l9.readers.contract import Found
from l9.stages import normalise, occupancy, surface_points
from l9.stages.contract import run_stages

WORKERS = 2
FEW, MANY = 20, 120  # objects of each class of `shapes`: the difference is what is timed
SMALL = (100, 5_000)  # the same, for the driver's memory: 1,000 and 50,000 objects
CLASSES = 10
STAGES = Prep(Use(normalise, kind="cube"), Use(occupancy, resolution=32, rotations=12), Use(surface_points, count=2048))
TINY = Prep(Use(normalise, kind="cube"), Use(surface_points, count=16))
CARD = """name: solids
what: solids that l9 makes
licence: none needed
source: {made: "l9.readers.shapes:read"}
reader: l9.readers.shapes:read
shards: SHARDS
parameters: {count_per_class: COUNT, seed: 0}
"""
DRIVER = """
import json, resource, sys
from l9.cli import main
try:
    main()
finally:
    print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def pooled(name: str, count_per_class: int) -> int:
    """One object by the pool: read, run the stages, throw the rows away."""
    from l9.readers.shapes import read

    steps = [(stage.resolve(), build_arguments(stage)) for stage in STAGES.stages]
    mesh = read([], Found(id=name, files=()), "+Y", count_per_class=count_per_class)
    return len(run_stages(mesh, steps, object_id=name))


def _one_thread() -> None:
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"


def pool_seconds(count_per_class: int) -> float:
    """The whole work by multiprocessing.Pool, from its start to its end."""
    from l9.readers.shapes import find

    names = [found.id for found in find(Path(), count_per_class)]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WORKERS, _one_thread) as pool:
        rows = sum(pool.imap_unordered(partial(pooled, count_per_class=count_per_class), names, chunksize=4))
    assert rows == len(names)
    return time.perf_counter() - start


def prepared(folder: Path, stages: Prep, count_per_class: int, shards: int) -> dict[str, float]:
    """`l9 prep` into an empty home as its own process: its seconds, and the driver's peak resident memory in MiB."""
    home, card, recipe = folder / "home", folder / "solids.yaml", folder / "recipe.json"
    shutil.rmtree(home, ignore_errors=True)
    card.write_text(CARD.replace("COUNT", str(count_per_class)).replace("SHARDS", str(shards)))
    recipe.write_text(canonical(Pipeline("bench", {"solids": Set(str(card), stages)}).describe()))
    verb = ["prep", str(recipe), "--workers", str(WORKERS), "--home", str(home), "--json"]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", DRIVER, *verb], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    counts, memory = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert counts["done"] == count_per_class * CLASSES
    shutil.rmtree(home, ignore_errors=True)
    return {"seconds": seconds, **memory}


def per_second(seconds: Callable[[int], float], number: int) -> float:
    """Objects a second between few and many, so that starting up cancels."""
    del number
    return CLASSES * (MANY - FEW) / (seconds(MANY) - seconds(FEW))


def main() -> None:
    """Measure and report."""
    given = options(__doc__.splitlines()[0], only={"choices": ("speed", "memory"), "help": "one half alone"})
    folder: Path = (given.work / "prep").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"bench": "prep", "workers": WORKERS}
    if given.only != "memory":
        say(f"objects/s with {WORKERS} workers")
        ours = partial(per_second, lambda count: prepared(folder, STAGES, count, 64)["seconds"])
        figures = round_robin({"l9": ours, "pool": partial(per_second, pool_seconds)}, given.rounds)
        found |= {"objects_per_second": medians(figures), "l9_over_pool": ratio(figures, "l9", "pool")}
        say(f"l9 is {found['l9_over_pool']:.2f} x the pool")
    if given.only != "speed":
        peaks = {CLASSES * count: prepared(folder, TINY, count, 256)["peak_mib"] for count in SMALL}
        found["driver_peak_mib"] = peaks
        say(", ".join(f"{count:,} objects: driver's peak {peak:,.0f} MiB" for count, peak in peaks.items()))
    report(found)


if __name__ == "__main__":
    main()
