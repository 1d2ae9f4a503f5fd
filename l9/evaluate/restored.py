"""A finished training brought back to life: its task, its network with the weights of the last checkpoint, its samples."""

from pathlib import Path
from typing import Any

import torch

from l9.errors import TrainingError
from l9.evaluate.runs import training_facts
from l9.train.assemble import Assembly, assemble
from l9.train.checkpoints import latest


def job_of(folder: Path, home: Path) -> dict[str, Any]:
    """The job of a training folder, its stores found below `home`, wherever that stands today."""
    about = training_facts(folder)
    sets = {name: {**facts, "store": str(home / facts["store"])} for name, facts in about["sets"].items()}
    return {**about, "sets": sets, "run_dir": str(folder), "init": None, "overfit": 0}


def restored(folder: Path, home: Path) -> Assembly:
    """Task and network as the training left them, on the CPU, in evaluation mode."""
    assembly = assemble(job_of(folder, home), torch.device("cpu"))
    assembly.task.bind(assembly.model)
    assembly.task.fit(assembly.samples)
    if assembly.model is not None:
        checkpoint = latest(folder)
        if checkpoint is None:
            raise TrainingError(f"{folder.name} has no whole checkpoint; l9 run … --fresh trains it again")
        assembly.model.load_state_dict(checkpoint.tensors("model"))
        assembly.model.eval()
    return assembly
