"""A finished training brought back to life: its task and its network as the last checkpoint has them, its samples."""

from pathlib import Path

import torch
from torch import nn

from l9.errors import TrainingError
from l9.evaluate.runs import read_plain
from l9.train.assemble import Assembly, assemble
from l9.train.checkpoints import Checkpoint, latest, restore_buffers
from l9.train.fit import read_job


def restored(folder: Path, home: Path) -> Assembly:
    """Task and network as a finished training left them, on the CPU, in evaluation mode.

    raises  TrainingError where its last checkpoint is not whole
    """
    job = {**read_job(folder, home), "init": None, "overfit": 0}  # its own weights, on the whole test sets
    assembly = assemble(job, torch.device("cpu"))
    assembly.task.bind(assembly.model)
    checkpoint = None if assembly.model is None else _last(folder)
    if assembly.model is not None and checkpoint is not None and assembly.frozen:  # as when it was evaluated first: `fit` sees the weights
        _load(assembly.model, checkpoint)
    assembly.task.fit(assembly.samples)
    if assembly.model is not None and checkpoint is not None:  # again where `fit` adjusted a frozen one, such as its statistics
        _load(assembly.model, checkpoint)
        restore_buffers(checkpoint, assembly.task)
        assembly.model.eval()
    return assembly


def _load(model: nn.Module, checkpoint: Checkpoint) -> None:
    model.load_state_dict(checkpoint.tensors("model"))


def _last(folder: Path) -> Checkpoint:
    """The checkpoint of the last step."""
    checkpoint = latest(folder)
    if checkpoint is None:
        raise TrainingError(f"{folder.name} has no whole checkpoint; l9 run … --fresh trains it again")
    steps = read_plain(folder / "result.json")["steps"]
    if steps != checkpoint.progress.step:
        found = f"its last whole checkpoint is of step {checkpoint.progress.step:,} of {steps:,}"
        raise TrainingError(f"{folder.name}: {found}; l9 run … --fresh trains it again")
    return checkpoint
