"""Train what a folder's `training.json` says: in this process, or by Ray Train workers; what is finished is given back at once.

training.json   what to do: recipe, training, seed, sets, ... (written by the caller before)
lock            held by the one process at work on the folder
result.json     there: finished.   error.json: ended by an error of ours
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from l9.config import Train
from l9.errors import L9Error, StoreError, TrainingError, UsageError
from l9.progress import Say
from l9.store.home import Home
from l9.track.lock import WORK_LOCK, locked
from l9.train.assemble import Job
from l9.train.noted import note_error
from l9.train.ranks import Ranks
from l9.train.result import read_result
from l9.train.worker import train_worker
from l9.typed import from_plain

OURS = ("metrics.jsonl", "start.json", "result.json", "outcomes.jsonl", "error.json", "baseline.safetensors", "track.json")
OUR_FOLDERS = ("checkpoints", "pictures", "ray")


def fit(
    run_dir: Path,
    *,
    place: Home,
    say: Say,
    address: str | None = None,
    fresh: bool = False,
    on_checkpoint: Callable[[Path], None] = lambda run_dir: None,
) -> dict[str, Any]:
    """Train and evaluate as `run_dir/training.json` says; returns what `result.json` holds.

    place          the home: what the paths of its sets are relative to
    address        of a Ray cluster, where workers are wanted; None: an embedded one on this machine
    fresh          forget what an earlier attempt left
    on_checkpoint  called with `run_dir` when a checkpoint is durable; with workers from a thread, a little later
    raises         UsageError where another process is at work on it; L9Error, also from workers, and left in error.json;
                   KeyboardInterrupt after a checkpoint of the last finished step
    """
    with locked(run_dir / WORK_LOCK) as mine:
        if not mine:
            raise UsageError(f"another l9 run is at work on {run_dir.name}; wait for it or stop it (a job: l9 status, l9 stop)")
        if fresh:
            forget(run_dir)
        stored = read_result(run_dir)
        return _fit(run_dir, place, say, address, on_checkpoint) if stored is None else stored


def _fit(run_dir: Path, place: Home, say: Say, address: str | None, on_checkpoint: Callable[[Path], None]) -> dict[str, Any]:
    (run_dir / "error.json").unlink(missing_ok=True)
    job = read_job(run_dir, place.path)
    workers = from_plain(Train, job["train"], "train").workers
    try:
        if workers == 0:
            ranks = Ranks(device=device_for(job))
            return train_worker(job, say=say, ranks=ranks, durable=lambda: on_checkpoint(run_dir))
        _fit_elsewhere(job, workers, place, say, address, on_checkpoint)
    except L9Error as error:
        note_error(run_dir, error)
        raise
    on_checkpoint(run_dir)
    result = read_result(run_dir)
    if result is None:
        raise TrainingError(f"{run_dir}: the workers ended without a result; l9 run again continues from the last checkpoint")
    return result


def _fit_elsewhere(
    job: Job, workers: int | tuple[int, int], place: Home, say: Say, address: str | None, on_checkpoint: Callable[[Path], None]
) -> None:
    """By workers, which reach the run's folder through the home: what they change comes here at checkpoints and at the end."""
    from l9.train.group import fit_with_workers

    run_dir = Path(job["run_dir"])

    def saved() -> None:
        try:
            place.exchange_run(run_dir, trains=False)
        except (StoreError, OSError) as error:
            say(f"{run_dir.name}: not brought here ({error}); work goes on")
            return
        on_checkpoint(run_dir)

    place.push_run(run_dir)
    try:
        fit_with_workers(job, workers, address, say, place, saved)
    except BaseException:
        saved()
        raise
    place.exchange_run(run_dir, trains=False)


def read_job(run_dir: Path, home: Path) -> Job:
    """`training.json` as a job: paths made absolute, since workers stand in other folders."""
    path = run_dir / "training.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        sets = {name: {**facts, "store": str((home / facts["store"]).resolve())} for name, facts in about["sets"].items()}
        return {**about, "sets": sets, "run_dir": str(run_dir.resolve())}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path}: not a training's facts ({type(error).__name__}: {error}); l9 run writes it") from error


def device_for(job: Job) -> torch.device:
    """A GPU where there is one and the recipe does not say `gpus=0`, else the processor."""
    return torch.device("cuda" if job["train"]["gpus"] != 0 and torch.cuda.is_available() else "cpu")


def forget(run_dir: Path) -> None:
    """Remove everything an earlier attempt made, result first: half removed it must not look finished."""
    for name in sorted(OURS, key=lambda name: name != "result.json"):
        (run_dir / name).unlink(missing_ok=True)
    for name in OUR_FOLDERS:
        shutil.rmtree(run_dir / name, ignore_errors=True)
