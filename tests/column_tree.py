"""Rooms in ScanNet's layout, large enough that there are columns to learn from: two train, one validation, one without labels."""

import json

import numpy as np
from column_scenes import CHAIR, FLOOR, TABLE, WALL, furnished
from scannet_tree import TABLE as NAMES
from scannet_tree import ply

CALLED = {WALL: "wall", FLOOR: "floor", CHAIR: "office chair", TABLE: "table"}
PLACES = {
    "scene0000_00": ((0.2, 0.2), (1.3, 1.3)),
    "scene0001_00": ((1.3, 0.2), (0.2, 1.3)),
    "scene0002_00": ((1.3, 1.3), (0.3, 0.2)),
    "scene0707_00": ((0.3, 1.2), (1.4, 1.2)),
}


def write_rooms(root):
    """The tree, and the surface of each scan."""
    surfaces = {name: furnished(*both) for name, both in PLACES.items()}
    for name, surface in surfaces.items():
        folder = root / ("scans_test" if name == "scene0707_00" else "scans") / name
        folder.mkdir(parents=True)
        grey = np.full((len(surface.vertices), 3), 128, np.uint8)
        (folder / f"{name}_vh_clean_2.ply").write_bytes(ply(surface.vertices.astype("<f4"), surface.faces.tolist(), grey))
        if name == "scene0707_00":
            continue
        segments = {"segIndices": surface.labels.tolist()}
        groups = [{"objectId": label, "label": called, "segments": [label]} for label, called in CALLED.items()]
        (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(segments))
        (folder / f"{name}.aggregation.json").write_text(json.dumps({"segGroups": groups}))
    (root / "scannetv2-labels.combined.tsv").write_text(NAMES + "7\ttable\ttable\t10\t7\t4\n")
    for part, names in (("train", ["scene0000_00", "scene0001_00"]), ("val", ["scene0002_00"]), ("test", ["scene0707_00"])):
        (root / f"scannetv2_{part}.txt").write_text("\n".join(names) + "\n")
    return surfaces
