"""3DMatch's RGB-D part: sequences of SUN3D, 7-Scenes, RGB-D Scenes v2, BundleFusion and Analysis-by-Synthesis in one layout.

    <root>/<scene>/camera-intrinsics.txt     3x3, of both pictures
                   seq-01/frame-000000.{color.png,depth.png,pose.txt}

An object is a sequence, `7-scenes-redkitchen/seq-01`; `<root>` may be one scene's folder. Depth is registered to colour where its source
had it so; SUN3D's bits are turned back already. The eight scenes of the geometric registration benchmark are for testing; of the others a
hash of the scene's name gives a part to validation (no such part is published), the rest to training.
source  Zeng et al., 3DMatch: Learning Local Geometric Descriptors from RGB-D Reconstructions, CVPR 2017
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from l9.errors import RefusedObject
from l9.geometry.mesh import Axis
from l9.geometry.scan import Scan
from l9.readers.contract import Found
from l9.readers.lists import hashed_split
from l9.readers.loose_frames import LooseFrames, one_size_of, read_file
from l9.readers.numbered_frames import MILLIMETRES, frame_files, sequences, shots
from l9.readers.poses import matrix_camera
from l9.readers.scan_folders import below, check_there, name_of, refused_in_find

VERSION = 1
INTRINSICS = "camera-intrinsics.txt"
TEST_SCENES = {
    "7-scenes-redkitchen",
    "sun3d-home_at-home_at_scan1_2013_jan_1",
    "sun3d-home_md-home_md_scan9_2012_sep_30",
    "sun3d-hotel_uc-scan3",
    "sun3d-hotel_umd-maryland_hotel1",
    "sun3d-hotel_umd-maryland_hotel3",
    "sun3d-mit_76_studyroom-76-1studyroom2",
    "sun3d-mit_lab_hj-lab_hj_tea_nov_2_2012_scan1_erika",
}


def find(root: Path) -> Iterator[Found]:
    """Every sequence below `root`, by scene and name; UsageError where `root` holds none."""
    for scene, sequence in sequences(root):
        name, folder = name_of(root, scene), below(scene, sequence)
        split = _split(name)
        try:
            check_there(root, [below(scene, INTRINSICS)])
            files, notes = frame_files(root, folder)
            yield Found(f"{name}/{sequence}", (below(scene, INTRINSICS), *files), split=split, facts={"notes": notes})
        except RefusedObject as error:
            yield refused_in_find(f"{name}/{sequence}", folder, error, split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis) -> Scan:
    """One sequence; its frames are read when they are asked for.

    raises  RefusedObject `bad-camera` for intrinsics that are none, `wrong-size` where colour and depth differ in size, or as
            `LooseFrames.frames` says
    """
    notes = list(found.facts.get("notes", ()))
    size = one_size_of(files, found.files, 1, 2)
    camera = read_file(files, found.files, 0, lambda data: matrix_camera(data, size))
    return Scan(LooseFrames(files, found.files, shots(found.files, 1, camera, camera), MILLIMETRES, notes).frames, None, up, notes)


def _split(scene: str) -> str:
    if scene in TEST_SCENES:
        return "test"
    return "validation" if hashed_split(scene) == "validation" else "train"
