"""The layout that 7-Scenes and 3DMatch share: scenes of sequences of numbered frames.

<scene>/seq-01/frame-000000.color.png    or .color.jpg, as copies have it that take less room
               frame-000000.depth.png    16 bits, millimetres, 0 and 65535 where nothing was measured
               frame-000000.pose.txt     4x4, camera-to-world
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from l9.errors import RefusedObject
from l9.geometry.camera import Pinhole
from l9.readers.loose_frames import DepthCode, Shot
from l9.readers.scan_folders import below, check_count, entries, folders_in, folders_with

MILLIMETRES = DepthCode(1000, invalid=(65535,))
SEQUENCE = re.compile(r"seq-(\d{1,4})")
FRAME = re.compile(r"frame-(\d{1,9})\.(color|depth|pose)\.(png|jpg|txt)")
KINDS = {"color": ("png", "jpg"), "depth": ("png",), "pose": ("txt",)}  # of each file of a frame; the first that is there is read


def sequences(root: Path) -> Iterator[tuple[str, str]]:
    """Scene and sequence of every sequence, as paths below `root`, which is the folder of the scenes or one scene's (then "")."""
    for scene in folders_with(root, 1, lambda folder: any(map(SEQUENCE.fullmatch, folders_in(folder))), "folders such as <scene>/seq-01"):
        yield from ((scene, name) for name in folders_in(root / scene) if SEQUENCE.fullmatch(name))


def frame_files(root: Path, folder: str) -> tuple[list[str], list[str]]:
    """Three files of each frame that has all three, in order of the frames' numbers; and notes on those that have not.

    raises  RefusedObject `no-frames`, `no-poses` where nothing but poses is missing, or `too-many-frames`
    """
    found, others = entries(root / folder, FRAME)
    frames: dict[str, dict[str, str]] = {}
    for match in found:
        number, role, kind = match.groups()
        if kind not in KINDS[role]:
            others += 1
            continue
        roles = frames.setdefault(number, {})
        roles[role] = min(kind, roles.get(role, kind), key=KINDS[role].index)
    whole = [number for number, roles in frames.items() if len(roles) == len(KINDS)]
    blind = [number for number, roles in frames.items() if set(roles) == {"color", "depth"}]
    if blind and not whole:
        raise RefusedObject("no-poses", f"none of {len(blind):,} frames has a pose")
    check_count(len(whole))
    rest = len(frames) - len(whole) - len(blind)
    notes = [f"{len(blind):,} of {len(frames):,} frames have no file of a pose: left out"] if blind else []
    notes += [f"{rest:,} of {len(frames):,} frames have no colour or no depth: left out"] if rest else []
    notes += [f"{others:,} files are no frame's: left alone"] if others else []
    whole.sort(key=lambda number: (int(number), number))
    return [below(folder, f"frame-{number}.{role}.{frames[number][role]}") for number in whole for role in KINDS], notes


def shots(names: Sequence[str], first: int, colour: Pinhole, depth: Pinhole) -> list[Shot]:
    """The frames of an object whose files from number `first` on are those of `frame_files`."""
    return [
        Shot(int(names[place].rsplit("frame-", 1)[1].split(".")[0]), place, place + 1, place + 2, colour, depth)
        for place in range(first, len(names), len(KINDS))
    ]
