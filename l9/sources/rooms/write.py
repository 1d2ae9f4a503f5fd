"""One scanned room as a folder in ScanNet v2's own format: recording, surface, segments, objects, and the truth of every frame."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from l9.errors import UsageError
from l9.geometry.camera import Pinhole
from l9.geometry.scan import Surface
from l9.sources.rooms.scanner import scan_room
from l9.sources.rooms.segments import segments
from l9.sources.rooms.sens import write_end, write_frame, write_header
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.surface import room_surface
from l9.sources.rooms.thing import Room, Thing
from l9.sources.rooms.traced import TracedRoom
from l9.sources.rooms.truth import KINDS, TruthFiles

MOST_THINGS = 255  # ScanNet's pictures of instances have 8 bits
NAME = re.compile(r"scene\d{4}_\d{2}")
SCANNET_ENDINGS = (".sens", "_vh_clean_2.ply", "_vh_clean_2.0.010000.segs.json", ".aggregation.json", ".txt")
THINGS = ".things.json"  # beside ScanNet's own files: what every thing is, for its authors' sake


def room_names(name: str) -> tuple[str, ...]:
    """The files of the room `name`, in a fixed order."""
    return tuple(f"{name}{ending}" for ending in (*SCANNET_ENDINGS, THINGS, *(f"_2d-{kind}.zip" for kind in KINDS)))


def write_room(
    root: Path,
    name: str,
    room: Room,
    camera: Pinhole,
    ids: dict[str, tuple[int, str]],
    *,
    sensor: Sensor | None = None,
    seed: int = 0,
    kind: str = "Misc.",
) -> Path:
    """Scan a room into `scans/<name>` below `root`; one frame is in memory, and the same room and seed give the same bytes.

    The folder has its name when it is whole; until then it ends in `.part`, and what an earlier run left there is thrown away.
    ids     id and label of every name (`label_ids`), which `write_labels` writes beside the scans
    sensor  see `scan_room`
    kind    ScanNet's sceneType
    raises  UsageError for a name not like scene0000_00, a folder that exists, more than MOST_THINGS things, or one that `ids` lacks;
            DataError where no frame sees anything
    """
    raw_ids = _raw_ids(name, room.things, ids)
    folder = root / "scans" / name
    if folder.exists():
        raise UsageError(f"{folder}: exists; expected a new folder.  rm -r {folder}")
    part = folder.with_name(name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    traced = TracedRoom(room)
    _write_frames(part, name, room, traced, camera, raw_ids, sensor, seed)
    _write_surface(part, name, room.things, room_surface(room, traced, camera))
    _write_json(part / f"{name}{THINGS}", [{"name": one.name, "label": one.label, "source": one.source} for one in room.things])
    (part / f"{name}.txt").write_text(_about(camera, len(room.poses), kind), encoding="ascii")
    part.rename(folder)
    return folder


def _raw_ids(name: str, things: tuple[Thing, ...], ids: dict[str, tuple[int, str]]) -> list[int]:
    if not NAME.fullmatch(name):
        raise UsageError(f"scan '{name}'; expected a name such as scene0000_00")
    if len(things) > MOST_THINGS:
        raise UsageError(f"{name}: {len(things):,} things; expected at most {MOST_THINGS}")
    for thing in things:
        if ids.get(thing.name, (0, ""))[1] != thing.label:
            raise UsageError(f"{name}: '{thing.name}' does not stand for '{thing.label}' in the table of labels")
    return [ids[thing.name][0] for thing in things]


def _write_frames(
    part: Path, name: str, room: Room, traced: TracedRoom, camera: Pinhole, raw_ids: list[int], sensor: Sensor | None, seed: int
) -> None:
    with (part / f"{name}.sens").open("wb") as stream, TruthFiles(part, name, raw_ids) as truth:
        write_header(stream, camera, len(room.poses))
        for scanned in scan_room(room, camera, sensor=sensor, seed=seed, traced=traced):
            write_frame(stream, scanned.frame)
            truth.write(scanned)
        write_end(stream)


def _write_surface(part: Path, name: str, things: tuple[Thing, ...], surface: Surface) -> None:
    """The mesh, its segments, and which segments are which thing."""
    patches = segments(surface)
    (part / f"{name}_vh_clean_2.ply").write_bytes(_ply(surface))
    segmented = {"params": {}, "sceneId": name, "segIndices": patches.tolist()}
    _write_json(part / f"{name}_vh_clean_2.0.010000.segs.json", segmented)
    aggregation = {
        "sceneId": f"scannet.{name}",
        "appId": "Aggregator.v2",
        "segGroups": _groups(things, surface, patches),
        "segmentsFile": f"scannet.{name}_vh_clean_2.0.010000.segs.json",
    }
    _write_json(part / f"{name}.aggregation.json", aggregation)


def _groups(things: tuple[Thing, ...], surface: Surface, patches: Int[ndarray, "v"]) -> list[dict[str, object]]:
    """A group for each thing that was seen; objectId k - 1 is instance k."""
    groups: list[dict[str, object]] = []
    for number, thing in enumerate(things):
        own = np.unique(patches[surface.instances == number + 1])
        if len(own):
            groups.append({"id": len(groups), "objectId": number, "segments": own.tolist(), "label": thing.name})
    return groups


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="ascii")


def _ply(surface: Surface) -> bytes:
    """Binary little endian: x y z float, red green blue alpha uchar; faces as lists of a uchar and ints."""
    points = np.zeros(len(surface.vertices), [("place", "<f4", 3), ("colour", "u1", 4)])
    points["place"], points["colour"] = surface.vertices, 255
    if surface.colours is not None:
        points["colour"][:, :3] = surface.colours
    faces = np.zeros(len(surface.faces), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, surface.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property float {axis}" for axis in "xyz"] + [f"property uchar {one}" for one in ("red", "green", "blue", "alpha")]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode() + points.tobytes() + faces.tobytes()


def _about(camera: Pinhole, frames: int, kind: str) -> str:
    """ScanNet's `.txt`: keys and values of the recording."""
    values: dict[str, object] = {"axisAlignment": " ".join(f"{value:.6f}" for value in np.eye(4).reshape(-1))}
    for sensor in ("color", "depth"):
        values |= {f"{sensor}Height": camera.height, f"{sensor}Width": camera.width}
        values |= {f"fx_{sensor}": f"{camera.fx:.6f}", f"fy_{sensor}": f"{camera.fy:.6f}"}
        values |= {f"mx_{sensor}": f"{camera.cx:.6f}", f"my_{sensor}": f"{camera.cy:.6f}"}
    values |= {"numColorFrames": frames, "numDepthFrames": frames, "sceneType": kind}
    return "".join(f"{key} = {value}\n" for key, value in sorted(values.items()))
