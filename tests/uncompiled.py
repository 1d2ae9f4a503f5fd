"""Distances of small tiles by kernels that are not compiled, so that what they call can be counted: `python uncompiled.py TO.npz`.

Each case is one cube of 8^3 voxels; the file holds its distances (voxels), and how often each way of filling was taken.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from l9.geometry import _lattice_kernels as lattice
from l9.geometry import _sieve_kernels as sieve
from l9.geometry.tiles import Tile
from l9.geometry.tree import triangle_tree

WAYS = (
    "sieve_eight",
    "sieve_four",
    "_four_of_list",
    "_parts_of_list",
    "_eight_of_tree",
    "_four_by_search",
    "fill_four",
    "fill_part",
    "fill_cell",
)
Mesh = tuple[np.ndarray, np.ndarray]


def scattered(count: int, size: float, within: float, seed: int) -> Mesh:
    """So many triangles about `size` large, their middles evenly in a box from -within to within."""
    draw = np.random.default_rng(seed)
    corners = draw.uniform(-within, within, (count, 1, 3)) + draw.normal(0, size, (count, 3, 3))
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def three_specks(away: float) -> Mesh:
    """Specks on three sides, `away` voxels of a grid of 64^3 from a place in the cube from voxel 32 on: each is nearest in part of it."""
    place = np.full(3, 2.5)
    corners = np.concatenate([place - away * axis + np.eye(3) * 1e-3 for axis in np.eye(3)]) / 32
    return corners, np.arange(9).reshape(-1, 3)


CASES: dict[str, tuple[Mesh, int, int]] = {
    "few and large": (scattered(60, 0.3, 1.0, 0), 8, 0),
    "one": (scattered(1, 0.3, 0.5, 3), 8, 0),
    "many and small": (scattered(1000, 0.02, 1.0, 1), 8, 0),
    "a heap in one place": (scattered(700, 0.01, 0.05, 2), 8, 0),
    "as far on three sides": (three_specks(19), 64, 32),
    "some way off": (scattered(300, 0.1, 0.6, 4), 64, 4),
    "some hundreds": (scattered(400, 0.1, 1.0, 6), 8, 0),
    "far off": (scattered(40, 0.1, 0.1, 5), 64, 0),
}
"""Mesh, resolution, and the first voxel of the cube along x, y and z."""


def counted(taken: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def count(*given: Any) -> Any:
        found = function(*given)
        taken[name if name != "fill_cell" else f"fill_cell {given[5]} {found[0]}"] += 1
        return found

    return count


def main(path: str) -> None:
    taken: Counter[str] = Counter()
    for room in (lattice, sieve):
        for name in WAYS:
            if hasattr(room, name):
                setattr(room, name, counted(taken, name, getattr(room, name)))
    found: dict[str, np.ndarray] = {}
    ways: dict[str, Counter[str]] = {}
    for name, ((vertices, faces), resolution, first) in CASES.items():
        taken.clear()
        tree = triangle_tree(vertices, faces, resolution)
        found[name] = Tile((first,) * 3, (8, 8, 8), resolution).distance(tree, 3)
        ways[name] = Counter(taken)
    np.savez(path, ways=json.dumps(ways), **found)


if __name__ == "__main__":
    main(sys.argv[1])
