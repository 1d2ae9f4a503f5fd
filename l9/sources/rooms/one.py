"""One room in the sandbox: composed of furniture that others made, scanned, and sent out file by file.

The child writes below a folder of its own; what leaves it is bytes under the names of `room_names`, which the parent writes.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from l9.errors import DataError, RefusedObject
from l9.fingerprint import Json
from l9.geometry.camera import Pinhole
from l9.geometry.mesh import Axis
from l9.geometry.model import Model
from l9.readers.coloured import read_model
from l9.readers.contract import Found
from l9.sandbox.contract import Stream
from l9.sources.rooms.catalog import LABEL_OF, Furniture
from l9.sources.rooms.compose import compose_room
from l9.sources.rooms.labels import label_ids
from l9.sources.rooms.made import MADE_NAMES
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.write import room_names, write_room

WIDTH, HEIGHT, FIELD = 640, 480, 58.0  # pixels; degrees across, as the camera of ScanNet's depth has


def room_labels() -> dict[str, tuple[int, str]]:
    """Id and label of every name that a thing in a room can have: one table for all rooms, of any seed."""
    return label_ids([*LABEL_OF.items(), *MADE_NAMES.items()])


def described(furniture: Furniture, found: Found) -> Json:
    """A model as it crosses the pipe."""
    return {"furniture": asdict(furniture), "found": found.describe()}


def room_files(
    files: Sequence[BinaryIO], *, archives: list[str], catalog: list[Any], up: Axis, name: str, seed: int, frames: int, noise: bool
) -> Stream:
    """Compose and scan the room `name`, such as scene0000_00.

    files     the archives that hold the furniture; `archives` are their names, as the models' files have them
    catalog   of the furniture that may be in the room, each as `described`
    noise     whether depth is measured by `Sensor`, or exact
    returns   buffers: the files of `room_names`, in that order; value {"sizes": their bytes}
    raises    RefusedObject `no-room` where the seed gives none, or as `read_model` says of a model
    """
    opened = dict(zip(archives, files, strict=True))
    furniture = [Furniture(**one["furniture"]) for one in catalog]
    found = {one["found"]["id"]: Found.from_plain(one["found"]) for one in catalog}

    def model(wanted: str) -> Model:
        return read_model([opened[name] for name in found[wanted].files], found[wanted], up)

    sizes: list[Json] = []

    def parts() -> Iterator[list[bytes]]:
        with tempfile.TemporaryDirectory(dir=".") as folder:  # the child stands in a folder of its own, which goes with it
            try:
                room = compose_room(furniture, model, seed=seed, frames=frames)
                camera, sensor = Pinhole.of_field(WIDTH, HEIGHT, FIELD), Sensor() if noise else None
                written = write_room(Path(folder), name, room, camera, room_labels(), sensor=sensor, seed=seed)
            except DataError as error:
                raise RefusedObject("no-room", str(error)) from error
            for part in room_names(name):
                data = (written / part).read_bytes()
                sizes.append(len(data))
                yield [data]

    return Stream(parts(), lambda: {"sizes": sizes})
