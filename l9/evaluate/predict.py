"""`l9 predict RUN FILE`: one file of a person's own through the sandbox with its usual limits, the run's stages and network."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from l9.config import Prep, Use, with_defaults
from l9.data.batch import Batch, Field
from l9.errors import UsageError
from l9.evaluate.mesh_file import check_mesh_path, write_mesh
from l9.evaluate.restored import restored
from l9.evaluate.runs import find_run, network_of, training_facts
from l9.fingerprint import Json
from l9.readers.contract import Found
from l9.readers.pictures import KINDS
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox
from l9.stages.contract import columns_of
from l9.tasks.contract import Task

MESHES, PICTURES = "l9.readers.folder:read", "l9.readers.images:read"  # a file of one's own is read by its ending, whatever was trained on
ANSWERS = 5


def predict_file(home: Path, words: str, file: Path, to: Path | None = None) -> dict[str, Any]:
    """`{"run", "file", "answers": [{"class", "probability"}, ...]}`, the five best first.

    Of a task that makes a surface of a file: `{"run", "file", "mesh", "vertices", "faces"}`, and a PLY file of it.

    to      where that goes; None: `<file>_completed.ply` in the current folder
    raises  UsageError where there is no such run or file, or `to` is no .ply; RefusedObject where the file cannot be used
    """
    check_file(file)
    folder = network_of(find_run(home, words))
    facts = training_facts(folder)
    task: Any = Use(facts["training"]["task"]["target"]).resolve()
    makes_surface = task.surface is not Task.surface
    if task.predict is Task.predict and not makes_surface:
        raise UsageError(f"{folder.name}: task {task.__name__} says nothing of a single file; l9 eval {folder.name} tests it again")
    if to is not None and not makes_surface:
        raise UsageError(f"--to {to}: task {task.__name__} of {folder.name} answers in words; leave --to out")
    target = check_mesh_path(to or Path(f"{file.stem}_completed.ply")) if makes_surface else None
    chosen = facts["sets"][(facts["training"]["test"] or list(facts["sets"]))[0]]
    own = [with_defaults(Use(name), leading=1).to_plain() for name in task.own_stages]
    batch = _batch_of(file.resolve(), cast(list[dict[str, Any]], own) or chosen["prep"], facts["up"])
    assembly = restored(folder, home)
    about: dict[str, Any] = {"run": folder.name, "file": str(file)}
    if target is not None:
        return about | write_mesh(target, *assembly.task.surface(batch))
    with torch.no_grad():
        answers = assembly.task.predict(batch)[0]
    return about | {"answers": answers[:ANSWERS]}


def check_file(file: Path) -> None:
    """UsageError where there is no such file."""
    if not file.is_file():
        what = "is no file" if file.exists() else "no such file"
        raise UsageError(f"{file}: {what}; expected a mesh (.obj .ply .stl .off .glb) or a picture (.png .jpg)")


def _batch_of(file: Path, stages: list[dict[str, Any]], up: str) -> Batch:
    """The file's first row, as a batch of one sample."""
    prep = Prep(*(Use(stage["target"], **stage["arguments"]) for stage in stages))
    columns = columns_of([(stage.resolve(), stage.arguments) for stage in prep.stages])
    arguments: dict[str, Json] = {
        "reader": PICTURES if file.suffix.lower() in KINDS else MESHES,
        "found": Found(id=file.name, files=(file.name,)).describe(),
        "up": up,
        "parameters": {},
        "stages": cast(Json, stages),
    }
    with Sandbox(Limits(), imports=("l9.stages.process",)) as sandbox:
        answer = sandbox.call("l9.stages.process:process_object", arguments, [file])
    cells = dict(zip((column.name for column in columns), answer.buffers, strict=False))
    fields: dict[str, Field] = {
        name: [cell] if isinstance(cell, bytes) else torch.from_numpy(np.array(cell)[None]) for name, cell in cells.items()
    }
    zero = np.zeros(1, np.int64)
    return Batch(fields, torch.full((1,), -1), zero, zero, zero, seed=0, epoch=0, total=1)
