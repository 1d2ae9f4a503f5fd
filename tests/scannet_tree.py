"""A small tree in ScanNet's layout: two spaces, one of them scanned twice, and one scan without labels."""

import json
import struct

import numpy as np
from sens_bytes import sens

TABLE = (
    "id\traw_category\tcategory\tcount\tnyu40id\teigen13id\n"
    "1\twall\twall\t8277\t1\t12\n"
    "2\tchair\tchair\t4646\t5\t4\n"
    "22\tfloor\tfloor\t1553\t2\t5\n"
    "1233\toffice chair\tchair\t595\t5\t4\n"
    "77\tceiling\tceiling\t100\t22\t3\n"
    "99\tobject\tobject\t20\t\t\n"
)
OLD_TABLE = "category\tcount\tnyu40id\nwall\t8277\t1\noffice chair\t595\t5\nfloor\t1553\t2\n"
SEGMENTS = [7, 7, 300, 300, 12, 5]  # of the six vertices
GROUPS = [
    {"id": 0, "objectId": 0, "label": "wall", "segments": [7]},
    {"id": 1, "objectId": 1, "label": "office chair", "segments": [300]},
    {"id": 2, "objectId": 2, "label": "ceiling", "segments": [12]},
]
LABELS, INSTANCES = [1, 1, 5, 5, 0, 0], [1, 1, 2, 2, 3, 0]
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], "<f4")
COLOURS = np.arange(18, dtype=np.uint8).reshape(6, 3)


def ply(vertices=CORNERS, faces=((0, 1, 2), (3, 4, 5)), colours=COLOURS):
    """As ScanNet writes its meshes."""
    head = "ply\nformat binary_little_endian 1.0\ncomment MLIB generated\n"
    head += f"element vertex {len(vertices)}\n" + "".join(f"property float {axis}\n" for axis in "xyz")
    head += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue", "alpha"))
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    rows = b"".join(place.tobytes() + bytes(colour) + b"\xff" for place, colour in zip(vertices, colours, strict=True))
    return head.encode() + rows + b"".join(struct.pack("<B3i", 3, *face) for face in faces)


def write_scene(root, name, *, labelled=True, folder="scans", frames=3, segments=SEGMENTS, groups=GROUPS):
    """One scan's folder."""
    below = root / folder / name
    below.mkdir(parents=True)
    (below / f"{name}.sens").write_bytes(sens(frames))
    (below / f"{name}_vh_clean_2.ply").write_bytes(ply())
    if labelled:
        (below / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"sceneId": name, "segIndices": segments}))
        (below / f"{name}.aggregation.json").write_text(json.dumps({"sceneId": name, "segGroups": groups}))
    return below


def write_tree(root, table=TABLE, version="scannetv2"):
    """Scans of spaces 0 and 1, and a test scan."""
    for name in ("scene0000_00", "scene0000_01", "scene0001_00"):
        write_scene(root, name)
    write_scene(root, "scene0707_00", labelled=False, folder="scans_test")
    (root / f"{version}-labels.combined.tsv").write_text(table)
    (root / f"{version}_train.txt").write_text("scene0000_00\nscene0000_01\n")
    (root / f"{version}_val.txt").write_text("scene0001_00\n")
    (root / f"{version}_test.txt").write_text("scene0707_00\n")
    return root
