"""Pairs of a scan's frames: which see the same, key points that are one place, dense matches; beside comparing all with all.

run     l9 fetch furniture; python bench/pairs.py   (make bench ONLY=pairs)
scene   one composed room, 300 noisy frames of 640x480 along a walk, as a `.sens` of JPEG and zlib; made once, kept below --work
stages  each in a process of its own, reading included; matches thinned to 1,000, patches of 96 pixels and descriptors included
peer    as MatchFinder does it, in numpy: every frame against every later one, every key point against every one there; and for overlap
        `view_iou` of every two frames. On the room's own key points, and on as many made-up ones as the rules allow (512 a frame), where,
        as for overlap, the peer sees some of the frames and its time is scaled by the pairs of frames
prints  seconds, those of the processor, and peak MiB of each stage; seconds of l9's parts and of the peer; whether both found the same
wanted  overlap and key point pairs in 90 s, dense pairs in 60 s, 2 GiB
"""

import json
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from pairs_room import Kit, recorded, scan_at
from rounds import medians, options, ratio, report, round_robin, say

from l9.geometry.correspondence import TURNED, WITHIN, matching_points
from l9.geometry.mining import SceneKeyPoints
from l9.geometry.overlap import view_iou
from l9.geometry.view_graph import View, view_graph
from l9.stages import dense_matches, key_point_matches, view_pairs
from l9.stages.contract import run_stages
from l9.stages.key_point_matches import _views_with_key_points
from l9.stages.seen_pairs import MOST_FRAMES, WIDTH, looked_at

ROOM, FRAMES = 0, 300
STAGES = {"key_point_matches": key_point_matches, "dense_matches": dense_matches, "view_pairs": view_pairs}
WANTED = {"key_point_matches": 90.0, "dense_matches": 60.0, "MiB": 2048}
A_FRAME, SOME, FEW = 512, 30, 60  # made-up key points of a frame; frames that the peer is given of them, and of the room's for overlap


def in_a_process(stage: str, path: Path, seed: int) -> dict[str, float]:
    """Seconds and peak MiB of one stage over the recording."""
    command = [sys.executable, str(Path(__file__)), "--stage", stage, "--work", str(path.parent), "--seed", str(seed)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def alone(stage: str, path: Path) -> dict[str, float]:
    """The stage, in this process."""
    start, processor, rows, bytes_made = time.perf_counter(), time.process_time(), 0, 0
    for row in run_stages(scan_at(path), [(STAGES[stage], {})], object_id="scene0000_00"):
        rows += 1
        bytes_made += sum(np.asarray(cell).nbytes for cell in row.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    used = {"seconds": round(time.perf_counter() - start, 2), "processor": round(time.process_time() - processor, 2)}
    return {**used, "MiB": round(peak), "rows": rows, "row_MiB": bytes_made >> 20}


def all_with_all(points: ndarray, normals: ndarray, frames: ndarray) -> tuple[ndarray, ndarray]:
    """Frame against frame, key point against key point."""
    starts = np.searchsorted(frames, np.arange(frames[-1] + 2))
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for one in range(len(starts) - 1):
        mine = slice(starts[one], starts[one + 1])
        for other in range(one + 1, len(starts) - 1):
            theirs = slice(starts[other], starts[other + 1])
            if not len(points[mine]) or not len(points[theirs]):
                continue
            apart = np.sqrt(sum((points[mine, None, axis] - points[None, theirs, axis]) ** 2 for axis in range(3)))
            apart[apart > WITHIN] = np.inf
            rows, columns = np.nonzero(np.isfinite(apart))
            cosine = (normals[mine][rows] * normals[theirs][columns]).sum(axis=1)
            turned = cosine < np.cos(TURNED)
            apart[rows[turned], columns[turned]] = np.inf
            nearest = apart.argmin(axis=1)
            found = np.isfinite(apart[np.arange(len(apart)), nearest])
            first.append(starts[one] + np.flatnonzero(found))
            second.append(starts[other] + nearest[found])
    numbers = np.concatenate(first), np.concatenate(second)
    order = np.lexsort((frames[numbers[1]], numbers[0]))
    return numbers[0][order], numbers[1][order]


def overlaps_one_by_one(views: list[View]) -> int:
    """Pairs that share a cell."""
    return sum(view_iou(views[first].cells, views[second].cells) > 0 for second in range(len(views)) for first in range(second))


def crowded(seed: int, frames: int) -> tuple[ndarray, ndarray, ndarray]:
    """512 key points a frame on the walls of a box of 4 x 4 x 2.5 m, a quarter of them seen again in the next frames."""
    draw = np.random.default_rng(seed)
    sides = np.array([4.0, 4.0, 2.5])
    wall = draw.integers(0, 6, 40_000)
    places = draw.uniform(0, 1, (40_000, 3)) * sides
    places[np.arange(40_000), wall // 2] = (wall % 2) * sides[wall // 2]
    normals = np.zeros((40_000, 3))
    normals[np.arange(40_000), wall // 2] = 1 - 2 * (wall % 2)
    order = np.argsort(np.arctan2(*(places[:, :2] - 2).T))
    chosen = np.concatenate([order[(draw.integers(0, 6000, A_FRAME) + 40_000 * one // frames) % 40_000] for one in range(frames)])
    noisy = places[chosen] + draw.normal(0, 0.004, (len(chosen), 3))
    return noisy, normals[chosen], np.repeat(np.arange(frames), A_FRAME)


def timed(work: Any, number: int) -> float:
    """Seconds."""
    del number
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parts(path: Path, seed: int, rounds: int) -> dict[str, Any]:
    """l9's parts beside the peer's."""
    views, found = _views_with_key_points(looked_at(scan_at(path), 1, MOST_FRAMES, WIDTH), 512, 0.03)
    scene = SceneKeyPoints.of(found)
    own = scene.points.points, scene.points.normals, scene.views
    many, some = crowded(seed, FRAMES), crowded(seed, SOME)
    pairs, views_pairs = (FRAMES * (FRAMES - 1) / (part * (part - 1)) for part in (SOME, FEW))
    same = {
        "room": all(np.array_equal(*one) for one in zip(all_with_all(*own), matching_points(*own), strict=True)),
        "crowded": all(np.array_equal(*one) for one in zip(all_with_all(*some), matching_points(*some), strict=True)),
        "overlaps": overlaps_one_by_one(views[:FEW]) == len(view_graph(views[:FEW], 0.0).pairs),
    }
    contestants = {
        "overlap, l9": partial(timed, lambda: view_graph(views, 0.0)),
        f"overlap, one by one (from {FEW} frames)": lambda number: views_pairs * timed(lambda: overlaps_one_by_one(views[:FEW]), number),
        "key points of the room, l9": partial(timed, lambda: matching_points(*own)),
        "key points of the room, all with all": partial(timed, lambda: all_with_all(*own)),
        "512 a frame, l9": partial(timed, lambda: matching_points(*many)),
        f"512 a frame, all with all (from {SOME} frames)": lambda number: pairs * timed(lambda: all_with_all(*some), number),
    }
    figures = round_robin(contestants, rounds)
    names = list(contestants)
    over = {names[at]: round(ratio(figures, names[at + 1], names[at]), 1) for at in (0, 2, 4)}
    return {"key_points": len(scene.views), "seconds": {k: round(v, 3) for k, v in medians(figures).items()}, "over_l9": over, "same": same}


def main() -> None:
    """Measure and report; with --stage, that stage alone."""
    given = options(
        __doc__.splitlines()[0],
        stage={"default": "", "help": "one stage, in this process"},
        home={"type": Path, "default": Path("l9-home"), "help": "where the furniture was fetched to"},
    )
    path = given.work / f"room{ROOM}-{FRAMES}-{given.seed}.sens"
    if given.stage:
        print(json.dumps(alone(given.stage, path)))
        return
    if not path.is_file():
        recorded(path, Kit.of(given.home).room(ROOM, FRAMES), given.seed)
    told: dict[str, list[dict[str, float]]] = {stage: [] for stage in STAGES}

    def seconds(stage: str, number: int) -> float:
        del number
        told[stage].append(in_a_process(stage, path, given.seed))
        return told[stage][-1]["seconds"]

    figures = medians(round_robin({stage: partial(seconds, stage) for stage in STAGES}, given.rounds))
    rows = {stage: {**told[stage][0], "seconds": figures[stage], "MiB": max(one["MiB"] for one in told[stage])} for stage in STAGES}
    for stage, row in rows.items():
        say(f"{stage}: {row}")
    report({"bench": "pairs", "wanted": WANTED, "stages": rows, "parts": parts(path, given.seed, given.rounds)})


if __name__ == "__main__":
    main()
