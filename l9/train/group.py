"""A group of Ray Train workers for one training: started together, restarted together when one dies, resuming from our own checkpoints.

Ray places the processes, opens the process group and notices deaths. Checkpoints, metrics and results stay our files in the run's
folder, in the home that all machines reach, so a restarted group continues exactly as a restarted process does.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from l9.errors import TrainingError
from l9.progress import Say
from l9.session import ray_session
from l9.store.home import Home
from l9.train.assemble import Job
from l9.train.board import Teller, board_read
from l9.train.noted import remade_error
from l9.train.rank import cores, work_as_rank

RESTARTS = (
    8  # of the whole group, for deaths of workers and machines; errors of ours are not retried, machines called back by a cloud not counted
)
PLACINGS = 90  # times the group may fail to find room, 20 s each (l9/session.py): half an hour, in which a cloud gives a machine or never
COLLECTIVE_SECONDS = 90  # of one sum over all ranks: a rank beyond a cut link is given up after that
GROW_SECONDS = 30.0  # between two looks at whether an elastic group could be larger


def fit_with_workers(
    job: Job, workers: int | tuple[int, int], address: str | None, say: Say, place: Home, saved: Callable[[], None]
) -> None:
    """Run `train_worker` on every rank until rank 0 has written a result, or a rank has left an error of ours.

    place   the home in which the folder is, as this process knows it
    saved   called from a thread when a checkpoint of theirs is durable
    raises  that error; TrainingError when the group died more often than it is restarted, or cannot be placed
    """
    run_dir = Path(job["run_dir"])
    most = workers if isinstance(workers, int) else workers[1]
    with ray_session(address, cpus=max(most, cores())), board_read(say, saved) as board:
        import ray.train

        about = {"job": job, "board": board, "cores": cores() if address is None else None, "home": place.url, "here": str(place.path)}
        died: Exception | None = None
        try:
            with _interrupt_kept():
                _trainer(about, run_dir, workers, gpu=_use_gpu(job)).fit()
        except ray.train.TrainingFailedError as error:
            died = error
        left = Teller(board).failed()
        if left is not None:
            raise remade_error(*left) from died
        if died is not None:
            last = str(died).strip().splitlines()[-1]
            raise TrainingError(f"the workers of {run_dir.name} failed again and again ({last}); l9 run again continues") from died


def _trainer(about: dict[str, Any], run_dir: Path, workers: int | tuple[int, int], *, gpu: bool) -> Any:
    import ray.train
    from ray.train.torch import TorchTrainer

    from l9.train.network import ClusterTorchConfig

    return TorchTrainer(
        work_as_rank,
        train_loop_config=about,
        torch_config=ClusterTorchConfig(backend="nccl" if gpu else "gloo", timeout_s=COLLECTIVE_SECONDS),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers,
            use_gpu=gpu,
            resources_per_worker=_resources(about["job"], gpu),
            placement_strategy="PACK" if gpu else "SPREAD",  # processors are shared with what else runs on a machine, GPUs are not
            elastic_resize_monitor_interval_s=GROW_SECONDS,
        ),
        run_config=ray.train.RunConfig(
            name="group",
            storage_path=str(run_dir / "ray"),
            failure_config=ray.train.FailureConfig(max_failures=RESTARTS, controller_failure_limit=PLACINGS),
        ),
    )


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


def _use_gpu(job: Job) -> bool:
    import ray

    gpus = job["train"]["gpus"]
    return bool(ray.cluster_resources().get("GPU", 0)) if gpus == "auto" else gpus > 0


def _resources(job: Job, gpu: bool) -> dict[str, float] | None:
    gpus = job["train"]["gpus"]
    return {"CPU": 1, "GPU": 1 if gpus == "auto" else gpus} if gpu else None
