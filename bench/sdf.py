"""Signed distance grids side by side with named peers: speed, memory, accuracy, and what is taken for inside.

run      python bench/sdf.py --table                (make bench ONLY=sdf)
peers    see sdf_peers.py; what does not install or run is left out and named
meshes   every 20th model of the card `furniture` by number of faces, every third of those held out of tuning; open soups as games ship
         them (sdf_soups.py); solids with known inside, damaged (sdf_shapes.py)
time     one row is one process on one core, every library told to use one thread; the contestants take turns on each mesh. Scene, tree and
         query points are made within the call. The median of 3 calls, one where a call takes 5 s; a ratio is that of two rows of a mesh.
         128^3: the slowest peers on every fourth mesh; 256^3: l9 and Open3D, and on every fourth mesh Warp's fastest
judged   distance by brute force in float64 at every voxel; inside by libigl's fast winding number > 0.5 on real meshes and soups, by
         formula on solids
prints   a row as it ends, kept in rows.jsonl, so that the command goes on where it was stopped; a changed l9 or peer is measured again.
         --table: Markdown. --minutes 0: the table of the rows that are there
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rounds import options, report, say
from sdf_findings import findings
from sdf_meshes import RESOLUTION, TRUTH, Subject, damaged, furniture, soups
from sdf_peers import CONTESTANTS
from sdf_tables import markdown

from l9.fingerprint import digest

EVERY = 20  # of the models by number of faces
FEWER = 4  # every fourth mesh where a peer is slow
FINEST = ("l9", "l9, 2 threads", "Open3D")
TIMED = (*FINEST, "warp normal")
SLOW = ("warp winding", "libigl pseudonormal", "libigl FWN", "point-cloud-utils", "mesh2sdf", "pysdf")
VARIANTS = ("l9 winding", "l9 parity")  # of the sign alone
ACCURATE = 3  # meshes whose accuracy is looked at at 128^3 too
WEIGHED = 5  # meshes of the memory
RESOLUTIONS = (32, 64, 128, 256, 512)  # of growth
STARTS = 5  # new processes whose first call is timed
SECONDS = 1800  # after which a row is given up
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "IGL")
PARTS = ("furniture", "soup", "damage", "memory", "growth", "first", "finer")


@dataclass(frozen=True)
class Job:
    """One row: what is measured, of whom, on which mesh."""

    kind: str
    contestant: str
    subject: Subject
    resolution: int
    judged: bool = False
    number: int = 0

    @property
    def key(self) -> str:
        """What the row stands for; another mesh, or another version of the contestant, makes another row."""
        version = None if self.kind == "truth" else CONTESTANTS[self.contestant].version()
        truth = TRUTH if self.judged else None
        return digest([self.kind, self.contestant, version, self.subject.path.name, self.resolution, truth, self.number])[:16]

    def measured(self) -> dict[str, Any]:
        """The row, by a process of its own on as many cores as the contestant has threads."""
        threads = 1 if self.kind == "truth" else CONTESTANTS[self.contestant].threads
        cores = sorted(os.sched_getaffinity(0))[-threads:]
        job = {
            "kind": self.kind,
            "contestant": self.contestant,
            "mesh": str(self.subject.path),
            "truth": str(self.subject.truth(self.resolution)) if self.judged else None,
            "resolution": self.resolution,
            "timed": self.subject.group == "furniture",  # elsewhere the sign alone counts
        }
        command = [sys.executable, str(Path(__file__).with_name("sdf_row.py")), json.dumps(job)]
        environment = os.environ | {f"{library}_NUM_THREADS": str(threads) for library in THREADS}
        pin = partial(os.sched_setaffinity, 0, cores)
        try:
            done = subprocess.run(command, env=environment, preexec_fn=pin, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return {"error": f"took more than {SECONDS} s"}
        if done.returncode == 0:
            return dict(json.loads(done.stdout.splitlines()[-1]))
        said = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        return {"error": said}


class Rows:
    """What has been measured, kept as it comes, so that a stopped bench goes on."""

    def __init__(self, path: Path, *, fresh: bool, minutes: float | None, only: Sequence[str]) -> None:
        self.path, self.left, self.only = path, 0, only
        self._until = None if minutes is None else time.monotonic() + 60 * minutes
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._known: dict[str, dict[str, Any]] = {row["key"]: row for row in map(json.loads, lines)}

    def of(self, job: Job) -> dict[str, Any] | None:
        """The row of a job, measured now where it is not there; None where the time is up or others alone are measured."""
        if job.key not in self._known:
            others_alone = bool(self.only) and job.contestant not in self.only and job.kind != "truth"
            if others_alone or (self._until is not None and time.monotonic() >= self._until):
                self.left += 1
                return None
            facts = {"kind": job.kind, "contestant": job.contestant, "mesh": job.subject.name, "resolution": job.resolution}
            row = {**facts, "faces": job.subject.faces, "held_out": job.subject.held_out, **job.measured(), "key": job.key}
            self._known[job.key] = row
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            say("  ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()))
        return self._known[job.key]


def taking_part(rows: Rows, tried: Subject) -> tuple[list[str], dict[str, str]]:
    """Who is installed and runs, and who is left out and why."""
    present, left_out = [], {}
    for name, contestant in CONTESTANTS.items():
        if contestant.version() is None:
            left_out[name] = f"{contestant.package} is not installed"
            continue
        row = rows.of(Job("probe", name, tried, 0))
        if row is not None and "error" in row:
            left_out[name] = row["error"]
        else:
            present.append(name)
    return present, left_out


def on_subjects(subjects: Sequence[Subject], names: Sequence[str], resolution: int, judged: bool) -> Iterator[Job]:
    """Mesh by mesh: its truth where there is none yet, then everybody in turn."""
    for subject in subjects:
        if judged and subject.group != "damage":
            yield Job("truth", "l9", subject, resolution, judged=True)
        for name in names:
            yield Job("grid", name, subject, resolution, judged)


def finer(models: Sequence[Subject], names: Sequence[str]) -> Iterator[Job]:
    """128^3 and 256^3."""
    looked_at = spread(models, ACCURATE)
    for resolution in (128, 256):
        for number, subject in enumerate(models):
            on_fourth, elsewhere = ((*TIMED, *SLOW), TIMED) if resolution == 128 else (TIMED, FINEST)
            wanted = elsewhere if number % FEWER else on_fourth
            judged = resolution == 128 and subject in looked_at
            yield from on_subjects([subject], [name for name in wanted if name in names], resolution, judged)


def jobs(part: str, folder: Path, models: Sequence[Subject], names: Sequence[str]) -> Iterator[Job]:
    """The rows of one part of the bench."""
    single = [name for name in names if CONTESTANTS[name].threads == 1]
    if part == "furniture":
        yield from on_subjects(models, names, 64, judged=True)
    elif part == "soup":
        yield from on_subjects(soups(folder), single, 64, judged=True)
    elif part == "damage":
        yield from on_subjects(damaged(folder), single, RESOLUTION, judged=True)
    elif part == "memory":
        yield from (Job("memory", name, subject, 128) for subject in spread(models, WEIGHED) for name in names if name not in VARIANTS)
    elif part == "growth":
        yield from (Job("growth", "l9", subject, resolution) for subject in spread(models, 3) for resolution in RESOLUTIONS)
    elif part == "first":
        yield from (Job("first", "l9", models[len(models) // 2], 64, number=number) for number in range(STARTS))
    else:
        yield from finer(models, names)


def spread(models: Sequence[Subject], count: int) -> list[Subject]:
    """`count` of the models, evenly from small to large."""
    return [models[(2 * number + 1) * len(models) // (2 * count)] for number in range(count)]


def main() -> None:
    """Measure what is missing and report."""
    given = options(
        __doc__.splitlines()[0],
        home={"type": Path, "default": Path("l9-home")},
        rows={"action": "append", "choices": PARTS, "default": [], "help": "this part alone; may stand more than once"},
        only={
            "action": "append",
            "choices": list(CONTESTANTS),
            "default": [],
            "help": "measure this contestant alone, beside the rows there are",
        },
        fresh={"action": "store_true", "help": "measure everything again"},
        table={"action": "store_true", "help": "print Markdown before the last line"},
        minutes={"type": float, "help": "measure no longer than this, then report what is there; 0: measure nothing"},
        every={"type": int, "default": EVERY, "help": "take every so-manieth model of the card furniture"},
    )
    folder: Path = (given.work / "sdf").resolve()
    rows = Rows(folder / "rows.jsonl", fresh=given.fresh, minutes=given.minutes, only=given.only)
    meshes = folder / "meshes"
    meshes.mkdir(exist_ok=True)
    models = furniture(meshes, given.home.resolve(), given.every)
    names, left_out = taking_part(rows, models[0])
    for name, reason in left_out.items():
        say(f"left out: {name}: {reason}")
    found = [row for part in given.rows or PARTS for job in jobs(part, meshes, models, names) if (row := rows.of(job))]
    result = {**findings(found), "left_out": left_out, "rows_left": rows.left}
    say(markdown(result))
    if given.table:
        print(markdown(result))
    report({"bench": "sdf", **result})


if __name__ == "__main__":
    main()
