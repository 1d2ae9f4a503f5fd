"""Are mined matches right? Those of composed rooms, judged by casting each key point's exact ray into the room's exact mesh.

run     l9 fetch rooms; python bench/pairs_truth.py [--home l9-home] [--rooms 0 11 23 43 47] [--within .02]
right   the true points of a match lie within 2 cm, and nothing stands 1 cm or more before the anchor's in the second frame
allowed pairs of key points by K1's rules on true points and normals: the nearest in each later frame within 2 cm, within 1.75 radians
prints  share of mined matches that are right (and with 2.5 and 3 cm), share of the allowed pairs that are mined; no recording has the mesh
        that is cast into: the room is composed again, of the same seed
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy import ndarray
from pairs_room import Kit, cast
from rounds import say

from l9.cards import load_card
from l9.geometry.camera import lifted
from l9.geometry.correspondence import TURNED, WITHIN, matching_points
from l9.geometry.key_points import KeyPoints
from l9.geometry.mining import ALL
from l9.geometry.view_graph import View
from l9.readers import scannet
from l9.sources.fetch import raw_name
from l9.sources.rooms.traced import TracedRoom
from l9.stages.key_point_matches import _views_with_key_points, sure_matches
from l9.stages.seen_pairs import MOST_FRAMES, WIDTH, agreed_graph, looked_at

CLEAR = 0.01  # metres before a point that may not be filled
COUNTS = ("mined", "within_20_mm", "within_25_mm", "within_30_mm", "visible", "right", "allowed", "found")


def main() -> None:
    """A line of JSON for each room, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("l9-home"))
    parser.add_argument("--rooms", type=int, nargs="+", default=[0, 11, 23, 43, 47])
    parser.add_argument("--within", type=float, default=WITHIN)
    given = parser.parse_args()
    kit, root = Kit.of(given.home), given.home / "raw" / raw_name(load_card("rooms"))
    total = np.zeros(len(COUNTS), np.int64)
    for number in given.rooms:
        counts, errors = judged(kit, root, number, given.within)
        total += counts
        print(json.dumps({"room": number, **told(counts), "error_mm": errors}))
    print(json.dumps({"rooms": len(given.rooms), **told(total)}))


def told(counts: ndarray) -> dict[str, float]:
    """Shares in per cent."""
    by_name = dict(zip(COUNTS, counts.tolist(), strict=True))
    shares = {name: round(100 * by_name[name] / by_name["mined"], 2) for name in COUNTS[1:6]}
    return {
        **shares,
        "recall": round(100 * by_name["found"] / by_name["allowed"], 2),
        "mined": by_name["mined"],
        "allowed": by_name["allowed"],
    }


def judged(kit: Kit, root: Path, number: int, within: float) -> tuple[ndarray, list[float]]:
    """`COUNTS` of a room, and the median, 90th and 99th percentile of its key points' errors (millimetres)."""
    name = f"scene{number:04d}_00"
    found = next(one for one in scannet.find(root, "frames") if one.id == name)
    files = [(root / file).open("rb") for file in found.files]
    scan = scannet.read(files, found, "+Z", "frames")
    assert scan.frames is not None
    looked = looked_at(scan, 1, MOST_FRAMES, WIDTH)
    traced = TracedRoom(kit.room(number, sum(1 for _ in scan.frames(False, False))))
    views, points = _views_with_key_points(looked, 512, 0.03)
    scene, numbers = sure_matches(looked, agreed_graph(looked, views, 0.0), points, within, TURNED, 0.0, ALL, np.random.default_rng(0))
    cast_into = [true_points(traced, view, of_view) for view, of_view in zip(views, points, strict=True)]
    truth, normals = (np.concatenate([one[part] for one in cast_into]) for part in (0, 1))
    anchors, matches = numbers[:, 0], numbers[:, 1]
    apart = np.linalg.norm(truth[anchors] - truth[matches], axis=1)
    visible = np.zeros(len(numbers), bool)
    for place in np.unique(scene.views[matches]):
        mine = scene.views[matches] == place
        visible[mine] = seen(traced, truth[anchors[mine]], views[place])
    there = np.flatnonzero(np.isfinite(truth).all(axis=1))
    allowed = [there[part] for part in matching_points(truth[there], normals[there], scene.views[there])]
    mined = np.isin(allowed[0] * len(truth) + allowed[1], anchors * len(truth) + matches)
    near = [int((apart <= most).sum()) for most in (0.02, 0.025, 0.03)]
    right = int((visible & (apart <= WITHIN)).sum())
    errors = np.nanpercentile(1000 * np.linalg.norm(scene.points.points - truth, axis=1), [50, 90, 99])
    for file in files:
        file.close()
    say(f"{name}: {len(truth):,} key points")
    return np.array([len(numbers), *near, visible.sum(), right, len(allowed[0]), mined.sum()]), np.round(errors, 1).tolist()


def true_points(traced: TracedRoom, view: View, points: KeyPoints) -> tuple[ndarray, ndarray]:
    """What the ray of each key point meets."""
    towards = lifted(points.pixels.astype(np.float64), np.ones(len(points)), view.colour_camera) @ view.colour_pose[:3, :3].T
    return cast(traced, view.colour_pose[:3, 3], towards)


def seen(traced: TracedRoom, points: ndarray, view: View) -> ndarray:
    """Whether nothing stands before points, as a view looks at them."""
    eye = view.colour_pose[:3, 3]
    met, _ = cast(traced, eye, points - eye)
    return np.linalg.norm(met - eye, axis=1) > np.linalg.norm(points - eye, axis=1) - CLEAR


if __name__ == "__main__":
    main()
