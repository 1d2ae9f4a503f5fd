"""How well depth and poses of 7-Scenes' stairs agree: median error of a frame's points seen in the next frames of its sequence.

    .venv/bin/l9 fetch stairs; .venv/bin/python bench/stairs.py [--home l9-home]

Every pixel of a frame that has depth is carried into another frame of its sequence, and its z compared with the depth measured there.
Points beyond 5 cm of it are occluded, or lie beside an edge, and count too: the median does not mind them.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
from numpy import ndarray

from l9.cards import load_card
from l9.geometry.camera import back_project, inverse_pose, moved, project
from l9.geometry.scan import Frame
from l9.readers.seven_scenes import find, read

WANTED = {"stairs/seq-01": 1.0}  # millimetres


def main() -> None:
    """One line of JSON a sequence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("l9-home"))
    root = parser.parse_args().home / "raw" / load_card("stairs").name
    for found in find(root):
        files = [(root / name).open("rb") for name in found.files]
        scan = read(files, found, "-Y")
        assert scan.frames is not None
        frames = list(scan.frames(False, True))
        pairs = list(itertools.permutations(frames, 2))
        errors = [1000 * float(np.median(errors_between(one, other))) for one, other in pairs]
        told = {"sequence": found.id, "pairs": len(pairs), "median_mm": round(float(np.median(errors)), 2)}
        told |= {"least_mm": round(min(errors), 2), "most_mm": round(max(errors), 2), "wanted_mm": WANTED.get(found.id)}
        print(json.dumps(told))
        for file in files:
            file.close()


def errors_between(one: Frame, other: Frame) -> ndarray:
    """|z - depth| (metres) of every point of `one` that falls on a pixel of `other` with a depth."""
    assert one.depth is not None and other.depth is not None
    points = moved(back_project(one.depth, one.depth_camera), one.pose)
    column, row, z = project(moved(points, inverse_pose(other.pose)), other.depth_camera).T
    place = np.nan_to_num(np.stack([np.floor(row + 0.5), np.floor(column + 0.5)], axis=1), nan=-1).astype(np.int64)
    inside = ((place >= 0) & (place < other.depth.shape)).all(axis=1)
    measured = other.depth[place[inside, 0], place[inside, 1]]
    return np.abs(z[inside] - measured)[measured > 0]


if __name__ == "__main__":
    main()
