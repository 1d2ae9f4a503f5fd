"""`l9 predict RUN FILE`: one file of a person's own through the run's reader limits, stages and network."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from l9.config import Prep, Use
from l9.data.batch import Batch, Field
from l9.errors import UsageError
from l9.evaluate.restored import restored
from l9.evaluate.runs import find_run, network_of, training_facts
from l9.fingerprint import Json
from l9.readers.contract import Found
from l9.sandbox.contract import Limits
from l9.sandbox.parent import Sandbox
from l9.stages.contract import columns_of
from l9.tasks.contract import Task

READER = "l9.readers.folder:read"  # a file of one's own is read by its ending, whatever the network was trained on
ANSWERS = 5


def predict_file(home: Path, words: str, file: Path) -> dict[str, Any]:
    """`{"run", "file", "answers": [{"class", "probability"}, ...]}`, the five best first.

    raises  UsageError where there is no such run or file; RefusedObject where the file cannot be used
    """
    check_file(file)
    folder = network_of(find_run(home, words))
    facts = training_facts(folder)
    task: Any = Use(facts["training"]["task"]["target"]).resolve()
    if task.predict is Task.predict:
        raise UsageError(f"{folder.name}: task {task.__name__} says nothing of a single file; l9 eval {folder.name} tests it again")
    chosen = facts["sets"][(facts["training"]["test"] or list(facts["sets"]))[0]]
    batch = _batch_of(file.resolve(), chosen["prep"], facts["up"])
    assembly = restored(folder, home)
    with torch.no_grad():
        answers = assembly.task.predict(batch)[0]
    return {"run": folder.name, "file": str(file), "answers": answers[:ANSWERS]}


def check_file(file: Path) -> None:
    """UsageError where there is no such file."""
    if not file.is_file():
        what = "is no file" if file.exists() else "no such file"
        raise UsageError(f"{file}: {what}; expected a mesh (.obj .ply .stl .off .glb)")


def _batch_of(file: Path, stages: list[dict[str, Any]], up: str) -> Batch:
    """The file's first row, as a batch of one sample."""
    prep = Prep(*(Use(stage["target"], **stage["arguments"]) for stage in stages))
    columns = columns_of([(stage.resolve(), stage.arguments) for stage in prep.stages])
    arguments: dict[str, Json] = {
        "reader": READER,
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
