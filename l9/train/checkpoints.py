"""Checkpoints: `<run_dir>/checkpoints/<step>/` with safetensors and one JSON, there whole or not at all.

    model.safetensors       the network's state dict
    optimizer.safetensors   moments and counters, `player/parameter/key`
    buffers.safetensors     the task's own tensors (EMA, image pools, codebooks)
    state.json              step, epoch, step in the epoch, what was held out's losses, torch's random state, the precision, and size and
                            sha256 of the three

A folder is written under a temporary name, flushed, and renamed; the newest two are kept. Nothing here is a pickle.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from l9.errors import TrainingError
from l9.fingerprint import file_digest
from l9.store.publish import TEMPORARY, atomic_write, publish, temporary_name
from l9.tasks.contract import Task
from l9.train.optimizers import Mover, optimizer_tensors, restore_optimizers
from l9.train.plateau import Plateau
from l9.typed import from_plain

FORMAT = 1
KEPT = 2  # the newest, and the one before in case the newest is damaged
PARTS = ("model", "optimizer", "buffers")


@dataclass
class Progress:
    """Where a training stands: `step` steps are finished; the next one is number `step_in_epoch` of `epoch` (all 0-based)."""

    step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    plateau: Plateau = field(default_factory=Plateau)


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk, its sizes and digests verified."""

    folder: Path
    progress: Progress
    random_state: bytes
    precision: str | None = None  # "float32" or "bfloat16": what "auto" was where the training began; None: an older checkpoint

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The tensors of `model`, `optimizer` or `buffers`; they still map the file, so copy them before keeping them."""
        return load_tensors(self.folder / f"{part}.safetensors")


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a safetensors file, on the processor; TrainingError where it is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: not a safetensors file ({error})") from error


def write_checkpoint(
    run_dir: Path, progress: Progress, model: nn.Module, movers: Mapping[str, Mover], task: Task, precision: str = "float32"
) -> Path:
    """Write the checkpoint of a finished step, flushed to the disk, and remove all but the newest two.

    Those of later steps go as well: training came here from an earlier one, so `latest` had passed them over.
    """
    final = _parent(run_dir) / f"{progress.step:08d}"
    tensors = {"model": model.state_dict(), "optimizer": optimizer_tensors(movers), "buffers": task.buffers()}
    temporary = temporary_name(final)
    temporary.mkdir(parents=True)
    try:
        files = {f"{part}.safetensors": _write_tensors(temporary / f"{part}.safetensors", tensors[part]) for part in PARTS}
        state = {
            "format": FORMAT,
            **asdict(progress),
            "torch": torch.__version__,
            "precision": precision,
            "random_state": bytes(torch.get_rng_state().tolist()).hex(),
            "files": files,
        }
        atomic_write(temporary / "state.json", json.dumps(state, sort_keys=True, indent=1).encode())
        _put_in_place(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _prune(final.parent, progress.step)
    return final


def _parent(run_dir: Path) -> Path:
    return run_dir / "checkpoints"


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Each tensor is copied first: safetensors refuses two names for one memory, which tied weights have."""
    from safetensors.torch import save

    content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
    atomic_write(path, content)
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _put_in_place(temporary: Path, final: Path) -> None:
    """Rename; a folder of that step already there (a damaged one, or one a dead worker's last breath wrote) makes way."""
    if final.exists():
        final.replace(temporary_name(final))  # its remains go with the next pruning
    publish(temporary, final)


def _prune(parent: Path, newest: int) -> None:
    steps = _steps(parent)
    kept = [step for step in steps if step <= newest][-KEPT:]
    for folder in [*(parent / f"{step:08d}" for step in steps if step not in kept), *parent.glob(f"{TEMPORARY}*")]:
        shutil.rmtree(folder, ignore_errors=True)


def _steps(parent: Path) -> list[int]:
    if not parent.is_dir():
        return []
    return sorted(int(path.name) for path in parent.iterdir() if re.fullmatch("[0-9]{8,}", path.name))


def latest(run_dir: Path) -> Checkpoint | None:
    """The newest checkpoint whose files have the size and sha256 its state.json names; damaged ones are passed over."""
    for step in reversed(_steps(_parent(run_dir))):
        found = _opened(_parent(run_dir) / f"{step:08d}")
        if found is not None:
            return found
    return None


def checkpoint_at(run_dir: Path, step: int) -> Checkpoint | None:
    """The checkpoint of that step, if it is there and whole."""
    return _opened(_parent(run_dir) / f"{step:08d}")


def _opened(folder: Path) -> Checkpoint | None:
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["format"] != FORMAT or set(state["files"]) != {f"{part}.safetensors" for part in PARTS}:
            return None
        for name, facts in state["files"].items():
            if (folder / name).stat().st_size != facts["bytes"] or file_digest(folder / name) != facts["sha256"]:
                return None
        plateau = from_plain(Plateau, state.get("plateau", {}), "plateau", TrainingError)
        progress = Progress(int(state["step"]), int(state["epoch"]), int(state["step_in_epoch"]), plateau)
        precision = state.get("precision")
        if precision not in (None, "float32", "bfloat16"):
            return None
        return Checkpoint(folder, progress, bytes.fromhex(state["random_state"]), precision)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, TrainingError):
        return None  # whatever is wrong inside, this folder is no checkpoint


def restore(checkpoint: Checkpoint, model: nn.Module, movers: Mapping[str, Mover], task: Task) -> Progress:
    """Copy a checkpoint into the live network, optimizers and task; TrainingError where it is of another network."""
    _copy_exactly("model", dict(model.state_dict()), checkpoint.tensors("model"))
    restore_buffers(checkpoint, task)
    restore_optimizers(movers, checkpoint.tensors("optimizer"))
    torch.set_rng_state(torch.frombuffer(bytearray(checkpoint.random_state), dtype=torch.uint8))
    return checkpoint.progress


def restore_buffers(checkpoint: Checkpoint, task: Task) -> None:
    """Copy a checkpoint's buffers (averaged weights ...) into the live task; TrainingError where they are of another one."""
    _copy_exactly("task", task.buffers(), checkpoint.tensors("buffers"))


def _copy_exactly(what: str, live: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    if odd := set(live) ^ set(stored):
        raise TrainingError(f"the checkpoint's {what} and the recipe's differ in '{min(odd)}'; start over with --fresh")
    for name, tensor in live.items():
        if tensor.shape != stored[name].shape:
            shapes = f"{tuple(stored[name].shape)}; the recipe's is {tuple(tensor.shape)}"
            raise TrainingError(f"the checkpoint's {what} {name} is {shapes}; start over with --fresh")
        with torch.no_grad():
            tensor.copy_(stored[name])


def copy_by_name(model: nn.Module, tensors: Mapping[str, Tensor], prefixes: Mapping[str, str] | None = None) -> list[str]:
    """Copy every tensor whose name and shape fit the model; the rest stays as it was initialised.

    A network around a trunk may say in its class where weights of the trunk alone belong: `weight_prefix = "trunk."` is put before
    every stored name where more fit so than as they are.

    prefixes  stored prefix -> the model's ("encoder." -> "trunk."); the first that fits is exchanged
    returns   the model's names that received nothing, in order
    raises    TrainingError if nothing at all was copied
    """
    live = model.state_dict()
    ways = [
        {_renamed(name, way): tensor for name, tensor in tensors.items()}
        for way in (prefixes or {}, {"": getattr(model, "weight_prefix", "")})
    ]
    best = max(ways, key=lambda renamed: sum(_fits(renamed, name, tensor) for name, tensor in live.items()))
    missed = _copied(best, live)
    if len(missed) < len(live):
        return missed
    examples = f"stored '{min(tensors, default='nothing')}', the model has '{min(live, default='nothing')}'"
    raise TrainingError(f"init: no tensor has the name and shape of one of the model's ({examples})")


def _fits(tensors: Mapping[str, Tensor], name: str, live: Tensor) -> bool:
    return name in tensors and tensors[name].shape == live.shape


def _copied(tensors: Mapping[str, Tensor], live: Mapping[str, Tensor]) -> list[str]:
    """The live names for which there was no tensor of their shape."""
    missed = []
    for name, tensor in live.items():
        if _fits(tensors, name, tensor):
            with torch.no_grad():
                tensor.copy_(tensors[name])
        else:
            missed.append(name)
    return missed


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name[len(old) :]
    return name
