"""A set of rooms on disk, as `l9 fetch rooms` makes it: composed beside each other in sandboxes, in ScanNet's own layout.

    raw/rooms/<key>/scans/scene0000_00/…          one folder a room, see `write_room`
                    scannetv2-labels.combined.tsv
                    scannetv2_{train,val,test}.txt
                    attribution.csv               whose furniture stands in which rooms, and what its licence asks

No model of furniture, and no family of models, is in rooms of two splits. A room has its name when it is whole: what is broken off goes
on where it stopped.
"""

import csv
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from l9.cards import Card, attribution_rows
from l9.errors import CardError, FetchError, RefusedObject, SandboxError, UsageError
from l9.fingerprint import Json, digest
from l9.progress import Progress, Say
from l9.readers.contract import Found
from l9.sandbox.listing import listed
from l9.sandbox.parent import Sandbox
from l9.sources.rooms.catalog import SPLIT_FOLDS, Furniture, catalog_of, furniture_of
from l9.sources.rooms.labels import write_labels
from l9.sources.rooms.one import described, room_labels
from l9.sources.rooms.write import THINGS, room_names
from l9.store.publish import TEMPORARY, atomic_write, publish, temporary_name
from l9.typed import from_plain

VERSION = 1  # grows when the same settings give other rooms
MOST_SCENES = 10_000  # ScanNet's names of scans have four digits
MOST_FRAMES = 120  # of .4 MB: the sandbox writes files of 64 MiB at most
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.08  # of the rooms: 36 / 4 / 10 of 50
ROOM_SECONDS = 900  # of a processor: a room takes 20, the first also compiles
LISTS = {"train": "scannetv2_train.txt", "validation": "scannetv2_val.txt", "test": "scannetv2_test.txt"}
IMPORTS = ("l9.sources.rooms.one",)


@dataclass(frozen=True)
class RoomSet:
    """Which rooms: of one version of the furniture, equal ones give equal bytes.

    scenes  how many
    seed    of all that is drawn
    frames  of each room's recording, 640 x 480
    noise   whether depths are those of a structured-light sensor; else exact
    """

    scenes: int = 50
    seed: int = 0
    frames: int = 60
    noise: bool = True

    def __post_init__(self) -> None:
        whole = all(type(value) is int for value in (self.scenes, self.seed, self.frames))
        if not whole or not 1 <= self.scenes <= MOST_SCENES or not 1 <= self.frames <= MOST_FRAMES or not 0 <= self.seed < 1 << 32:
            raise UsageError(f"rooms: {asdict(self)}; expected 1 to {MOST_SCENES:,} scenes, 1 to {MOST_FRAMES} frames, a seed of 0 or more")

    def key(self, furniture: Card) -> str:
        """The name of their folder: 12 hex digits of the settings, of l9's way of composing, and of the furniture's labels and folds."""
        labels = {name: dict(row) for name, row in furniture.label_rows.items()}
        about = {**asdict(self), "version": VERSION, "furniture": furniture.name, "labels": labels, "bad": furniture.bad_reasons}
        return digest(cast(Json, about))[:12]

    def splits(self) -> dict[str, str]:
        """Room -> split: the first ones train, the last ones test."""
        test, validation = round(TEST_SHARE * self.scenes), round(VALIDATION_SHARE * self.scenes)
        train = self.scenes - test - validation
        each = ["train"] * train + ["validation"] * validation + ["test"] * test
        return {f"scene{number:04d}_00": split for number, split in enumerate(each)}


def room_set(card: Card) -> RoomSet:
    """What `source.compose` of a card says; CardError where it is none."""
    return from_plain(RoomSet, card.source["compose"], f"card {card.name}: source.compose", CardError)


def bring_rooms(folder: Path, wanted: RoomSet, furniture: Card, root: Path, say: Say, workers: int | None = None) -> None:
    """Write the rooms below `folder`, as many at a time as there are cores for this process; those that are whole there already stay.

    root     of the furniture
    workers  rooms at a time instead
    raises   FetchError where a seed gives no room; StoreError where the disk is full
    """
    workers = workers or min(len(os.sched_getaffinity(0)), wanted.scenes)
    with Sandbox() as sandbox:
        found = {one.id: one for one in listed(sandbox, furniture.reader, root, cast(dict[str, Json], furniture.parameters))}
    models = furniture_of(found.values(), furniture.label_rows, furniture.bad_reasons)
    kits = {split: _Kit(root, furniture, found, catalog_of(models, split)) for split in SPLIT_FOLDS}
    for leftover in (folder / "scans").glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover)
    write_labels(folder, room_labels())
    splits = wanted.splits()
    for split, name in LISTS.items():
        if rooms := [room for room in splits if splits[room] == split]:  # an empty list is refused when it is read
            atomic_write(folder / name, "".join(f"{room}\n" for room in rooms).encode())
    with Progress("compose rooms", wanted.scenes, "rooms", to=say) as progress:
        for _ in _composed(folder, wanted, kits, workers):
            progress.advance()
    atomic_write(folder / "attribution.csv", _attribution(folder, splits, furniture).encode())


class _Kit:
    """What the rooms of one split are made of, as the sandbox is told."""

    def __init__(self, root: Path, card: Card, found: dict[str, Found], catalog: Sequence[Furniture]) -> None:
        names = sorted({name for one in catalog for name in found[one.id].files})
        self.files = [root / name for name in names]
        self.arguments: dict[str, Json] = {
            "archives": cast(Json, names),
            "catalog": [described(one, found[one.id]) for one in catalog],
            "up": card.axes.up,
        }


def _composed(folder: Path, wanted: RoomSet, kits: dict[str, _Kit], workers: int) -> Iterator[str]:
    """The names of the rooms in the order in which they are whole, each worker with a sandbox of its own."""
    lent, sandboxes = threading.local(), [Sandbox(imports=IMPORTS) for _ in range(workers)]
    left = list(sandboxes)

    def lend() -> None:
        lent.sandbox = left.pop()

    def compose(number: int, name: str, split: str) -> str:
        if not (folder / "scans" / name).is_dir():
            _compose(folder, wanted, number, name, kits[split], lent.sandbox)
        return name

    todo = ((number, name, split) for number, (name, split) in enumerate(wanted.splits().items()))
    running: set[Future[str]] = set()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="l9-rooms", initializer=lend)
    try:
        for job in todo:
            running.add(pool.submit(compose, *job))
            if len(running) >= 2 * workers:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in ended)
        yield from (one.result() for one in running)
    finally:  # interrupted, or a room failed: what runs is for nobody
        pool.shutdown(wait=False, cancel_futures=True)
        for sandbox in sandboxes:
            sandbox.end()


def _compose(folder: Path, wanted: RoomSet, number: int, name: str, kit: _Kit, sandbox: Sandbox) -> None:
    arguments: dict[str, Json] = {
        **kit.arguments,
        "name": name,
        "seed": wanted.seed * MOST_SCENES + number,
        "frames": wanted.frames,
        "noise": wanted.noise,
    }
    try:
        answer = sandbox.call(
            "l9.sources.rooms.one:room_files", arguments, kit.files, cpu_seconds=ROOM_SECONDS, wall_seconds=2.0 * ROOM_SECONDS
        )
    except RefusedObject as error:
        cure = "l9 fetch rooms --seed with another number" if error.reason == "no-room" else "the same command goes on with it"
        raise FetchError(f"room {name} of seed {wanted.seed}: {error}; {cure}") from error
    except SandboxError as error:
        raise FetchError(f"room {name} of seed {wanted.seed}: {error}; on a machine with more memory the same command goes on") from error
    _write(folder / "scans" / name, answer.buffers)


def _write(final: Path, contents: Sequence[Any]) -> None:
    """A room's files as a folder that appears when all are in it."""
    names = room_names(final.name)
    if len(contents) != len(names) or not all(isinstance(content, bytes) for content in contents):
        raise SandboxError("died", "the child sent an answer of another form")
    final.parent.mkdir(exist_ok=True)
    part = temporary_name(final)
    part.mkdir()
    for name, content in zip(names, contents, strict=True):
        atomic_write(part / name, content)
    publish(part, final)


def _attribution(folder: Path, splits: dict[str, str], furniture: Card) -> str:
    """The furniture's own table, of the models that stand in rooms, with one column more: which."""
    rooms: dict[str, list[str]] = {}
    for room in splits:
        for thing in json.loads((folder / "scans" / room / f"{room}{THINGS}").read_bytes()):
            if thing["source"] and room not in rooms.setdefault(thing["source"], []):
                rooms[thing["source"]].append(room)
    rows = attribution_rows(furniture)
    if lacking := sorted(rooms.keys() - rows.keys()):
        raise CardError(f"{furniture.attribution}: no row for {lacking[0]}, a model in {rooms[lacking[0]][0]}; expected one for each")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*next(iter(rows.values())), "rooms"])
    writer.writerows([*rows[model].values(), " ".join(rooms[model])] for model in sorted(rooms))
    return text.getvalue()
