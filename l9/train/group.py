"""A group of Ray Train workers for one training: started together, restarted together when one dies, resuming from our own checkpoints.

Ray places the processes, opens the process group and notices deaths. Checkpoints, metrics and results stay our files in the run's
folder, so a restarted group continues exactly as a restarted process does.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from l9.errors import L9Error, TrainingError
from l9.progress import Say, quiet
from l9.session import ray_session
from l9.train.assemble import Job
from l9.train.noted import note_error
from l9.train.ranks import Ranks

RESTARTS = (
    8  # of the whole group, for deaths of workers and machines; errors of ours are not retried, machines called back by a cloud not counted
)
PLACINGS = 90  # times the group may fail to find room, 20 s each (l9/session.py): half an hour, in which a cloud gives a machine or never
COLLECTIVE_SECONDS = 90  # of one sum over all ranks: a rank beyond a cut link is given up after that
GROW_SECONDS = 30.0  # between two looks at whether an elastic group could be larger
POLL = 0.5  # seconds between two looks at what the workers said


def fit_with_workers(job: Job, workers: int | tuple[int, int], address: str | None, say: Say) -> None:
    """Run `train_worker` on every rank until rank 0 has written a result or an error of ours.

    raises  TrainingError when the group died more often than it is restarted, or cannot be placed
    """
    run_dir = Path(job["run_dir"])
    log = run_dir / "progress.log"
    log.unlink(missing_ok=True)
    most = workers if isinstance(workers, int) else workers[1]
    with ray_session(address, cpus=max(most, _cores())), _followed(log, say):
        import ray.train
        from ray.train.torch import TorchTrainer

        from l9.train.network import ClusterTorchConfig

        gpu = _use_gpu(job)
        trainer = TorchTrainer(
            _rank,
            train_loop_config={"job": job, "cores": _cores() if address is None else None},
            torch_config=ClusterTorchConfig(backend="nccl" if gpu else "gloo", timeout_s=COLLECTIVE_SECONDS),
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers,
                use_gpu=gpu,
                resources_per_worker=_resources(job, gpu),
                placement_strategy="PACK" if gpu else "SPREAD",  # processors are shared with what else runs on a machine, GPUs are not
                elastic_resize_monitor_interval_s=GROW_SECONDS,
            ),
            run_config=ray.train.RunConfig(
                name="group",
                storage_path=str(run_dir / "ray"),
                failure_config=ray.train.FailureConfig(max_failures=RESTARTS, controller_failure_limit=PLACINGS),
            ),
        )
        try:
            with _interrupt_kept():
                trainer.fit()
        except ray.train.TrainingFailedError as error:
            last = str(error).strip().splitlines()[-1]
            raise TrainingError(f"the workers of {run_dir.name} failed again and again ({last}); l9 run again continues") from error


@contextmanager
def _interrupt_kept() -> Iterator[None]:
    """Ctrl-C stays Ctrl-C: Ray takes the signal for itself, ends the process with 0 when it comes, and never gives it back."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as ended:
        raise KeyboardInterrupt from ended
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _rank(config: dict[str, Any]) -> None:
    """What every worker runs."""
    import ray.train
    import ray.train.torch
    import torch

    context = ray.train.get_context()
    torch.set_num_threads(max(1, (config["cores"] or _cores()) // context.get_local_world_size()))
    run_rank(config["job"], Ranks(context.get_world_rank(), context.get_world_size(), ray.train.torch.get_device()))


def run_rank(job: Job, ranks: Ranks) -> None:
    """`train_worker` as one attempt of a group that is started again after any error.

    An error of ours would only come again: it is noted, and the next attempt ends at once.
    """
    from l9.train.worker import train_worker

    run_dir = Path(job["run_dir"])
    if (run_dir / "error.json").exists() or (run_dir / "result.json").exists():
        return
    try:
        train_worker(job, say=_log(run_dir / "progress.log") if ranks.rank == 0 else quiet, ranks=ranks)
    except L9Error as error:
        note_error(run_dir, error)
        raise


def _use_gpu(job: Job) -> bool:
    import ray

    gpus = job["train"]["gpus"]
    return bool(ray.cluster_resources().get("GPU", 0)) if gpus == "auto" else gpus > 0


def _resources(job: Job, gpu: bool) -> dict[str, float] | None:
    gpus = job["train"]["gpus"]
    return {"CPU": 1, "GPU": 1 if gpus == "auto" else gpus} if gpu else None


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _log(path: Path) -> Say:
    """Appends whole lines: one write each, so a killed worker leaves none in halves."""

    def add(line: str) -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    return add


@contextmanager
def _followed(log: Path, say: Say) -> Iterator[None]:
    """Say each new line of a file while the block runs."""
    done = threading.Event()

    def follow() -> None:
        said = 0
        while True:
            ended = done.wait(POLL)
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
            for line in lines[said:]:
                if line.endswith("\n"):
                    say(line.rstrip("\n"))
                    said += 1
            if ended:
                return

    follower = threading.Thread(target=follow, name="l9-follow", daemon=True)
    follower.start()
    try:
        yield
    finally:
        done.set()
        follower.join()
