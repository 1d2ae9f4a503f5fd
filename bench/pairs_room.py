"""Composed rooms again, exact: their meshes, which no recording has, and longer recordings of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from rounds import say

from l9.cards import Card, load_card
from l9.geometry.camera import Pinhole
from l9.geometry.model import Model
from l9.geometry.scan import Scan
from l9.readers.coloured import read_model
from l9.readers.contract import Found
from l9.readers.sens import read_sens
from l9.sandbox.listing import listed
from l9.sandbox.parent import Sandbox
from l9.sources.rooms.bring import RoomSet
from l9.sources.rooms.catalog import Furniture, catalog_of, furniture_of
from l9.sources.rooms.compose import compose_room
from l9.sources.rooms.one import FIELD, HEIGHT, WIDTH
from l9.sources.rooms.scanner import scan_room
from l9.sources.rooms.sens import write_end, write_frame, write_header
from l9.sources.rooms.sensor import Sensor
from l9.sources.rooms.thing import Room
from l9.sources.rooms.traced import TracedRoom


@dataclass(frozen=True)
class Kit:
    """What rooms are made of: the fetched furniture below a home's raw/furniture."""

    card: Card
    root: Path
    found: dict[str, Found]
    models: tuple[Furniture, ...]

    @staticmethod
    def of(home: Path) -> "Kit":
        """List the furniture."""
        card, root = load_card("furniture"), home / "raw" / "furniture"
        parameters: dict[str, Any] = dict(card.parameters)
        with Sandbox() as sandbox:
            found = {one.id: one for one in listed(sandbox, card.reader, root, parameters)}
        return Kit(card, root, found, furniture_of(found.values(), card.label_rows, card.bad_reasons))

    def room(self, number: int, frames: int) -> Room:
        """The room scene<number>_00 of the card `rooms`, with so many poses."""
        split = list(RoomSet().splits().values())[number]
        return compose_room(catalog_of(self.models, split), self._model, seed=number, frames=frames)

    def _model(self, name: str) -> Model:
        one = self.found[name]
        files = [(self.root / file).open("rb") for file in one.files]
        try:
            return read_model(files, one, self.card.axes.up)
        finally:
            for file in files:
                file.close()


def recorded(path: Path, room: Room, seed: int) -> None:
    """A `.sens` of a room, noisy as those of the card; one that is there stays."""
    if path.is_file():
        return
    say(f"scanning {len(room.poses)} frames to {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    camera, part = Pinhole.of_field(WIDTH, HEIGHT, FIELD), path.with_suffix(".part")
    with part.open("wb") as stream:
        write_header(stream, camera, len(room.poses))
        for scanned in scan_room(room, camera, sensor=Sensor(), seed=seed):
            write_frame(stream, scanned.frame)
        write_end(stream)
    part.rename(path)


def scan_at(path: Path) -> Scan:
    """A recording alone."""
    notes: list[str] = []
    return Scan(read_sens(path.open("rb"), notes).frames, notes=notes)


def cast(traced: TracedRoom, eye: ndarray, directions: ndarray) -> tuple[ndarray, ndarray]:
    """Points that rays from `eye` meet (NaN where nothing), and the normals of the sides they meet."""
    rays = np.concatenate([np.broadcast_to(eye, directions.shape), directions], axis=1).astype(np.float32)
    hits = traced.hits(rays)
    points, normals = np.full(directions.shape, np.nan), np.zeros(directions.shape)
    points[hits.ray] = eye + hits.distance[:, None].astype(np.float64) * directions[hits.ray]
    normals[hits.ray] = traced.facing(hits, rays[hits.ray, 3:])
    return points, normals
