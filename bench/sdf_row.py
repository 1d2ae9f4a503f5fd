"""One row of bench/sdf.py, measured in a process of its own: the job is the first argument (JSON), the row the last line of stdout.

The process is given its cores and its environment (one thread for every library) by who starts it.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from sdf_judged import judged
from sdf_peers import CONTESTANTS, Grid

from l9.geometry.sdf import measured_grid
from l9.geometry.solids import SOLIDS

SHORT, CALLS = 5.0, 3  # a call shorter than this many seconds is timed 3 times at least: the median counts
TOGETHER = 0.5  # seconds of all of them at least: the first ones find caches cold, as work on many meshes does not
TINY = 8  # resolution of the call that goes before what is timed: compiles, loads, starts threads


def probe(grid: Grid, job: dict[str, Any]) -> dict[str, Any]:
    """Whether it runs at all; compiled code is cached by this."""
    del job
    found = grid(*_tiny(), TINY)
    return {"shape": list(found.shape)}


def timed_grid(grid: Grid, job: dict[str, Any]) -> dict[str, Any]:
    """Seconds of one call, the median where it is to be timed well; and where there is a truth, what `judged` says of the grid."""
    grid(*_tiny(), TINY)
    vertices, faces = _mesh(job)
    seconds: list[float] = []
    while not seconds or (job["timed"] and seconds[0] < SHORT and (len(seconds) < CALLS or sum(seconds) < TOGETHER)):
        found = None  # given back before the next one is made
        start = time.perf_counter()
        found = grid(vertices, faces, job["resolution"])
        seconds.append(time.perf_counter() - start)
    row = {"seconds": statistics.median(seconds), "calls": len(seconds)}
    if job["truth"]:
        row |= judged(found, dict(np.load(job["truth"])))
    if job["contestant"] == "l9" and not job["timed"]:
        row["sign"] = measured_grid(vertices, faces, job["resolution"]).sign
    return row


def memory(grid: Grid, job: dict[str, Any]) -> dict[str, Any]:
    """How far the process's resident memory rises above what it was before one call, MiB; the grid itself counts."""
    grid(*_tiny(), TINY)
    vertices, faces = _mesh(job)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    grid(vertices, faces, job["resolution"])
    return {"mib": (_status("VmHWM") - before) / 1024}


def growth(grid: Grid, job: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a call, and of writing a fresh float32 array of the grid's size."""
    row = timed_grid(grid, job)
    written = []
    for _ in range(CALLS):
        start = time.perf_counter()
        np.full((job["resolution"],) * 3, 1.0, np.float32)
        written.append(time.perf_counter() - start)
    return row | {"write_seconds": statistics.median(written)}


def first(grid: Grid, job: dict[str, Any]) -> dict[str, Any]:
    """The first call of a process that has imported numpy, numba and the module, and the second."""
    import numba

    assert numba.__version__
    vertices, faces = _mesh(job)
    row = {}
    for name in ("first_seconds", "second_seconds"):
        start = time.perf_counter()
        grid(vertices, faces, job["resolution"])
        row[name] = time.perf_counter() - start
    return row


def truth(job: dict[str, Any]) -> dict[str, Any]:
    """The reference of a mesh, into its file."""
    from sdf_truth import reference

    start, path = time.perf_counter(), Path(job["truth"])
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(stream, **reference(*_mesh(job), job["resolution"]))
    partial.replace(path)
    return {"seconds": time.perf_counter() - start}


KINDS = {"probe": probe, "grid": timed_grid, "memory": memory, "growth": growth, "first": first}


def _mesh(job: dict[str, Any]) -> tuple[ndarray, ndarray]:
    arrays = np.load(job["mesh"])
    return arrays["vertices"], arrays["faces"]


def _tiny() -> tuple[ndarray, ndarray]:
    solid = SOLIDS["box"](np.random.default_rng(0))
    return solid.vertices, solid.faces


def _status(name: str) -> int:
    """A figure of /proc/self/status, KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def main() -> None:
    """Do the job."""
    job = json.loads(sys.argv[1])
    row = truth(job) if job["kind"] == "truth" else KINDS[job["kind"]](CONTESTANTS[job["contestant"]].load(), job)
    print(json.dumps(row))


if __name__ == "__main__":
    main()
