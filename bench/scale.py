"""What many objects cost: 100,000 small meshes by `l9 prep`, the driver alone up to 10^7 objects, and what more workers bring.

run     python bench/scale.py                       (make bench ONLY=scale)
small   100,000 boxes of 12 faces on the disk to 256 surface points, 2 workers, from the start of the command to its end; beside it a bare
        pool of as many processes (scale_prep.py) over every tenth of that number
driver  listing, plan, index, quarantine and manifest of 10^5, 10^6, 10^7 objects that are not there (scale_plan.py): seconds on the clock
        and of the processor, peak MiB
workers 4,000 boxes, 1, 2, 4 ... workers up to the machine's cores, in turn, round after round: objects a second from the end of the first
        shard to that of the last; efficiency = rate of N / (N x rate of 1), the median of the rounds
prints  a row as it ends, kept in rows.jsonl with version, seed, minutes and load, so that the command goes on where it was stopped
        (a changed l9 is measured again); then the table
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from rounds import medians, options, ratio, report, round_robin, say
from scale_prep import bare_seconds, meshes_below

from l9 import __version__

HERE = Path(__file__).parent
SMALL, SHARDS = 100_000, 128
DRIVER = (100_000, 1_000_000, 10_000_000)
STEADY, STEADY_SHARDS = 4_000, 32
LIMITS = {"driver, 10,000,000 objects": (600.0, 4096.0)}  # seconds of plan and store, MiB of the driver

Row = dict[str, Any]


def child(script: str, *words: object) -> Row:
    """The last line of one of the scripts beside this one."""
    done = subprocess.run([sys.executable, str(HERE / script), *map(str, words)], check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def prepared(folder: Path, seed: int, workers: int, count: int, shards: int) -> Row:
    """`l9 prep` of so many boxes."""
    row = child("scale_prep.py", meshes_below(folder, count, seed), folder / "home", workers, count, shards)
    return {**row, "objects_per_second": count / row["seconds"]}


def bare(folder: Path, seed: int, workers: int, count: int) -> Row:
    """The peer over the first `count` of the small meshes."""
    seconds = bare_seconds(meshes_below(folder, SMALL, seed), folder / "npz", workers, count)
    return {"objects": count, "workers": workers, "seconds": round(seconds, 1), "objects_per_second": count / seconds}


def by_workers(folder: Path, seed: int, rounds: int) -> Row:
    """Objects a second by number of workers."""
    counts = [1 << power for power in range((psutil.cpu_count() or 1).bit_length())]
    figures = round_robin(
        {
            str(workers): lambda _, workers=workers: prepared(folder, seed, workers, STEADY, STEADY_SHARDS)["steady_per_second"]
            for workers in counts
        },
        rounds,
    )
    efficiency = {name: ratio(figures, name, "1") / int(name) for name in figures}
    return {"rounds": figures, "objects_per_second": medians(figures), "efficiency": efficiency}


def jobs(folder: Path, seed: int, rounds: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Every row by its name, and what measures it."""
    yield "small, l9", lambda: prepared(folder, seed, 2, SMALL, SHARDS)
    yield "small, bare pool", lambda: bare(folder, seed, 2, SMALL // 10)
    for count in DRIVER:
        yield f"driver, {count:,} objects", lambda count=count: child("scale_plan.py", count, folder / "plan")
    yield "workers", lambda: by_workers(folder, seed, rounds)


def kept_rows(path: Path, seed: int) -> dict[str, Row]:
    """The rows that this l9 has measured with this seed."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {line["row"]: line for line in lines if (line["l9"], line["seed"]) == (__version__, seed)}


def measured(name: str, measure: Callable[[], Row], path: Path, seed: int) -> Row:
    """One row, kept as soon as it is there."""
    start, load = time.perf_counter(), psutil.getloadavg()[0]
    row = {"row": name, "l9": __version__, "seed": seed, "load_before": round(load, 1), **measure()}
    row["minutes"] = round((time.perf_counter() - start) / 60, 1)
    with path.open("a") as stream:
        stream.write(json.dumps(row) + "\n")
    return row


def table(rows: dict[str, Row]) -> dict[str, Any]:
    """Ratios of the rows there are."""
    found: dict[str, Any] = {}
    if {"small, l9", "small, bare pool"} <= rows.keys():
        found["l9_over_bare_pool"] = rows["small, l9"]["objects_per_second"] / rows["small, bare pool"]["objects_per_second"]
    for name, (seconds, mib) in LIMITS.items():
        if name in rows:
            row = rows[name]
            found[name] = {"of_seconds": (row["plan_s"] + row["store_s"]) / seconds, "of_mib": row["labels_mib"] / mib}
    if "workers" in rows:
        found["efficiency"] = rows["workers"]["efficiency"]
    return found


def main() -> None:
    """Measure what is not there yet, and report."""
    given = options(__doc__.splitlines()[0], only={"action": "append", "help": "rows whose names begin so; may stand more than once"})
    folder: Path = (given.work / "scale").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rows.jsonl"
    rows = kept_rows(path, given.seed)
    for name, measure in jobs(folder, given.seed, given.rounds):
        if given.only and not name.startswith(tuple(given.only)):
            continue
        if name not in rows:
            rows[name] = measured(name, measure, path, given.seed)
        told = {key: value for key, value in rows[name].items() if key not in ("row", "l9", "seed", "counts")}
        say(
            f"{name:28} "
            + ", ".join(f"{key} {value:,.1f}" if isinstance(value, float) else f"{key} {value}" for key, value in told.items())
        )
    found = table(rows)
    for name, value in found.items():
        say(f"{name:28} {value}")
    report({"bench": "scale", "rows": list(rows.values()), **found})


if __name__ == "__main__":
    main()
